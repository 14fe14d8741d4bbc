from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import astuple
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.columns import Resource, declare
from ingestion.envelope import page_of
from ingestion.errors import AnswerNotUnderstood, RowsNotTyped
from ingestion.pages import BEGINNING, Position
from ingestion.pii import Veil
from ingestion.rows import RowReader
from ingestion.virtuous_crm_plus.resources import CONTACTS
from ingestion.virtuous_crm_plus.resources import GIFTS as CRM_GIFTS
from ingestion.workbench import Workbench

GIFTS = Resource(
    "gifts",
    "/api/Gift/list",
    declare(
        integer="id donorId",
        text="statusText crmKey",
        money="amount",
        boolean="isTestMode",
        instant="createdDate",
        date="date",
        json="projects",
    ),
    secrets=frozenset({"securityToken"}),
    created="createdDate",
)
NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
GIFT: dict[str, Any] = {
    "id": 1,
    "donorId": 7,
    "statusText": "Approved",
    "crmKey": None,
    "amount": 12.5,
    "isTestMode": False,
    "createdDate": "2026-03-01T10:00:00",
    "date": "2026-03-01T23:59:00-06:00",
    "projects": [{"projectId": 3, "amount": "$12.50"}],
}


@pytest.fixture
def reader() -> Iterator[RowReader]:
    made = RowReader(GIFTS, rows="items", organization="riverside", extracted_at=NOW, bench=Workbench())
    yield made
    made.close()


