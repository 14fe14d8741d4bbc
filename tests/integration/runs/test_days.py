"""Days in the life of a small organization, run after run, against what the sandbox planted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.sandbox import Handle, running
from tests.guide import queries
from tests.integration.conftest import Workplace

RUNS = ((0, "--only", "ingest"), (30,))
"""After the first run: one right after it, and one after a day on which campaigns are switched."""


@dataclass
class Day:
    """What one run left, and what it should have."""

    truth: dict[str, Any]
    donors: dict[int, str]
    raw: dict[str, list[tuple[Any, ...]]]


@dataclass
class Life:
    """What the runs left, and where."""

    days: list[Day]
    place: Workplace


@pytest.fixture(scope="module")
def life(after_one_run: Path, workplace_for: Callable[[Handle], Workplace]) -> Life:
    # The organization that the first run read, again at the instant it began: this one's clock goes on.
    with running(seed=11, scale="small") as sandbox:
        place = workplace_for(sandbox)
        shutil.copytree(after_one_run, place.folder / "data", dirs_exist_ok=True)
        sandbox.observed()
        days = [Day(sandbox.truth(), statuses(place), place.raw())]
        for hours, *part in RUNS:
            sandbox.advance(hours=hours)
            done = place.tieout("run", *part, TIEOUT_NOW=sandbox.env()["TIEOUT_NOW"])
            assert done.returncode == 0, done.stderr
            sandbox.observed()
            days.append(Day(sandbox.truth(), statuses(place), place.raw()))
        assert sandbox.requests()["undocumented"]["count"] == 0
    return Life(days, place)


def statuses(place: Workplace) -> dict[int, str]:
    return dict(
        place.query("select raise_id, status from marts.recon_donors where raise_id is not null", published=True)
    )


def test_every_run_finds_what_was_planted(life: Life) -> None:
    for day in life.days:
        assert day.donors == {int(key): donor["status"] for key, donor in day.truth["donors"].items()}


def test_a_run_with_nothing_new_changes_no_row(life: Life) -> None:
    first, again, later = (day.raw for day in life.days)
    assert first == again
    assert again != later


def test_every_day_adds_up_to_what_happened(life: Life) -> None:
    truth = life.days[-1].truth
    found = {
        (day, currency): figures
        for day, currency, *figures in life.place.query(
            """
            select gift_date, currency, sum(raise_net_amount), sum(crm_net_amount), sum(unexplained_amount)
            from marts.recon_daily_totals group by all
            """,
            published=True,
        )
    }
    expected = {}
    for key, cents in truth["daily_totals"].items():
        day, currency = key.split()
        figures = [Decimal(cents[name]) / 100 for name in ("raise_net", "crm_net", "unexplained")]
        expected[date(1970, 1, 1) + timedelta(days=int(day)), currency] = figures
    assert {key: figures for key, figures in found.items() if any(figures)} == {
        key: figures for key, figures in expected.items() if any(figures)
    }


def test_what_was_held_back_and_syncs_again_can_be_backfilled(life: Life) -> None:
    truth = life.days[-1].truth
    held_back = {
        int(id)
        for id, gift in truth["gifts"].items()
        if gift["status"] == "sync_disabled" and gift["situation"] in ("off_until_toggled", "before_it_synced_again")
    }
    assert held_back
    assert {
        id for (id,) in life.place.query("select raise_id from marts.backfill_candidates", published=True)
    } == held_back


def test_the_key_in_use_is_not_questioned(life: Life) -> None:
    assert life.place.query(
        "select bool_or(in_use), bool_or(suggested) from marts.link_key_discovery", published=True
    ) == [(True, False)]


def test_the_queries_of_the_analyst_guide_run(life: Life) -> None:
    with duckdb.connect(str(life.place.published), read_only=True) as connection:
        for query in queries():
            connection.execute(query).fetchall()
