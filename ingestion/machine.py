"""How much of the machine DuckDB may use.

Left alone, it starts a thread for each core, and each thread needs memory for each column of a query: where the memory
has a limit, the threads need one that follows from it.
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

THREADS = "WAREHOUSE_THREADS"
"""The environment variable by which tests force as many threads, whatever the machine has; for dbt as well."""

_LEAST_PER_THREAD = 120_000_000
"""Bytes. The dearest queries of a run need less for a thread."""
_READING = 1_000_000_000
"""Bytes for what only reads and copies."""
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def threads(memory: float, per_thread: int = _LEAST_PER_THREAD) -> int:
    """How many threads may share so many bytes: no more than the process has cores."""
    if forced := os.environ.get(THREADS):
        return int(forced)
    return max(1, min(_cores(), int(memory / per_thread)))


def connect(path: Path | None = None, *, read_only: bool = False, memory: int = _READING) -> duckdb.DuckDBPyConnection:
    """DuckDB in memory, or on a file, that holds no more than `memory` bytes."""
    connection = duckdb.connect(str(path) if path else ":memory:", read_only=read_only)
    # Not in the configuration of the connection: a file that is open in this process takes no other one.
    connection.execute(f"set memory_limit = '{min(memory, int(as_bytes(_limit_of(connection))))} bytes'")
    connection.execute(f"set threads = {threads(memory)}")
    return connection


def memory_limit(wanted: str | None = None) -> str:
    """A limit as DuckDB names it; unless one is wanted, four fifths of what the machine or container has."""
    with duckdb.connect() as connection:
        if wanted:
            connection.execute("set memory_limit = ?", [wanted])
        return _limit_of(connection)


def _limit_of(connection: duckdb.DuckDBPyConnection) -> str:
    ((size,),) = connection.execute("select current_setting('memory_limit')").fetchall()
    return str(size)


def as_bytes(size: str) -> float:
    """A size as DuckDB names it, such as `18.7 GiB`."""
    number, unit = size.split()
    return float(number) * 1024.0 ** _UNITS.index(unit)


def _cores() -> int:
    # A container or `taskset` may give a process fewer than there are.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
