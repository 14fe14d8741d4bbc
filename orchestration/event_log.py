"""Dagster's event log, kept open."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from dagster import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData, deserialize_value, serialize_value
from sqlalchemy import Connection, Engine, event, func, select, text
from sqlalchemy.exc import OperationalError

from ingestion import masking
from orchestration.home import home

_FILES_OPEN = 8
_RUN_FILES = ("", "-wal", "-shm")
"""What SQLite keeps beside a database while it is open, too, and where its last process was killed."""


class EventLog(SqliteEventLogStorage):
    """The same files in the same place.

    For every statement the original makes a SQLAlchemy engine, compiles the statement anew and closes the file, which
    makes SQLite empty its write-ahead log: 34 ms of writing per event instead of 4 (Dagster 1.13, 2026-11-22). A run
    has some 700 of them.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: object) -> Self:
        return cls(str(home() / "history" / "runs"), inst_data)

    def store_event(self, event: EventLogEntry) -> None:
        """Dagster notes errors with all that their texts hold, and each table and check twice."""
        if event.is_dagster_event and event.dagster_event_type is DagsterEventType.STEP_OUTPUT:
            # Repeats the metadata of the materialization or evaluation beside it: 40 % of a run's events.
            return
        text = serialize_value(event)
        is_clean = (masked := masking.masked(text)) == text
        super().store_event(event if is_clean else deserialize_value(masked, EventLogEntry))

    def delete_events(self, run_id: str) -> None:
        """All that is stored of a run. The original leaves its file, and the evaluations of its checks."""
        with self.index_connection() as connection:
            self.delete_events_for_run(connection, run_id)
            connection.execute(Checks.delete().where(Checks.c.run_id == run_id))
        self.free_concurrency_slots_for_run(run_id)
        with self._db_lock:
            self._initialized_dbs.discard(run_id)
            if engine := self._engines.pop(self.conn_string_for_shard(run_id), None):
                engine.dispose()
            for ending in _RUN_FILES:
                Path(self.path_for_shard(run_id) + ending).unlink(missing_ok=True)

    def latest_runs(self) -> set[str]:
        """The runs with the newest event of a kind about a table, or a partition of it, or the newest evaluation of a
        check: what the asset catalog, the partitions' states and the checks show."""
        events = select(func.max(Events.c.id)).where(Events.c.asset_key.is_not(None))
        events = events.group_by(Events.c.asset_key, Events.c.partition, Events.c.dagster_event_type)
        checks = select(func.max(Checks.c.id)).group_by(
            Checks.c.asset_key, Checks.c.check_name, Checks.c.partition, Checks.c.execution_status
        )
        told = select(Events.c.run_id).where(Events.c.id.in_(events))
        with self.index_connection() as connection:
            return {*connection.scalars(told.union(select(Checks.c.run_id).where(Checks.c.id.in_(checks))))}

    def compact(self) -> None:
        """Gives the space of deleted events back to the disk."""
        with self.index_connection() as connection:
            connection.execute(text("vacuum"))

    def dispose(self) -> None:
        """Closes the files, which empties their write-ahead logs, also where another process has them open."""
        super().dispose()
        with self._db_lock:
            while self._engines:
                _close(self._engines.popitem()[1])

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._open(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _open(self, url: str) -> Engine:
        engine = self._engines.get(url) or _engine(url)
        self._engines[url] = engine
        self._engines.move_to_end(url)
        if len(self._engines) > _FILES_OPEN:
            _close(self._engines.popitem(last=False)[1])
        return engine


def _close(engine: Engine) -> None:
    with suppress(OperationalError), engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    engine.dispose()


def _engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _wait_for_no_disk)
    return engine


def _wait_for_no_disk(connection: Any, record: object) -> None:
    # https://www.sqlite.org/pragma.html#pragma_synchronous: with a write-ahead log NORMAL cannot corrupt the file; a
    # loss of power can cost the last events.
    connection.execute("PRAGMA synchronous=NORMAL")
