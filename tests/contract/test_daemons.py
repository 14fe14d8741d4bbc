"""Dagster's own daemons on the definitions, with a clock that stands where it is put."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.scheduler import DagsterDaemonScheduler
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.freshness import FreshnessDaemon
from dagster._scheduler.scheduler import launch_scheduled_runs

from orchestration.instance import open_instance
from orchestration.schedules import OCCASION_TAG

# Dagster reads it of each of its own schedules.
pytestmark = pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars` is deprecated")


@dataclass
class Daemon:
    instance: DagsterInstance
    workspace: WorkspaceProcessContext

    def start(self, *names: str) -> None:
        (location,) = self.workspace.create_request_context().code_locations
        (repository,) = location.get_repositories().values()
        for name in names:
            self.instance.start_schedule(repository.get_schedule(name))

    def look(self, now: datetime) -> Counter[str]:
        """One look of the scheduler. The runs that it asked for, by occasion."""
        before = {run.run_id for run in self.instance.get_runs()}
        scheduler = self.instance.scheduler
        assert isinstance(scheduler, DagsterDaemonScheduler)
        logger = logging.getLogger("scheduler")
        for error in launch_scheduled_runs(
            self.workspace, logger, now, iteration_times={}, max_catchup_runs=scheduler.max_catchup_runs
        ):
            assert error is None, error
        return Counter(run.tags[OCCASION_TAG] for run in self.instance.get_runs() if run.run_id not in before)

    def finish(self) -> None:
        """Lets all runs come to their end."""
        for run in self.instance.get_runs():
            if run.status is DagsterRunStatus.QUEUED:
                self.instance.report_run_canceled(run)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "w.duckdb"))
    origin = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="orchestration.definitions"))
    with (
        open_instance() as instance,
        create_test_daemon_workspace_context(InProcessWorkspaceLoadTarget(origin), instance) as workspace,
    ):
        yield Daemon(instance, workspace)


@pytest.mark.parametrize(
    ("hours", "state"), [(1, FreshnessState.PASS), (37, FreshnessState.WARN), (49, FreshnessState.FAIL)]
)
def test_a_table_that_no_run_made_again_is_stale(daemon: Daemon, hours: int, state: FreshnessState) -> None:
    keys = [dg.AssetKey(["raw_raise", "gifts"]), dg.AssetKey(["marts", "recon_gifts"]), dg.AssetKey("published")]
    for key in keys:
        daemon.instance.report_runless_asset_event(dg.AssetMaterialization(key))
    with freeze_time(datetime.now(UTC) + timedelta(hours=hours)):
        list(FreshnessDaemon().run_iteration(daemon.workspace))
    states = daemon.instance.get_freshness_state_records(keys)
    assert {key: record.freshness_state for key, record in states.items()} == dict.fromkeys(keys, state)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_missed_ticks_are_made_up_for_once(daemon: Daemon) -> None:
    with freeze_time(at(2, 5, 30)):
        daemon.start("nightly")
        assert daemon.look(at(2, 5, 30)) == {}
    # 6:00 is the nightly tick; then nothing runs for three nights.
    with freeze_time(at(2, 6)):
        assert daemon.look(at(2, 6)) == {"nightly": 1}
        daemon.finish()
    with freeze_time(at(5, 10, 15)):
        assert daemon.look(at(5, 10, 15)) == {"nightly": 1}
        daemon.finish()
    with freeze_time(at(5, 10, 16)):
        assert daemon.look(at(5, 10, 16)) == {}
    with freeze_time(at(6, 6)):
        assert daemon.look(at(6, 6)) == {"nightly": 1}


def test_a_tick_that_finds_its_like_queued_is_skipped_with_a_reason(daemon: Daemon) -> None:
    with freeze_time(at(2, 7, 30)):
        daemon.start("hourly")
        assert daemon.look(at(2, 7, 30)) == {}
    with freeze_time(at(2, 8)):
        assert daemon.look(at(2, 8)) == {"hourly": 1}
    with freeze_time(at(2, 9)):
        assert daemon.look(at(2, 9)) == {}
    (state,) = daemon.instance.all_instigator_state()
    (newest, _) = daemon.instance.get_ticks(state.instigator_origin_id, state.selector_id)
    assert newest.skip_reason
    assert "is queued and does the same" in newest.skip_reason
    daemon.finish()
    with freeze_time(at(2, 10)):
        assert daemon.look(at(2, 10)) == {"hourly": 1}


def test_a_nightly_run_is_not_lost_to_an_hourly_one(daemon: Daemon) -> None:
    with freeze_time(at(2, 5, 30)):
        daemon.start("hourly", "nightly")
        assert daemon.look(at(2, 5, 30)) == {}
    with freeze_time(at(2, 6)):
        assert daemon.look(at(2, 6))["nightly"] == 1


def test_one_run_is_started_at_a_time_and_one_tick_made_up_for(daemon: Daemon) -> None:
    assert daemon.instance.get_concurrency_config().run_queue_config
    assert daemon.instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1
    scheduler = daemon.instance.scheduler
    assert isinstance(scheduler, DagsterDaemonScheduler)
    assert scheduler.max_catchup_runs == 1
