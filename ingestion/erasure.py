"""Takes out of the warehouse what it holds of persons whose data was to be deleted.

Raise marks a donor whose data was deleted (`isGDPRDeleted`) and gives the record without it; what was delivered about
the donor before, and what could not be read, still have it. CRM+ documents no such mark: who is deleted there is named
once (`tieout erase --contact`). Whoever was marked or named stays so: what comes in later is erased by the run that
reads it. What stays is what is impersonal: ids, amounts, dates and states, by which records are still reconciled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from ingestion import identity, machine
from ingestion.columns import BOOKKEEPING, Column, Kind, Resource
from ingestion.log_entries import ERASED
from ingestion.pii import Veil
from ingestion.virtuous_crm_plus import resources as crm_plus
from ingestion.virtuous_raise import resources as virtuous_raise

PERSONS = f"{identity.SCHEMA}.erased"
"""Whose data is erased: `record_id` of a donor (`source` `raise`) or a contact (`crm_plus`). What was read before
`checked_at` was looked through. `is_compacted`: the file was rewritten after the last thing of it was erased."""

_VEIL = Veil(b"", leaves_out=True)
_EXTRA_FIELDS = next(column for column in BOOKKEEPING if column.kind is Kind.JSON)
# The person that JSON names, which may be written into a text of another one.
_MENTIONED = {
    "raise": r'\\*"(?:donorId|donor\\*"\s*:\s*\{[^{}]*?\\*"id)\\*"\s*:\s*\\*"?(\d{1,18})\b',
    "crm_plus": r'\\*"contactId\\*"\s*:\s*\\*"?(\d{1,18})\b',
}


@dataclass(frozen=True)
class _Table:
    """A raw table with rows of persons; `person` is the column that says whose a row is."""

    source: str
    resource: Resource
    person: str

    @property
    def dataset(self) -> str:
        return f"raw_{self.source}"

    @property
    def name(self) -> str:
        return f"{self.dataset}.{self.resource.name}"


# Inside, too, only where it is needed: DuckDB would compute it for every row.
_GIVER = "coalesce(donor_id, try_cast(case when donor_id is null then donor ->> '$.id' end as bigint))"
_TABLES = (
    _Table("raise", virtuous_raise.DONORS, "id"),
    _Table("raise", virtuous_raise.GIFTS, _GIVER),
    _Table("raise", virtuous_raise.RECURRING_GIFTS, _GIVER),
    _Table("crm_plus", crm_plus.CONTACTS, "id"),
    _Table("crm_plus", crm_plus.GIFTS, "contact_id"),
    _Table("crm_plus", crm_plus.RECURRING_GIFTS, "contact_id"),
)
_LOGS = ("webhook_logs", "webhook_log_payloads")
_OF_THEM = "exists (from erased_logs as of where of.organization = told.organization and of.id = told.{})"
# By table: what empties it of these deliveries.
_EMPTIED = {
    # Before the log has forgotten what it says.
    "marts.webhook_delivery_health": f"""
        update marts.webhook_delivery_health as health set last_failure_response = null
        where (organization, last_failure_response) in (
            select (told.organization, told.server_response) from raw_raise.webhook_logs as told
            where {_OF_THEM.format("id")} and told.server_response is not null
        )
        """,
    "marts.quarantined_records": f"""
        update marts.quarantined_records as held set raw_text = null
        where
            source = 'raise' and resource in {_LOGS} and raw_text is not null
            and (organization, try_cast(record_id as bigint)) in (select (organization, id) from erased_logs)
        """,
    "raw_raise.webhook_logs": f"""
        update raw_raise.webhook_logs as told set pay_load = null, server_response = null, extra_fields = null
        where {_OF_THEM.format("id")} and coalesce(pay_load, server_response, extra_fields::text) is not null
        """,
    "raw_raise.webhook_log_payloads": f"""
        update raw_raise.webhook_log_payloads as told set pay_load = null, extra_fields = null, outcome = '{ERASED}'
        where {_OF_THEM.format("id")} and coalesce(pay_load, extra_fields::text) is not null
        """,
    "intermediate.int_raise__webhook_deliveries": f"""
        update intermediate.int_raise__webhook_deliveries as told set server_response = null
        where {_OF_THEM.format("webhook_log_id")} and server_response is not null
        """,
    # The register of exceptions keeps its sentences, which quote the key as it was entered.
    "marts.recon_exceptions": """
        update marts.recon_exceptions as register
        set cause = regexp_replace(cause, 'crmKey "[^"]*"', 'crmKey "(left out)"', 'g')
        where
            regexp_matches(cause, 'crmKey "[^"]*[^0-9"]')
            and not contains(cause, 'crmKey "(left out)"')
            and (organization, 'raw_raise.' || entity || 's', raise_id)
            in (select (organization, name, key) from erased)
        """,
    "marts.webhook_events": f"""
        update marts.webhook_events as events set payload = null
        where payload is not null and (organization, record_type, record_id) in (
            select (told.organization, told.record_type, told.record_id)
            from intermediate.int_raise__webhook_deliveries as told
            where {_OF_THEM.format("webhook_log_id")}
        )
        """,
}


def name(path: Path, organization: str, source: str, keys: Iterable[int]) -> None:
    """Takes down records of a product as those of persons to be erased."""
    with machine.connect(path) as connection:
        _prepare(connection)
        for key in keys:
            connection.execute(
                f"insert or ignore into {PERSONS} values ($1, $2, $3, null, false)", [organization, source, key]
            )


def persons(path: Path) -> list[tuple[str, str, int]]:
    """Whose data is erased: organization, source and id."""
    with machine.connect(path, read_only=True) as connection:
        if PERSONS not in _names(connection):
            return []
        return connection.execute(f"select organization, source, record_id from {PERSONS} order by all").fetchall()


def erase_records(path: Path) -> None:
    """Hides in the raw rows of everybody who is marked or named what is not impersonal, and empties their raw texts.

    To be done before the models are built of them.
    """
    with _work(path) as (connection, tables):
        if tables:
            connection.execute(
                f"insert or ignore into {PERSONS}"
                " select organization, 'raise', id, null, false from raw_raise.donors where is_gdpr_deleted"
            )
        if not _is_anybody_erased(connection):
            return
        erased = 0
        for table in tables:
            _note_records(connection, table)
            erased += _hide(connection, table)
        erased += _erase_raw_texts(connection)
        _note_erased(connection, erased)


def erase_deliveries(path: Path, now: datetime) -> None:
    """Empties what was delivered about them, and what of it could not be read, also in the models.

    To be done once these are built: how deliveries fold to events is learned from their payloads. `now` is the run's
    clock.
    """
    with _work(path) as (connection, tables):
        if not _is_anybody_erased(connection):
            return
        for table in tables:
            _note_records(connection, table)
        held = _names(connection)
        erased = 0
        if {f"raw_raise.{log}" for log in _LOGS} <= held:
            _note_deliveries(connection)
            erased += sum(_changed(connection, update) for table, update in _EMPTIED.items() if table in held)
        erased += _erase_raw_texts(connection)
        _note_erased(connection, erased)
        connection.execute(f"update {PERSONS} set checked_at = $1", [now])


@contextmanager
def _work(path: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[_Table]]]:
    """The warehouse in a transaction, with the tables of persons that are there; temporary tables take notes."""
    with machine.connect(path) as connection:
        connection.execute("begin")
        _prepare(connection)
        connection.execute("create or replace temp table erased (organization text, name text, key bigint)")
        connection.execute("create or replace temp table erased_logs (organization text, id bigint)")
        held = _names(connection)
        yield connection, [table for table in _TABLES if table.name in held] if _TABLES[0].name in held else []
        connection.execute("commit")


def _is_anybody_erased(connection: duckdb.DuckDBPyConnection) -> bool:
    return connection.execute(f"select 1 from {PERSONS} limit 1").fetchone() is not None


def _note_erased(connection: duckdb.DuckDBPyConnection, count: int) -> None:
    if count:
        connection.execute(f"update {PERSONS} set is_compacted = false")


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(f"create schema if not exists {identity.SCHEMA}")
    connection.execute(
        f"""
        create table if not exists {PERSONS} (
            organization text, source text, record_id bigint, checked_at timestamptz, is_compacted boolean,
            primary key (organization, source, record_id)
        )
        """
    )


def _names(connection: duckdb.DuckDBPyConnection) -> set[str]:
    found = connection.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()
    return {table for (table,) in found}


def _note_records(connection: duckdb.DuckDBPyConnection, table: _Table) -> None:
    """Takes down the records of a table that are of persons to be erased."""
    connection.execute(
        f"""
        insert into erased
        select raw_rows.organization, $1, raw_rows.id
        from {table.name} as raw_rows
        semi join {PERSONS} as persons
            on
                persons.source = $2
                and persons.organization = raw_rows.organization
                and persons.record_id = {table.person}
        """,
        [table.name, table.source],
    )


def _hide(connection: duckdb.DuckDBPyConnection, table: _Table) -> int:
    """Hides what is not impersonal in these records; how many had something to hide."""
    found = connection.execute(f"select column_name from (describe {table.name})").fetchall()
    held = {name for (name,) in found}
    columns = (*table.resource.columns, _EXTRA_FIELDS)
    rows = connection.execute(
        f"""
        select organization, {", ".join(_selected(column, column.name in held) for column in columns)}
        from {table.name} as raw_rows
        semi join erased
            on erased.name = $1 and erased.organization = raw_rows.organization and erased.key = raw_rows.id
        """,
        [table.name],
    ).to_arrow_table()
    if not rows.num_rows:
        return 0
    connection.register("hidden", _VEIL.table(rows, table.resource))
    changing = [column for column in columns if column.name in held and _is_hidden(column, table.resource)]
    count = _changed(
        connection,
        f"""
        update {table.name} as raw_rows
        set {", ".join(f'"{c.name}" = hidden."{c.name}"::{c.kind.value}' for c in changing)}
        from hidden
        where
            raw_rows.organization = hidden.organization and raw_rows.id = hidden.id
            and ({" or ".join(f'raw_rows."{c.name}"::text is distinct from hidden."{c.name}"::text' for c in changing)})
        """,
    )
    connection.unregister("hidden")
    return count


def _selected(column: Column, is_held: bool) -> str:
    # As text, JSON is no type of its own in Arrow.
    kind = Kind.TEXT if column.kind is Kind.JSON else column.kind
    name = f'"{column.name}"'
    return f"{f'raw_rows.{name}' if is_held else 'null'}::{kind.value} as {name}"


def _is_hidden(column: Column, resource: Resource) -> bool:
    return column.wire not in resource.impersonal or column.kind is Kind.TEXT


def _note_deliveries(connection: duckdb.DuckDBPyConnection) -> None:
    """Takes down the entries of the delivery log that are about these records, or name these donors."""
    connection.execute(
        """
        insert into erased_logs
        select distinct logs.organization, logs.id
        from raw_raise.webhook_logs as logs
        inner join erased
            on logs.organization = erased.organization and try_cast(trim(logs.context_id) as bigint) = erased.key
        where case erased.name
            when 'raw_raise.gifts' then logs.event_type // 10 = 1
            when 'raw_raise.recurring_gifts' then logs.event_type // 10 = 2
            when 'raw_raise.donors'
                then logs.event_type // 10 = 3 or regexp_matches(logs.event_type_display, '(?i)donor|contact|supporter')
            else false
        end
        """
    )
    for log in _LOGS:
        connection.execute(
            f"""
            insert into erased_logs
            with texts as (
                select organization, id, unnest(regexp_extract_all(pay_load, $1, 1))::bigint as donor_id
                from raw_raise.{log}
                where _extracted_at >= (select min(coalesce(checked_at, '-infinity')) from {PERSONS})
            )
            select distinct texts.organization, texts.id
            from texts
            semi join {PERSONS} as persons
                on
                    persons.source = 'raise'
                    and texts.organization = persons.organization
                    and texts.donor_id = persons.record_id
            """,
            [_MENTIONED["raise"]],
        )


def _erase_raw_texts(connection: duckdb.DuckDBPyConnection) -> int:
    held = _names(connection)
    return sum(
        _erase_quarantine(connection, source) for source in _MENTIONED if f"raw_{source}.quarantined_records" in held
    )


def _erase_quarantine(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    """Empties the raw texts of these records, of deliveries about them, and those that name these persons."""
    return _changed(
        connection,
        f"""
        update raw_{source}.quarantined_records as told set raw_text = null
        where raw_text is not null and (
            (told.organization, 'raw_{source}.' || told.resource, try_cast(told.record_id as bigint))
            in (select (organization, name, key) from erased)
            or (
                told.resource in {_LOGS}
                and (told.organization, try_cast(told.record_id as bigint))
                in (select (organization, id) from erased_logs)
            )
            or list_has_any(
                regexp_extract_all(raw_text, $1, 1)::bigint[],
                (
                    select coalesce(list(record_id), []) from {PERSONS} as persons
                    where persons.source = '{source}' and persons.organization = told.organization
                )
            )
        )
        """,
        [_MENTIONED[source]],
    )


def _changed(connection: duckdb.DuckDBPyConnection, update: str, parameters: list[object] | None = None) -> int:
    ((count,),) = connection.execute(update, parameters or []).fetchall()
    return int(count)
