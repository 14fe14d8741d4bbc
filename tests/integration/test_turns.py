"""Runs that are started at the same time, from the command line and by the schedule, go one after the other."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from dagster import DagsterRunStatus
from dagster._core.storage.dagster_run import RunRecord

from ingestion.sandbox import Handle
from orchestration.instance import open_instance
from tests.integration.conftest import Workplace

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


def launch(place: Workplace) -> subprocess.Popen[str]:
    """Runs the job as the schedule and the UI do: by Dagster, without the command line."""
    return subprocess.Popen(
        [sys.executable, "-m", "dagster", "job", "execute", "-m", "orchestration.definitions", "-j", "reconcile"],
        cwd=place.folder,
        env=place.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_commands_and_a_scheduled_run_at_once(place: Workplace) -> None:
    first = place.start("run")
    until(lambda: records(DagsterRunStatus.STARTED))
    others = [launch(place), place.start("run")]
    refused = place.tieout("run", "--no-wait")
    assert refused.returncode == 1
    assert "leave out --no-wait" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    outputs = [process.communicate(timeout=1200)[0] for process in (first, *others)]
    assert [process.returncode for process in (first, *others)] == [0, 0, 0], outputs
    assert WAITS not in outputs[0]
    assert "waiting for its end" in outputs[1]
    assert outputs[2].splitlines()[0] == WAITS
    spans = sorted(span(record.dagster_run.run_id) for record in records(DagsterRunStatus.SUCCESS))
    assert len(spans) == 3
    assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))
    ((audited,),) = place.query("select count(distinct run_id) from raw_raise.load_audit")
    assert audited == 3


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
