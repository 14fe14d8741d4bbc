"""Fields that are not declared travel in one object, where their names or their number would be too much for DuckDB.

The names in a DuckDB struct ignore case, those in JSON do not: `comment` may come beside `Comment`. And each field of a
struct takes memory in each thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from itertools import count

import msgspec

_ROW = dict[str, msgspec.Raw]
_NULL = msgspec.Raw(b"null")


def are_odd(names: Collection[str], declared: Collection[str] = ()) -> bool:
    """Whether some of these names cannot stand in one struct, or are declared ones in another casing."""
    folded = {name.lower() for name in names}
    if len(folded) < len(names) or not all(name.isprintable() and name and '"' not in name for name in names):
        return True
    return not folded.isdisjoint(name.lower() for name in set(declared).difference(names))


def holder(declared: Collection[str]) -> str:
    """A name for the object of the others, which no declared field has."""
    taken = {name.lower() for name in declared}
    return next(name for number in count() if (name := f"others{number}") not in taken)


def packed(body: str, rows: str, declared: Collection[str], holder: str, is_dropped: Callable[[str], bool]) -> str:
    """The rows of a body with their declared fields, and all others that are not null in `holder`, ordered by name.

    Each value stays as it was written. A field in another casing than declared is the declared one where it is the only
    one of its row.
    """
    by_folded = {name.lower(): name for name in declared}

    def travelling(row: _ROW) -> _ROW:
        made: _ROW = {}
        others: _ROW = {}
        spellings = Counter(map(str.lower, row)) if len(row) > 1 else {}
        for name, value in row.items():
            is_alone = spellings.get(name.lower(), 1) == 1
            if known := by_folded.get(name.lower()) if is_alone else name if name in declared else None:
                made[known] = value
            elif value != _NULL and not is_dropped(name):
                others[name] = value
        if others:
            made[holder] = msgspec.Raw(msgspec.json.encode(others, order="sorted"))
        return made

    answer = msgspec.json.decode(body, type=_ROW)
    found = msgspec.json.decode(answer[rows], type=list[_ROW])
    return msgspec.json.encode({rows: [travelling(row) for row in found]}).decode()
