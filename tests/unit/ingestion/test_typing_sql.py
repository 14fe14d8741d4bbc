from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion import typing_sql
from ingestion.columns import Kind, snake_case


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("set timezone = 'UTC'")
    typing_sql.install(made)
    return made


def parsed(connection: duckdb.DuckDBPyConnection, kind: Kind, text: str | None) -> Any:
    row = connection.execute(
        f"select {typing_sql.from_text(kind, 't')} from (select $1::varchar as t)", [text]
    ).fetchone()
    assert row is not None
    return row[0].astimezone(UTC) if isinstance(row[0], datetime) else row[0]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.34", datetime(2026, 1, 2, 3, 4, 5, 340000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.3533333", datetime(2026, 1, 2, 3, 4, 5, 353333, tzinfo=UTC)),
        ("2026-01-02T03:04:05.277Z", datetime(2026, 1, 2, 3, 4, 5, 277000, tzinfo=UTC)),
        ("2026-01-02T03:04:05-06:00", datetime(2026, 1, 2, 9, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05 -0600", datetime(2026, 1, 2, 9, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04Z", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        ("3/14/2026 2:05:09 PM", datetime(2026, 3, 14, 14, 5, 9, tzinfo=UTC)),
        ("9/4/1998", datetime(1998, 9, 4, tzinfo=UTC)),
        ("Jan 5, 2026 3:04 PM", datetime(2026, 1, 5, 15, 4, tzinfo=UTC)),
        ("1/5/2026 3:04:05\u202fPM", datetime(2026, 1, 5, 15, 4, 5, tzinfo=UTC)),
        ("1/5/2026 3:04:05 PM +02:00", datetime(2026, 1, 5, 13, 4, 5, tzinfo=UTC)),
        ("1/5/2026 3:04 PM -0600", datetime(2026, 1, 5, 21, 4, tzinfo=UTC)),
        ("1/5/2026, 3:04PM", datetime(2026, 1, 5, 15, 4, tzinfo=UTC)),
        ("Jan 5, 2026, 3:04 PM", datetime(2026, 1, 5, 15, 4, tzinfo=UTC)),
        ("5 Jan 2026", datetime(2026, 1, 5, tzinfo=UTC)),
        ("1/5/26", datetime(2026, 1, 5, tzinfo=UTC)),
        ("Jan 5, 2026 15:04", datetime(2026, 1, 5, 15, 4, tzinfo=UTC)),
        ("Mon, 05 Jan 2026 15:04:05 GMT", datetime(2026, 1, 5, 15, 4, 5, tzinfo=UTC)),
        ("Monday, January 5, 2026 3:04:05 PM", datetime(2026, 1, 5, 15, 4, 5, tzinfo=UTC)),
        ("1/1/0001 12:00:00 AM", None),
        ("0026-01-05", None),
        ("Thursday, January 5, 2026 3:04 PM", datetime(2026, 1, 5, 15, 4, tzinfo=UTC)),
        ("0001-01-01T00:00:00", None),
        ("Unavailable", None),
        ("31/12/2026", None),
        ("2026-13-01T00:00:00", None),
    ],
)
def test_instants(connection: duckdb.DuckDBPyConnection, text: str, instant: datetime | None) -> None:
    assert parsed(connection, Kind.INSTANT, text) == instant


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2023-12-07T00:00:00", date(2023, 12, 7)),
        ("2026-01-02T23:30:00-05:00", date(2026, 1, 2)),
        ("12/7/2023", date(2023, 12, 7)),
        ("12/7/23", date(2023, 12, 7)),
        ("12/7/2023 11:30:00\u202fPM -05:00", date(2023, 12, 7)),
        ("1/1/0001 12:00:00 AM", None),
        ("1/1/0099", None),
        ("2026-02-30", None),
        ("0001-01-01T00:00:00", None),
    ],
)
def test_a_calendar_date_is_the_day_as_written(
    connection: duckdb.DuckDBPyConnection, text: str, day: date | None
) -> None:
    assert parsed(connection, Kind.DATE, text) == day


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("$1,200.00", "1200.00"),
        ("$0", "0.00"),
        ("-$5.00", "-5.00"),
        ("($5.25)", "-5.25"),
        ("12.5", "12.50"),
        ("1e3", "1000.00"),
        ("5 USD", "5.00"),
        ("\u22125", "-5.00"),
        ("\u2212$1,200.50", "-1200.50"),
        ("$\u22125.00", "-5.00"),
        ("\u20135", "-5.00"),
        ("£1,234,567.89", "1234567.89"),
        (".5", "0.50"),
        ("Rs 500", "500.00"),
        ("Rs.500", None),
        ("1.200,00", None),
        ("1.200 €", None),
        ("12,5", None),
        ("$1,20", None),
        ("5-6", None),
        ("abc", None),
        ("99999999999999999999", None),
    ],
)
def test_money(connection: duckdb.DuckDBPyConnection, text: str, amount: str | None) -> None:
    assert parsed(connection, Kind.MONEY, text) == (None if amount is None else Decimal(amount))


@settings(max_examples=60, deadline=None)
@given(amount=st.decimals(min_value=-(10**12), max_value=10**12, places=2))
def test_formatted_money_reads_back_to_the_cent(amount: Decimal) -> None:
    connection = duckdb.connect()
    typing_sql.install(connection)
    sign = "-" if amount < 0 else ""
    assert parsed(connection, Kind.MONEY, f"{sign}${abs(amount):,.2f}") == amount


@pytest.mark.parametrize(
    ("text", "number"), [("12", 12), (" 7 ", 7), ("12.0", 12), ("+5", 5), ("12.7", None), ("x", None)]
)
def test_integers_are_never_rounded(connection: duckdb.DuckDBPyConnection, text: str, number: int | None) -> None:
    assert parsed(connection, Kind.INTEGER, text) == number


@pytest.mark.parametrize(("text", "truth"), [("True", True), ("false", False), ("1", True), ("maybe", None)])
def test_booleans(connection: duckdb.DuckDBPyConnection, text: str, truth: bool | None) -> None:
    assert parsed(connection, Kind.BOOLEAN, text) is truth


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        ("isGDPRDeleted", "is_gdpr_deleted"),
        ("crmKeyUrls", "crm_key_urls"),
        ("createDateTimeUtc", "create_date_time_utc"),
        ("payLoad", "pay_load"),
        ("address1", "address1"),
        ("id", "id"),
    ],
)
def test_column_names(wire: str, name: str) -> None:
    assert snake_case(wire) == name


@given(st.from_regex(re.compile(r"[a-z]+([A-Z][a-z]+)*"), fullmatch=True))
def test_column_names_are_stable(wire: str) -> None:
    assert snake_case(snake_case(wire)) == snake_case(wire)
