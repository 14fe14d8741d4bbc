"""Days in the life of a small organization, run after run."""

from __future__ import annotations

from collections.abc import Callable

from ingestion.sandbox import Handle, running
from tests.integration.conftest import Workplace


def statuses(place: Workplace) -> dict[int, str]:
    return dict(
        place.query("select raise_id, status from marts.recon_donors where raise_id is not null", published=True)
    )


def test_three_runs(workplaces: Callable[[Handle], Workplace]) -> None:
    with running(seed=11, scale="small") as sandbox:
        place = workplaces(sandbox)
        for hours in (0, 0, 30):
            if hours:
                sandbox.advance(hours=hours)
            before = place.raw() if place.warehouse.exists() else None
            done = place.tieout("run", TIEOUT_NOW=sandbox.env()["TIEOUT_NOW"])
            assert done.returncode == 0, done.stderr
            sandbox.observed()
            assert statuses(place) == {int(key): donor["status"] for key, donor in sandbox.truth()["donors"].items()}
            if before is not None and not hours:
                assert place.raw() == before
        assert sandbox.requests()["undocumented"]["count"] == 0


def test_without_crm_plus(workplaces: Callable[[Handle], Workplace], sandbox: Handle) -> None:
    place = workplaces(sandbox)
    done = place.tieout("run", CRM_PLUS_API_KEY="")
    assert done.returncode == 0, done.stderr
    assert set(statuses(place).values()) == {"not_applicable", "deleted", "test_mode"}
    assert place.query("select count(*) from raw_crm_plus.contacts") == [(0,)]
    assert place.query("select is_connected from raw_crm_plus.connections") == [(False,)]
