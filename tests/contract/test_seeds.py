"""The seeds that belong to the project are whole. They change with it, so nothing has to look at them on every run."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

SEEDS = Path(__file__).parents[2] / "transform" / "seeds"

KEYS = {"event_types": ("event_type",), "recon_statuses": ("entity", "code")}
OPTIONAL = {"recon_statuses": {"severity"}}


def rows(seed: str) -> Sequence[Mapping[str, str]]:
    with (SEEDS / f"{seed}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("seed", KEYS)
def test_a_seed_has_one_row_per_key(seed: str) -> None:
    keys = [tuple(row[name] for name in KEYS[seed]) for row in rows(seed)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("seed", KEYS)
def test_a_seed_has_no_gap(seed: str) -> None:
    gaps = [(row, name) for row in rows(seed) for name, value in row.items() if not value]
    assert [gap for gap in gaps if gap[1] not in OPTIONAL.get(seed, set())] == []


def test_an_exception_and_nothing_else_has_a_severity() -> None:
    for status in rows("recon_statuses"):
        assert (status["severity"] in {"error", "warn", "info"}) == (status["is_exception"] == "true"), status
        assert status["severity"] in {"error", "warn", "info", ""}


def test_statuses_are_of_the_three_entities() -> None:
    assert {status["entity"] for status in rows("recon_statuses")} == {"donor", "gift", "recurring_gift"}


def test_the_hypothesis_covers_the_fifteen_documented_integers() -> None:
    documented = {str(10 * tens + units) for tens in range(1, 6) for units in range(3)}
    assert {row["event_type"] for row in rows("event_types")} == documented
