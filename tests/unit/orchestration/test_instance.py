from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus, job

from orchestration import instance as subject
from orchestration.bundled import bundled
from orchestration.resources import Turn

EXECUTES = """
import sys
from orchestration.instance import give_sign_of_life, open_instance
with open_instance() as instance:
    give_sign_of_life(instance, sys.argv[1])
    print("alive", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with subject.open_instance() as opened:
        yield opened


@job
def work() -> None:
    pass


@pytest.fixture
def execute(instance: DagsterInstance) -> Iterator[Callable[[], tuple[str, subprocess.Popen[str]]]]:
    """Begins a run in a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def one() -> tuple[str, subprocess.Popen[str]]:
        run_id = started_run(instance)
        command = [sys.executable, "-c", EXECUTES, run_id]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "alive\n"
        return run_id, process

    yield one
    for process in started:
        process.kill()
        process.communicate()


def started_run(instance: DagsterInstance) -> str:
    return instance.create_run_for_job(work, status=DagsterRunStatus.STARTED).run_id


def signs(instance: DagsterInstance) -> list[str]:
    return [file.name for file in (Path(instance.root_directory) / "alive").iterdir()]


def test_the_home_is_made_with_the_projects_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    home = subject.prepare_home()
    assert home == tmp_path / "data" / "dagster"
    assert os.environ["DAGSTER_HOME"] == str(home)
    monkeypatch.delenv("DAGSTER_HOME")
    (home / "dagster.yaml").write_text("telemetry: {enabled: true}")
    subject.prepare_home()
    assert (home / "dagster.yaml").read_bytes() == bundled("dagster.yaml").read_bytes()


def test_a_home_of_the_users_own_keeps_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    subject.prepare_home()
    assert (tmp_path / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"


def test_the_pool_of_the_warehouse_lets_one_in(instance: DagsterInstance) -> None:
    pools = instance.get_concurrency_config().pool_config
    assert (pools.default_pool_limit, pools.pool_granularity and pools.pool_granularity.value) == (1, "op")


def test_nothing_is_reported_home(instance: DagsterInstance) -> None:
    assert not instance.telemetry_enabled


def test_a_run_whose_process_is_gone_fails_and_frees_the_pool(instance: DagsterInstance, execute) -> None:
    run_id, process = execute()
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default(subject.WAREHOUSE_POOL)
    assert storage.claim_concurrency_slot(subject.WAREHOUSE_POOL, run_id, "ingest").is_claimed
    assert subject.bury_dead_runs(instance) == []
    process.kill()
    process.wait()
    assert subject.bury_dead_runs(instance) == [run_id]
    run = instance.get_run_by_id(run_id)
    assert run
    assert run.status is DagsterRunStatus.FAILURE
    assert storage.claim_concurrency_slot(subject.WAREHOUSE_POOL, "another", "ingest").is_claimed
    assert signs(instance) == []


def test_neither_a_number_nor_a_host_that_came_again_is_a_sign_of_life(
    instance: DagsterInstance, execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a reboot another process may have the number, and a container that is made anew has another name."""
    run_id, process = execute()
    process.kill()
    process.wait()
    monkeypatch.setattr("os.kill", lambda *_: None)
    monkeypatch.setattr("socket.gethostname", lambda: "made-anew")
    assert subject.bury_dead_runs(instance) == [run_id]


def test_a_run_that_gave_no_sign_here_is_left_alone(instance: DagsterInstance) -> None:
    """It may be another machine's, where both keep their runs in one database."""
    started_run(instance)
    assert subject.bury_dead_runs(instance) == []


def test_a_run_that_came_to_its_end_stays_as_it_is(instance: DagsterInstance, execute) -> None:
    run_id, process = execute()
    instance.report_run_canceled(instance.get_run_by_id(run_id))
    process.communicate("\n")
    assert signs(instance) == [f"{run_id}.lock"]
    assert subject.bury_dead_runs(instance) == []
    assert instance.get_run_by_id(run_id).status is DagsterRunStatus.CANCELED
    assert signs(instance) == []


def test_whoever_starts_a_run_its_turn_gives_the_sign_until_the_process_ends(
    instance: DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "w.duckdb"))
    seen: list[list[str]] = []

    @dg.asset
    def first(turn: Turn) -> None:
        seen.append(subject.bury_dead_runs(instance))

    result = dg.materialize([first], resources={"turn": Turn()}, instance=instance)
    assert subject.bury_dead_runs(instance) == []
    assert seen == [[]]
    assert signs(instance) == [f"{result.run_id}.lock"]
