"""Searches everything that a workplace holds for texts that must not be there."""

from __future__ import annotations

import base64
import gzip
import re
import sqlite3
import zlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb

_PACKED = re.compile(rb"eN[o-r][A-Za-z0-9+/]{6,}={0,2}")
"""How dlt writes its state into a table or a file: Base64 of what zlib has packed as small as it can."""


def found_in(folder: Path, marks: Collection[str]) -> list[str]:
    """Where a mark is: in a file as it is, unpacked, or as rows; in the packed states of dlt in any of these."""
    return [
        f"{mark} in {file.relative_to(folder)} ({kind})"
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        for how, read in _readings(file)
        for kind, content in ((how, read), *((f"{how}, packed", state) for state in _states(read)))
        for mark in marks
        if mark.encode() in content
    ]


def _readings(file: Path) -> Iterator[tuple[str, bytes]]:
    raw = file.read_bytes()
    yield "bytes", raw
    if raw.startswith(b"\x1f\x8b"):
        yield "unpacked", gzip.decompress(raw)
    elif raw.startswith(b"PAR1"):
        with duckdb.connect() as connection:
            rows = connection.execute("SELECT t::VARCHAR FROM read_parquet($1) AS t", [str(file)]).fetchall()
        yield "rows", _joined(rows)
    elif raw.startswith(b"SQLite format 3"):
        yield "rows", b"\n".join(_sqlite(file))
    elif raw[8:12] == b"DUCK":
        yield "rows", b"\n".join(_duckdb(file))


def _states(content: bytes) -> Iterator[bytes]:
    for packed in _PACKED.findall(content):
        # Whatever else looks like it is no such thing.
        with suppress(ValueError, zlib.error):
            yield zlib.decompress(base64.b64decode(packed, validate=True))


def _duckdb(file: Path) -> Iterator[bytes]:
    with duckdb.connect(str(file), read_only=True) as connection:
        tables = connection.execute(
            "SELECT format('{}.\"{}\"', schema_name, table_name) FROM duckdb_tables() WHERE NOT internal"
        ).fetchall()
        for (table,) in tables:
            yield _joined(connection.execute(f"SELECT t::VARCHAR FROM {table} AS t").fetchall())


def _sqlite(file: Path) -> Iterator[bytes]:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    yield _unpacked(value) if isinstance(value, bytes) else str(value).encode()


def _unpacked(value: bytes) -> bytes:
    """Dagster packs what is long."""
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def _joined(rows: list[tuple[str]]) -> bytes:
    return "\n".join(str(row) for (row,) in rows).encode()
