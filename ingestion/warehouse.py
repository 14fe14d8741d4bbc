"""The warehouse file as ingestion sees it: looked into read-only, written by dlt alone."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from ingestion import machine
from ingestion.errors import WarehouseLocked, WarehouseUnusable
from ingestion.workbench import Workbench

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
        machine.connect(path).close()
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


def last_reads(path: Path, dataset: str, now: datetime) -> list[LastRead]:
    """One for each resource that was ever read, or tried. What is dated later than `now` is not believed."""
    bench = Workbench(path, dataset)
    try:
        if not bench.has("load_audit"):
            return []
        found = (
            bench.connection()
            .execute(
                f"""
                select
                    organization,
                    resource,
                    max(started_at) filter (where is_complete and started_at <= $1),
                    max(try_cast(watermark as timestamptz)) filter (where started_at <= $1)
                from {bench.name_of("load_audit")} group by all order by all
                """,
                [now],
            )
            .fetchall()
        )
    finally:
        bench.close()
    return [LastRead(*row) for row in found]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
