"""How DuckDB joins what the models join, in a warehouse that holds something of everything."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.integration.conftest import Workplace

PAIRWISE = ("BLOCKWISE_NL_JOIN", "NESTED_LOOP_JOIN", "CROSS_PRODUCT")
"""Ways to join in which every row of one side meets every row of the other: a million gifts of two sides never end."""

FEW_ROWS = {
    "enum_labels": "words that the products use, and two seeds",
    "event_type_labels": "kinds of events",
    "int_recon__assessability": "organizations, and the reads that each needs",
    "int_recon__record_gaps": "records that cannot be read and have no id",
    "link_key_discovery": "sources of transactions",
    "webhook_subscription_coverage": "subscriptions, and kinds of events",
}
"""Models that may join so, and of what they join: nothing that grows with the records of an organization."""


def joined_pairwise(warehouse: Path, compiled: Path) -> set[str]:
    """The models of which DuckDB plans a join pair by pair."""
    models = {
        path.stem: path.read_text() for path in compiled.glob("tieout/models/**/*.sql") if path.parent.suffix != ".yml"
    }
    assert len(models) > 90
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        plans = {name: connection.execute(f"explain {sql}").fetchall()[0][1] for name, sql in models.items()}
    return {name for name, plan in plans.items() if any(operator in plan for operator in PAIRWISE)}


def test_no_model_compares_every_record_with_every_other(place: Workplace) -> None:
    found = joined_pairwise(place.warehouse, place.folder / "data/warehouse.state/dbt/run/compiled")
    assert found == FEW_ROWS.keys()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [("l.k = r.k", set()), ("l.k = r.k and l.flag", {"model"})],
)
def test_a_condition_on_one_side_is_seen(tmp_path: Path, condition: str, expected: set[str]) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute("create table t as select i as k, i % 2 = 0 as flag from range(10000) as numbers (i)")
    folder = tmp_path / "tieout/models"
    folder.mkdir(parents=True)
    for number in range(91):
        (folder / f"other_{number}.sql").write_text("select 1")
    (folder / "model.sql").write_text(f"select l.k from t as l left join t as r on {condition}")
    assert joined_pairwise(tmp_path / "w.duckdb", tmp_path) == expected
