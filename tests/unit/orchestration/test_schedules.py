"""When the job runs by itself, and when a tick is skipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus, job

from ingestion.settings import SCHEDULE_SETTINGS, Settings
from orchestration.resources import RunOptions
from orchestration.schedules import OCCASION_TAG, OCCASIONS, Timetable, due, timetable

RUNNING = dg.DefaultScheduleStatus.RUNNING


@pytest.fixture(autouse=True)
def _no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*SCHEDULE_SETTINGS, *(name.upper() for name in Settings.model_fields)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


def on(found: Timetable) -> dict[str, str | object]:
    return {s.name: s.cron_schedule for s in found.schedules if s.default_status is RUNNING}


def test_the_schedules_are_off_until_they_are_set() -> None:
    found = timetable()
    assert [schedule.name for schedule in found.schedules] == ["hourly", "nightly", "weekly"]
    assert (on(found), found.problems) == ({}, [])


def test_each_schedule_has_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEOUT_SCHEDULE_HOURLY", "5 7-20 * * *")
    monkeypatch.setenv("TIEOUT_SCHEDULE_WEEKLY", "0 3 * * 6")
    assert on(timetable()) == {"hourly": "5 7-20 * * *", "weekly": "0 3 * * 6"}


def test_the_older_name_means_nightly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEOUT_SCHEDULE", "15 4 * * *")
    assert on(timetable()) == {"nightly": "15 4 * * *"}
    monkeypatch.setenv("TIEOUT_SCHEDULE_NIGHTLY", "15 5 * * *")
    assert on(timetable()) == {"nightly": "15 5 * * *"}


def test_a_bad_cron_expression_switches_its_schedule_off_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEOUT_SCHEDULE_HOURLY", "hourly")
    monkeypatch.setenv("TIEOUT_SCHEDULE_NIGHTLY", "15 4 * * *")
    found = timetable()
    assert on(found) == {"nightly": "15 4 * * *"}
    (problem,) = found.problems
    assert problem == "TIEOUT_SCHEDULE_HOURLY 'hourly' is no cron expression: write it like '0 * * * *'."
    assert problem in (found.schedules[0].description or "")


def test_a_bad_time_zone_switches_all_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIEOUT_SCHEDULE_NIGHTLY", "15 4 * * *")
    monkeypatch.setenv("TIEOUT_SCHEDULE_TIME_ZONE", "Chicago")
    found = timetable()
    assert on(found) == {}
    assert found.problems == ["TIEOUT_SCHEDULE_TIME_ZONE 'Chicago' is no time zone: write it like 'America/Chicago'."]


ORGANIZATIONS = """
[north]
raise_token_name = "NORTH"
raise_time_zone = "America/New_York"
[south]
raise_token_name = "SOUTH"
raise_time_zone = "America/Chicago"
"""


def zones(found: Timetable) -> set[str | None]:
    return {schedule.execution_timezone for schedule in found.schedules}


def test_the_time_zone_is_that_of_the_organization(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert zones(timetable()) == {"UTC"}
    monkeypatch.setenv("RAISE_API_TOKEN", "secret")
    monkeypatch.setenv("RAISE_TIME_ZONE", "America/Chicago")
    assert zones(timetable()) == {"America/Chicago"}
    (tmp_path / "organizations.toml").write_text(ORGANIZATIONS)
    monkeypatch.setenv("ORGANIZATIONS_FILE", "organizations.toml")
    monkeypatch.setenv("NORTH", "secret-north")
    monkeypatch.setenv("SOUTH", "secret-south")
    assert zones(timetable()) == {"UTC"}
    monkeypatch.setenv("TIEOUT_SCHEDULE_TIME_ZONE", "America/Denver")
    assert zones(timetable()) == {"America/Denver"}


def tick(instance: DagsterInstance, name: str) -> dg.RunRequest | str | None:
    """What a tick asks for, or why it asks for nothing."""
    (occasion,) = [occasion for occasion in OCCASIONS if occasion.name == name]
    found = due(instance, occasion)
    return found.skip_message if isinstance(found, dg.SkipReason) else found


@pytest.mark.parametrize(
    ("name", "options"), [("hourly", {"payloads": False}), ("nightly", {}), ("weekly", {"full": True})]
)
def test_a_tick_asks_for_its_run(instance: DagsterInstance, name: str, options: dict[str, bool]) -> None:
    request = tick(instance, name)
    assert isinstance(request, dg.RunRequest)
    assert request.run_config["resources"]["options"]["config"] == options
    assert RunOptions(**options)
    assert request.tags[OCCASION_TAG] == name


@job
def reconcile() -> None:
    pass


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (DagsterRunStatus.NOT_STARTED, "in progress"),
        (DagsterRunStatus.STARTED, "in progress"),
        (DagsterRunStatus.CANCELING, "in progress"),
    ],
)
@pytest.mark.parametrize(
    ("started_by", "skipped"),
    [
        (None, {"hourly"}),
        ("hourly", {"hourly"}),
        ("nightly", {"hourly", "nightly"}),
        ("weekly", {"hourly", "nightly", "weekly"}),
    ],
)
def test_a_tick_is_skipped_while_a_run_does_as_much(
    instance: DagsterInstance, status: DagsterRunStatus, word: str, started_by: str | None, skipped: set[str]
) -> None:
    tags = {OCCASION_TAG: started_by} if started_by else {}
    run = instance.create_run_for_job(reconcile, status=status, tags=tags)
    told = {name: tick(instance, name) for name in ("hourly", "nightly", "weekly")}
    assert {name for name, answer in told.items() if isinstance(answer, str)} == skipped
    assert told["hourly"] == f"Run {run.run_id[:8]} is {word} and does the same: the next tick is early enough."


@pytest.mark.parametrize("status", [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED])
def test_a_run_that_is_over_stops_no_tick(instance: DagsterInstance, status: DagsterRunStatus) -> None:
    instance.create_run_for_job(reconcile, status=status, tags={OCCASION_TAG: "weekly"})
    assert isinstance(tick(instance, "hourly"), dg.RunRequest)


def test_an_hourly_run_asks_for_no_payloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAISE_API_TOKEN", "secret")
    hourly, nightly = RunOptions(payloads=False).settings(), RunOptions().settings()
    assert (hourly.webhook_payloads_per_run, nightly.webhook_payloads_per_run) == (0, 200)
    assert hourly.organizations == nightly.organizations
