"""What the readers' file says in short. Its words, groups and severities are the marts' own."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from ingestion.errors import TieoutError

_TOP_CAUSES = 5


class NothingPublished(TieoutError):
    """There is no readers' file yet, or it cannot be read."""


@dataclass(frozen=True)
class Status:
    """So many records of an entity have this status."""

    group: str
    title: str
    severity: str | None
    records: int
    share: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Entity:
    """One kind of record, reconciled."""

    name: str
    as_of: datetime | None
    statuses: tuple[Status, ...]


@dataclass(frozen=True)
class Cause:
    """Open exceptions of one kind."""

    entity: str
    title: str
    severity: str
    records: int
    amount: Decimal
    recommended_action: str


@dataclass(frozen=True)
class Read:
    """The last read of a resource."""

    source: str
    resource: str
    finished_at: datetime | None
    is_complete: bool
    rows_read: int
    api_total: int | None
    error: str | None


@dataclass(frozen=True)
class EventType:
    """What is known of a webhook's event type."""

    event_type: int
    hypothesis_label: str | None
    observed_label: str | None
    status: str


@dataclass(frozen=True)
class Summary:
    """All that is told of one organization."""

    organization: str
    entities: tuple[Entity, ...]
    causes: tuple[Cause, ...]
    reads: tuple[Read, ...]
    event_types: tuple[EventType, ...]


def summaries(published: Path) -> list[Summary]:
    """One per organization."""
    with _reading(published) as connection:
        organizations = _rows(connection, "SELECT DISTINCT organization FROM marts.load_audit ORDER BY organization")
        return [_summary(connection, organization) for (organization,) in organizations]


def open_exceptions(published: Path, severities: Sequence[str]) -> int:
    """How many records are exceptions of these severities."""
    with _reading(published) as connection:
        ((count,),) = _rows(
            connection,
            "SELECT coalesce(sum(records), 0) FROM marts.recon_summary WHERE list_contains($severities, severity)",
            severities=list(severities),
        )
        return int(count)


def _summary(connection: duckdb.DuckDBPyConnection, organization: str) -> Summary:
    statuses = _rows(
        connection,
        """
        SELECT entity, as_of, status_group, title, severity, records, share, amount
        FROM marts.recon_summary
        WHERE organization = $organization
        ORDER BY entity, sum(records) OVER (PARTITION BY entity, status_group) DESC, status_group, records DESC, title
        """,
        organization=organization,
    )
    causes = _rows(
        connection,
        """
        SELECT found.entity, found.title, found.severity, found.records, found.amount, statuses.recommended_action
        FROM marts.recon_summary AS found
        INNER JOIN marts.recon_statuses AS statuses
            ON found.entity = statuses.entity AND found.status = statuses.code
        WHERE found.organization = $organization AND found.is_exception
        ORDER BY list_position(['error', 'warn', 'info'], found.severity), found.amount DESC, found.records DESC
        LIMIT $top
        """,
        organization=organization,
        top=_TOP_CAUSES,
    )
    reads = _rows(
        connection,
        """
        SELECT source, resource, finished_at, is_complete, rows_read, api_total, error
        FROM marts.load_audit
        WHERE organization = $organization
        QUALIFY row_number() OVER (PARTITION BY source, resource ORDER BY recorded_at DESC) = 1
        ORDER BY source DESC, resource
        """,
        organization=organization,
    )
    event_types = _rows(
        connection,
        """
        SELECT event_type, hypothesis_label, observed_label, status
        FROM marts.event_type_labels WHERE organization = $organization ORDER BY event_type
        """,
        organization=organization,
    )
    entities = dict.fromkeys((entity, as_of) for entity, as_of, *_ in statuses)
    return Summary(
        organization,
        tuple(
            Entity(name, as_of, tuple(Status(*status) for entity, _, *status in statuses if entity == name))
            for name, as_of in entities
        ),
        tuple(Cause(*cause) for cause in causes),
        tuple(Read(*read) for read in reads),
        tuple(EventType(*event_type) for event_type in event_types),
    )


@contextmanager
def _reading(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    if not published.exists():
        raise NothingPublished(f"There is no published file {published} yet: run `tieout run` or `make demo` first.")
    try:
        with duckdb.connect(str(published), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise NothingPublished(
            f"The published file {published} cannot be read ({reason}): run `tieout run` again."
        ) from None


def _rows(connection: duckdb.DuckDBPyConnection, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query, parameters).fetchall()
