"""Which part of a collection a run reads: all of it, what changed, or what changed and a slice of the rest.

Neither API has a change feed. So what was last read too long ago is read again, a little in every run, such that no row
goes unread for longer than `FULL_SWEEP_EVERY_DAYS`; a collection that is small is simply read whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from ingestion.coverage import NEVER, Coverage

# Some 300 requests: five minutes at the pace that Raise advises.
_SMALL = 150_000
_SLICE_MARGIN = 1.4


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
    """When the last finished sweep began."""
    late_reread_at: datetime | None = None
    watermark: datetime | None = None
    ran_at: datetime | None = None
    vanished: tuple[int, ...] = ()
    """What the unfinished sweep has missed so far."""


@dataclass(frozen=True)
class Plan:
    """What a run reads of one collection, and why."""

    mode: Mode
    reason: str
    slice_rows: int = 0


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
    if rows <= _SMALL:
        return Plan(Mode.FULL, "small enough to be read whole")
    ran_at = progress.ran_at or progress.swept_at
    gap = now - ran_at
    oldest = progress.coverage.oldest
    if oldest == NEVER or oldest + promise <= now + gap:
        return Plan(Mode.FULL, f"some rows were last read {oldest:%Y-%m-%d %H:%M}")
    slice_rows = round(rows * _SLICE_MARGIN * (gap / promise))
    if slice_rows <= 0:
        return Plan(Mode.INCREMENTAL, "what changed; nothing else is due")
    return Plan(Mode.ROLLING, f"what changed, and {slice_rows} of {rows} rows again", slice_rows)
