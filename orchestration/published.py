"""The readers' file, opened as every reader opens it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from ingestion import machine
from ingestion.database_file import oddity
from ingestion.errors import TieoutError

WORST_FIRST = "coalesce(list_position(['error', 'warn', 'info'], severity), 4)"
"""How severities are ordered."""


@dataclass(frozen=True)
class LinkKey:
    """What is said of the field by which CRM+ gifts point back at Raise."""

    note: str | None
    """That it counts as unknown."""
    suggestion: str | None
    """Another field that explains more."""


@dataclass(frozen=True)
class Payloads:
    """What of the delivery log's payloads is not known; of each how many are about campaigns."""

    behind: int
    behind_of_campaigns: int
    oldest_behind: datetime | None
    unavailable: int
    unavailable_of_campaigns: int
    unreadable: int
    unreadable_of_campaigns: int

    @property
    def notes(self) -> list[str]:
        """What there is to say, a sentence each."""
        said = []
        if self.behind:
            since = f", the oldest of {self.oldest_behind:%Y-%m-%d}" if self.oldest_behind else ""
            said.append(
                f"{self.behind:,} payloads of webhook deliveries were not read yet{since}"
                f"{_of_campaigns(self.behind_of_campaigns)}; later runs go on, WEBHOOK_PAYLOADS_PER_RUN at a time."
            )
        if self.unavailable:
            said.append(
                f"{self.unavailable:,} payloads of webhook deliveries cannot be had: Raise does not give or no longer"
                f" retains them{_of_campaigns(self.unavailable_of_campaigns)}."
            )
        if self.unreadable:
            said.append(
                f"{self.unreadable:,} payloads of webhook deliveries could not be understood"
                f"{_of_campaigns(self.unreadable_of_campaigns)}; marts.webhook_payload_states counts them."
            )
        return said


def _of_campaigns(count: int) -> str:
    about = "is" if count == 1 else "are"
    return f" ({count:,} {about} about campaigns: gifts that depend on them are not assessed)" if count else ""


class NothingPublished(TieoutError):
    """There is no readers' file yet, or it cannot be read."""


@contextmanager
def reading(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file for the length of the block, with instants in UTC. Raises `NothingPublished`."""
    if not published.exists():
        raise NothingPublished(f"There is no published file {published} yet: run `tieout run` or `make demo` first.")
    try:
        odd = oddity(published)
    except OSError as error:
        odd = str(error.strerror)
    if odd:
        raise NothingPublished(f"The published file {published} cannot be read ({odd}): correct PUBLISHED_PATH.")
    try:
        with machine.connect(published, read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise NothingPublished(
            f"The published file {published} cannot be read ({reason}): run `tieout run` again."
        ) from None


def rows(connection: duckdb.DuckDBPyConnection, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return connection.execute(query, parameters).fetchall()


def link_keys(connection: duckdb.DuckDBPyConnection) -> dict[str, LinkKey]:
    """By organization, where there is something to say."""
    found = rows(
        connection,
        """
        WITH notes AS (
            SELECT organization, any_value(note) AS note
            FROM marts.recon_summary WHERE entity = 'gift' AND note IS NOT NULL GROUP BY organization
        ),
        suggestions AS (
            SELECT organization, arg_min(suggestion, (-agreeing_records, suggestion)) AS suggestion
            FROM marts.link_key_discovery WHERE suggested GROUP BY organization
        )
        SELECT organization, note, suggestion
        FROM notes FULL JOIN suggestions USING (organization) ORDER BY organization
        """,
    )
    return {organization: LinkKey(note, suggestion) for organization, note, suggestion in found}


def payloads(connection: duckdb.DuckDBPyConnection) -> dict[str, Payloads]:
    """By organization that has a delivery log."""
    counts = [
        f"coalesce(sum(entries) FILTER (WHERE payload_state IN {states} AND {which}), 0)::bigint"
        for states in ("('unread', 'failed')", "('refused', 'withheld', 'absent')", "('unreadable', 'empty')")
        for which in ("true", "is_about_campaign")
    ]
    counts.insert(2, "min(oldest_at) FILTER (WHERE payload_state IN ('unread', 'failed'))")
    found = rows(
        connection,
        f"""
        SELECT organization, {", ".join(counts)}
        FROM marts.webhook_payload_states GROUP BY organization ORDER BY organization
        """,
    )
    return {organization: Payloads(*counted) for organization, *counted in found}
