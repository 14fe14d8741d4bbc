"""Writes the readers' file: the marts alone, replaced whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ingestion import machine

SCHEMA = "marts"


def publish(warehouse: Path, published: Path) -> dict[str, int]:
    """Copies the marts into a new file and swaps it in; readers have the old file or the new one. Rows by table."""
    published.parent.mkdir(parents=True, exist_ok=True)
    # Opened for writing, though it only reads: DuckDB's lock then makes this the only publisher.
    with machine.connect(warehouse) as connection, _draft(published) as draft:
        connection.execute(f"ATTACH '{_quoted(draft)}' AS draft")
        connection.execute(f"CREATE SCHEMA draft.{SCHEMA}")
        rows = {table: _copy(connection, table) for table in _tables(connection)}
        _copy_comments(connection)
        connection.execute("DETACH draft")
        _sync(draft)
        # A reader that opened the old file for writing may have left a log, which does not belong to the new one.
        _log_of(published).unlink(missing_ok=True)
        os.replace(draft, published)
    return rows


@contextmanager
def _draft(published: Path) -> Iterator[Path]:
    draft = published.with_name(f".{published.name}.draft")
    _remove(draft)
    try:
        yield draft
    finally:
        _remove(draft)


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)
    _log_of(file).unlink(missing_ok=True)


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.wal")


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_catalog = current_database() AND table_schema = ? ORDER BY table_name",
        [SCHEMA],
    )
    return [name for (name,) in found.fetchall()]


def _copy(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    name = f'{SCHEMA}."{table}"'
    counted = connection.execute(f"CREATE TABLE draft.{name} AS FROM {name}").fetchone()
    return int(counted[0]) if counted else 0


def _copy_comments(connection: duckdb.DuckDBPyConnection) -> None:
    comments = connection.execute(
        """
        SELECT 'TABLE', format('{}."{}"', schema_name, table_name), comment FROM duckdb_tables()
        WHERE database_name = current_database() AND schema_name = $schema AND comment IS NOT NULL
        UNION ALL
        SELECT 'TABLE', format('{}."{}"', schema_name, view_name), comment FROM duckdb_views()
        WHERE database_name = current_database() AND schema_name = $schema AND comment IS NOT NULL
        UNION ALL
        SELECT 'COLUMN', format('{}."{}"."{}"', schema_name, table_name, column_name), comment FROM duckdb_columns()
        WHERE database_name = current_database() AND schema_name = $schema AND comment IS NOT NULL
        """,
        {"schema": SCHEMA},
    ).fetchall()
    for kind, name, comment in comments:
        connection.execute(f"COMMENT ON {kind} draft.{name} IS '{_quoted(comment)}'")


def _quoted(text: object) -> str:
    return str(text).replace("'", "''")


def _sync(file: Path) -> None:
    with file.open("rb") as written:
        os.fsync(written.fileno())
