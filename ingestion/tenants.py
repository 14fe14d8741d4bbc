"""Whose data a credential opens, against whose data the warehouse holds: judged before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import duckdb
import orjson


def objects(body: str, rows: str) -> list[dict[str, Any]]:
    """The rows of an answer that are objects; none where it cannot be parsed."""
    try:
        found = orjson.loads(body)[rows]
    except (ValueError, KeyError, TypeError):
        return []
    return [row for row in found if isinstance(row, dict)]


@dataclass(frozen=True)
class Foreign:
    """The organization that a credential opens, and the other one whose rows the warehouse holds, both in words."""

    live: str
    held: str


@dataclass(frozen=True)
class Held:
    """The rows that the warehouse holds of one organization. `schema` is where they stand, as SQL names it."""

    connect: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]
    schema: str
    organization: str

    def values(self, table: str, *columns: str) -> list[tuple[str | None, ...]]:
        """The distinct values, as text, of the rows that are not deleted; none where all of them are null."""
        texts = ", ".join(f'"{column}"::varchar' for column in columns)
        return self._rows(
            f"select distinct {texts} from {self.schema}.{table}"
            f" where organization = $1 and _deleted_at is null and coalesce({texts}) is not null order by all",
            [self.organization],
        )

    def count(self, table: str) -> int:
        """How many rows there are that are not deleted."""
        rows = self._rows(
            f"select count(*) from {self.schema}.{table} where organization = $1 and _deleted_at is null",
            [self.organization],
        )
        return int(rows[0][0]) if rows else 0

    def owners(self, table: str, column: str, values: Collection[Any]) -> list[str]:
        """The organizations of the warehouse that have one of these values."""
        rows = self._rows(
            f'select distinct organization from {self.schema}.{table} where list_contains($1, "{column}"::varchar)'
            " order by all",
            [[str(value) for value in values]],
        )
        return [slug for (slug,) in rows]

    def some_ids(self, table: str, most: int) -> list[int]:
        """A few rows that are not deleted, from anywhere."""
        rows = self._rows(
            f"select id from {self.schema}.{table} where organization = $1 and _deleted_at is null"
            f" order by hash(id) limit {most}",
            [self.organization],
        )
        return [key for (key,) in rows]

    def _rows(self, sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        try:
            with self.connect() as connection:
                return connection.execute(sql, parameters).fetchall()
        except (duckdb.CatalogException, duckdb.BinderException):
            # Nothing was loaded yet.
            return []