def read(reader: RowReader, *pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answers = [json.dumps({"items": rows, "total": 99}) for rows in pages]
    return reader.read([page_of("Raise", GIFTS, "items", body) for body in answers]).to_pylist()


def test_types_follow_the_declaration(reader: RowReader) -> None:
    (row,) = read(reader, [GIFT])
    assert row["organization"] == "riverside"
    assert row["amount"] == Decimal("12.50")
    assert row["created_date"] == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert row["date"] == date(2026, 3, 1)
    assert json.loads(row["projects"]) == GIFT["projects"]
    assert (row["_extracted_at"], row["_first_extracted_at"], row["_deleted_at"]) == (NOW, NOW, None)


@pytest.mark.parametrize(
    ("change", "column", "value"),
    [
        ({"amount": "$1,200.00"}, "amount", Decimal("1200.00")),
        ({"id": "1"}, "id", 1),
        ({"donorId": "7.0"}, "donor_id", 7),
        ({"isTestMode": "True"}, "is_test_mode", True),
        ({"crmKey": 123}, "crm_key", "123"),
        ({"createdDate": "3/1/2026 10:00:00 AM"}, "created_date", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ({"createdDate": "0001-01-01T00:00:00"}, "created_date", None),
    ],
)
def test_a_row_reads_the_same_alone_and_behind_usual_ones(change: dict[str, Any], column: str, value: object) -> None:
    unusual = {**GIFT, **change}
    alone = RowReader(GIFTS, rows="items", organization="riverside", extracted_at=NOW, bench=Workbench())
    (by_itself,) = read(alone, [unusual])
    assert by_itself[column] == value
    assert alone.unreadable == []

    behind = RowReader(GIFTS, rows="items", organization="riverside", extracted_at=NOW, bench=Workbench())
    read(behind, [{**GIFT, "id": 100}])
    read(behind, [{**GIFT, "id": 101}])
    (later,) = read(behind, [unusual])
    assert later == by_itself


@pytest.mark.parametrize("is_behind_usual_ones", [False, True])
@pytest.mark.parametrize(
    ("written", "amount", "reported"),
    [
        ("1234567890123456.78", "1234567890123456.78", None),
        ("-1234567890123456.78", "-1234567890123456.78", None),
        ("9007199254740993", "9007199254740993.00", None),
        ("1e3", "1000.00", None),
        ("1E+2", "100.00", None),
        ("1.2345e2", "123.45", None),
        ("-0.0", "0.00", None),
        ("0.10", "0.10", None),
        ("12.3400000000000000000", "12.34", None),
        ("1.005", "1.01", "rounded to 1.01"),
        ("-1.005", "-1.01", "rounded to -1.01"),
        ("2.675", "2.68", "rounded to 2.68"),
        ("1.0049999999999999999999", "1.00", "rounded to 1.00"),
        ("0.30000000000000004", "0.30", "rounded to 0.30"),
        ("1e-400", "0.00", "rounded to 0.00"),
        ("12345678901234567890", None, "not readable as money"),
        ("1e400", None, "not readable as money"),
    ],
)
def test_the_digits_of_an_amount_are_its_value_as_a_number_and_as_text(
    written: str, amount: str | None, reported: str | None, is_behind_usual_ones: bool
) -> None:
    for digits in (written, f'"{written}"'):
        reader = RowReader(GIFTS, rows="items", organization="riverside", extracted_at=NOW, bench=Workbench())
        if is_behind_usual_ones:
            read(reader, [{**GIFT, "id": 100}])
        body = json.dumps({"items": [{**GIFT, "id": 2}]}).replace("12.5,", f"{digits},")
        (row,) = reader.read([page_of("Raise", GIFTS, "items", body)]).to_pylist()
        assert row["amount"] == (None if amount is None else Decimal(amount))
        assert [(record.field, record.raw_text, record.error) for record in reader.unreadable] == (
            [("amount", written, reported)] if reported else []
        )


@pytest.mark.parametrize("written", ["12.7", "true", "9007199254740993.5", "1e400"])
def test_what_is_no_integer_is_not_made_one(reader: RowReader, written: str) -> None:
    read(reader, [GIFT])
    body = json.dumps({"items": [{**GIFT, "id": 2}]}).replace('"donorId": 7', f'"donorId": {written}')
    (row,) = reader.read([page_of("Raise", GIFTS, "items", body)]).to_pylist()
    assert row["donor_id"] is None
    assert [(record.record_id, record.field, record.raw_text) for record in reader.unreadable] == [
        ("2", "donor_id", written)
    ]


def test_no_digit_is_lost_in_lists_and_unknown_fields(reader: RowReader) -> None:
    precise = '{"a":["1234567890123456.78",9007199254740993,0.1,"1e400"]}'
    sent = precise.replace('"1234567890123456.78"', "1234567890123456.78").replace('"1e400"', "1e400")
    body = json.dumps({"items": [{**GIFT, "theirs": 0}]}).replace('"theirs": 0', f'"theirs": {sent}')
    body = body.replace('"$12.50"', "1234567890123456.78")
    (row,) = reader.read([page_of("Raise", GIFTS, "items", body)]).to_pylist()
    assert row["extra_fields"] == f'{{"theirs":{precise}}}'
    assert row["projects"] == '[{"projectId":3,"amount":"1234567890123456.78"}]'


def test_many_unknown_fields_are_kept_as_few_are_and_take_no_memory_of_their_own() -> None:
    """Bytes for bytes: else a row would seem changed when a field comes to others."""
    bench = Workbench()
    few = {f"field{number:03}": None for number in range(10)} | {"ünder": {"b": 1, "a": [1.50]}, "Z": "x", "a b": 2}
    many = {f"field{number:03}": number for number in range(600)}
    alone = RowReader(GIFTS, rows="items", organization="riverside", extracted_at=NOW, bench=bench)
    (expected,) = read(alone, [{**GIFT, **few}])
    beside = RowReader(GIFTS, rows="items", organization="riverside", extracted_at=NOW, bench=bench)
    (row, wide, *others) = read(
        beside, [{**GIFT, **few}, {**GIFT, "id": 2, **many}, *({**GIFT, "id": key} for key in range(3, 200))]
    )
    assert row == expected
    assert row["extra_fields"] == '{"Z":"x","a b":2,"ünder":{"b":1,"a":[1.5]}}'
    assert json.loads(wide["extra_fields"]) == many
    assert {other["extra_fields"] for other in others} == {None}
    assert beside.new_fields == {*few, *many}


@pytest.mark.parametrize("threads", [1, 2, 8, 32, 128])
def test_rows_are_typed_whatever_the_number_of_threads(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setenv("WAREHOUSE_THREADS", str(threads))
    reader = RowReader(CRM_GIFTS, rows="list", organization="riverside", extracted_at=NOW, bench=Workbench())
    usual: dict[str, Any] = {column.wire: None for column in CRM_GIFTS.columns} | {"amount": 5}
    wide = {f"field{number}": {"n": [number] * 5} for number in range(600)}
    pages = [[{**usual, "id": 200 * page + row} for row in range(1, 200)] for page in range(24)]
    pages[5][7] |= wide
    bodies = [json.dumps({"list": rows, "total": 99}) for rows in pages]
    found = reader.read([page_of("CRM+", CRM_GIFTS, "list", body) for body in bodies])
    assert found.num_rows == 24 * 199
    assert [json.loads(text) for text in found["extra_fields"].to_pylist() if text] == [wide]
    assert set(found["amount"].to_pylist()) == {Decimal(5)}


def test_a_missing_field_is_null_and_an_unknown_one_is_kept(reader: RowReader) -> None:
    read(reader, [GIFT])
    without = {name: value for name, value in GIFT.items() if name != "statusText"}
    rows = read(
        reader, [{**without, "id": 2, "isMatched": True, "theirs": None}, {**GIFT, "id": 3, "it's": {"a": "b"}}]
    )
    assert [row["status_text"] for row in rows] == [None, "Approved"]
    assert [json.loads(row["extra_fields"]) for row in rows] == [{"isMatched": True}, {"it's": {"a": "b"}}]
    assert reader.new_fields == {"isMatched", "theirs", "it's"}


def test_a_known_field_is_kept_and_no_news() -> None:
    """What every organization has is no drift: that would hide what is."""
    reader = RowReader(CRM_GIFTS, rows="list", organization="riverside", extracted_at=NOW, bench=Workbench())
    row = {
        "id": 1,
        "stockSaleAmount": "12.30",
        "coinAmount": 0.00012345,
        "segmentUrl": "/x",
        "tickerSymbol": "A",
        "z": 1,
    }
    page = page_of("CRM+", CRM_GIFTS, "list", json.dumps({"list": [row], "total": 1}))
    (made,) = reader.read([page]).to_pylist()
    assert json.loads(made["extra_fields"]) == {"segmentUrl": "/x", "tickerSymbol": "A", "z": 1}
    assert (made["stock_sale_amount"], made["coin_amount"]) == (Decimal("12.30"), Decimal("0.00012345"))
    assert reader.new_fields == {"z"}


@pytest.mark.parametrize(
    "extra",
    [
        {"comment": "y", "Comment": "X"},
        {"transactionID": "T1", "transactionId": "t2"},
        {"newField": 1, "newfield": 2},
        {"Amount": 7},
        {"AMOUNT": 8, "Amount": 7},
        {"we\"ird 'name\\": 1},
        {"": 1, " ": 2},
        {"a\u0000b": 1},
        {"other0": 1, "OTHER0": 2, "a.b[0]": {"x": 1}},
        {"Ünknown": 1, "ünknown": 2},
    ],
)
def test_every_unknown_field_is_kept_under_its_own_name(reader: RowReader, extra: dict[str, Any]) -> None:
    """Whatever the name: also those that no struct of DuckDB can hold, or tell from another."""
    odd = {**GIFT, "id": 2, **extra}
    alone = RowReader(GIFTS, rows="items", organization="riverside", extracted_at=NOW, bench=Workbench())
    (by_itself,) = read(alone, [odd])
    (_, among_others, usual) = [*read(reader, [GIFT]), *read(reader, [odd, {**GIFT, "id": 3}])]
    assert among_others == by_itself
    assert json.loads(by_itself["extra_fields"]) == extra
    assert (by_itself["amount"], by_itself["status_text"]) == (Decimal("12.50"), "Approved")
    assert usual["extra_fields"] is None
    assert reader.new_fields == alone.new_fields == set(extra)
    assert reader.unreadable == []


def test_what_travels_under_another_name_stays_as_it_is_written(reader: RowReader) -> None:
    precise = '{"A":1234567890123456789,"a":"\\u00fc"}'
    body = json.dumps({"items": [{**GIFT, "x": 0, "X": 1}]}).replace('"X": 1', f'"X": {precise}')
    (row,) = reader.read([page_of("Raise", GIFTS, "items", body)]).to_pylist()
    assert row["extra_fields"] == f'{{"X":{precise},"x":0}}'.replace("\\u00fc", "ü")


def test_a_declared_field_in_another_casing_is_that_field_where_it_is_the_only_one(reader: RowReader) -> None:
    recased = {("Amount" if name == "amount" else name): value for name, value in GIFT.items()}
    rows = read(reader, [recased, {**GIFT, "id": 2}, {**recased, "id": 3, "AMOUNT": 5}])
    assert [(row["amount"], row["extra_fields"]) for row in rows] == [
        (Decimal("12.50"), None),
        (Decimal("12.50"), None),
        (None, '{"AMOUNT":5,"Amount":12.5}'),
    ]
    assert reader.new_fields == {"Amount", "AMOUNT"}


def test_an_envelope_with_names_that_differ_only_in_case_is_read(reader: RowReader) -> None:
    bodies = [json.dumps({"items": [{**GIFT, "id": id}], "Items": [], "total": 1, "Total": 1}) for id in (1, 2)]
    rows = [row for body in bodies for row in reader.read([page_of("Raise", GIFTS, "items", body)]).to_pylist()]
    assert [row["id"] for row in rows] == [1, 2]


def test_an_error_that_nobody_foresaw_is_of_this_resource_and_quotes_nothing(
    reader: RowReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise duckdb.ConversionException("could not read 'Ada Lovelace'")

    monkeypatch.setattr(reader, "_select", fails)
    assert read(reader, [GIFT]) == []
    ((record_id, field, text, error),) = [astuple(record) for record in reader.unreadable]
    assert (record_id, field, text) == (str(GIFT["id"]), "", None)
    assert error == "the row could not be typed (ConversionException)"
    with pytest.raises(
        RowsNotTyped, match=r"Rows of /api/Gift/list could not be typed \(ConversionException\)"
    ) as told:
        read(reader, [{**GIFT, "id": key} for key in range(1000, 1200)])
    assert "Ada" not in str(told.value)
    assert told.value.__suppress_context__


# What one of the parsers does not take, or takes for something else.


@pytest.mark.parametrize(
    "odd",
    [
        '{"id": 7, "amount": 1e400}',
        '{"id": 7, "unknown": 1e400}',
        '{"id": 7, "amount": ' + "9" * 5_000 + "}",
        '{"id": 7, "unknown": ' + "[" * 800 + "]" * 800 + "}",
        '{"id": 7, "id": 8}',
        '{"id": 8, "id": 7}',
        '{"id": 1, "id": 7}',
    ],
)
def test_a_row_that_no_parser_takes_is_quarantined_alone(reader: RowReader, odd: str) -> None:
    good = [json.dumps({**GIFT, "id": key}) for key in (1, 2, 3, 4)]
    body = f'{{"items": [{good[0]}, {good[1]}, {odd}, {good[2]}, {good[3]}], "total": 5}}'
    page = page_of("Raise", GIFTS, "items", body)
    rows = reader.read([page]).to_pylist()
    quarantined = {record.record_id for record in reader.unreadable}
    assert {row["id"] for row in rows} - {7} == {1, 2, 3, 4}
    assert {row["id"] for row in rows} | {int(key) for key in quarantined} == {1, 2, 3, 4, page.ids[2]}
    assert len(rows) == len({row["id"] for row in rows})
    assert reader.rows_read == 5
    assert reader.rows_new == len(rows)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("12", 12),
        ("-5", -5),
        ("12.00", 12),
        ('"0012"', 12),
        ('" 12 "', 12),
        ('"+12.0"', 12),
        ('"9007199254740993.0"', 9007199254740993),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("18446744073709551616", None),
        ("9" * 5_000, None),
        ("1e3", None),
        ("1e400", None),
        ("9007199254740993.0", 9007199254740993),
        ("1.5", None),
        ('"1.0e3"', None),
        ('"12_000"', None),
        ('"\uff11\uff12"', None),
        ('"\u0661\u0662"', None),
        ('""', None),
        ("true", None),
        ("[1]", None),
    ],
)
def test_an_id_is_what_every_parser_reads(reader: RowReader, text: str, key: int | None) -> None:
    page = page_of("Raise", GIFTS, "items", f'{{"items": [{{"id": {text}, "amount": 5}}], "total": 1}}')
    assert page.ids == (key,)
    table = reader.read([page])
    assert (table.to_pylist()[0]["id"] if table.num_rows else None) == key
    assert len(reader.unreadable) == (key is None)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize(
    "instant",
    ["9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59.9999999", "9999-12-31T00:00:00Z", "12/31/9999 11:59:59 PM"],
)
def test_an_instant_at_the_end_of_the_calendar_is_told_and_breaks_nothing(instant: str, zone: str) -> None:
    contacts = RowReader(
        CONTACTS, rows="list", organization="riverside", extracted_at=NOW, bench=Workbench(), time_zone=zone
    )
    body = json.dumps({"list": [{"id": 1, "modifiedDateTimeUtc": instant}], "total": 1})
    (row,) = contacts.read([page_of("CRM+", CONTACTS, "list", body)]).to_pylist()
    assert row["modified_date_time_utc"] is None
    assert contacts.latest is None
    assert [(record.record_id, record.raw_text) for record in contacts.unreadable] == [("1", instant)]


def test_a_field_that_comes_with_few_rows_is_not_lost(reader: RowReader) -> None:
    """Neither a declared one nor an unknown one, on a page or in a batch that is not the first."""
    usual = {name: value for name, value in GIFT.items() if name != "crmKey"}
    rare = {"crmKey": "5", "utmSource": "newsletter"}
    in_batch = read(reader, [usual | {"id": 1}], [usual | {"id": 2}, usual | {"id": 3} | rare])
    later = read(reader, [usual | {"id": 4}], [usual | {"id": 5} | rare])
    found = {row["id"]: (row["crm_key"], row["extra_fields"]) for row in (*in_batch, *later)}
    extra = '{"utmSource":"newsletter"}'
    assert found == {1: (None, None), 2: (None, None), 3: ("5", extra), 4: (None, None), 5: ("5", extra)}
    assert reader.new_fields == {"utmSource"}


def test_extra_fields_do_not_depend_on_the_rows_around(reader: RowReader) -> None:
    (before,) = read(reader, [{**GIFT, "x": None}])
    other = RowReader(GIFTS, rows="items", organization="riverside", extracted_at=NOW, bench=Workbench())
    (after, _) = read(other, [{**GIFT, "x": None}, {**GIFT, "id": 2, "y": 1}])
    assert before["_row_hash"] == after["_row_hash"]


def test_what_cannot_be_read_is_reported_and_the_row_kept(reader: RowReader) -> None:
    read(reader, [{**GIFT, "id": 9}])
    rows = read(reader, [GIFT, {**GIFT, "id": 2, "amount": "a lot", "createdDate": "31/31/2026"}])
    assert [(row["id"], row["amount"]) for row in rows] == [(1, Decimal("12.50")), (2, None)]
    assert {(r.record_id, r.field, r.raw_text) for r in reader.unreadable} == {
        ("2", "amount", "a lot"),
        ("2", "created_date", "31/31/2026"),
    }


@pytest.mark.parametrize("key", [None, "abc", 1.5, True])
def test_a_row_without_a_key_goes_to_quarantine(reader: RowReader, key: object) -> None:
    read(reader, [{**GIFT, "id": 50}])
    assert [row["id"] for row in read(reader, [{**GIFT, "id": key}, GIFT])] == [1]
    (record,) = reader.unreadable
    assert record.field == ""
    assert json.loads(record.raw_text)["amount"] == 12.5


def test_a_row_without_a_key_has_the_same_name_in_every_run_and_no_other_row_has_it() -> None:
    def names(*pages: list[dict[str, Any]], veil: Veil | None = None) -> list[str]:
        reader = RowReader(
            GIFTS, rows="items", organization="riverside", extracted_at=NOW, bench=Workbench(), veil=veil
        )
        read(reader, *pages)
        return [record.record_id for record in reader.unreadable]

    one, other = {**GIFT, "id": None}, {**GIFT, "id": None, "amount": 7}
    told = names([GIFT, one], [{**GIFT, "id": 2}, other])
    assert len(set(told)) == 2
    assert names([other, one, GIFT], [one]) == told[::-1]
    assert names([{**one, "securityToken": "new"}]) == told[:1]
    assert len(names([one, one])) == 2
    assert names([one], veil=Veil(b"salt")) != told[:1]


def test_what_cannot_be_read_is_told_once_however_often_it_comes(reader: RowReader) -> None:
    odd = {**GIFT, "amount": "a lot"}
    keyless = {**odd, "id": None}
    read(reader, [odd], [odd, keyless, {**odd, "id": "2.0"}])
    read(reader, [{**odd, "id": 2}, keyless, {**odd, "id": 3}])
    reader.forget([])
    read(reader, [{**odd, "amount": "a bit"}])
    told = [(record.record_id, record.field, record.raw_text) for record in reader.unreadable if record.field]
    assert sorted(told) == [("1", "amount", "a bit"), ("2", "amount", "a lot"), ("3", "amount", "a lot")]
    assert len(reader.unreadable) == 4


@pytest.mark.parametrize(
    ("ages", "key"),
    [
        ({1: 90, 4: 80, 6: 1, 9: 0}, 4),
        ({1: 90, 4: 80}, 4),
        ({6: 1, 9: 0}, None),
        # Imported with its old date.
        ({1: 90, 4: 80, 6: 1, 9: 70}, 4),
        # A date of today on an old row: what is behind it is read too.
        ({1: 90, 4: 0, 6: 80, 9: 1}, 1),
        ({1: None, 4: 80, 6: None, 9: 1}, 6),
    ],
)
def test_the_newest_rows_begin_before_the_first_that_is_new_enough(
    tmp_path: Path, reader: RowReader, ages: dict[int, int | None], key: int | None
) -> None:
    days = {id: None if age is None else (NOW - timedelta(days=age)).isoformat() for id, age in ages.items()}
    body = json.dumps({"items": [{**GIFT, "id": id, "createdDate": day} for id, day in days.items()]})
    rows = reader.read([page_of("Raise", GIFTS, "items", body)])
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.register("rows", rows)
        connection.execute("create schema raw; create table raw.gifts as from rows")
    later = RowReader(GIFTS, rows="items", organization="riverside", extracted_at=NOW, bench=Workbench(path, "raw"))
    position = later.position_before(NOW - timedelta(days=2))
    assert position == (BEGINNING if key is None else Position(key, sum(id <= key for id in ages)))


def test_a_row_that_comes_twice_is_read_once(reader: RowReader) -> None:
    assert len(read(reader, [GIFT, {**GIFT, "id": 2}], [{**GIFT, "id": 2}, {**GIFT, "id": 3}])) == 3
    assert read(reader, [{**GIFT, "id": 3}]) == []
    assert reader.rows_new == 3


def test_what_comes_behind_all_that_came_replaces_nothing(reader: RowReader) -> None:
    read(reader, [{**GIFT, "id": 5}, {**GIFT, "id": 3}])
    last = page_of("Raise", GIFTS, "items", json.dumps({"items": [{**GIFT, "id": 3}]}))
    reader.forget([last])
    read(reader, [{**GIFT, "id": 3}, {**GIFT, "id": 6}])
    assert reader.replaces_nothing
    reader.forget([last])
    read(reader, [{**GIFT, "id": 4}, {**GIFT, "id": 7}])
    assert not reader.replaces_nothing
    reader.forget([])
    read(reader, [{**GIFT, "id": 8}])
    assert not reader.replaces_nothing


def test_what_comes_to_rows_that_the_warehouse_holds_may_replace_one(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema raw")
        connection.execute(
            "create table raw.gifts as select 'lake' as organization, 1::bigint as id, 0::bigint as _row_hash,"
            " now() as _extracted_at, now() as _first_extracted_at, now() as _deleted_at"
        )
    for organization, is_first in (("river", True), ("lake", False)):
        bench = Workbench(path, "raw")
        reader = RowReader(GIFTS, rows="items", organization=organization, extracted_at=NOW, bench=bench)
        read(reader, [{**GIFT, "id": 2}])
        assert reader.replaces_nothing is is_first
        bench.close()


def test_secrets_are_dropped(reader: RowReader) -> None:
    rows = read(reader, [{**GIFT, "securityToken": "hush"}]) + read(
        reader, [{**GIFT, "id": 2, "securityToken": "hush"}]
    )
    rows += read(reader, [{**GIFT, "id": 3, "SecurityToken": "hush"}])
    rows += read(reader, [{**GIFT, "id": 4, "SecurityToken": "hush", "securityToken": "hush"}])
    read(reader, [{**GIFT, "id": None, "securityToken": "hush", "SECURITYTOKEN": "hush"}])
    assert "hush" not in json.dumps([*rows, *reader.unreadable], default=str)
    assert reader.new_fields == frozenset()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html><body>Maintenance</body></html>",
        "[]",
        '{"list": []}',
        '{"items": null}',
        '{"items": {}}',
        '{"items": [1',
    ],
)
def test_anything_but_the_envelope_is_an_error(body: str) -> None:
    with pytest.raises(AnswerNotUnderstood, match="check the base URL"):
        page_of("Raise", GIFTS, "items", body)


def test_an_empty_page_is_a_page() -> None:
    page = page_of("Raise", GIFTS, "items", '{"items": [], "total": "0"}')
    assert (page.ids, page.total) == ((), 0)
