"""The DuckDB in memory in which rows are typed and compared, and the warehouse beside it, to look into."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from ingestion import machine, typing_sql

_MEMORY = 512_000_000


class Workbench:
    """One for a whole reading: to make a DuckDB, or to open the warehouse, takes longer than to read a short table.

    `path` is the warehouse and `dataset` the schema of it that is looked into. It is opened, read-only, when it is
    first asked for, and stays open until it is given back: then others can write to it.
    """

    def __init__(self, path: Path | None = None, dataset: str = "") -> None:
        self._path = path
        self._dataset = dataset
        self._is_open = False
        self._connection = machine.connect(memory=_MEMORY)
        typing_sql.install(self._connection)

    def connection(self, time_zone: str = "UTC") -> duckdb.DuckDBPyConnection:
        """Another connection to it, with temporary tables of its own.

        `time_zone` is what instants without an offset mean.
        """
        made = self._connection.cursor()
        made.execute(f"set timezone = '{time_zone}'")
        return made

    def halve_threads(self) -> bool:
        """Leaves each thread twice the memory. False where there is only one left."""
        ((threads,),) = self._connection.execute("select current_setting('threads')").fetchall()
        self._connection.execute(f"set threads = {max(threads // 2, 1)}")
        return bool(threads > 1)

    def has(self, table: str) -> bool:
        """Whether the warehouse has this table."""
        return table in self.columns()

    def columns(self) -> dict[str, frozenset[str]]:
        """The tables of the warehouse and their columns. None where there is no warehouse yet."""
        if not self._open():
            return {}
        found = self._connection.execute(
            """
            select table_name, list(column_name) from duckdb_columns()
            where database_name = 'warehouse' and schema_name = $1 group by table_name
            """,
            [self._dataset],
        ).fetchall()
        return {table: frozenset(names) for table, names in found}

    def name_of(self, table: str) -> str:
        """A table of the warehouse as SQL names it."""
        return f"{self.schema()}.{table}"

    def schema(self) -> str:
        """The schema of the warehouse that is looked into, as SQL names it."""
        self._open()
        return f"warehouse.{self._dataset}"

    def give_back(self) -> None:
        """Lets go of the warehouse."""
        if self._is_open:
            self._connection.execute("detach warehouse")
            self._is_open = False

    def close(self) -> None:
        """Lets go of everything."""
        self.give_back()
        self._connection.close()

    def _open(self) -> bool:
        if self._path is None or not self._path.exists():
            return False
        if not self._is_open:
            quoted = str(self._path).replace("'", "''")
            self._connection.execute(f"attach '{quoted}' as warehouse (type duckdb, read_only)")
            self._is_open = True
        return True


def release_memory() -> None:
    """Gives back to the system what was let go of and allocators keep: some 60 MiB while a million rows are read."""
    # Arrow has a pool of its own; that of the system is the C library's, which others use as well.
    for pool in (pa.default_memory_pool(), pa.system_memory_pool()):
        pool.release_unused()
