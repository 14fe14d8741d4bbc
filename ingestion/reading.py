"""One reading of one product for one organization: every resource in turn, with an account of how it went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from ingestion import operations, warehouse
from ingestion.columns import ORGANIZATION, Resource, arrow_schema
from ingestion.errors import SourceError
from ingestion.http import ReadClient, Usage
from ingestion.pages import Page, prefetched
from ingestion.rows import RowReader, Unreadable
from ingestion.settings import Settings

_BYTES_PER_BATCH = 24_000_000
_PAGES_AHEAD = 8
_MOST_DELETED = 0.2


class Client(Protocol):
    """What a product's client offers to a reading."""

    http: ReadClient

    def pages(self, resource: Any) -> Iterator[Page]: ...

    def close(self) -> None: ...


@dataclass
class Outcome:
    """How the reading of one resource went; becomes its row in `load_audit`."""

    resource: str
    started_at: datetime
    mode: str = "full"
    mode_reason: str = "every row is read each time"
    finished_at: datetime | None = None
    is_complete: bool = False
    rows_read: int = 0
    api_total: int | None = None
    rows_new: int = 0
    rows_changed: int = 0
    rows_deleted: int = 0
    rows_quarantined: int = 0
    requests: int = 0
    retries: int = 0
    throttled_seconds: float = 0.0
    watermark: str | None = None
    error: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Progress:
    """Where the reading of a resource stands."""

    source: str
    organization: str
    resource: str
    rows: int
    total: int | None
    requests: int
    is_finished: bool


