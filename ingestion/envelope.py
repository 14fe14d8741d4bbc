"""Reads what paging must know of an answer: the keys of its rows and the total."""

from __future__ import annotations

from threading import local

import duckdb

from ingestion.columns import Resource
from ingestion.errors import AnswerNotUnderstood
from ingestion.pages import Page


class Envelope:
    """The envelope of one product: its rows stand under `rows`, their count over all pages under `total`.

    DuckDB reads it, outside of Python's lock and without making a Python object of every field.
    """

    def __init__(self, product: str, rows: str) -> None:
        self._product = product
        self._rows = rows
        self._connection = duckdb.connect(config={"threads": 1})
        self._local = local()

    def close(self) -> None:
        self._connection.close()

    def page(self, resource: Resource, body: str) -> Page:
        """The page in `body`. Raises `AnswerNotUnderstood` for anything but the envelope: an error is not an empty page."""
        rows = self._rows
        try:
            row = self._cursor().execute(
                f"""
                select
                    json_type(answer, '$.{rows}'),
                    try_cast(answer ->> '$.total' as bigint),
                    [try_cast(regexp_replace(key, '\\.0+$', '') as bigint) for key in (answer ->> '$.{rows}[*].{resource.key}')],
                    json_array_length(answer, '$.{rows}')
                from (select $1::json as answer)
                """,
                [body],
            ).fetchone()
        except duckdb.Error:
            raise AnswerNotUnderstood(self._product, resource.path, f"no JSON but {_start(body)}") from None
        assert row is not None
        kind, total, keys, count = row
        if kind != "ARRAY":
            raise AnswerNotUnderstood(self._product, resource.path, f"no list named {rows}")
        if len(keys) != count:
            keys = self._keys_one_by_one(resource, body)
        return Page(body, tuple(keys), total)

    def _keys_one_by_one(self, resource: Resource, body: str) -> list[int | None]:
        """A row without the key leaves no place in a wildcard's list, so the rows are asked one after the other."""
        rows = self._cursor().execute(
            f"""
            select try_cast(regexp_replace(item ->> '$.{resource.key}', '\\.0+$', '') as bigint)
            from (select unnest(from_json($1::json -> '$.{self._rows}', '["JSON"]')) as item)
            """,
            [body],
        ).fetchall()
        return [key for (key,) in rows]

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        if not hasattr(self._local, "cursor"):
            self._local.cursor = self._connection.cursor()
        cursor: duckdb.DuckDBPyConnection = self._local.cursor
        return cursor


def _start(body: str) -> str:
    text = " ".join(body[:80].split())
    return f"a text that starts with {text!r}" if text else "an empty body"
