"""Rows of one resource in id order, with their encoded form kept at hand."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar


class HasId(Protocol):
    """What a row needs to live in a table."""

    id: int


Row = TypeVar("Row", bound=HasId)


class EncodedBytes:
    """How many bytes of encoded rows all tables may keep together."""

    def __init__(self, limit: int = 3 << 30) -> None:
        self.left = limit


class Table(Generic[Row]):
    """Rows by id. Ids grow with creation, so that the order of ids is also the order of creation.

    A row is encoded when it is first served and once more after it changed; a page is a join of what is kept.
    """

    def __init__(self, encode: Callable[[Row], bytes], budget: EncodedBytes) -> None:
        self.ids: list[int] = []
        self.version = 0
        self._rows: dict[int, Row] = {}
        self._encode = encode
        self._encoded: dict[int, bytes] = {}
        self._budget = budget
        self._derived: dict[Hashable, tuple[int, Sequence[int]]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Row]:
        rows = self._rows
        return (rows[id] for id in self.ids)

    def __contains__(self, id: int) -> bool:
        return id in self._rows

    def __getitem__(self, id: int) -> Row:
        return self._rows[id]

    def get(self, id: int) -> Row | None:
        """The row, or None."""
        return self._rows.get(id)

    def add(self, row: Row) -> None:
        """Take in a new row."""
        if self.ids and row.id < self.ids[-1]:
            insort(self.ids, row.id)
        else:
            self.ids.append(row.id)
        self._rows[row.id] = row
        self.version += 1

    def remove(self, id: int) -> Row:
        """Take a row out and return it."""
        self.touch(id)
        del self.ids[bisect_left(self.ids, id)]
        return self._rows.pop(id)

    def touch(self, id: int) -> None:
        """Say that a row changed."""
        kept = self._encoded.pop(id, None)
        if kept is not None:
            self._budget.left += len(kept)
        self.version += 1

    def encoded(self, id: int) -> bytes:
        """One row as JSON."""
        kept = self._encoded.get(id)
        if kept is None:
            kept = self._encode(self._rows[id])
            if self._budget.left > len(kept):
                self._budget.left -= len(kept)
                self._encoded[id] = kept
        return kept

    def derived(self, name: Hashable, compute: Callable[[], Iterable[int]]) -> Sequence[int]:
        """A list of ids that follows from the rows (an order, a selection), computed again only after a change."""
        known = self._derived.get(name)
        if known is None or known[0] != self.version:
            if len(self._derived) >= 16:
                self._derived.clear()
            known = (self.version, list(compute()))
            self._derived[name] = known
        return known[1]

    def ordered(self, name: str, key: Callable[[Row], Any]) -> Sequence[int]:
        """All ids sorted by a key, ties by id."""
        rows = self._rows
        return self.derived(("order", name), lambda: sorted(self.ids, key=lambda id: (key(rows[id]), id)))


def page(ids: Sequence[int], skip: int, take: int, descending: bool) -> Sequence[int]:
    """The ids of one page of a list that is kept in ascending order."""
    if not descending:
        return ids[skip : skip + take]
    end = max(len(ids) - skip, 0)
    return ids[max(end - take, 0) : end][::-1]


def above(ids: Sequence[int], low: int | None, inclusive: bool) -> int:
    """Where the ids greater than (or equal to) a bound begin."""
    if low is None:
        return 0
    return bisect_left(ids, low) if inclusive else bisect_right(ids, low)
