"""What dlt makes of the tables it is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from ingestion import operations
from ingestion.columns import BOOKKEEPING, ORGANIZATION, Resource, arrow_schema
from ingestion.landing import dlt_source
from ingestion.settings import Settings
from ingestion.sources import pipeline_for
from ingestion.virtuous_raise import DATASET
from ingestion.virtuous_raise.resources import GIFTS


class Quarantine:
    """A reading that has nothing to tell but what stands in quarantine."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.found = [{"organization": "river", "resource": "gifts", **row} for row in rows]

    def has_columns(self, *_: object) -> bool:
        return False

    def replaces_nothing(self, _: str) -> bool:
        return False

    def operations(self, table: str) -> Iterator[pa.Table]:
        columns, _ = operations.TABLES[table]
        if table == "quarantined_records":
            yield pa.Table.from_pylist(self.found, schema=arrow_schema((ORGANIZATION, *columns)))


class Gifts:
    """A reading of gifts alone, of which one may come a second time."""

    def __init__(self, *tables: Sequence[int], again: int | None = None) -> None:
        self._tables = tables
        self._again = again
        self._has_come = False

    def has_columns(self, *_: object) -> bool:
        return True

    def replaces_nothing(self, _: str) -> bool:
        return not self._has_come

    def rows(self, resource: Resource) -> Iterator[pa.Table]:
        for keys in self._tables:
            self._has_come |= self._again in keys
            rows = [{"organization": "river", "id": key} for key in keys]
            columns = (ORGANIZATION, *resource.columns, *BOOKKEEPING)
            yield pa.Table.from_pylist(rows, schema=arrow_schema(columns))

    def operations(self, _: str) -> Iterator[pa.Table]:
        yield from ()


@pytest.mark.parametrize("again", [1, 3, 5])
def test_a_row_that_comes_again_stands_once_wherever_it_comes_in_a_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, again: int
) -> None:
    """All of the package is merged then, also what was handed on to be appended."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    path = tmp_path / "w.duckdb"
    pipeline = pipeline_for("raise", "river", Settings(warehouse_path=path, _env_file=None))  # type: ignore[call-arg]

    def load(reading: Gifts) -> list[tuple[Any, ...]]:
        pipeline.run(dlt_source(DATASET, (GIFTS,), reading))  # type: ignore[arg-type]
        with duckdb.connect(str(path)) as connection:
            return connection.execute(f"select id from {DATASET}.gifts order by all").fetchall()

    load(Gifts([1, 3], [5]))
    packages = {1: ([1, 6], [7], [8]), 3: ([6], [3, 7], [8]), 5: ([6], [7], [8, 5])}
    held = [(1,), (3,), (5,), (6,), (7,), (8,)]
    assert load(Gifts(*packages[again], again=again)) == held
    assert load(Gifts([9])) == [*held, (9,)]


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
