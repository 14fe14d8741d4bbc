"""What a column of a raw table may be: its kinds, its declaration, and what a resource of an API is made of.

A resource declares every field that the documentation names. Declared fields become typed columns; whatever else
an API sends is kept in `extra_fields`. The declarations are also what dlt creates the tables from, so that a column
exists even when no row has ever had a value for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import pyarrow as pa


class Kind(StrEnum):
    """How a field is typed in the warehouse. The value is the DuckDB type."""

    TEXT = "VARCHAR"
    INTEGER = "BIGINT"
    MONEY = "DECIMAL(18,2)"
    RATE = "DECIMAL(18,8)"
    BOOLEAN = "BOOLEAN"
    INSTANT = "TIMESTAMP WITH TIME ZONE"
    DATE = "DATE"
    JSON = "JSON"


_DLT_TYPES: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"data_type": "text"},
    Kind.INTEGER: {"data_type": "bigint"},
    Kind.MONEY: {"data_type": "decimal", "precision": 18, "scale": 2},
    Kind.RATE: {"data_type": "decimal", "precision": 18, "scale": 8},
    Kind.BOOLEAN: {"data_type": "bool"},
    Kind.INSTANT: {"data_type": "timestamp", "timezone": True},
    Kind.DATE: {"data_type": "date"},
    Kind.JSON: {"data_type": "json"},
}

_ARROW_TYPES: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.MONEY: pa.decimal128(18, 2),
    Kind.RATE: pa.decimal128(18, 8),
    Kind.BOOLEAN: pa.bool_(),
    Kind.INSTANT: pa.timestamp("us", tz="UTC"),
    Kind.DATE: pa.date32(),
    Kind.JSON: pa.string(),
}

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(wire: str) -> str:
    """`isGDPRDeleted` -> `is_gdpr_deleted`."""
    return _WORD_START.sub("_", wire).lower()


@dataclass(frozen=True)
class Column:
    """One declared field: its name on the wire and how it is typed."""

    wire: str
    kind: Kind

    @property
    def name(self) -> str:
        return snake_case(self.wire)

    @property
    def dlt_hint(self) -> dict[str, Any]:
        return {"name": self.name, "nullable": True, **_DLT_TYPES[self.kind]}


ORGANIZATION = Column("organization", Kind.TEXT)

# Added by this project to every raw table, after the declared fields.
BOOKKEEPING = (
    Column("extra_fields", Kind.JSON),
    Column("_extracted_at", Kind.INSTANT),
    Column("_first_extracted_at", Kind.INSTANT),
    Column("_deleted_at", Kind.INSTANT),
    Column("_row_hash", Kind.INTEGER),
)


def arrow_schema(columns: Iterable[Column]) -> pa.Schema:
    """The Arrow schema of a table with these columns."""
    return pa.schema([(column.name, _ARROW_TYPES[column.kind]) for column in columns])


def declare(
    *,
    integer: str = "",
    text: str = "",
    money: str = "",
    rate: str = "",
    boolean: str = "",
    instant: str = "",
    date: str = "",
    json: str = "",
) -> tuple[Column, ...]:
    """Columns from space-separated wire names, one word list per kind."""
    lists = {
        Kind.INTEGER: integer,
        Kind.TEXT: text,
        Kind.MONEY: money,
        Kind.RATE: rate,
        Kind.BOOLEAN: boolean,
        Kind.INSTANT: instant,
        Kind.DATE: date,
        Kind.JSON: json,
    }
    return tuple(Column(wire, kind) for kind, words in lists.items() for wire in words.split())


def names(words: str) -> frozenset[str]:
    """Wire names, separated by spaces."""
    return frozenset(words.split())


@dataclass(frozen=True)
class Resource:
    """One collection of an API and the raw table that it becomes."""

    name: str
    path: str
    columns: tuple[Column, ...]
    key: str = "id"
    secrets: frozenset[str] = field(default_factory=frozenset)
    """Fields that are credentials of somebody: dropped at load, never kept, not even in `extra_fields`."""

    impersonal: frozenset[str] = field(default_factory=frozenset)
    """Columns that neither name nor describe a person. All others are hidden where `PII_MODE` says so."""

    nested: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)
    """The same of columns that hold JSON: the names in it whose values are kept, and below which more may be."""

    known: frozenset[str] = field(default_factory=frozenset)
    """Fields that are no column and no news either: kept in `extra_fields`, and not listed as drift."""

    optional: frozenset[str] = field(default_factory=frozenset)
    """Fields that only some kinds of rows have, declared or not: that they stop coming is no news."""

    modified: str | None = None
    """The field that tells when a row was last modified."""

    created: str | None = None
    """The field that tells when a row was made."""

    keeps_vanished: bool = False
    """Whether rows that the API no longer returns were merely not retained, and are no deletions."""

    may_be_replaced: bool = False
    """Whether all of its rows may be others than before, and no fewer were expected: what they say is judged apart."""

    event_family: int | None = None
    """The tens of the Raise webhook event types that most likely speak of this resource: a hint what to fetch again."""

    reread_days: int = 2
    """How far back, by creation, the newest rows are read again in every run."""

    late_reread_days: int | None = None
    """How far back they are read again within a day: gifts turn refunded or charged back weeks later."""

    newest_first: bool = False
    """A log: read from its newest entry to known ground."""

    entries_of: str | None = None
    """The log of whose entries this holds what each tells only when it is asked for by itself."""

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @cached_property
    def spelled(self) -> frozenset[str]:
        """The names of its fields that the documentation spells."""
        return frozenset(column.wire for column in self.columns) | self.known | self.optional | self.secrets

    @property
    def key_column(self) -> Column:
        return self.column(self.key)

    def qualified(self, source: str) -> str:
        """Its name among those of all products, such as `raise.gifts`."""
        return f"{source}.{self.name}"

    def column(self, wire: str) -> Column:
        return next(column for column in self.columns if column.wire == wire)
