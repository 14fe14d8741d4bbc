"""What `PII_MODE` promises, of a whole run: nothing that it leaves behind names a person, and it says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from ingestion.sandbox import Handle, running
from tests.integration.conftest import Workplace
from tests.planted import MARKS, planting
from tests.secrets import found_in

_STATUSES = """
    select 'donor', raise_id, crm_id, status from marts.recon_donors
    union all select 'gift', raise_id, crm_id, status from marts.recon_gifts
    union all select 'recurring gift', raise_id, crm_id, status from marts.recon_recurring_gifts
    order by all
"""


@pytest.fixture
def untouched() -> Iterator[Handle]:
    """An organization of its own: what others asked of theirs would show in the delivery log."""
    with running(seed=11, scale="small") as handle:
        yield handle


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_nothing_that_a_run_leaves_names_a_person(
    mode: str, untouched: Handle, workplace_for: Callable[[Handle], Workplace]
) -> None:
    place = workplace_for(untouched)
    assert place.tieout("run").returncode == 0
    expected = place.query(_STATUSES, published=True)
    place = workplace_for(untouched)
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

    assert len(expected) > 500
    assert place.query(_STATUSES, published=True) == expected
