"""Dagster's events are stored where Dagster itself would look for them, and by few connections."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage
from sqlalchemy.pool import QueuePool

from ingestion import masking
from ingestion.plain_text import clean_logs
from orchestration.event_log import EventLog
from orchestration.instance import open_instance
from tests.secrets import found_in


@pytest.fixture
def instance_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


def materialize(instance: dg.DagsterInstance) -> str:
    @dg.asset
    def gifts() -> None: ...

    return dg.materialize([gifts], instance=instance).run_id


def test_the_instance_stores_its_events_with_it(instance_home: Path) -> None:
    with open_instance() as instance:
        assert type(instance.event_log_storage) is EventLog


def test_dagster_itself_finds_the_events(instance_home: Path) -> None:
    with open_instance() as instance:
        run_id = materialize(instance)
        stored = [entry.event_log_entry for entry in instance.event_log_storage.get_records_for_run(run_id).records]

    original = SqliteEventLogStorage(str(instance_home / "history" / "runs"))
    assert [record.event_log_entry for record in original.get_records_for_run(run_id).records] == stored
    assert any(entry.get_dagster_event().is_step_materialization for entry in stored if entry.is_dagster_event)
    assert dg.AssetKey("gifts") in original.all_asset_keys()


def test_a_file_stays_open(instance_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    connect = QueuePool._do_get
    with open_instance() as instance:
        monkeypatch.setattr(QueuePool, "_do_get", lambda pool: opened.append(pool) or connect(pool))
        materialize(instance)
        log = instance.event_log_storage
        assert isinstance(log, EventLog)
        assert len({id(pool) for pool in opened}) <= 2 < len(opened), "one for the index and one for the run"


def test_no_secret_is_stored(instance_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "Marked+raise/token='0123"
    monkeypatch.setattr(masking, "_known", masking.Mask([secret]))
    # What a step prints is kept as well.
    monkeypatch.setattr(logging, "_logRecordFactory", logging.LogRecord)
    clean_logs()

    @dg.asset(check_specs=[dg.AssetCheckSpec("odd", asset="gifts")])
    def gifts(context) -> Iterator[Any]:
        context.log.info(f"sent {secret}")
        yield dg.AssetCheckResult(passed=False, description=f"told {secret}", metadata={"errors": {secret: [secret]}})
        yield dg.MaterializeResult(metadata={"told": secret, secret: 1})

    @dg.asset(deps=[gifts])
    def donors() -> None:
        raise ValueError(f"odd: {secret}")

    with open_instance() as instance:
        result = dg.materialize([gifts, donors], instance=instance, raise_on_error=False)
        entries = instance.event_log_storage.get_records_for_run(result.run_id).records
        told = str([entry.event_log_entry for entry in entries])
    assert {"sent ***", "told ***", "odd: ***"} <= set(re.findall(r"(?:sent|told|odd:) \*{3}", told))
    assert found_in(instance_home, [secret, "Marked"]) == []
