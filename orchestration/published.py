"""The readers' file, opened as every reader opens it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
