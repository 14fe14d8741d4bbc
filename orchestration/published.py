"""The readers' file, opened as every reader opens it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from ingestion.errors import TieoutError

WORST_FIRST = "coalesce(list_position(['error', 'warn', 'info'], severity), 4)"
"""How severities are ordered."""


class NothingPublished(TieoutError):
    """There is no readers' file yet, or it cannot be read."""


@contextmanager
def reading(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file for the length of the block, with instants in UTC. Raises `NothingPublished`."""
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


def rows(connection: duckdb.DuckDBPyConnection, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return connection.execute(query, parameters).fetchall()
