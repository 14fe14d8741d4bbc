"""When which part of a collection was last read: ranges of its keys, the memory of sweeps and of the rolling re-read.

Ranges are `(low, high]` in the order of the keys and cover all keys without gap or overlap; an open end is None.
A sweep that was interrupted and a slice that is due are the same thing: the ranges that were not read for the longest
time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ingestion.pages import BEGINNING, Position

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Range:
    """The keys above `low` up to `high`, and when they were last read. `skip` is about how many rows come before."""

    low: int | None
    high: int | None
    read_at: datetime
    skip: int = 0

    @property
    def start(self) -> Position:
        return Position(self.low, self.skip if self.low is not None else 0)

    def holds(self, key: int) -> bool:
        return (self.low is None or key > self.low) and (self.high is None or key <= self.high)


@dataclass(frozen=True)
class Coverage:
    """All keys of a collection, in ranges in ascending order."""

    ranges: tuple[Range, ...] = (Range(None, None, NEVER),)

    @property
    def oldest(self) -> datetime:
        """No row went unread since before this."""
        return min(part.read_at for part in self.ranges)

    @property
    def newest(self) -> datetime:
        """When something was last read."""
        return max(part.read_at for part in self.ranges)

    def stale(self, before: datetime, behind: Position = BEGINNING) -> tuple[Range, ...]:
        """The ranges behind a position that were last read before an instant, the stalest first."""
        ranges = self._behind(behind)
        return tuple(sorted((part for part in ranges if part.read_at < before), key=lambda part: part.read_at))

    def unread(self, since: datetime) -> tuple[Range, ...]:
        """The ranges that were not read since an instant, in their order; neighbours as one."""
        merged: list[Range] = []
        for part in self.ranges:
            if part.read_at >= since:
                continue
            if merged and merged[-1].high == part.low:
                merged[-1] = replace(merged[-1], high=part.high)
            else:
                merged.append(part)
        return tuple(merged)

    def _behind(self, start: Position) -> Iterator[Range]:
        for part in self.ranges:
            if not _starts_before(part.low, start.key):
                yield part
            elif part.high is None or (start.key is not None and part.high > start.key):
                yield replace(part, low=start.key, skip=start.skip)

    def read(self, start: Position, end: Position | None, at: datetime) -> Coverage:
        """The coverage after the keys behind `start` up to `end` (None: to the last) were read."""
        low, high = start.key, end.key if end else None
        kept: list[Range] = []
        for part in self.ranges:
            if _starts_before(part.low, low):
                kept.append(replace(part, high=_lower_of(part.high, low)))
            if high is not None and (part.high is None or part.high > high):
                inside = part.low is None or part.low < high
                kept.append(replace(part, low=high, skip=end.skip) if inside and end else part)
        kept.append(Range(low, high, at, start.skip))
        return Coverage(tuple(_tidy(kept)))

    def to_json(self) -> list[list[Any]]:
        return [[part.low, part.high, part.read_at.isoformat(), part.skip] for part in self.ranges]

    @classmethod
    def from_json(cls, ranges: list[list[Any]]) -> Coverage:
        return cls(tuple(Range(low, high, datetime.fromisoformat(at), skip) for low, high, at, skip in ranges))


def _starts_before(low: int | None, other: int | None) -> bool:
    """Whether a range that starts behind `low` starts before one that starts behind `other`."""
    if other is None:
        return False
    return low is None or low < other


def _lower_of(high: int | None, other: int | None) -> int | None:
    return other if high is None else high if other is None else min(high, other)


def _tidy(ranges: Iterable[Range]) -> list[Range]:
    """In order, empty ranges left out, neighbours of one reading joined."""
    tidy: list[Range] = []
    for part in sorted(ranges, key=lambda part: (part.low is not None, part.low or 0)):
        if part.low is not None and part.high is not None and part.low >= part.high:
            continue
        if tidy and tidy[-1].read_at == part.read_at and tidy[-1].high == part.low:
            tidy[-1] = replace(tidy[-1], high=part.high)
        else:
            tidy.append(part)
    return tidy
