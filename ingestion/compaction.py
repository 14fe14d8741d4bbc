"""Rewrites the warehouse file, so that nothing of what was erased or replaced is left in its free space.

The copy is made beside it and takes its place when it is whole. One that is killed before leaves the old file and a
draft, which the next one removes.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb

from ingestion import machine
from ingestion.erasure import PERSONS


def compact_after_erasure(path: Path, packages: Path) -> bool:
    """Rewrites the file if something was erased since it was last written anew; whether it was.

    With it go the load packages in `packages` (dlt's state) that are loaded: they hold rows as they were read.
    """
    place = path.resolve()
    draft = place.with_name(f".{place.name}.compacting")
    _remove(draft)
    with machine.connect(place) as connection:
        if not _has_traces(connection):
            return False
        connection.execute("checkpoint")
        _copy(connection, draft)
        for package in packages.glob("*/load/loaded/*"):
            shutil.rmtree(package)
        shutil.copymode(place, draft)
        _sync(draft)
        # It holds nothing after the checkpoint, and would not belong to the new file.
        place.with_name(f"{place.name}.wal").unlink(missing_ok=True)
        # Under the lock of the old one.
        os.replace(draft, place)
        _sync(place.parent)
    return True


def _has_traces(connection: duckdb.DuckDBPyConnection) -> bool:
    schema, table = PERSONS.split(".")
    known = "select 1 from duckdb_tables() where schema_name = $1 and table_name = $2"
    if not connection.execute(known, [schema, table]).fetchone():
        return False
    return connection.execute(f"select 1 from {PERSONS} where not is_compacted limit 1").fetchone() is not None


def _copy(connection: duckdb.DuckDBPyConnection, draft: Path) -> None:
    ((database,),) = connection.execute("select current_database()").fetchall()
    quoted = str(draft).replace("'", "''")
    connection.execute(f"attach '{quoted}' as compacted (type duckdb)")
    connection.execute(f'copy from database "{database}" to compacted')
    connection.execute(f"update compacted.{PERSONS} set is_compacted = true")
    connection.execute("checkpoint compacted")
    connection.execute("detach compacted")


def _remove(draft: Path) -> None:
    for file in (draft, draft.with_name(f"{draft.name}.wal")):
        file.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
