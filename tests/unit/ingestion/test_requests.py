"""How many requests readings cost: a quiet full one hardly more than its pages, an hourly one a few percent of that."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.plain_warehouse import PlainWarehouse
from tests.simulation import RESOURCES, Raise, run, scaled, simulate


def test_a_full_reading_costs_hardly_more_than_its_pages(tmp_path: Path) -> None:
    api = Raise(gifts=60_000, donors=20_000, per_page=500)
    run(api, PlainWarehouse(tmp_path / "warehouse.duckdb", *RESOURCES))
    assert api.requests.total() <= 1.02 * api.least


def test_what_hourly_runs_cost_and_find(tmp_path: Path) -> None:
    """A hundredth of a million gifts and 300,000 donors, on pages that are as much smaller."""
    with scaled(100):
        simulated = simulate(tmp_path, gifts=10_000, donors=3_000, per_page=5, hours=9)
    assert simulated.dearest <= 0.05
    assert simulated.late["told by the log"]
    assert max(simulated.late["told by the log"]) < timedelta(hours=1)
    assert simulated.late["untold"]
