"""The search for secrets finds them wherever they are planted."""

from __future__ import annotations

import gzip
import json
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from dlt.common.versioned_state import compress_state

from tests.secrets import found_in

MARK = "marked-token-0123456789"


def in_duckdb(file: Path, mark: str) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE SCHEMA marts")
        # Many alike, so that they are packed.
        connection.execute(
            "CREATE TABLE marts.t AS SELECT {'a': [$1 || '-' || i]} AS x FROM range(100000) AS r(i)", [mark]
        )


def in_parquet(file: Path, mark: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT '{mark}' AS x FROM range(10000)) TO '{file}' (FORMAT parquet, COMPRESSION zstd)"
        )


def in_sqlite(file: Path, mark: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE snapshots (body BLOB)")
        connection.execute("INSERT INTO snapshots VALUES (?)", [zlib.compress(f"run config {mark}".encode())])
        connection.commit()


def state(mark: str) -> str:
    packed = compress_state({"_state_version": 1, "_state_engine_version": 4, "sources": {"raise": {"after": mark}}})
    return json.dumps({"state": packed})


@pytest.mark.parametrize(
    "plant",
    [
        lambda file, mark: file.write_text(f"Authorization: Bearer {mark}\n"),
        lambda file, mark: file.write_bytes(gzip.compress(f"row {mark}".encode())),
        in_duckdb,
        in_parquet,
        in_sqlite,
        lambda file, mark: file.write_text(state(mark)),
        lambda file, mark: file.write_bytes(gzip.compress(state(mark).encode())),
        lambda file, mark: in_duckdb(file, state(mark)),
        lambda file, mark: in_sqlite(file, state(mark)),
    ],
)
def test_what_is_planted_is_found(tmp_path: Path, plant: Callable[[Path, str], object]) -> None:
    (tmp_path / "deep").mkdir()
    plant(tmp_path / "deep/file", MARK)
    found = found_in(tmp_path, [MARK, "another"])
    assert found
    assert all(line.startswith(f"{MARK} in deep/file") for line in found)


@pytest.mark.parametrize("plant", [in_duckdb, in_parquet, in_sqlite])
def test_what_is_not_there_is_not_found(tmp_path: Path, plant: Callable[[Path, str], object]) -> None:
    plant(tmp_path / "file", "harmless")
    assert found_in(tmp_path, [MARK]) == []


def test_what_only_looks_packed_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("eNoAAAAAAAAA eNq/ eNpabcdefghijk==")
    assert found_in(tmp_path, [MARK]) == []
