"""What the readers' file says in short. Its words, groups and severities are the marts' own."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration.published import WORST_FIRST, LinkKey, Payloads, link_keys, payloads, reading, rows

_TOP_CAUSES = 5


@dataclass(frozen=True)
class Status:
    """So many records of an entity have this status."""

    code: str
    group: str
    title: str
    severity: str | None
    records: int
    share: Decimal
    amount: Decimal | None
    """None where they are more than a warehouse's amount holds."""


@dataclass(frozen=True)
class Entity:
    """One kind of record, reconciled."""

    name: str
    as_of: datetime | None
    statuses: tuple[Status, ...]


@dataclass(frozen=True)
class Exceptions:
    """How many exceptions of an entity the register holds, by where they stand; the open ones by severity too."""

    entity: str
    open: int
    error: int
    warn: int
    info: int
    waived: int
    resolved: int
    amount_at_stake: Decimal
    """Of the open ones."""


@dataclass(frozen=True)
class Cause:
    """Open exceptions of one kind."""

    entity: str
    code: str
    title: str
    severity: str
    records: int
    amount: Decimal
    recommended_action: str


@dataclass(frozen=True)
class Money:
    """An amount; the currency is not always said."""

    amount: Decimal
    currency: str | None


@dataclass(frozen=True)
class Days:
    """Gift dates on which Raise and CRM+ could be compared, and those that do not balance."""

    compared: int
    unbalanced: int
    latest_unbalanced: date | None
    unexplained: tuple[Money, ...]


@dataclass(frozen=True)
class Backfill:
    """Gifts that were held back and whose campaign syncs again."""

    gifts: int
    amounts: tuple[Money, ...]


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
    exceptions: tuple[Exceptions, ...]
    causes: tuple[Cause, ...]
    reads: tuple[Read, ...]
    event_types: tuple[EventType, ...]
    days: Days
    backfill: Backfill
    suggestion: str | None
    link_key_note: str | None
    payloads: Payloads | None


def summaries(published: Path) -> list[Summary]:
    """One per organization."""
    with reading(published) as connection:
        organizations = rows(connection, "SELECT DISTINCT organization FROM marts.load_audit ORDER BY organization")
        keys, logs = link_keys(connection), payloads(connection)
        return [
            _summary(connection, organization, keys.get(organization), logs.get(organization))
            for (organization,) in organizations
        ]


def seed_problems(published: Path) -> list[str]:
    """Rows of the files that people edit which the run left out, a line each."""
    with reading(published) as connection:
        found = rows(connection, "SELECT file, line, problem FROM marts.seed_problems ORDER BY file, line")
        return [f"{file}, line {line}, is left out: {problem}" for file, line, problem in found]


def _summary(
    connection: duckdb.DuckDBPyConnection, organization: str, link_key: LinkKey | None, log: Payloads | None
) -> Summary:
    statuses = rows(
        connection,
        """
        SELECT entity, as_of, status, status_group, title, severity, records, share, amount
        FROM marts.recon_summary
        WHERE organization = $organization
        ORDER BY entity, sum(records) OVER (PARTITION BY entity, status_group) DESC, status_group, records DESC, title
        """,
        organization=organization,
    )
    exceptions = rows(
        connection,
        """
        SELECT
            entity,
            count(*) FILTER (state = 'open'),
            count(*) FILTER (state = 'open' AND severity = 'error'),
            count(*) FILTER (state = 'open' AND severity = 'warn'),
            count(*) FILTER (state = 'open' AND severity = 'info'),
            count(*) FILTER (state = 'waived'),
            count(*) FILTER (state = 'resolved'),
            coalesce(sum(amount_at_stake) FILTER (state = 'open'), 0)
        FROM marts.recon_exceptions
        WHERE organization = $organization
        GROUP BY entity ORDER BY entity
        """,
        organization=organization,
    )
    causes = rows(
        connection,
        f"""
        SELECT
            entity, code, any_value(title), severity, count(*) AS records,
            coalesce(sum(amount_at_stake), 0) AS amount, any_value(recommended_action)
        FROM marts.recon_exceptions
        INNER JOIN (SELECT entity, code, title FROM marts.recon_statuses) USING (entity, code)
        WHERE organization = $organization AND state = 'open'
        GROUP BY entity, code, severity
        ORDER BY {WORST_FIRST}, amount DESC, records DESC, entity, code
        LIMIT $top
        """,
        organization=organization,
        top=_TOP_CAUSES,
    )
    ((compared, unbalanced, latest_unbalanced),) = rows(
        connection,
        """
        SELECT
            -- a structure, so that gifts without a date count as a day too
            count(DISTINCT {'day': gift_date}) FILTER (WHERE is_balanced IS NOT NULL),
            count(DISTINCT {'day': gift_date}) FILTER (WHERE NOT is_balanced),
            max(gift_date) FILTER (WHERE NOT is_balanced)
        FROM marts.recon_daily_totals
        WHERE organization = $organization
        """,
        organization=organization,
    )
    unexplained = rows(
        connection,
        """
        SELECT sum(abs(unexplained_amount)), currency
        FROM marts.recon_daily_totals
        WHERE organization = $organization AND NOT is_balanced
        GROUP BY currency ORDER BY 1 DESC
        """,
        organization=organization,
    )
    backfill = rows(
        connection,
        """
        SELECT count(*), coalesce(sum(raise_amount), 0), currency
        FROM marts.backfill_candidates
        WHERE organization = $organization
        GROUP BY currency ORDER BY 2 DESC
        """,
        organization=organization,
    )
    reads = rows(
        connection,
        """
        SELECT source, resource, finished_at, is_complete, rows_read, api_total, error
        FROM marts.load_audit
        WHERE organization = $organization
        QUALIFY
            row_number() OVER (
                PARTITION BY source, resource ORDER BY run_number DESC NULLS LAST, recorded_at DESC
            ) = 1
        ORDER BY source DESC, resource
        """,
        organization=organization,
    )
    event_types = rows(
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
        tuple(Exceptions(*entity) for entity in exceptions),
        tuple(Cause(*cause) for cause in causes),
        tuple(Read(*read) for read in reads),
        tuple(EventType(*event_type) for event_type in event_types),
        Days(compared, unbalanced, latest_unbalanced, tuple(Money(*money) for money in unexplained)),
        Backfill(sum(gifts for gifts, *_ in backfill), tuple(Money(*money) for _, *money in backfill)),
        link_key.suggestion if link_key else None,
        link_key.note if link_key else None,
        log,
    )
