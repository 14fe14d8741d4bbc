"""What is added up from the reconciliation, against what the sandbox planted; and the queries of the analyst guide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from ingestion.sandbox import Handle, running
from tests.guide import queries
from tests.integration.conftest import Workplace


@pytest.fixture(scope="module")
def truth_and_place(workplaces: Callable[[Handle], Workplace]) -> Iterator[tuple[dict[str, Any], Workplace]]:
    """A small organization, read before and after a day on which two campaigns were switched."""
    with running(seed=11, scale="small") as sandbox:
        place = workplaces(sandbox)
        for hours in (0, 30):
            if hours:
                sandbox.advance(hours=hours)
            done = place.tieout("run", TIEOUT_NOW=sandbox.env()["TIEOUT_NOW"])
            assert done.returncode == 0, done.stderr
            sandbox.observed()
        yield sandbox.truth(), place


def test_every_day_adds_up_to_what_happened(truth_and_place: tuple[dict[str, Any], Workplace]) -> None:
    truth, place = truth_and_place
    found = {
        (day, currency): figures
        for day, currency, *figures in place.query(
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


def test_what_was_held_back_and_syncs_again_can_be_backfilled(
    truth_and_place: tuple[dict[str, Any], Workplace],
) -> None:
    truth, place = truth_and_place
    held_back = {
        int(id)
        for id, gift in truth["gifts"].items()
        if gift["status"] == "sync_disabled" and gift["situation"] == "off_until_toggled"
    }
    assert held_back
    assert {id for (id,) in place.query("select raise_id from marts.backfill_candidates", published=True)} == held_back


def test_the_key_in_use_is_not_questioned(truth_and_place: tuple[dict[str, Any], Workplace]) -> None:
    _, place = truth_and_place
    assert place.query("select bool_or(in_use), bool_or(suggested) from marts.link_key_discovery", published=True) == [
        (True, False)
    ]


def test_the_queries_of_the_analyst_guide_run(truth_and_place: tuple[dict[str, Any], Workplace]) -> None:
    _, place = truth_and_place
    with duckdb.connect(str(place.published), read_only=True) as connection:
        for query in queries():
            connection.execute(query).fetchall()
