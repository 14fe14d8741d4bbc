"""A clock that was wrong during one run falsifies nothing that later runs say."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.integration.conftest import Workplace


def said(place: Workplace) -> list[tuple[Any, ...]]:
    """What the readers' file says of each record, and as of when."""
    columns = "organization, raise_id, crm_id, status, as_of"
    entities = ("donors", "gifts", "recurring_gifts")
    union = " union all ".join(f"select '{name}', {columns} from marts.recon_{name}" for name in entities)
    return place.query(f"{union} order by all", published=True)


def test_a_clock_that_was_ahead_or_behind_in_one_run_changes_no_later_status(place: Workplace) -> None:
    before = said(place)
    now = datetime.fromisoformat(place.environment["TIEOUT_NOW"])
    for wrong in (timedelta(days=30), timedelta(days=-30)):
        done = place.tieout("run", TIEOUT_NOW=(now + wrong).isoformat())
        assert done.returncode == 0, done.stderr
        if wrong < timedelta():
            # Nobody is accused by a clock that is behind.
            accused = {row[:4] for row in said(place) if row[3] in ("late", "missing")}
            assert accused <= {row[:4] for row in before}
        done = place.tieout("run")
        assert done.returncode == 0, done.stderr
        assert said(place) == before
    later = f"greatest(first_seen_at, last_seen_at, resolved_at) > timestamptz '{now}'"
    assert place.query(f"select exception_id from marts.recon_exceptions where {later}", published=True) == []
