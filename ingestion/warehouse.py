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

from ingestion import identity, machine
from ingestion.database_file import oddity
from ingestion.disk import full_disk
from ingestion.errors import WarehouseLocked, WarehouseUnusable
from ingestion.workbench import Workbench

CORRECT_RIGHTS = "correct WAREHOUSE_PATH, or the rights of its folder"
NOT_OURS = "correct WAREHOUSE_PATH, move it away, or put a backup in its place (tieout restore)"

_NEWER = re.compile(r"version number \d+, but we can only read")
_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")


def check(path: Path) -> None:
    """Makes the folder, and writes nothing else. Raises `WarehouseLocked` or `WarehouseUnusable` where a run must not
    write: also to a file that is somebody else's.
    """
    check_place(path)
    _check_whole(path)
    if path.exists():
        look_into(path)
        with _opened(path):
            pass


def claim(path: Path) -> None:
    """The same, and marks the warehouse as ours: a new one is made, and one from before there were marks adopted."""
    check_place(path)
    _check_whole(path)
    if path.exists():
        look_into(path)
    with _opened(path) as connection:
        identity.mark(connection)


def check_place(path: Path) -> None:
    """Makes the folder of a warehouse. Raises `WarehouseUnusable` where none can be written."""
    if path.is_symlink() and not path.resolve().parent.is_dir():
        raise WarehouseUnusable(path, f"{path.resolve().parent}, where it points to, does not exist", CORRECT_RIGHTS)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseUnusable(path, f"{error.strerror}: {error.filename}", CORRECT_RIGHTS) from None
    if not os.access(path.parent, os.W_OK):
        raise WarehouseUnusable(path, f"{path.parent} cannot be written", CORRECT_RIGHTS)


def draft_of_restore(path: Path) -> Path:
    """The folder in which a restore of this warehouse prepares what it puts in."""
    place = path.resolve()
    return place.with_name(f".{place.name}.restoring")


def _check_whole(path: Path) -> None:
    """A restore that was killed between its moves leaves no warehouse: a run would begin an empty one."""
    if not path.exists() and draft_of_restore(path).exists():
        mend = "restore the backup again; what was there is beside it, in a folder that has .before- in its name"
        raise WarehouseUnusable(path, "a restore was cut off", mend)


def look_into(path: Path) -> None:
    """Raises `WarehouseUnusable` for what is no warehouse of ours. Reads alone, without waiting for who writes to it.

    Opened for writing, DuckDB itself may write to a file before it can be asked what it is.
    """
    try:
        odd = oddity(path)
    except OSError as error:
        raise WarehouseUnusable(path, error.strerror or str(error), CORRECT_RIGHTS) from None
    if odd:
        raise WarehouseUnusable(path, odd, NOT_OURS)
    with _opened(path, read_only=True) as connection:
        identity.check(connection)


@contextmanager
def _opened(path: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        with machine.connect(path, read_only=read_only) as connection:
            yield connection
    except identity.Foreign as error:
        raise WarehouseUnusable(path, str(error), NOT_OURS) from None
    except identity.Newer:
        raise WarehouseUnusable(path, "a newer tieout made it", "upgrade tieout, or move it away") from None
    except (duckdb.Error, OSError) as error:
        if full := full_disk(error, path.parent):
            raise full from None
        if _NEWER.search(str(error)):
            raise WarehouseUnusable(path, "a newer DuckDB wrote it", "upgrade tieout, or move it away") from None
        if "could not set lock" not in str(error).lower():
            raise WarehouseUnusable(path, _first_line(error)) from None
        holder = _HOLDER.search(str(error))
        raise WarehouseLocked(
            path, f" by {Path(holder['program']).name} (process {holder['pid']})" if holder else ""
        ) from None


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
