"""The register of exceptions, as the readers' file holds it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from ingestion.errors import SettingsError
from orchestration.published import WORST_FIRST, reading, rows


class RecordKind(StrEnum):
    """What an exception is about."""

    DONOR = "donor"
    GIFT = "gift"
    RECURRING_GIFT = "recurring_gift"


class State(StrEnum):
    """Where an exception stands."""

    OPEN = "open"
    WAIVED = "waived"
    RESOLVED = "resolved"
    ALL = "all"


@dataclass(frozen=True)
class Entry:
    """One exception. The fields are columns of `marts.recon_exceptions`, and what scripts get to see, in this order."""

    organization: str
    exception_id: str
    severity: str | None
    entity: str
    code: str
    raise_id: int | None
    crm_id: int | None
    amount_at_stake: Decimal | None
    state: str
    cause: str
    recommended_action: str | None
    crm_url: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    reopened_count: int
    age_days: int
    age_bucket: str
    waived_reason: str | None
    waived_until: date | None


FIELDS = tuple(field.name for field in fields(Entry))


def entries(
    published: Path,
    *,
    organization: str | None = None,
    entity: RecordKind | None = None,
    code: str | None = None,
    state: State = State.OPEN,
) -> list[Entry]:
    """The exceptions that were asked for, the worst first: by severity, then by the money at stake.

    Raises `SettingsError` for an organization or a code that the file does not know.
    """
    with reading(published) as connection:
        for name, asked, known in (
            ("organization", organization, "SELECT DISTINCT organization FROM marts.load_audit ORDER BY ALL"),
            ("code", code, "SELECT DISTINCT code FROM marts.recon_statuses WHERE is_exception ORDER BY ALL"),
        ):
            choices = [choice for (choice,) in rows(connection, known)] if asked else []
            if asked and asked not in choices:
                raise SettingsError(f"There is no {name} {asked}: choose one of {', '.join(choices)}.")
        found = rows(
            connection,
            f"""
            SELECT {", ".join(FIELDS)} FROM marts.recon_exceptions
            WHERE ($organization IS NULL OR organization = $organization)
                AND ($entity IS NULL OR entity = $entity)
                AND ($code IS NULL OR code = $code)
                AND ($state = 'all' OR state = $state)
            ORDER BY
                {WORST_FIRST},
                amount_at_stake DESC NULLS LAST,
                organization, entity, code, raise_id, crm_id
            """,
            organization=organization,
            entity=entity,
            code=code,
            state=state,
        )
    return [Entry(*row) for row in found]


def open_exceptions(published: Path, severities: Sequence[str], organizations: Sequence[str]) -> int:
    """How many exceptions of these severities and organizations are open: neither resolved nor waived."""
    with reading(published) as connection:
        ((count,),) = rows(
            connection,
            "SELECT count(*) FROM marts.recon_exceptions WHERE state = 'open'"
            " AND list_contains($severities, severity) AND list_contains($organizations, organization)",
            severities=list(severities),
            organizations=list(organizations),
        )
        return int(count)
