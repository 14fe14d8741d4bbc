"""What reading promises, against a sandbox that misbehaves: nothing is lost, and what could not be read is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.errors import SettingsError
from ingestion.http import Patience
from ingestion.resource_reading import Outcome
from ingestion.sandbox import Handle, running
from ingestion.sandbox.faults import RAISE_RESOURCES
from ingestion.sandbox.world.names import FIRST_NAMES, LAST_NAMES
from ingestion.sources import SOURCES, open_reading
from tests.clocks import clock_of
from tests.integration.conftest import settings_for
from tests.secrets import found_in
from tests.soak import soak

Read = Callable[..., dict[str, Outcome]]
SALT = "marked-salt-of-hashes"


@pytest.fixture
def sandbox() -> Iterator[Handle]:
    with running(seed=6, scale="small") as handle:
        yield handle


@pytest.fixture
def read(sandbox: Handle, tmp_path: Path) -> Read:
    """Reads Raise once, after some hours; faults that are not named stay as they were."""

    def once(hours: float = 0, **faults: float) -> dict[str, Outcome]:
        if hours:
            sandbox.advance(hours=hours)
        sandbox.set_faults(faults)
        settings = settings_for(sandbox, tmp_path)
        (organization,) = settings.organizations
        patience = Patience(attempts=2, initial=0.001, longest=0.01, clock=clock_of(sandbox))
        with open_reading("raise", organization, settings, run_id=f"after {hours}", patience=patience) as reading:
            return reading.run()

    return once


@pytest.fixture
def query(tmp_path: Path) -> Callable[[str], list[tuple[Any, ...]]]:
    def run(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(tmp_path / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    return run


def test_everything_at_once_loses_nothing(tmp_path: Path) -> None:
    """The short one; `make soak` is the long one."""
    soaked = soak(tmp_path, scale="small", faults=100, take=40)
    assert sum(soaked.faults.values()) >= 100
    assert sum(soaked.unread.values()) == 0
    assert sum(soaked.wrongly_deleted.values()) == 0
    assert sum(soaked.lost.values()) == 0
    assert soaked.unresolved == 0


def test_a_record_that_breaks_its_page_is_told_tried_again_and_resolved(
    sandbox: Handle, read: Read, query: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    told = (
        "select count(*), max(attempts), count(resolved_at) from raw_raise.quarantined_records"
        " where resource in ('donors', 'gifts')"
    )
    live = "select (select count(*) from raw_raise.donors) + (select count(*) from raw_raise.gifts)"
    outcomes = read(poisoned_rows=0.01)
    assert all(outcome.is_complete for outcome in outcomes.values()), outcomes
    ((broken, attempts, resolved),) = query(told)
    served = sandbox.ids()["raise"]
    assert broken > 3
    assert (attempts, resolved) == (1, 0)
    assert query(live) == [(len(served["donors"]) + len(served["gifts"]) - broken,)]
    read()
    assert query(told) == [(broken, 2, 0)]
    read(hours=1, poisoned_rows=0)
    ((after, _, resolved),) = query(told)
    assert after == resolved == broken
    served = sandbox.ids()["raise"]
    assert query(
        f"{live} - (select count(_deleted_at) from raw_raise.gifts) - (select count(_deleted_at) from raw_raise.donors)"
    ) == [(len(served["donors"]) + len(served["gifts"]),)]


def test_a_value_that_cannot_be_read_keeps_its_text_and_its_row(
    read: Read, query: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    read(odd_values=0.01)
    odd = query(
        "select record_id::bigint, raw_text, error, resolved_at from raw_raise.quarantined_records"
        " where resource = 'gifts' and field = 'modified_date'"
    )
    assert odd
    assert all(text.startswith("around 20") for _, text, _, _ in odd)
    assert {(error, resolved) for _, _, error, resolved in odd} == {("not readable as instant", None)}
    keys = [key for key, *_ in odd]
    kept = query("select id, modified_date, amount is not null from raw_raise.gifts where modified_date is null")
    assert sorted(keys) == sorted(key for key, _, has_amount in kept if has_amount)
    read(hours=1, odd_values=0)
    open_ones = "select count(*) from raw_raise.quarantined_records where resolved_at is null"
    assert query(f"{open_ones} and resource <> 'webhook_logs'") == [(0,)]
    assert query("select count(*) from raw_raise.gifts where modified_date is null") == [(0,)]


def test_what_a_product_withholds_is_no_fault_unless_it_withholds_everything(read: Read) -> None:
    one = read(raise_403_segments=1)
    assert [name for name, outcome in one.items() if not outcome.is_complete] == ["segments"]
    assert one["segments"].is_withheld
    assert "does not let RAISE_API_TOKEN read /api/Segment/list (403)" in (one["segments"].error or "")
    every = read(hours=1, **dict.fromkeys((f"raise_403_{name}" for name in RAISE_RESOURCES), 1))
    assert [name for name, outcome in every.items() if outcome.error] == [n for n in one if n != "webhook_log_payloads"]
    assert not any(outcome.is_withheld for outcome in every.values())
    assert "RAISE_API_TOKEN" in (every["gifts"].error or "")


def test_fields_that_come_go_and_change_their_type(read: Read, query: Callable[[str], list[tuple[Any, ...]]]) -> None:
    told = (
        "select field, kind, example, last_seen_at > first_seen_at from raw_raise.schema_drift"
        " where resource = 'gifts' order by kind, field"
    )
    read()
    usual = query(told)
    assert {kind for _, kind, _, _ in usual} <= {"new_field"}
    read(hours=1, new_fields=1, lost_fields=1, changed_types=1)
    now = [row for row in query(told) if row[:3] not in {known[:3] for known in usual}]
    assert now == [
        ("sandboxNovelty", "new_field", "object", False),
        ("amount", "type_changed", "number → text", False),
        ("modifiedDate", "vanished_field", "text", False),
    ]
    read(hours=1)
    after = {row[0]: row for row in query(told)}
    assert after["amount"] == ("amount", "type_changed", "number → text", True)
    assert after["modifiedDate"] == ("modifiedDate", "vanished_field", "text", True)
    assert query("select min(amount), count(*) from raw_raise.gifts where amount is null") == [(None, 0)]


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_nobody_is_named_in_the_warehouse(sandbox: Handle, tmp_path: Path, mode: str) -> None:
    """Neither in a table nor in what a load left on disk, where no secret is left either."""
    sandbox.set_faults(odd_values=0.02, new_fields=1)
    settings = settings_for(sandbox, tmp_path, pii_mode=mode, pii_salt=SALT)
    (organization,) = settings.organizations
    for source in SOURCES:
        with open_reading(source, organization, settings, run_id="first") as reading:
            assert all(outcome.is_complete for outcome in reading.run().values())
    first, last = "|".join(FIRST_NAMES), "|".join(LAST_NAMES)
    named = re.compile(
        rf"\w@\w|Sample Street|\b({first}) ({last})\b|(first|last)Name\":\"({first}|{last})\"", re.IGNORECASE
    )
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() where data_type in ('VARCHAR', 'JSON')"
            " and starts_with(schema_name, 'raw_') and not starts_with(table_name, '_dlt')"
        ).fetchall()
        assert len(columns) > 200
        for schema, table, column in columns:
            found = connection.execute(f'select distinct "{column}" from {schema}.{table}').fetchall()
            seen = [text for (text,) in found if text and named.search(text)]
            assert not seen, f"{schema}.{table}.{column}: {seen[0][:100]}"
    assert found_in(tmp_path, [SALT, sandbox.raise_token, sandbox.crm_plus_key]) == []
    with (
        pytest.raises(SettingsError, match=f"PII_MODE is keep, and the warehouse was loaded with {mode}"),
        open_reading("raise", organization, settings_for(sandbox, tmp_path), run_id="second"),
    ):
        pass
