"""What `PII_MODE` promises, of a whole run: nothing that it leaves behind names a person, and it says the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import pytest

from ingestion.sandbox import Handle
from tests.integration.conftest import Workplace
from tests.planted import MARKS, planting
from tests.secrets import found_in

_STATUSES = """
    select 'donor', raise_id, crm_id, status from marts.recon_donors
    union all select 'gift', raise_id, crm_id, status from marts.recon_gifts
    union all select 'recurring gift', raise_id, crm_id, status from marts.recon_recurring_gifts
    order by all
"""


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_nothing_that_a_run_leaves_names_a_person(
    mode: str, after_one_run: Path, sandbox: Handle, workplace_for: Callable[[Handle], Workplace]
) -> None:
    place = workplace_for(sandbox)
    parts = urlsplit(place.environment["RAISE_BASE_URL"])
    with planting(f"{parts.scheme}://{parts.netloc}") as planter:
        urls = {
            name: planter + urlsplit(place.environment[name]).path for name in ("RAISE_BASE_URL", "CRM_PLUS_BASE_URL")
        }
        done = place.tieout("run", **urls, PII_MODE=mode)
    # The planter refuses one resource, in words that name somebody.
    assert done.returncode == 1
    assert "what it says may be personal" in done.stderr
    assert found_in(place.folder, MARKS) == []
    assert not any(mark in text for text in place.log for mark in MARKS)

    with duckdb.connect(str(after_one_run / "published/tieout.duckdb"), read_only=True) as connection:
        expected = connection.execute(_STATUSES).fetchall()
    assert len(expected) > 500
    assert place.query(_STATUSES, published=True) == expected
