"""What is at WAREHOUSE_PATH is written to only when it is ours, by its mark or from before there were marks."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path

import duckdb
import pytest

from ingestion import identity, warehouse
from ingestion.errors import WarehouseLocked, WarehouseUnusable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data/w.duckdb"


def database(*statements: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with duckdb.connect(str(path)) as connection:
            for statement in statements:
                connection.execute(statement)

    return make


def sqlite(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table notes (a)")
    connection.close()


def killed_while_writing(path: Path) -> None:
    """Somebody else's, with a log that DuckDB takes in when it opens the file for writing."""
    code = f"import duckdb, os; c = duckdb.connect({str(path)!r}); c.execute('create table notes (a int)'); os._exit(0)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert path.with_name(f"{path.name}.wal").exists()


def newer_duckdb(path: Path) -> None:
    database("create schema raw_raise", "create table raw_raise.load_audit (a int)")(path)
    data = bytearray(path.read_bytes())
    data[12:20] = (999).to_bytes(8, "little")
    words = (int.from_bytes(data[at : at + 8], "little") for at in range(8, 4096, 8))
    data[:8] = reduce(lambda sum_, word: sum_ ^ word * 0xBF58476D1CE4E5B9 % 2**64, words, 5381).to_bytes(8, "little")
    path.write_bytes(data)


FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "somebody's database": (database("create table notes (a int)"), "it holds main.notes, and was not made by tieout"),
    "with a log": (killed_while_writing, "it holds main.notes"),
    "views alone": (database("create view here as select 1 as a"), "it holds main.here"),
    "a published file": (
        database("create schema marts", "create table marts.b (a int)", "create table marts.a (a int)"),
        "it holds marts.a and 1 more",
    ),
    "its name of a mark": (database("create table warehouse (format int)"), "it holds main.warehouse"),
    "sqlite": (sqlite, "it is an SQLite file"),
    "text": (lambda path: path.write_text("what somebody keeps\n" * 1000), "it is no DuckDB file"),
    "short text": (lambda path: path.write_text("x"), "it is no DuckDB file"),
    "empty": (Path.touch, "it is empty"),
    "a folder": (Path.mkdir, "it is a folder"),
    "a pipe": (os.mkfifo, "it is no plain file"),
    "a newer DuckDB": (newer_duckdb, "a newer DuckDB wrote it"),
    "a newer tieout": (
        database("create schema _tieout", f"create table _tieout.warehouse as select {identity.FORMAT + 1} as format"),
        "a newer tieout made it",
    ),
}


def state(folder: Path) -> dict[str, bytes | None]:
    return {str(file): file.read_bytes() if file.is_file() else None for file in folder.rglob("*")}


@pytest.mark.parametrize("use", [warehouse.check, warehouse.claim])
@pytest.mark.parametrize(
    ("make", "says", "is_link"),
    [
        pytest.param(*case, is_link, id=f"{'a link to ' if is_link else ''}{name}")
        for name, case in FOREIGN.items()
        for is_link in (False, True)
        # DuckDB looks for the log beside the link.
        if not (is_link and name == "with a log")
    ],
)
def test_what_is_not_ours_is_refused_and_not_touched(
    path: Path, use: Callable[[Path], None], make: Callable[[Path], object], says: str, is_link: bool
) -> None:
    path.parent.mkdir()
    made = path.with_name("elsewhere.duckdb") if is_link else path
    make(made)
    if is_link:
        path.symlink_to(made)
    before = state(path.parent)
    with pytest.raises(WarehouseUnusable) as caught:
        use(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert state(path.parent) == before


def test_only_claiming_makes_a_warehouse(path: Path) -> None:
    warehouse.check(path)
    assert path.parent.is_dir()
    assert not path.exists()
    warehouse.claim(path)
    assert marks(path) == [(identity.FORMAT,)]


def marks(path: Path) -> list[tuple[int]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("select format from _tieout.warehouse").fetchall()


OURS = {
    "loaded": ("create schema raw_raise", "create table raw_raise.load_audit (organization text)"),
    "loaded from one product": ("create schema raw_crm_plus", "create table raw_crm_plus.load_audit (run_id text)"),
    "an analyst's table beside": (
        "create schema raw_raise",
        "create table raw_raise.load_audit (organization text)",
        "create table main.notes (a int)",
    ),
    "killed before its first load": ("create schema raw_raise",),
    "nothing yet": (),
}


@pytest.mark.parametrize("statements", OURS.values(), ids=OURS)
def test_what_was_made_before_there_were_marks_is_adopted(path: Path, statements: tuple[str, ...]) -> None:
    path.parent.mkdir()
    database(*statements)(path)
    warehouse.check(path)
    warehouse.claim(path)
    assert marks(path) == [(identity.FORMAT,)]
    before = path.read_bytes()
    warehouse.claim(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["warehouse.duckdb", "tieout.duckdb", "raw_raise.duckdb"])
def test_the_mark_is_found_whatever_the_file_is_called(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    warehouse.claim(path)
    warehouse.claim(path)
    warehouse.check(path)


def test_a_link_to_a_disk_that_is_not_there(path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(path.with_name("disk") / "w.duckdb")
    with pytest.raises(WarehouseUnusable, match="disk, where it points to, does not exist"):
        warehouse.claim(path)
    path.with_name("disk").mkdir()
    warehouse.claim(path)
    assert path.with_name("disk").joinpath("w.duckdb").is_file()


def test_a_warehouse_that_somebody_has_open(path: Path) -> None:
    warehouse.claim(path)
    code = f"import duckdb; c = duckdb.connect({str(path)!r}, read_only=%r); print(flush=True); input()"
    for read_only in (False, True):
        with subprocess.Popen(
            [sys.executable, "-c", code % read_only], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout
            holder.stdout.readline()
            for use in (warehouse.check, warehouse.claim):
                with pytest.raises(WarehouseLocked, match=str(holder.pid)):
                    use(path)
            holder.communicate(b"\n")
