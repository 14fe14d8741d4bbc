from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from ingestion.workbench import Workbench


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "it's a warehouse.duckdb"


def write(path: Path, sql: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(sql)


def test_there_need_be_no_warehouse(path: Path) -> None:
    for bench in (Workbench(), Workbench(path, "raw")):
        assert bench.columns() == {}
        assert not bench.has("gifts")
        bench.give_back()
        bench.close()


def test_a_warehouse_that_is_made_later_is_seen(path: Path) -> None:
    bench = Workbench(path, "raw")
    assert not bench.has("gifts")
    write(path, "create schema raw; create table raw.gifts (id bigint); create table gifts_of_others (id bigint)")
    assert bench.columns() == {"gifts": frozenset({"id"})}


@pytest.mark.parametrize("let_go", [Workbench.give_back, Workbench.close])
def test_what_is_given_back_can_be_written_to(path: Path, let_go: Callable[[Workbench], None]) -> None:
    write(path, "create schema raw; create table raw.gifts as select 1 as id")
    bench = Workbench(path, "raw")
    connection = bench.connection()
    read = f"select id from {bench.name_of('gifts')}"
    assert connection.execute(read).fetchall() == [(1,)]
    with pytest.raises(duckdb.Error, match="already attached"):
        write(path, "insert into raw.gifts values (2)")
    let_go(bench)
    write(path, "insert into raw.gifts values (2)")
    if let_go is Workbench.give_back:
        assert bench.has("gifts")
        assert connection.execute(read).fetchall() == [(1,), (2,)]


def test_each_connection_has_tables_and_a_time_zone_of_its_own() -> None:
    bench = Workbench()
    here, there = bench.connection(), bench.connection("America/New_York")
    for connection, count in ((here, 1), (there, 2)):
        connection.execute(f"create temp table known as from range({count})")
    hour = "select (select count(*) from known), hour(to_instant('2026-03-01T12:00:00') at time zone 'UTC')"
    assert here.execute(hour).fetchall() == [(1, 12)]
    assert there.execute(hour).fetchall() == [(2, 17)]
