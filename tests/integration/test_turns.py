"""Runs that are started at the same time, from the command line and by the schedule, go one after the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from dagster import DagsterRunStatus
from dagster._core.storage.dagster_run import RunRecord

from ingestion.sandbox import Handle
from orchestration.instance import open_instance
from tests.integration.conftest import Workplace

pytestmark = pytest.mark.slow

WAITS = "Another run is in progress: this one waits for its end and then goes (Ctrl-C gives up)."


@pytest.fixture
def place(workplaces: Callable[[Handle], Workplace], sandbox: Handle, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    made = workplaces(sandbox)
    monkeypatch.setenv("DAGSTER_HOME", made.environment["DAGSTER_HOME"])
    return made


def records(status: DagsterRunStatus | None = None) -> list[RunRecord]:
    """The runs, oldest first."""
    with open_instance() as instance:
        found = instance.get_run_records(ascending=True)
    return [record for record in found if status in (None, record.dagster_run.status)]


def span(run_id: str) -> tuple[float, float]:
    """When the first step of a run began and the last one ended."""
    with open_instance() as instance:
        steps = instance.get_run_step_stats(run_id)
    return min(step.start_time or 0 for step in steps), max(step.end_time or 0 for step in steps)


def until(condition: Callable[[], object], seconds: float = 1200) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.5)


@contextmanager
def daemon(place: Workplace, cron: str) -> Iterator[None]:
    """Dagster's daemon, with the schedule switched on."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster._daemon", "run", "-m", "orchestration.definitions"],
        cwd=place.folder,
        env={**place.environment, "TIEOUT_SCHEDULE": cron},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@pytest.mark.timeout(2400)
def test_two_commands_and_the_schedule_at_once(place: Workplace) -> None:
    first = place.start("run")
    until(lambda: records(DagsterRunStatus.STARTED))
    with daemon(place, "*/5 * * * *"):
        second = place.start("run")
        outputs = [process.communicate(timeout=1200) for process in (first, second)]
        until(lambda: any("dagster/schedule_name" in run.dagster_run.tags for run in records(DagsterRunStatus.SUCCESS)))
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert WAITS not in outputs[0][0]
    assert outputs[1][0].splitlines()[0] == WAITS
    spans = sorted(span(record.dagster_run.run_id) for record in records(DagsterRunStatus.SUCCESS))
    assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))
    ((audited,),) = place.query("select count(distinct run_id) from raw_raise.load_audit")
    assert audited == len(spans) >= 3


def test_a_run_that_is_killed_gives_way(place: Workplace) -> None:
    first = place.start("run")
    until(lambda: records(DagsterRunStatus.STARTED))
    second = place.start("run")
    assert second.stdout
    assert second.stdout.readline().strip() == WAITS
    first.kill()
    first.communicate()
    out, err = second.communicate(timeout=1200)
    assert second.returncode == 0, out + err
    assert [record.dagster_run.status for record in records()] == [DagsterRunStatus.FAILURE, DagsterRunStatus.SUCCESS]


def test_one_that_does_not_want_to_wait_ends_at_once(place: Workplace) -> None:
    first = place.start("run")
    until(lambda: (place.folder / "data/warehouse.state/run.lock").exists())
    second = place.tieout("run", "--no-wait")
    assert second.returncode == 1
    assert "leave out --no-wait" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert first.poll() is None
    first.communicate(timeout=1200)
    assert first.returncode == 0
