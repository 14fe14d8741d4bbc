"""One reading of one product for one organization: every resource in turn, with an account of how it went.

A long reading is cut into load packages. Each holds the rows of some pages and, in `read_progress`, how far that is; so
a reading that is killed goes on behind its last committed package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from operator import itemgetter
from time import monotonic
from typing import Any

import pyarrow as pa

from ingestion import operations
from ingestion.columns import ORGANIZATION, Column, Resource, arrow_schema
from ingestion.errors import ForeignOrganization, SettingsError, SourceError
from ingestion.log_entries import Waiting
from ingestion.pii import RULES, Veil, fault_of_mode, veil_of
from ingestion.plan import ReadProgress
from ingestion.resource_reading import Client, Outcome, ResourceReading, progress_from, progress_row
from ingestion.rows import ROUNDED, RowReader
from ingestion.settings import Settings
from ingestion.tenants import Held
from ingestion.workbench import Workbench, release_memory

_SECONDS_PER_PACKAGE = 600
_quarantine_key = itemgetter(*operations.TABLES["quarantined_records"][1])


@dataclass
class Package:
    """A load package in the making: one commit."""

    number: int = 0
    most_rows: int = 0
    rows: int = 0
    began: float = field(default_factory=monotonic)
    touched: list[str] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return self.rows > self.most_rows or monotonic() - self.began >= _SECONDS_PER_PACKAGE


@dataclass(frozen=True)
class Progress:
    """Where the reading of a resource stands."""

    source: str
    organization: str
    resource: str
    rows: int
    total: int | None
    requests: int
    budget_left: int | None
    """Requests that the product still answers in its window; None where it tells no limit."""

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
    resources: Sequence[Resource]
    stale_after_hours: int | None = None
    full: bool = False
    accept_deletions: Collection[str] = ()
    """Resources, as SOURCE.RESOURCE, of which rows are believed to be deleted however many they are."""
    accept_organization: bool = False
    """Whether the credential may open another organization than the one that the warehouse holds."""

    foreign_organization: str | None = None
    """The organization that the credential opens, once it is known that the warehouse holds another one."""

    progress: Callable[[Progress], None] | None = None
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    package: Package = field(default_factory=lambda: Package())
    _stopped_by: SourceError | None = None
    _readings: dict[str, ResourceReading] = field(default_factory=dict)
    _told: Counter[str] = field(default_factory=Counter)
    """How much of what could not be read is committed, per resource."""

    def check_pii_mode(self) -> None:
        """Raises `SettingsError` where the warehouse was loaded in another `PII_MODE`, or by an older tieout that hid
        less in it: its rows stay as they are.
        """
        for row in self._before["connections"]:
            if fault := fault_of_mode(self.settings, row.get("pii_mode"), row.get("pii_rules")):
                raise SettingsError(fault)

    def check_organization(self, credential: str) -> None:
        """Reads nothing where the credential opens another organization than the one that the warehouse holds.

        `credential` is its name. Where that cannot be learned, what the last run learned holds.
        """
        if self.client is None or self.accept_organization:
            return
        before = next((row.get("foreign_organization") for row in self._before["connections"]), None)
        held = Held(self._bench.connection, self._bench.schema(), self.organization)
        try:
            foreign = self.client.foreign(held)
        except SourceError as error:
            if error.stops_source or before:
                self._stopped_by, self.foreign_organization = error, before
            return
        finally:
            self._bench.give_back()
        if foreign:
            how = self._command(f"--accept-organization {self.source}")
            self.foreign_organization = foreign.live
            self._stopped_by = ForeignOrganization(credential, foreign.live, foreign.held, self.organization, how)

    @property
    def stopped_by(self) -> SourceError | None:
        """What ended the reading of the whole source before its end."""
        return self._stopped_by

    def begin_package(self) -> bool:
        """Prepares the next load package; False when everything is read. There is always a first one."""
        is_over = self.client is None or all(
            resource.name in self._readings and self._readings[resource.name].is_finished for resource in self.resources
        )
        if self.package.number and is_over:
            return False
        self.package = Package(self.package.number + 1, self.settings.commit_every_rows)
        return True

    def rows(self, resource: Resource) -> Iterator[pa.Table]:
        """The new, changed and vanished rows of a resource that belong into this package, as Arrow tables."""
        if self.client is None or self.package.is_full:
            return
        reading = self._readings.get(resource.name) or self._open(resource, self.client)
        if reading.is_finished:
            return
        self.package.touched.append(resource.name)
        for table in reading.tables(self.package):
            yield table
            self._tell(reading.outcome, is_finished=False)
        if reading.stopped_by and reading.stopped_by.stops_source:
            self._stopped_by = reading.stopped_by
        self._judge_what_is_withheld()
        self._tell(reading.outcome, is_finished=reading.is_finished)

    def _judge_what_is_withheld(self) -> None:
        """Where a product gives no resource at all, the credential or the address is wrong."""
        # What is asked for entry by entry is not asked for where the log is not given.
        listed = [resource.name for resource in self.resources if resource.entries_of is None]
        if all(name in self.outcomes and self.outcomes[name].is_withheld for name in listed):
            for name in listed:
                self.outcomes[name].is_withheld = False

    def has_columns(self, table: str, columns: Iterable[Column]) -> bool:
        """Whether the warehouse has this table, with all of these columns."""
        return {column.name for column in columns} <= self._columns.get(table, frozenset())

    def replaces_nothing(self, table: str) -> bool:
        """Whether no row that this package brings to a table can stand there already, as far as it has come.

        Once it is false for a resource, it stays false.
        """
        if table in self._readings:
            return self._readings[table].rows.replaces_nothing
        is_written_first = self.package.number == 1 or table not in operations.TABLES
        return is_written_first and table not in self._filled

    @cached_property
    def _bench(self) -> Workbench:
        return Workbench(self.settings.warehouse_path, self.dataset)

    @cached_property
    def _veil(self) -> Veil | None:
        return veil_of(self.settings)

    @cached_property
    def _columns(self) -> dict[str, frozenset[str]]:
        return self._bench.columns()

    def operations(self, table: str) -> Iterator[pa.Table]:
        """The rows of an operations table that speak of this package, as an Arrow table."""
        rows = {
            "load_audit": self._audit,
            "quarantined_records": self._quarantine,
            "schema_drift": self._drift,
            "connections": self._connection,
            "read_progress": self._progress,
        }[table]()
        columns, _ = operations.TABLES[table]
        found = [{ORGANIZATION.name: self.organization, **row} for row in rows]
        # They come when all else of the package is read: dlt writes next, and takes memory of its own.
        self._bench.give_back()
        release_memory()
        yield pa.Table.from_pylist(found, schema=arrow_schema((ORGANIZATION, *columns)))

    def close(self) -> None:
        """Lets go of what is held. Readings that are not at their end stay unfinished."""
        for reading in self._readings.values():
            reading.close()
        if self.client:
            self.client.close()
        self._bench.close()

    def _open(self, resource: Resource, client: Client) -> ResourceReading:
        recorded = {row["resource"]: row for row in self._before["read_progress"]}
        known = progress_from(recorded[resource.name]) if resource.name in recorded else ReadProgress()
        progress = known.believed(self.settings.now())
        name = resource.qualified(self.source)
        reading = ResourceReading(
            resource,
            client,
            RowReader(
                resource,
                rows=self.rows_name,
                organization=self.organization,
                extracted_at=self.settings.now(),
                bench=self._bench,
                time_zone=self.time_zone,
                veil=self._veil,
            ),
            progress,
            settings=self.settings,
            stale_after=timedelta(hours=self.stale_after_hours or self.settings.stale_after_hours),
            how_to_accept=self._command(f"--accept-deletions {name}"),
            full=self.full,
            accepts_deletions=name in self.accept_deletions,
            hints=self._changed_keys(resource, progress.ran_at),
            quarantined=self._in_quarantine(resource),
            rounded=self._rounded(resource),
            waiting=self._waiting_entries(resource),
            refused=self._stopped_by,
        )
        self._readings[resource.name] = reading
        self.outcomes[resource.name] = reading.outcome
        return reading

    def _command(self, options: str) -> str:
        """The command of a run of this organization."""
        alone = f"--organization {self.organization} " if self.settings.organizations_file else ""
        return f"tieout run {alone}{options}"

    def _changed_keys(self, resource: Resource, since: datetime | None) -> list[int]:
        """The rows of a resource of which the delivery log speaks in entries that are newer than its last reading.

        Those of this run, and those that runs have read which did not come to this resource.
        """
        family = resource.event_family
        if family is None:
            return []
        now = [key for reading in self._readings.values() for key in reading.events.get(family, ())]
        return [*now, *self._named_in_log(family, since)] if since else now

    def _named_in_log(self, family: int, since: datetime) -> list[int]:
        log = next(resource.name for resource in self.resources if resource.newest_first)
        if not self._bench.has(log):
            return []
        with self._bench.connection() as connection:
            found = connection.execute(
                f"""
                select try_cast(context_id as bigint) as key from {self._bench.name_of(log)}
                where organization = $1 and event_type // 10 = $2 and key is not null
                    and _first_extracted_at > $3 and _first_extracted_at <= $4
                group by key order by max(id) desc
                """,
                [self.organization, family, since, self.settings.now()],
            ).fetchall()
        return [key for (key,) in found]

    def _in_quarantine(self, resource: Resource) -> dict[str, datetime]:
        """The records of a resource that stand in quarantine, and when they were last seen."""
        seen: dict[str, datetime] = {}
        for row in self._before["quarantined_records"]:
            if row["resource"] == resource.name and row["resolved_at"] is None:
                name = row["record_id"]
                seen[name] = max(row["last_seen_at"], seen.get(name, row["last_seen_at"]))
        return seen

    def _rounded(self, resource: Resource) -> set[str]:
        """Those of them of which every value is known, and some have fewer decimals than they came with."""
        is_rounded: dict[str, bool] = {}
        for row in self._before["quarantined_records"]:
            if row["resource"] == resource.name and row["resolved_at"] is None:
                name = row["record_id"]
                is_rounded[name] = is_rounded.get(name, True) and row["error"].startswith(ROUNDED)
        return {name for name, is_all in is_rounded.items() if is_all}

    def _waiting_entries(self, resource: Resource) -> Waiting | None:
        """The entries of a log that a resource is to ask for one by one: those of this reading, and what is left."""
        log = resource.entries_of
        if log is None:
            return None
        return Waiting(
            self._readings[log].entries if log in self._readings else (),
            bench=self._bench,
            log=log,
            told=resource.name,
            organization=self.organization,
            most=self.settings.webhook_payloads_per_run,
        )

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
                    self.client.http.budget_left if self.client else None,
                    is_finished,
                )
            )

    def _touched(self) -> list[ResourceReading]:
        """The readings of which this package holds something."""
        return [self._readings[name] for name in self.package.touched]

    def _audit(self) -> Iterable[dict[str, Any]]:
        for reading in filter(lambda reading: reading.is_finished, self._touched()):
            outcome = reading.outcome
            row = asdict(outcome)
            del row["seconds"], row["is_withheld"], row["unread_since"]
            yield {
                **row,
                "run_id": self.run_id,
                "run_number": self._run_number,
                "source": self.source,
                "recorded_at": datetime.now(UTC),
                "throttled_seconds": Decimal(f"{outcome.throttled_seconds:.3f}"),
            }

    def _connection(self) -> Iterable[dict[str, Any]]:
        yield {
            "is_connected": self.client is not None,
            "time_zone": self.time_zone,
            "pii_mode": self.settings.pii_mode.value,
            "pii_rules": RULES if self.settings.hides_persons else None,
            "stale_after_hours": self.stale_after_hours,
            "foreign_organization": self.foreign_organization,
            "recorded_at": self.settings.now(),
        }

    def _quarantine(self) -> Iterable[dict[str, Any]]:
        """What could not be read since the last package, and what could not be read before and now can."""
        rows = self._before["quarantined_records"]
        before = {_quarantine_key(row): row for row in rows}
        # Earlier loads have left keys that stand twice; what is loaded again stands once.
        twice = {key for key, count in Counter(map(_quarantine_key, rows)).items() if count > 1}
        for reading in self._touched():
            resource, outcome = reading.resource.name, reading.outcome
            unreadable = reading.rows.unreadable
            for record in unreadable[self._told[resource] :]:
                earlier = before.get((resource, record.record_id, record.field))
                yield {
                    "source": self.source,
                    "resource": resource,
                    **asdict(record),
                    "first_seen_at": earlier["first_seen_at"] if earlier else outcome.started_at,
                    "last_seen_at": outcome.started_at,
                    "resolved_at": None,
                    "attempts": (earlier["attempts"] if earlier else 0) + 1,
                }
            self._told[resource] = len(unreadable)
            if not reading.is_finished:
                continue
            still = {(resource, record.record_id, record.field) for record in unreadable}
            for key, row in before.items():
                if row["resource"] != resource or key in still:
                    continue
                if row["resolved_at"] is None and reading.has_retried(row["record_id"]):
                    yield {**row, "resolved_at": outcome.started_at}
                elif key in twice:
                    yield row

    def _drift(self) -> Iterable[dict[str, Any]]:
        before = {(row["resource"], row["field"], row["kind"]): row for row in self._before["schema_drift"]}
        for reading in self._touched():
            resource, outcome = reading.resource.name, reading.outcome
            for field_name, kind, example in reading.drift():
                earlier = before.get((resource, field_name, kind))
                yield {
                    "source": self.source,
                    "resource": resource,
                    "field": field_name,
                    "kind": kind,
                    # A field that only came empty this time tells no type.
                    "example": example or (earlier["example"] if earlier else None),
                    "first_seen_at": earlier["first_seen_at"] if earlier else outcome.started_at,
                    "last_seen_at": outcome.started_at,
                }

    def _progress(self) -> Iterable[dict[str, Any]]:
        for reading in self._touched():
            yield {"source": self.source, "resource": reading.resource.name, **progress_row(reading.progress)}

    @cached_property
    def _run_number(self) -> int:
        """One more than that of the last run that recorded a reading of this organization."""
        if "run_number" not in self._columns.get("load_audit", ()):
            return 1
        with self._bench.connection() as connection:
            ((last,),) = connection.execute(
                f"select max(run_number) from {self._bench.name_of('load_audit')} where organization = $1",
                [self.organization],
            ).fetchall()
        return (last or 0) + 1

    @cached_property
    def _filled(self) -> frozenset[str]:
        """The tables in which rows of this organization stood when the reading began."""
        filled = frozenset(table for table in self._columns if self._has_rows(table))
        # A pipeline that is run looks into the warehouse itself first.
        self._bench.give_back()
        return filled

    def _has_rows(self, table: str) -> bool:
        if ORGANIZATION.name not in self._columns[table]:
            return False
        with self._bench.connection() as connection:
            query = f"select 1 from {self._bench.name_of(table)} where organization = $1 limit 1"
            return bool(connection.execute(query, [self.organization]).fetchall())

    @cached_property
    def _before(self) -> dict[str, Sequence[dict[str, Any]]]:
        """What the warehouse held of this organization's operations tables when the reading began."""
        tables = ("read_progress", "quarantined_records", "schema_drift", "connections")
        recorded = {table: self._recorded(table) for table in tables}
        # A pipeline that is run looks into the warehouse itself first.
        self._bench.give_back()
        return recorded

    def _recorded(self, table: str) -> Sequence[dict[str, Any]]:
        held = self._bench.columns().get(table)
        if not held:
            return ()
        # An older version had fewer.
        names = (column.name for column in operations.TABLES[table][0])
        selected = ", ".join(name if name in held else f"null as {name}" for name in names)
        with self._bench.connection() as connection:
            found: list[dict[str, Any]] = (
                connection.execute(
                    f"select {selected} from {self._bench.name_of(table)} where organization = $1",
                    [self.organization],
                )
                .to_arrow_table()
                .to_pylist()
            )
        return found
