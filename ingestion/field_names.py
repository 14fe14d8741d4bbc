"""Fields whose names DuckDB cannot tell apart or hold travel under other names, and come out under theirs.

The names in a DuckDB struct ignore case, those in JSON do not: `comment` may come beside `Comment`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import count

import msgspec

_ROW = dict[str, msgspec.Raw]


def are_odd(names: Collection[str], declared: Collection[str] = ()) -> bool:
    """Whether some of these names cannot stand in one struct, or are declared ones in another casing."""
    folded = {name.lower() for name in names}
    if len(folded) < len(names) or not all(name.isprintable() and name and '"' not in name for name in names):
        return True
    return not folded.isdisjoint(name.lower() for name in set(declared).difference(names))


def stand_ins(names: Iterable[str], declared: Collection[str]) -> dict[str, str]:
    """A name to travel under for each of these that is not declared."""
    names = sorted(set(names) - set(declared))
    taken = {name.lower() for name in (*names, *declared)}
    free = (name for number in count() if (name := f"other{number}") not in taken)
    return dict(zip(names, free, strict=False))


def renamed(body: str, rows: str, declared: Collection[str], stand_in: Mapping[str, str]) -> str:
    """The rows of a body under the names that they can travel under, each value as it was written.

    A field in another casing than declared is the declared one where it is the only one of its row.
    """
    by_folded = {name.lower(): name for name in declared}

    def travelling(row: _ROW) -> _ROW:
        spellings = Counter(name.lower() for name in row)
        return {_name(name, spellings[name.lower()] == 1): value for name, value in row.items()}

    def _name(name: str, is_alone: bool) -> str:
        return (by_folded.get(name.lower()) if is_alone else None) or stand_in.get(name, name)

    answer = msgspec.json.decode(body, type=_ROW)
    found = msgspec.json.decode(answer[rows], type=list[_ROW])
    return msgspec.json.encode({rows: [travelling(row) for row in found]}).decode()
