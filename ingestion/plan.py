"""Which part of a collection a run reads: all of it, what changed, or what changed and a slice of the rest.

Neither API has a change feed. So what was last read too long ago is read again, a little in every run, such that no row
goes unread for longer than `FULL_SWEEP_EVERY_DAYS`; a collection that is small is simply read whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from ingestion.coverage import NEVER, Coverage

# Twenty requests are not worth a thought; 300 a day are five minutes at the pace that Raise advises.
_SMALL = 10_000
_WHOLE_PER_DAY = 150_000
_SLICE_MARGIN = 1.4
# Gifts turn refunded or charged back weeks later: the rows of that time are read again in less than a day.
_LATE_PROMISE = timedelta(hours=20)


class Mode(StrEnum):
    FULL = "full"
    INCREMENTAL = "incremental"
    ROLLING = "rolling"


@dataclass(frozen=True)
class ReadProgress:
    """How far earlier runs have come with a collection; what `read_progress` holds."""

    coverage: Coverage = field(default_factory=Coverage)
    is_in_key_order: bool = True
    sweep_started_at: datetime | None = None
    """Set while a sweep is unfinished."""
    swept_at: datetime | None = None
    """When the last finished sweep read what it read first."""
    watermark: datetime | None = None
    ran_at: datetime | None = None
    vanished: tuple[int, ...] = ()
    """What the unfinished sweep has missed so far."""
    due: tuple[int, ...] = ()
    """Rows of which something said that they changed, and that were not read since."""
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The fields that the API has sent, each with the types of JSON that it was first seen with."""

    def believed(self, now: datetime) -> ReadProgress:
        """This progress, or where it names an instant later than `now`, only what holds at any time.

        A clock that was ahead in an earlier run would else make rows count as read lately, and nothing as due.
        """
        instants = (self.coverage.newest, self.sweep_started_at, self.swept_at, self.watermark, self.ran_at)
        if all(instant is None or instant <= now for instant in instants):
            return self
        return ReadProgress(is_in_key_order=self.is_in_key_order, due=self.due, fields=self.fields)

    def is_given_up(self, now: datetime, stale_after: timedelta) -> bool:
        """Whether the unfinished sweep read nothing, or nothing lately: what it has would be stale at its end."""
        began = self.sweep_started_at
        return began is not None and self.coverage.newest < max(began, now - stale_after)


@dataclass(frozen=True)
class Plan:
    """What a run reads of one collection, and why."""

    mode: Mode
    reason: str
    slice_rows: int = 0
    late_share: float = 0.0
    """How much of the rows that may yet turn is read again."""


def plan(
    progress: ReadProgress, *, rows: int, now: datetime, promise: timedelta, full: bool, has_changes: bool
) -> Plan:
    """The plan of a run that starts at `now` for a collection of which the warehouse holds `rows`."""
    if progress.sweep_started_at:
        return Plan(Mode.FULL, f"goes on with the sweep that began {progress.sweep_started_at:%Y-%m-%d %H:%M}")
    if progress.swept_at is None:
        return Plan(Mode.FULL, "never read to the end before")
    if full:
        return Plan(Mode.FULL, "asked for")
    if not has_changes or not progress.is_in_key_order:
        return Plan(Mode.FULL, "the API offers no way to read less")
    ran_at = progress.ran_at or progress.swept_at
    gap = now - ran_at
    if rows <= max(_SMALL, _WHOLE_PER_DAY * (gap / timedelta(days=1))):
        return Plan(Mode.FULL, "small enough to be read whole")
    oldest = progress.coverage.oldest
    if oldest == NEVER or oldest + promise <= now + gap:
        since = "never read, or not believed" if oldest == NEVER else f"last read {oldest:%Y-%m-%d %H:%M}"
        return Plan(Mode.FULL, f"some rows were {since}")
    slice_rows = round(rows * _SLICE_MARGIN * (gap / promise))
    if slice_rows <= 0:
        return Plan(Mode.INCREMENTAL, "what changed; nothing else is due")
    late_share = min(_SLICE_MARGIN * (gap / _LATE_PROMISE), 1.0)
    return Plan(Mode.ROLLING, f"what changed, and {slice_rows} of {rows} rows again", slice_rows, late_share)
