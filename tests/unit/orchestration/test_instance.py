from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus, job

from orchestration import instance as subject
from orchestration.bundled import bundled


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with subject.open_instance() as opened:
        yield opened


@job
def work() -> None:
    pass


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def started_run(instance: DagsterInstance, process: int, host: str | None = None) -> str:
    tags = {"tieout/host": host or socket.gethostname(), "tieout/process": str(process)}
    run = instance.create_run_for_job(work, status=DagsterRunStatus.STARTED, tags=tags)
    return run.run_id


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


def test_a_run_whose_process_is_gone_fails_and_frees_the_pool(instance: DagsterInstance) -> None:
    run_id = started_run(instance, dead_process())
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default(subject.WAREHOUSE_POOL)
    assert storage.claim_concurrency_slot(subject.WAREHOUSE_POOL, run_id, "ingest").is_claimed
    assert subject.bury_dead_runs(instance) == [run_id]
    run = instance.get_run_by_id(run_id)
    assert run
    assert run.status is DagsterRunStatus.FAILURE
    assert storage.claim_concurrency_slot(subject.WAREHOUSE_POOL, "another", "ingest").is_claimed


def test_a_run_whose_process_lives_is_left_alone(instance: DagsterInstance) -> None:
    started_run(instance, os.getppid())
    assert subject.bury_dead_runs(instance) == []


def test_a_run_of_another_host_is_left_alone(instance: DagsterInstance) -> None:
    started_run(instance, dead_process(), host="elsewhere")
    assert subject.bury_dead_runs(instance) == []


def test_a_process_number_that_was_handed_out_again_is_no_sign_of_life(instance: DagsterInstance) -> None:
    run_id = started_run(instance, os.getpid())
    assert subject.bury_dead_runs(instance) == [run_id]