@dataclass
class Reading:
    """Reads a product resource by resource. A fault of one resource never raises: it is told in `outcomes`.

    `client` is None where the organization does not run the product: its tables are made and stay empty.
    """

    source: str
    dataset: str
    organization: str
    time_zone: str
    settings: Settings
    run_id: str
    client: Client | None
    rows_name: str
    progress: Callable[[Progress], None] | None = None
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    _stopped_by: SourceError | None = None
    _unreadable: dict[str, list[Unreadable]] = field(default_factory=dict)
    _new_fields: dict[str, frozenset[str]] = field(default_factory=dict)

    def rows(self, resource: Resource) -> Iterator[pa.Table]:
        """The new, changed and vanished rows of a resource, as Arrow tables."""
        client = self.client
        if client is None:
            return
        outcome = self.outcomes[resource.name] = Outcome(resource.name, self.settings.now())
        started, usage = monotonic(), client.http.usage.copy()
        reader = RowReader(
            resource,
            rows=self.rows_name,
            organization=self.organization,
            extracted_at=outcome.started_at,
            time_zone=self.time_zone,
            warehouse_path=self.settings.warehouse_path,
            dataset=self.dataset,
        )
        try:
            if self._stopped_by:
                raise self._stopped_by
            for batch in _batches(prefetched(client.pages(resource), _PAGES_AHEAD)):
                outcome.api_total = batch[-1].total
                table = reader.read(batch)
                if table.num_rows:
                    yield table
                self._account(outcome, reader, client.http.usage.since(usage), started)
                self._tell(outcome, is_finished=False)
            vanished = self._complete(outcome, reader)
            if vanished.num_rows:
                yield vanished
        except SourceError as error:
            outcome.error = str(error)
            if error.stops_source:
                self._stopped_by = error
        finally:
            self._account(outcome, reader, client.http.usage.since(usage), started)
            self._unreadable[resource.name] = reader.unreadable
            self._new_fields[resource.name] = reader.new_fields
            reader.close()
            outcome.finished_at = self.settings.now()
            self._tell(outcome, is_finished=True)

    def operations(self, table: str) -> Iterator[pa.Table]:
        """The rows of an operations table that speak of this reading, as an Arrow table."""
        rows = {
            "load_audit": self._audit,
            "quarantined_records": self._quarantine,
            "schema_drift": self._drift,
            "connections": self._connection,
        }[table]()
        columns, _ = operations.TABLES[table]
        found = [{ORGANIZATION.name: self.organization, **row} for row in rows]
        yield pa.Table.from_pylist(found, schema=arrow_schema((ORGANIZATION, *columns)))

    def _complete(self, outcome: Outcome, reader: RowReader) -> pa.Table:
        """Takes stock after the last page: whether every row is accounted for, and what has vanished."""
        nothing = pa.table({})
        found = len(reader.seen) + sum(1 for record in reader.unreadable if not record.field)
        if outcome.api_total is not None and found < outcome.api_total:
            outcome.error = (
                f"{self.source} counts {outcome.api_total} {outcome.resource} but gave {found}:"
                " nothing is taken as deleted; the next run reads them again."
            )
            return nothing
        vanished = reader.vanished()
        if vanished.num_rows > _MOST_DELETED * max(reader.known, 1):
            outcome.error = (
                f"{vanished.num_rows} of {reader.known} {outcome.resource} are gone from {self.source}, more than"
                f" {_MOST_DELETED:.0%}: none is marked as deleted; check the credential's permissions in {self.source}."
            )
            return nothing
        outcome.rows_deleted = vanished.num_rows
        outcome.is_complete = True
        return vanished

    def _account(self, outcome: Outcome, reader: RowReader, usage: Usage, started: float) -> None:
        outcome.rows_read = len(reader.seen)
        outcome.rows_new = reader.rows_new
        outcome.rows_changed = reader.rows_changed
        outcome.rows_quarantined = len({record.record_id for record in reader.unreadable})
        outcome.requests = usage.requests
        outcome.retries = usage.retries
        outcome.throttled_seconds = usage.throttled_seconds
        outcome.seconds = monotonic() - started

    def _tell(self, outcome: Outcome, *, is_finished: bool) -> None:
        if self.progress:
            self.progress(
                Progress(
                    self.source,
                    self.organization,
                    outcome.resource,
                    outcome.rows_read,
                    outcome.api_total,
                    outcome.requests,
                    is_finished,
                )
            )

    def _audit(self) -> Iterable[dict[str, Any]]:
        for outcome in self.outcomes.values():
            row = asdict(outcome)
            del row["seconds"]
            yield {
                **row,
                "run_id": self.run_id,
                "source": self.source,
                "recorded_at": datetime.now(UTC),
                "throttled_seconds": Decimal(f"{outcome.throttled_seconds:.3f}"),
            }

    def _connection(self) -> Iterable[dict[str, Any]]:
        yield {
            "is_connected": self.client is not None,
            "time_zone": self.time_zone,
            "recorded_at": self.settings.now(),
        }

    def _quarantine(self) -> Iterable[dict[str, Any]]:
        """What could not be read now, and what could not be read before and now can."""
        before = {(row["resource"], row["record_id"], row["field"]): row for row in self._recorded("quarantined_records")}
        for resource, outcome in self.outcomes.items():
            still: set[tuple[str, str, str]] = set()
            for record in self._unreadable.get(resource, []):
                key = (resource, record.record_id, record.field)
                earlier = before.get(key)
                still.add(key)
                yield {
                    "source": self.source,
                    "resource": resource,
                    **asdict(record),
                    "first_seen_at": earlier["first_seen_at"] if earlier else outcome.started_at,
                    "last_seen_at": outcome.started_at,
                    "resolved_at": None,
                    "attempts": (earlier["attempts"] if earlier else 0) + 1,
                }
            if outcome.is_complete:
                for key, row in before.items():
                    if key[0] == resource and key not in still and row["resolved_at"] is None:
                        yield {**row, "resolved_at": outcome.started_at}

    def _drift(self) -> Iterable[dict[str, Any]]:
        before = {(row["resource"], row["field"], row["kind"]): row for row in self._recorded("schema_drift")}
        for resource, outcome in self.outcomes.items():
            for name in sorted(self._new_fields.get(resource, ())):
                earlier = before.get((resource, name, "new_field"))
                yield {
                    "source": self.source,
                    "resource": resource,
                    "field": name,
                    "kind": "new_field",
                    "example": None,
                    "first_seen_at": earlier["first_seen_at"] if earlier else outcome.started_at,
                    "last_seen_at": outcome.started_at,
                }

    def _recorded(self, table: str) -> Sequence[dict[str, Any]]:
        """What the warehouse holds of an operations table for this organization."""
        path = self.settings.warehouse_path
        if not path.exists():
            return ()
        with duckdb.connect() as connection, warehouse.attached(connection, path):
            connection.execute("set timezone = 'UTC'")
            if not warehouse.has_table(connection, self.dataset, table):
                return ()
            found = connection.execute(
                f"select * exclude (_dlt_load_id) from warehouse.{self.dataset}.{table} where organization = $1",
                [self.organization],
            ).to_arrow_table()
            return [{name: value for name, value in row.items() if name != "organization"} for row in found.to_pylist()]


def _batches(pages: Iterator[Page]) -> Iterator[list[Page]]:
    """Pages together, as many as DuckDB reads best at a time."""
    batch: list[Page] = []
    size = 0
    for page in pages:
        batch.append(page)
        size += len(page.body)
        if size >= _BYTES_PER_BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
