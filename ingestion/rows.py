"""Page bodies in, Arrow tables of new and changed rows out: DuckDB parses, types, compares.

A batch of bodies whose rows have exactly the fields that the API has been seen to send goes through
`from_json_strict`, which fails on a number that has become text. Any other batch is looked at in full: fields are
listed, everything that can be text is read as text and parsed leniently, and what cannot be read is reported. So
nothing is lost silently, and the usual batch costs little more than one pass.

Rows that the warehouse already holds unchanged are left out: dlt gets only what it must merge.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import duckdb
import msgspec
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingestion import field_names, typing_sql
from ingestion.columns import BOOKKEEPING, Column, Kind, Resource
from ingestion.disk import full_disk
from ingestion.errors import RowsNotTyped
from ingestion.pages import BEGINNING, Page, Position
from ingestion.pii import Veil
from ingestion.workbench import Workbench

_STRICT_FAILURES_BEFORE_GIVING_UP = 3
ROUNDED = "rounded to"
"""How the error begins of a field whose value is known, and has more decimals than are kept."""
_NUMBERS: Mapping[Kind, Any] = {Kind.INTEGER: int | None, Kind.MONEY: float | None, Kind.RATE: float | None}
# Each takes memory in each thread, and many of them more time than to pack them.
_MOST_OTHERS = 16
# What a row can hold that one of the parsers does not take: nesting, numbers, names, halves of characters.
_NOT_TYPED = (duckdb.Error, pa.ArrowException, msgspec.MsgspecError, ArithmeticError, RecursionError, ValueError)
# So many of them in one reading are no odd rows: what reads them is wrong.
_MOST_UNTYPED = 100
# Rows of a page whose types are looked at.
_SAMPLE = 20
_JSON_TYPES = {str: "text", bool: "boolean", int: "number", float: "number", dict: "object", list: "list"}


class _NotExact(Exception):
    """A number may have been more than a double can hold, or has more decimals than are kept."""


class _KeysDiffer(ValueError):
    """DuckDB read other keys than those that paging goes by."""


@dataclass(frozen=True)
class Unreadable:
    """A field of a row, or (`field` empty) a whole row, whose value could not be typed. The row itself is kept."""

    record_id: str
    field: str
    raw_text: str | None
    error: str


@dataclass(frozen=True)
class _Shape:
    """The fields of a batch: `fields` is what its rows have, `is_exact` whether each row has them all, well typed.

    `holder` is the field in which those travel that are not declared, `is_odd` whether they must travel so.
    """

    envelope: tuple[str, ...]
    fields: tuple[str, ...]
    is_exact: bool
    is_odd: bool
    holder: str | None = None


class RowReader:
    """Types the rows of one reading of one resource and compares them with what the warehouse holds.

    `rows` is the list's name in the envelope (`items`, `list`). `time_zone` is what instants without an offset mean.
    """

    def __init__(
        self,
        resource: Resource,
        *,
        rows: str,
        organization: str,
        extracted_at: datetime,
        bench: Workbench,
        time_zone: str = "UTC",
        veil: Veil | None = None,
    ) -> None:
        self.rows_read = self.rows_new = self.rows_changed = 0
        self.latest: datetime | None = None
        """The largest modification stamp that was read."""
        self.new_fields: frozenset[str] = frozenset()
        self.types: dict[str, set[str]] = {}
        """The fields that came, each with the types of JSON it came as, null apart: of a sample of the rows."""
        self.untyped: set[int] = set()
        """The keys of the rows that came and could not be typed at all."""
        self._unreadable: dict[tuple[str, str], Unreadable] = {}
        self._seen: set[int] = set()
        self._highest_forgotten: int | None = None
        self._resource = resource
        self._secrets = frozenset(name.lower() for name in resource.secrets)
        self._rows = rows
        self._organization = organization
        self.extracted_at = extracted_at
        """The instant that the rows of this reading bear."""
        self._bench = bench
        self._veil = veil
        self._shape: _Shape | None = None
        self._strict_failures = 0
        self._connection = bench.connection(time_zone)
        self._load_known()
        self.replaces_nothing = not self._value("select exists (from known)")
        """Whether the warehouse held no row before, and none was loaded that may have come again since."""

    def close(self) -> None:
        self._connection.close()

    @property
    def unreadable(self) -> list[Unreadable]:
        """What could not be read, each field and record once, however often it came."""
        return list(self._unreadable.values())

    @property
    def live(self) -> int:
        """How many rows the warehouse held before, those that are marked as deleted left out."""
        return int(self._value("select count(*) from known where not is_deleted"))

    def live_in(self, low: int | None, high: int | None) -> int:
        """How many of them have keys above `low` up to `high`."""
        return int(self._value(f"select count(*) from known where not is_deleted and {_in_range(low, high)}"))

    @property
    def highest_before(self) -> int:
        """The highest key that the warehouse holds; 0 where it holds none."""
        return int(self._value("select coalesce(max(id), 0) from known"))

    @property
    def latest_before(self) -> datetime | None:
        """The largest modification stamp that the warehouse holds."""
        if not self.live or not self._resource.modified:
            return None
        modified = self._resource.column(self._resource.modified).name
        found: datetime | None = self._value(
            f'select max("{modified}") from {self._table} where organization = $1', self._organization
        )
        return found

    def is_known(self, keys: Iterable[int | None], before: datetime | None = None) -> bool:
        """Whether the warehouse held all of these rows, since before an instant if one is given."""
        wanted = [key for key in keys if key is not None]
        found = self._connection.execute(
            "select id from known"
            " where list_contains($1, id) and first_extracted_at < coalesce($2::timestamptz, 'infinity')",
            [wanted, before],
        ).fetchall()
        return len(found) == len(set(wanted))

    def position_before(self, instant: datetime) -> Position:
        """Where the rows begin that were made at or after an instant, as far as the warehouse knows.

        Before the lowest key among them, for rows that are imported with old dates get high keys. A row whose date is
        not known counts as old: a single one could make it the beginning, run after run.
        """
        if not self.live or not self._resource.created:
            return BEGINNING
        created = self._resource.column(self._resource.created).name
        key = self._resource.key_column.name
        high = self._value(
            f"""
            with live as (
                select "{key}" as key, "{created}" as created
                from {self._table} where organization = $1 and _deleted_at is null
            ),
            recent as (
                select min(key) as first from live where created >= $2
            )
            select max(key) from live, recent where (key >= first) is not true
            """,
            self._organization,
            instant,
        )
        return BEGINNING if high is None else Position(high, self.live_in(None, high))

    def forget(self, pages: Sequence[Page]) -> None:
        """Lets go of what was seen, but for these last pages: the next ones may repeat their rows."""
        self._highest_forgotten = max((*self._seen, self._highest_forgotten or 0))
        self._seen = {key for page in pages for key in page.ids if key is not None}

    def read(self, pages: Sequence[Page]) -> pa.Table:
        """The new and changed rows of these pages. A row that an earlier page already brought is passed over."""
        try:
            again = self._note(pages)
            pages = [page for page in pages if page.ids]
            if not pages:
                return pa.table({})
            try:
                return self._read(pages, again)
            except _NOT_TYPED:
                rows = [row for number, page in enumerate(pages) for row in self._wanted(page, number, again)]
                tables = [table for table in self._apart(rows) if table.num_rows]
                return pa.concat_tables(tables) if tables else pa.table({})
        except _NOT_TYPED as error:
            # Its text may quote what somebody wrote.
            raise RowsNotTyped(self._resource.path, type(error).__name__) from None

    def _read(self, pages: Sequence[Page], again: Mapping[str, Sequence[int]]) -> pa.Table:
        self._register([page.body for page in pages])
        self._connection.register(
            "again", pa.table(dict(again), schema=pa.schema([("page", pa.int64()), ("place", pa.int64())]))
        )
        try:
            return self._typed(pages)
        except duckdb.Error as error:
            if full := full_disk(error):
                raise full from None
            raise
        finally:
            self._connection.unregister("bodies")
            self._connection.unregister("again")

    def _wanted(self, page: Page, number: int, again: Mapping[str, Sequence[int]]) -> Iterator[tuple[int, msgspec.Raw]]:
        """The rows of a page that are not to be passed over, with their keys, each as it was written."""
        places = {place for at, place in zip(again["page"], again["place"], strict=True) if at == number}
        for place, (key, row) in enumerate(zip(page.ids, _rows_of(page.body, self._rows), strict=True), start=1):
            if key is not None and place not in places:
                yield key, row

    def _apart(self, rows: Sequence[tuple[int, msgspec.Raw]]) -> Iterator[pa.Table]:
        """Tables of the rows without those that cannot be typed, which go to quarantine: found by halving."""
        if not rows:
            return
        body = msgspec.json.encode({self._rows: [row for _, row in rows]}).decode()
        try:
            yield self._read([Page(body, tuple(key for key, _ in rows), None)], {"page": [], "place": []})
        except _NOT_TYPED as error:
            if len(rows) > 1:
                half = len(rows) // 2
                yield from self._apart(rows[:half])
                yield from self._apart(rows[half:])
                return
            ((key, _),) = rows
            self.untyped.add(key)
            if len(self.untyped) > _MOST_UNTYPED:
                raise RowsNotTyped(self._resource.path, type(error).__name__) from None
            # A secret can be left out only of what can be taken apart.
            self._quarantine(Unreadable(str(key), "", None, f"the row could not be typed ({type(error).__name__})"))

    def vanished(self, low: int | None, high: int | None) -> list[int]:
        """The keys above `low` up to `high` that the warehouse holds and this reading did not bring."""
        self._connection.register("seen", pa.table({"id": pa.array(self._seen, pa.int64())}))
        rows = self._connection.execute(
            f"select id from known anti join seen using (id) where not is_deleted and {_in_range(low, high)}"
        ).fetchall()
        self._connection.unregister("seen")
        return [key for (key,) in rows]

    def as_deleted(self, keys: Sequence[int]) -> pa.Table:
        """The rows of the warehouse with these keys, marked as deleted."""
        self._connection.register("gone", pa.table({"id": pa.array(keys, pa.int64())}))
        names = ", ".join(f'"{column.name}"' for column in (*self._resource.columns, *BOOKKEEPING))
        table = self._connection.execute(
            f"""
            select organization, {names.replace('"_deleted_at"', "$2::timestamptz as _deleted_at")}
            from {self._table}
            where organization = $1 and "{self._resource.key_column.name}" in (select id from gone)
            """,
            [self._organization, self.extracted_at],
        ).to_arrow_table()
        self._connection.unregister("gone")
        return table

    @property
    def _table(self) -> str:
        return self._bench.name_of(self._resource.name)

    def _value(self, sql: str, *parameters: object) -> Any:
        # To the end: a result that stands open would keep the warehouse from being given back.
        ((value,),) = self._connection.execute(sql, parameters).fetchall()
        return value

    def _load_known(self) -> None:
        self._connection.execute(
            "create temp table known (id bigint, row_hash bigint, first_extracted_at timestamptz, is_deleted boolean)"
        )
        if self._bench.has(self._resource.name):
            self._connection.execute(
                f"""
                insert into known
                select
                    "{self._resource.key_column.name}",
                    -- what bears an instant that is yet to come is loaded again, with the one of this reading
                    case when _extracted_at <= $2 then _row_hash end,
                    least(_first_extracted_at, $2),
                    _deleted_at is not null
                from {self._table} where organization = $1
                """,
                [self._organization, self.extracted_at],
            )

    def _note(self, pages: Sequence[Page]) -> dict[str, list[int]]:
        """Remembers the keys of these pages; the places (1-based) of the rows to pass over."""
        again: dict[str, list[int]] = {"page": [], "place": []}
        for page in pages:
            if page.hole:
                self._quarantine(Unreadable(page.hole.place, "", "", page.hole.error))
        for number, page in enumerate(page for page in pages if page.ids):
            if None in page.ids:
                self._report_keyless(page)
            for place, key in enumerate(page.ids, start=1):
                if key is None or key in self._seen:
                    again["page"].append(number)
                    again["place"].append(place)
                else:
                    self._seen.add(key)
                    self.rows_read += 1
                    # What was let go of may be among those that come.
                    if self._highest_forgotten is not None and key <= self._highest_forgotten:
                        self.replaces_nothing = False
        return again

    def _register(self, bodies: Iterable[str]) -> None:
        # A record batch for each page: what lies in one batch, one thread of DuckDB parses alone.
        batches = [pa.record_batch({"page": [number], "body": [body]}) for number, body in enumerate(bodies)]
        self._connection.register("bodies", pa.Table.from_batches(batches))

    def _typed(self, pages: Sequence[Page]) -> pa.Table:
        keys = pa.array([key for page in pages for key in page.ids if key is not None], pa.int64())
        # What a few pages are like, the others mostly are; where they are not, strictness notices.
        self._shape = self._shape or self._shape_of(pages[::8])
        if self._shape.is_exact and self._strict_failures < _STRICT_FAILURES_BEFORE_GIVING_UP:
            try:
                decoder = _decoder_of(self._rows, self._shape.fields, self._resource)
                for page in pages:
                    decoder.decode(page.body)
                table = self._select(self._shape, keys, strict=True)
            except (_NotExact, msgspec.ValidationError, duckdb.InvalidInputException):
                self._strict_failures += 1
            else:
                self._strict_failures = 0
                return table
        self._shape = self._shape_of(pages)
        return self._select(self._packed(pages, self._shape) if self._shape.is_odd else self._shape, keys, strict=False)

    def _shape_of(self, pages: Sequence[Page]) -> _Shape:
        envelope: dict[str, None] = {}
        fields: dict[str, int] = {}
        count = 0
        for page in pages:
            answer = orjson.loads(page.body)
            envelope.update(dict.fromkeys(answer))
            for row in answer[self._rows]:
                count += 1
                for name in row:
                    fields[name] = fields.get(name, 0) + 1
            for row in answer[self._rows][:: max(len(answer[self._rows]) // _SAMPLE, 1)]:
                for name, value in row.items():
                    if value is not None:
                        self.types.setdefault(self._named(name), set()).add(_JSON_TYPES[type(value)])
        kept = {name for name in fields if not self._is_secret(name)}
        for name in kept:
            self.types.setdefault(self._named(name), set())
        declared = {column.wire for column in self._resource.columns}
        self.new_fields |= {self._named(name) for name in kept - declared - self._resource.known}
        is_odd = field_names.are_odd(fields, declared) or field_names.are_odd(envelope)
        is_odd = is_odd or len(kept - declared) > _MOST_OTHERS
        is_exact = not is_odd and all(number == count for number in fields.values())
        return _Shape(tuple(envelope), tuple(fields), is_exact, is_odd)

    def _packed(self, pages: Sequence[Page], shape: _Shape) -> _Shape:
        """The shape of these pages with all fields in one that are not declared, as their bodies are then."""
        declared = tuple(column.wire for column in self._resource.columns)
        holder = field_names.holder(declared)
        self._register(field_names.packed(page.body, self._rows, declared, holder, self._is_secret) for page in pages)
        return replace(shape, fields=(*declared, holder), holder=holder)

    def _quarantine(self, record: Unreadable) -> None:
        self._unreadable[record.record_id, record.field] = record

    def _report_keyless(self, page: Page) -> None:
        """The rows of a page that have no usable key, each under a name made of what it says: the same in every run."""
        error = f"no usable {self._resource.key}, so the row has no place in its table"
        twins: Counter[str] = Counter()
        for key, row in zip(page.ids, _rows_of(page.body, self._rows), strict=True):
            if key is not None:
                continue
            text = self._without_secrets(row)
            name = text or bytes(row).decode()
            twins[name] += 1
            record_id = f"row {self._hash(name)}-{twins[name]} without {self._resource.key}"
            self._quarantine(Unreadable(record_id, "", self._shown(text) if text else None, error))

    def _without_secrets(self, row: msgspec.Raw) -> str | None:
        """A row as text, its secrets left out; None where it cannot be taken apart."""
        try:
            fields = orjson.loads(bytes(row))
            return orjson.dumps({name: fields[name] for name in fields if not self._is_secret(name)}).decode()
        except (TypeError, ValueError):
            return None

    def _select(self, shape: _Shape, keys: pa.Array, *, strict: bool) -> pa.Table:
        declared = {column.wire: column for column in self._resource.columns}
        others = sorted(name for name in set(shape.fields) - set(declared) if not self._is_secret(name))
        present = [column for column in self._resource.columns if column.wire in shape.fields]
        as_text = {
            c.wire for c in present if typing_sql.is_parsed(c.kind) and (not strict or c.kind in typing_sql.ALWAYS_TEXT)
        }

        wire_types = {
            name: _wire_type(declared.get(name), as_text=name in as_text, strict=strict)
            for name in (shape.fields if strict else [c.wire for c in present] + others)
        }
        envelope = {
            name: [wire_types] if name == self._rows else "JSON"
            for name in (shape.envelope if strict else (self._rows,))
        }
        function = "from_json_strict" if strict else "from_json"
        once = self._once(f"{function}(body, {_quoted(json.dumps(envelope))})")
        typed = ", ".join(
            f'{_expression(column, column.wire in as_text, present, strict=strict)} as "{column.name}"'
            for column in self._resource
        )
        failed = [column for column in present if column.wire in as_text]
        any_failed = " or ".join(_failure(column, f'"{column.name}"') for column in failed) or "false"
        numbers = [column for column in present if strict and typing_sql.is_fraction(column.kind)]
        any_inexact = (
            " or ".join(
                typing_sql.is_inexact(column.kind, f'"{column.name}"', _field(column.wire)) for column in numbers
            )
            or "false"
        )
        hashed = ", ".join(f'"{column.name}"' for column in self._resource)
        # A hash of the row that everybody can make would tell who guesses right.
        salt = f", '{self._veil.salt.hex()}'" if self._veil else ""
        key = self._resource.key_column.name
        extra_fields = f"{_field(shape.holder)}::json" if shape.holder else _extra_fields(others)
        extracted_at = f"{_quoted(str(self.extracted_at))}::timestamptz"

        table = self._in_threads(
            f"""
            with {once},
            typed as (
                select {typed}, {extra_fields} as extra_fields, item from once
            ),
            hashed as (
                select
                    * exclude (item),
                    (hash({hashed}, extra_fields{salt}) >> 1)::bigint as _row_hash,
                    {any_failed} as is_unreadable,
                    {any_inexact} as is_inexact
                from typed
            )
            select
                {_quoted(self._organization)} as organization,
                hashed.* exclude (is_unreadable, is_inexact, _row_hash),
                {extracted_at} as _extracted_at,
                coalesce(known.first_extracted_at, {extracted_at}) as _first_extracted_at,
                null::timestamptz as _deleted_at,
                _row_hash,
                known.id is null or known.is_deleted as is_new,
                known.id is null or known.is_deleted or known.row_hash is distinct from _row_hash as is_fresh,
                is_unreadable,
                is_inexact
            from hashed left join known on known.id = hashed."{key}"
            where is_fresh or is_unreadable or is_inexact
            """
        )
        if pc.any(table["is_inexact"]).as_py():
            raise _NotExact
        # Of a key that comes twice in a row, one parser takes the first and another the last.
        is_read_alike = pc.all(pc.is_in(table[key], keys), min_count=0).as_py()
        if not is_read_alike or pc.count_distinct(table[key]).as_py() < table.num_rows:
            raise _KeysDiffer
        if pc.any(table["is_unreadable"]).as_py():
            self._report(failed, once)
        fresh = table.filter(table["is_fresh"]) if table.num_rows else table
        if self._resource.modified and fresh.num_rows:
            newest = pc.max(fresh[self._resource.column(self._resource.modified).name]).as_py()
            self.latest = max(filter(None, (self.latest, newest)), default=None)
        new = pc.sum(fresh["is_new"]).as_py() or 0
        self.rows_new += new
        self.rows_changed += fresh.num_rows - new
        fresh = fresh.drop_columns(["is_new", "is_fresh", "is_unreadable", "is_inexact"])
        return self._veil.table(fresh, self._resource) if self._veil else fresh

    def _in_threads(self, query: str) -> pa.Table:
        """What a query gives, by all threads, or by as many as have room in memory."""
        while True:
            try:
                # A relation, for DuckDB makes Arrow of what it gives in all threads, and in one of what `execute` does;
                # but only where it has no parameters (1.5.5, 2026-11-27).
                return self._connection.sql(query).to_arrow_table()
            except duckdb.OutOfMemoryException:
                if not self._bench.halve_threads():
                    raise

    def _once(self, answer: str) -> str:
        """The part of a query that takes the rows to be read, each once, out of the bodies: `answer` parses one."""
        return f"""
            lists as (
                select page, {answer}['{self._rows}'] as items from bodies
            ),
            raw as (
                select page, unnest(range(1, len(items) + 1)) as place, unnest(items) as item from lists
            ),
            once as (
                select item from raw anti join again using (page, place)
            )"""

    def _report(self, columns: Sequence[Column], once: str) -> None:
        key = self._resource.key_column
        for column in columns:
            typed = typing_sql.from_text(column.kind, _field(column.wire))
            rows = self._connection.execute(
                f"""
                with {once}
                select {_expression(key, key in columns, (key,))}::varchar, {_field(column.wire)}, {typed}::varchar
                from once where {_failure(column, typed)}
                """
            ).fetchall()
            for record_id, text, value in rows:
                if value is not None:
                    self._quarantine(Unreadable(record_id, column.name, text, f"{ROUNDED} {value}"))
                    continue
                error = f"not readable as {column.kind.name.lower()}"
                self._quarantine(Unreadable(record_id, column.name, self._shown(text), error))

    def _is_secret(self, name: str) -> bool:
        """In any casing: what becomes of a spelling that nobody expected must not be that it is kept."""
        return name.lower() in self._secrets

    def _named(self, name: str) -> str:
        """A field as it is reported."""
        return self._veil.field_name(name, self._resource) if self._veil else name

    def _shown(self, raw_text: str) -> str | None:
        """What of a text that could not be read goes to quarantine."""
        return self._veil.text(raw_text) if self._veil else raw_text

    def _hash(self, text: str) -> str:
        return hmac.new(self._veil.salt if self._veil else b"", text.encode(), hashlib.sha256).hexdigest()[:16]


def _rows_of(body: str, rows: str) -> list[msgspec.Raw]:
    """The rows of a page, each as it was written."""
    answer = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return msgspec.json.decode(answer[rows], type=list[msgspec.Raw])


@cache
def _decoder_of(rows: str, fields: tuple[str, ...], resource: Resource) -> msgspec.json.Decoder[Any]:
    """Fails on a row that has other fields than these, or lacks one, or has something else where a number belongs.

    DuckDB's `from_json_strict` notices a missing field, drops one that it does not know, and takes true for 1 and 12.7
    for the integer 13 (1.5.5, 2026-11-30).
    """
    types = {column.wire: _NUMBERS.get(column.kind, msgspec.Raw) for column in resource.columns}
    named = [
        (f"field_{number}", types.get(name, msgspec.Raw), msgspec.field(name=name))
        for number, name in enumerate(fields)
    ]
    row = msgspec.defstruct("Row", named, forbid_unknown_fields=True, gc=False)
    answer = msgspec.defstruct("Answer", [("rows", list[row], msgspec.field(name=rows))])  # type: ignore[valid-type]
    return msgspec.json.Decoder(answer)


def _in_range(low: int | None, high: int | None) -> str:
    conditions = [f"id > {low}"] if low is not None else []
    conditions += [f"id <= {high}"] if high is not None else []
    return " and ".join(conditions) or "true"


def _wire_type(column: Column | None, *, as_text: bool, strict: bool) -> str:
    if column is None:
        return "JSON"
    if strict and typing_sql.is_fraction(column.kind):
        return "DOUBLE"
    return "VARCHAR" if as_text else column.kind.value


def _field(wire: str) -> str:
    return f'item."{wire}"'


def _expression(column: Column, is_text: bool, present: Sequence[Column], *, strict: bool = False) -> str:
    if column not in present:
        return f"null::{column.kind.value}"
    field = _field(column.wire)
    if strict and typing_sql.is_fraction(column.kind):
        return typing_sql.from_number(column.kind, field)
    return typing_sql.from_text(column.kind, field) if is_text else field


def _failure(column: Column, typed: str) -> str:
    """The condition that a field says something that could not be read as its kind, or has more decimals.

    A CASE, because DuckDB evaluates both sides of an AND for every row.
    """
    field = _field(column.wire)
    rounded = typing_sql.is_rounded(column.kind, field)
    return f"case when {field} is null then false when {typed} is null then not is_blank({field}) else {rounded} end"


def _extra_fields(names: Sequence[str]) -> str:
    """The undeclared fields that are not null, as a JSON object in text (json_merge_patch takes thrice the time)."""
    if not names:
        return "null::json"
    members = ", ".join(
        f"case when {_field(name)} is not null then {_quoted(orjson.dumps(name).decode() + ':')} || {_field(name)} end"
        for name in names
    )
    return f"nullif('{{' || concat_ws(',', {members}) || '}}', '{{}}')::json"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
