"""What is left in the warehouse of persons who are erased, and what is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion import erasure, identity
from ingestion.columns import BOOKKEEPING, ORGANIZATION, arrow_schema
from ingestion.compaction import compact_after_erasure
from ingestion.virtuous_crm_plus.resources import RESOURCES as CRM_PLUS
from ingestion.virtuous_raise.resources import RESOURCES as RAISE

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
NAME, MAIL = "Zora Quimbledon", "zora@quimbledon.example"
DONOR, GIFT, SCHEDULE, CONTACT, CRM_GIFT = 7, 70, 700, 1007, 1070
WRAPPED = json.dumps({"data": json.dumps({"gift": {"id": 999, "donorId": DONOR, "name": NAME}})})


class Warehouse:
    def __init__(self, path: Path) -> None:
        self.path = path
        with duckdb.connect(str(path)) as connection:
            identity.mark(connection)
            for schema, resources in (("raw_raise", RAISE), ("raw_crm_plus", CRM_PLUS)):
                connection.execute(f"create schema {schema}")
                for resource in resources:
                    empty = arrow_schema((ORGANIZATION, *resource.columns, *BOOKKEEPING)).empty_table()
                    connection.register("empty", empty)
                    connection.execute(f"create table {schema}.{resource.name} as from empty")
                    for column in (*resource.columns, BOOKKEEPING[0]):
                        if column.kind.value == "JSON":
                            connection.execute(
                                f'alter table {schema}.{resource.name} alter "{column.name}" set data type json'
                            )
                connection.execute(
                    f"create table {schema}.quarantined_records"
                    " (organization text, resource text, record_id text, field text, error text, raw_text text)"
                )

    def add(self, table: str, **values: Any) -> None:
        row = {"organization": "riverside", "_extracted_at": NOW, **values}
        names = ", ".join(f'"{name}"' for name in row)
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(
                f"insert into {table} ({names}) values ({', '.join('?' * len(row))})", list(row.values())
            )

    def quarantine(self, schema: str, resource: str, record_id: str, text: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(
                f"insert into {schema}.quarantined_records values ('riverside', ?, ?, '', 'odd', ?)",
                [resource, record_id, text],
            )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def erase(self, now: datetime = NOW) -> None:
        erasure.erase_records(self.path)
        erasure.erase_deliveries(self.path, now)

    def names_somebody(self) -> list[str]:
        """The tables in which the name or the address of the person stands."""
        tables = self.query("select schema_name || '.' || table_name from duckdb_tables() where not internal")
        return sorted(
            table
            for (table,) in tables
            if any("quimbledon" in row.lower() for (row,) in self.query(f"select t::text from {table} as t"))
        )


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    made = Warehouse(tmp_path / "warehouse.duckdb")
    made.add("raw_raise.donors", id=DONOR, name=NAME, email=MAIL, crm_key="1007", is_gdpr_deleted=True)
    made.add("raw_raise.donors", id=8, name="Ann Bell", email="ann@bell.example", is_gdpr_deleted=False)
    made.add("raw_raise.gifts", id=GIFT, donor_id=DONOR, amount=25, billing_name=NAME, comment=f"from {NAME}")
    made.add("raw_raise.gifts", id=80, donor_id=8, amount=25, billing_name="Ann Bell")
    donor = json.dumps({"id": DONOR, "email": MAIL})
    made.add("raw_raise.recurring_gifts", id=SCHEDULE, donor=donor, profile_number=NAME)
    for id, kind, context, text in (
        (1, 31, str(DONOR), f'{{"id": {DONOR}, "name": "{NAME}"}}'),
        (2, 11, str(GIFT), f'{{"id": {GIFT}, "billingName": "{NAME}"}}'),
        (3, 21, f" {SCHEDULE}", NAME),
        (4, 99, "999", WRAPPED),
        (5, 31, "8", '{"id": 8, "name": "Ann Bell"}'),
        (6, 41, str(DONOR), '{"id": 7, "canSync": false}'),
    ):
        made.add(
            "raw_raise.webhook_logs", id=id, webhook_id=3, event_type=kind, context_id=context, server_response=text
        )
        made.add("raw_raise.webhook_log_payloads", id=id, webhook_id=3, outcome="read", pay_load=text)
    made.add("raw_crm_plus.contacts", id=CONTACT, name=NAME)
    made.add("raw_crm_plus.gifts", id=CRM_GIFT, contact_id=CONTACT, contact_name=NAME, amount=25)
    made.quarantine("raw_raise", "donors", str(DONOR), NAME)
    made.quarantine("raw_raise", "gifts", str(GIFT), NAME)
    made.quarantine("raw_raise", "gifts", "row 1 without id", json.dumps({"donorId": DONOR, "billingName": NAME}))
    made.quarantine("raw_raise", "webhook_logs", "2", NAME)
    made.quarantine("raw_raise", "donors", "8", "Ann Bell")
    made.quarantine("raw_crm_plus", "gifts", str(CRM_GIFT), NAME)
    return made


def test_what_raise_knows_of_a_donor_who_is_marked_is_erased_everywhere(warehouse: Warehouse) -> None:
    warehouse.erase()
    of_crm_plus = ["raw_crm_plus.contacts", "raw_crm_plus.gifts", "raw_crm_plus.quarantined_records"]
    assert warehouse.names_somebody() == of_crm_plus
    # What reconciles stays.
    assert warehouse.query("select crm_key, is_gdpr_deleted from raw_raise.donors where id = 7") == [("1007", True)]
    assert warehouse.query("select donor_id, amount from raw_raise.gifts where id = 70") == [(DONOR, 25)]
    assert warehouse.query("select donor ->> 'id' from raw_raise.recurring_gifts") == [(str(DONOR),)]
    states = "select id, outcome, pay_load is null from raw_raise.webhook_log_payloads order by id"
    assert warehouse.query(states) == [
        (1, "erased", True),
        (2, "erased", True),
        (3, "erased", True),
        (4, "erased", True),
        (5, "read", False),
        (6, "read", False),
    ]


def test_nobody_else_is_touched(warehouse: Warehouse) -> None:
    others = (
        "select d::text from raw_raise.donors d where id = 8",
        "select g::text from raw_raise.gifts g where id = 80",
        "select p::text from raw_raise.webhook_log_payloads p where id in (5, 6)",
        "select l::text from raw_raise.webhook_logs l where id in (5, 6)",
        "select q::text from raw_raise.quarantined_records q where record_id = '8'",
    )
    before = [warehouse.query(sql) for sql in others]
    warehouse.erase()
    assert [warehouse.query(sql) for sql in others] == before


def test_a_contact_is_erased_when_it_is_named(warehouse: Warehouse) -> None:
    erasure.name(warehouse.path, "riverside", "crm_plus", [CONTACT])
    warehouse.erase()
    assert warehouse.names_somebody() == []
    assert warehouse.query("select contact_id, amount from raw_crm_plus.gifts") == [(CONTACT, 25)]


def test_the_same_id_of_another_organization_is_somebody_else(warehouse: Warehouse) -> None:
    warehouse.add("raw_raise.donors", organization="lakeside", id=DONOR, name="Ann Bell", is_gdpr_deleted=False)
    warehouse.erase()
    assert warehouse.query("select name from raw_raise.donors where organization = 'lakeside'") == [("Ann Bell",)]


def test_what_comes_in_later_is_erased_by_the_run_that_reads_it(warehouse: Warehouse) -> None:
    warehouse.erase()
    later = NOW + timedelta(hours=1)
    warehouse.add("raw_raise.webhook_logs", id=9, event_type=99, context_id="x", pay_load=WRAPPED, _extracted_at=later)
    warehouse.add("raw_raise.gifts", id=71, donor_id=DONOR, billing_name=NAME, _extracted_at=later)
    warehouse.erase(later)
    assert not [table for table in warehouse.names_somebody() if table.startswith("raw_raise")]


def test_the_register_quotes_no_key_that_is_none(warehouse: Warehouse) -> None:
    """Its sentences outlive the record."""
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.recon_exceptions (organization text, entity text, raise_id bigint, cause text)"
        )
        connection.executemany(
            "insert into marts.recon_exceptions values ('riverside', ?, ?, ?)",
            [
                ("donor", DONOR, f'crmKey "{MAIL}" is not a CRM+ contact id.'),
                ("donor", DONOR, 'crmKey "1007" names a contact that CRM+ does not have.'),
                ("donor", 8, 'crmKey "ann@bell.example" is not a CRM+ contact id.'),
            ],
        )
    for hours in range(2):
        warehouse.erase(NOW + timedelta(hours=hours))
        assert warehouse.query("select cause from marts.recon_exceptions order by rowid") == [
            ('crmKey "(left out)" is not a CRM+ contact id.',),
            ('crmKey "1007" names a contact that CRM+ does not have.',),
            ('crmKey "ann@bell.example" is not a CRM+ contact id.',),
        ]


def test_the_file_is_rewritten_once_something_was_erased(warehouse: Warehouse, tmp_path: Path) -> None:
    package = tmp_path / "dlt/raise_riverside/load/loaded/1/completed_jobs"
    package.mkdir(parents=True)
    (package / "donors.parquet").write_text(NAME)
    erasure.name(warehouse.path, "riverside", "crm_plus", [CONTACT])
    with duckdb.connect(str(warehouse.path)) as connection:
        # As text that DuckDB does not compress, it is seen in the file as it is.
        connection.execute("set force_compression = 'uncompressed'")
        connection.execute("create table raw_raise.copied as select * from raw_raise.donors, range(5000)")
        connection.execute("checkpoint")
        connection.execute("drop table raw_raise.copied")
    warehouse.path.chmod(0o600)
    warehouse.erase()
    assert MAIL.encode() in warehouse.path.read_bytes(), "the free space of the file keeps what was there"
    assert compact_after_erasure(warehouse.path, tmp_path / "dlt")
    assert b"quimbledon" not in warehouse.path.read_bytes().lower()
    assert not package.exists()
    assert warehouse.path.stat().st_mode & 0o777 == 0o600
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        assert identity.check(connection)
    assert sorted(tmp_path.glob("*warehouse.duckdb*")) == [warehouse.path]
    written = warehouse.path.stat().st_ino
    warehouse.erase(NOW + timedelta(hours=1))
    assert not compact_after_erasure(warehouse.path, tmp_path / "dlt")
    assert warehouse.path.stat().st_ino == written


@pytest.mark.parametrize("broken", ["os.replace", "ingestion.compaction._copy"])
def test_a_rewriting_that_breaks_off_leaves_the_old_file_and_is_done_again(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def breaks(*_: object) -> None:
        raise KeyboardInterrupt

    warehouse.erase()
    before = warehouse.query("select * from raw_raise.donors order by id")
    with monkeypatch.context() as patched:
        patched.setattr(broken, breaks)
        with pytest.raises(KeyboardInterrupt):
            compact_after_erasure(warehouse.path, tmp_path / "dlt")
    assert warehouse.query("select * from raw_raise.donors order by id") == before
    assert compact_after_erasure(warehouse.path, tmp_path / "dlt")
    assert warehouse.query("select * from raw_raise.donors order by id") == before
    assert not list(tmp_path.glob(".*compacting*"))


def test_a_warehouse_that_holds_nothing_yet_has_nobody_to_erase(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        identity.mark(connection)
    erasure.erase_records(path)
    erasure.erase_deliveries(path, NOW)
    assert erasure.persons(path) == []
    assert not compact_after_erasure(path, tmp_path / "dlt")
