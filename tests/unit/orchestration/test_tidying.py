"""What is old is deleted, and nothing that is shown as the newest of its kind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter
from sqlalchemy import text

from ingestion.settings import Settings
from orchestration import tidying as subject
from orchestration.event_log import EventLog
from orchestration.instance import open_instance
from orchestration.resources import Turn

SLUGS = dg.StaticPartitionsDefinition(["river", "lake"])


@dg.asset
def campaigns() -> None: ...


@dg.multi_asset(
    specs=[dg.AssetSpec("gifts")], check_specs=[dg.AssetCheckSpec("odd", asset="gifts")], partitions_def=SLUGS
)
def of_one() -> Iterator[Any]:
    yield dg.MaterializeResult("gifts", metadata={"rows": 7})
    yield dg.AssetCheckResult(asset_key="gifts", check_name="odd", passed=False)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "w.duckdb"))
    settings = Settings(_env_file=None, warehouse_path=tmp_path / "w.duckdb")
    settings.state_path.mkdir()
    return settings


@pytest.fixture
def instance(settings: Settings) -> Iterator[DagsterInstance]:
    with open_instance() as opened:
        yield opened


def run(instance: DagsterInstance, *assets: Any, days_ago: float = 0, **options: Any) -> str:
    run_id = dg.materialize(assets or [campaigns], instance=instance, **options).run_id
    age(instance, run_id, days_ago)
    return run_id


def age(instance: DagsterInstance, run_id: str, days: float) -> None:
    with instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
        connection.execute(
            text("update runs set create_timestamp = datetime(create_timestamp, :by) where run_id = :run_id"),
            {"by": f"-{days} days", "run_id": run_id},
        )


def old(path: Path, days: float = 31) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    then = time.time() - timedelta(days=days).total_seconds()
    os.utime(path, (then, then))
    return path


def held(instance: DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def test_an_old_run_goes_with_all_that_is_stored_of_it(settings: Settings, instance: DagsterInstance) -> None:
    gone, stays = run(instance, days_ago=91), run(instance, days_ago=89)
    run(instance)
    assert subject.tidy(settings, instance).runs == 1
    assert gone not in held(instance)
    assert stays in held(instance)
    instance.dispose()
    left = [path for path in Path(instance.root_directory).rglob("*") if path.is_file()]
    assert [path for path in left if gone in path.name or gone.encode() in path.read_bytes()] == []
    assert [path for path in left if stays in path.name] != []


def test_what_is_shown_last_stays_however_old_it_is(settings: Settings, instance: DagsterInstance) -> None:
    first = run(instance, of_one, partition_key="river", days_ago=400)
    again = run(instance, of_one, partition_key="river", days_ago=300)
    lake = run(instance, of_one, partition_key="lake", days_ago=200)
    run(instance)
    assert subject.tidy(settings, instance).runs == 1
    assert first not in held(instance)
    assert {again, lake} <= held(instance)
    key = dg.AssetKey("gifts")
    assert instance.get_materialized_partitions(key) == {"river", "lake"}
    assert instance.get_latest_materialization_event(key).run_id == lake
    check = dg.AssetCheckKey(key, "odd")
    (record,) = instance.event_log_storage.get_latest_asset_check_execution_by_key([check]).values()
    assert record.run_id == lake
    assert instance.event_log_storage.get_asset_records([key])[0].asset_entry.last_run_id == lake


def test_the_newest_run_of_an_organization_stays_also_when_it_failed_at_once(
    settings: Settings, instance: DagsterInstance
) -> None:
    @dg.job
    def work() -> None: ...

    def failed(organization: str, days: float) -> str:
        tags = {"dagster/partition": organization}
        made = instance.create_run_for_job(work, tags=tags, status=DagsterRunStatus.FAILURE)
        age(instance, made.run_id, days)
        return made.run_id

    gone, stays, other = failed("river", 300), failed("river", 200), failed("lake", 250)
    assert subject.tidy(settings, instance).runs == 1
    assert held(instance) == {stays, other}
    assert gone not in held(instance)


@pytest.mark.parametrize("status", [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING])
def test_what_has_not_ended_stays(settings: Settings, instance: DagsterInstance, status: DagsterRunStatus) -> None:
    @dg.job
    def work() -> None: ...

    under_way = instance.create_run_for_job(work, status=status).run_id
    ended = instance.create_run_for_job(work, status=DagsterRunStatus.SUCCESS).run_id
    newest = instance.create_run_for_job(work, status=DagsterRunStatus.SUCCESS).run_id
    for run_id in (under_way, ended, newest):
        age(instance, run_id, 100)
    subject.tidy(settings, instance)
    assert held(instance) == {under_way, newest}


def test_old_logs_and_load_packages_are_deleted(settings: Settings, instance: DagsterInstance) -> None:
    run_id = run(instance)
    state, storage = settings.state_path, Path(instance.storage_directory())
    gone = [
        old(state / "logs" / "a.log"),
        old(state / "dlt" / "raise_default" / "load" / "loaded" / "1.2" / "x.parquet").parent,
        old(storage / run_id / "compute_logs" / "a.out").parent,
    ]
    stay = [
        old(state / "logs" / "b.log", days=29),
        old(state / "dlt" / "raise_default" / "load" / "normalized" / "1.2" / "x.parquet").parent,
        old(state / "dlt" / "raise_default" / "state.json"),
        old(state / "dbt" / "parse" / "manifest.json"),
    ]
    for folder in (*gone, *stay):
        if folder.is_dir():
            old(folder)
    assert subject.tidy(settings, instance).files == 3
    assert [path for path in gone if path.exists()] == []
    assert [path for path in stay if not path.exists()] == []


def test_the_space_of_deleted_events_is_given_back(settings: Settings, instance: DagsterInstance) -> None:
    for _ in range(3):
        run(instance, campaigns, days_ago=100)
    run(instance)
    index = Path(instance.root_directory) / "history/runs/index.db"
    instance.dispose()
    before = index.stat().st_size
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        connection.execute(text("create table ballast as select zeroblob(1000000) as x"))
        connection.execute(text("drop table ballast"))
    subject.tidy(settings, instance)
    instance.dispose()
    assert index.stat().st_size <= before
    assert len(instance.get_runs(RunsFilter())) == 1


def test_a_run_tidies_once_a_day(settings: Settings, instance: DagsterInstance) -> None:
    @dg.asset
    def gifts(turn: Turn) -> None: ...

    def one() -> None:
        run(instance, gifts, resources={"turn": Turn()})

    run(instance, gifts, days_ago=91, resources={"turn": Turn()})
    one()
    assert not subject.is_due(settings)
    assert len(held(instance)) == 2
    old(settings.state_path / "tidied", days=1.1)
    one()
    assert len(held(instance)) == 2


def test_a_run_that_cannot_tidy_has_succeeded(
    settings: Settings, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dg.asset
    def gifts(turn: Turn) -> None: ...

    def refuses(*_: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(subject, "tidy", refuses)
    assert dg.materialize([gifts], resources={"turn": Turn()}, instance=instance).success


def test_the_command_says_what_it_did(settings: Settings, tieout) -> None:
    with open_instance() as instance:
        run(instance, days_ago=91)
        run(instance)
    old(settings.state_path / "logs" / "a.log")
    answer = tieout(
        "tidy", WAREHOUSE_PATH=str(settings.warehouse_path), DAGSTER_HOME=os.environ.get("DAGSTER_HOME", "")
    )
    assert (answer.returncode, answer.stdout) == (0, "Runs deleted: 1. Logs and load packages deleted: 1.\n"), (
        answer.stderr
    )


def test_the_log_is_empty_after_a_run(settings: Settings) -> None:
    with open_instance() as instance:
        run(instance)
        run(instance)
        log = instance.event_log_storage
        assert isinstance(log, EventLog)
        # As where the UI looks at it meanwhile.
        with open_instance() as another:
            assert another.get_runs()
            another.all_logs(instance.get_runs()[0].run_id)
            instance.dispose()
            wals = list(Path(instance.root_directory).rglob("history/runs/*.db-wal"))
            assert [path for path in wals if path.stat().st_size] == []


def test_no_table_and_no_check_is_stored_twice(settings: Settings, instance: DagsterInstance) -> None:
    run_id = run(instance, of_one, partition_key="river")
    kinds = [entry.dagster_event_type for entry in instance.all_logs(run_id)]
    assert DagsterEventType.STEP_OUTPUT not in kinds
    assert kinds.count(DagsterEventType.ASSET_MATERIALIZATION) == 1
    assert kinds.count(DagsterEventType.ASSET_CHECK_EVALUATION) == 1


_fails = [True, False]


def reconcile() -> dg.JobDefinition:
    @dg.multi_asset(
        specs=[dg.AssetSpec("some", skippable=True), dg.AssetSpec("none", skippable=True)],
        check_specs=[dg.AssetCheckSpec("odd", asset="some")],
    )
    def transform() -> Iterator[Any]:
        yield dg.MaterializeResult("some")
        yield dg.AssetCheckResult(asset_key="some", check_name="odd", passed=True)

    @dg.asset(deps=["some"])
    def published() -> None:
        if _fails.pop(0):
            raise ValueError

    jobs = [dg.define_asset_job("reconcile", executor_def=dg.in_process_executor)]
    return dg.Definitions(assets=[transform, published], jobs=jobs).resolve_job_def("reconcile")


def test_a_run_goes_on_from_its_failure(settings: Settings, instance: DagsterInstance) -> None:
    """For which Dagster looks for the outputs of the run before."""
    job = dg.reconstructable(reconcile)
    failed = dg.execute_job(job, instance)
    assert not failed.success
    options = dg.ReexecutionOptions.from_failure(failed.run_id, instance)
    again = dg.execute_job(job, instance, reexecution_options=options)
    assert again.success
    materialized = [e.asset_key for e in again.all_events if e.event_type is DagsterEventType.ASSET_MATERIALIZATION]
    assert materialized == [dg.AssetKey("published")]
