"""The warehouse file as ingestion sees it: looked into read-only, written by dlt alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from ingestion.errors import WarehouseLocked, WarehouseUnusable

CORRECT_RIGHTS = "correct WAREHOUSE_PATH, or the rights of its folder"

_NEWER = re.compile(r"version number \d+, but we can only read")
_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")


def check(path: Path) -> None:
    """Makes the folder. Raises `WarehouseLocked` or `WarehouseUnusable` where a run could not write."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseUnusable(path, f"{error.strerror}: {error.filename}", CORRECT_RIGHTS) from None
    if not os.access(path.parent, os.W_OK):
        raise WarehouseUnusable(path, f"{path.parent} cannot be written", CORRECT_RIGHTS)
    if not path.exists():
        return
    try:
        duckdb.connect(str(path)).close()
    except duckdb.IOException as error:
        if _NEWER.search(str(error)):
            raise WarehouseUnusable(path, "a newer DuckDB wrote it", "upgrade tieout, or move it away") from None
        if "could not set lock" not in str(error).lower():
            raise WarehouseUnusable(path, _first_line(error)) from None
        holder = _HOLDER.search(str(error))
        raise WarehouseLocked(
            path, f" by {Path(holder['program']).name} (process {holder['pid']})" if holder else ""
        ) from None
    except (duckdb.Error, OSError) as error:
        raise WarehouseUnusable(path, _first_line(error)) from None


@dataclass(frozen=True)
class LastRead:
    """How current a resource of an organization is in the warehouse."""

    organization: str
    resource: str
    read_at: datetime | None
    """When its last complete reading began; None where there was none yet."""
    newest: datetime | None
    """The newest creation or modification that was ever read."""


def last_reads(path: Path, dataset: str) -> list[LastRead]:
    """One for each resource that was ever read, or tried."""
    if not path.exists():
        return []
    with duckdb.connect() as connection, attached(connection, path):
        if not has_table(connection, dataset, "load_audit"):
            return []
        connection.execute("set TimeZone = 'UTC'")
        found = connection.execute(
            f"""
            select
                organization,
                resource,
                max(started_at) filter (where is_complete),
                max(try_cast(watermark as timestamptz))
            from warehouse.{dataset}.load_audit group by all order by all
            """
        ).fetchall()
    return [LastRead(*row) for row in found]


@contextmanager
def attached(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[None]:
    """The warehouse, attached read-only under the name `warehouse` for the length of the block."""
    quoted = str(path).replace("'", "''")
    connection.execute(f"attach '{quoted}' as warehouse (read_only)")
    try:
        yield
    finally:
        connection.execute("detach warehouse")


def has_table(connection: duckdb.DuckDBPyConnection, dataset: str, table: str) -> bool:
    """Whether the attached warehouse has this table."""
    return bool(
        connection.execute(
            "select 1 from duckdb_tables() where database_name = 'warehouse' and schema_name = $1 and table_name = $2",
            [dataset, table],
        ).fetchone()
    )


def columns(path: Path, dataset: str) -> dict[str, frozenset[str]]:
    """The tables of a dataset and their columns. None where there is no warehouse yet."""
    if not path.exists():
        return {}
    with duckdb.connect() as connection, attached(connection, path):
        found = connection.execute(
            """
            select table_name, list(column_name) from duckdb_columns()
            where database_name = 'warehouse' and schema_name = $1 group by table_name
            """,
            [dataset],
        ).fetchall()
    return {table: frozenset(names) for table, names in found}


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
