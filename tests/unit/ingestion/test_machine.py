"""How many threads DuckDB gets follows from the memory that it may take, whatever the machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion import machine
from ingestion.workbench import Workbench
from orchestration import dbt


def setting(connection: object, name: str) -> object:
    ((value,),) = connection.execute(f"select current_setting('{name}')").fetchall()  # type: ignore[attr-defined]
    return value


@pytest.mark.parametrize(("cores", "typing", "reading", "models"), [(1, 1, 1, 1), (6, 4, 6, 6), (128, 4, 8, 11)])
def test_no_more_threads_than_memory_allows_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cores: int, typing: int, reading: int, models: int
) -> None:
    monkeypatch.setattr(machine, "_cores", lambda: cores)
    bench = Workbench()
    assert setting(bench.connection(), "threads") == typing
    bench.close()
    with machine.connect() as connection:
        assert setting(connection, "threads") == reading
    assert dbt.memory(tmp_path / "none.duckdb", "1500MB")[machine.THREADS] == str(models)
    assert dbt.memory(tmp_path / "none.duckdb", "300MB")[machine.THREADS] == str(min(cores, 2))


def test_what_is_read_with_takes_no_more_than_it_may(tmp_path: Path) -> None:
    with machine.connect(tmp_path / "w.duckdb", memory=100_000_000) as connection:
        assert machine.as_bytes(str(setting(connection, "memory_limit"))) <= 100_000_000


def test_a_limit_is_named_as_duckdb_names_it() -> None:
    assert machine.memory_limit("1GB") == "953.6 MiB"
    assert machine.as_bytes(machine.memory_limit()) > 0
