"""What dlt makes of the tables it is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from ingestion import operations
from ingestion.columns import ORGANIZATION, arrow_schema
from ingestion.landing import dlt_source
from ingestion.settings import Settings
from ingestion.sources import pipeline_for
from ingestion.virtuous_raise import DATASET


class Quarantine:
    """A reading that has nothing to tell but what stands in quarantine."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.found = [{"organization": "river", "resource": "gifts", **row} for row in rows]

    def has_columns(self, *_: object) -> bool:
        return False

    def is_first_of(self, _: str) -> bool:
        return False

    def operations(self, table: str) -> Iterator[pa.Table]:
        columns, _ = operations.TABLES[table]
        if table == "quarantined_records":
            yield pa.Table.from_pylist(self.found, schema=arrow_schema((ORGANIZATION, *columns)))


def test_a_key_that_stands_twice_in_an_operations_table_stands_once_after_it_is_loaded_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    path = tmp_path / "w.duckdb"
    pipeline = pipeline_for("raise", "river", Settings(warehouse_path=path, _env_file=None))  # type: ignore[call-arg]
    one = {"record_id": "1", "field": "amount", "attempts": 1}
    table = f"{DATASET}.quarantined_records"

    def load(*rows: dict[str, Any]) -> list[tuple[Any, ...]]:
        pipeline.run(dlt_source(DATASET, (), Quarantine(*rows)))  # type: ignore[arg-type]
        with duckdb.connect(str(path)) as connection:
            return connection.execute(f"select record_id, attempts from {table} order by all").fetchall()

    assert load(one, {**one, "record_id": "2"}) == [("1", 1), ("2", 1)]
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"insert into {table} from {table} where record_id = '1'")
    assert load({**one, "attempts": 2}) == [("1", 2), ("2", 1)]
