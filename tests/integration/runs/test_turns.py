"""Runs go one after the other, however they are started; readers are never blocked; the dead give way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from dagster import DagsterRunStatus
from dagster._core.storage.dagster_run import RunRecord

from orchestration.instance import open_instance
from tests.integration.conftest import Workplace

WAITS = "Another run is in progress: this one waits for its end and then goes (Ctrl-C gives up)."


@pytest.fixture(autouse=True)
def _its_instance(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", place.environment["DAGSTER_HOME"])


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


def read(place: Workplace) -> int:
    """What a reader finds in the published file, with nothing but the duckdb package."""
    program = (
        "import duckdb, sys\n"
        "with duckdb.connect(sys.argv[1], read_only=True) as c:\n"
        "    print(c.execute('select count(*) from marts.recon_donors').fetchone()[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, place.published], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_two_commands_and_a_scheduled_run_at_once_and_a_reader_all_the_time(place: Workplace) -> None:
    first = place.start("run", "--only", "ingest")
    until(lambda: records(DagsterRunStatus.STARTED))
    others = [launch(place), place.start("run", "--only", "ingest")]
    refused = place.tieout("run", "--no-wait")
    assert refused.returncode == 1
    assert "leave out --no-wait" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1

    published, counts = place.published.stat().st_ino, [read(place)]
    while any(process.poll() is None for process in (first, *others)):
        time.sleep(2)
        counts.append(read(place))
    assert place.published.stat().st_ino != published
    assert set(counts) == {counts[0]}
    assert counts[0] > 300
    tables = place.query("select distinct schema_name from duckdb_tables()", published=True)
    assert tables == [("marts",)]
    assert not list(place.published.parent.glob("*.tmp"))

    outputs = [process.communicate()[0] for process in (first, *others)]
    assert [process.returncode for process in (first, *others)] == [0, 0, 0], outputs
    assert WAITS not in outputs[0]
    assert "waiting for its end" in outputs[1]
    assert outputs[2].splitlines()[0] == WAITS
    spans = sorted(span(record.dagster_run.run_id) for record in records(DagsterRunStatus.SUCCESS))
    assert len(spans) == 1 + 3
    assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))
    ((audited,),) = place.query("select count(distinct run_id) from raw_raise.load_audit")
    assert audited == 1 + 3


def test_a_run_that_is_killed_in_dbt_gives_way(place: Workplace) -> None:
    judged = "from marts.recon_donors order by all"
    published, raw = place.query(judged, published=True), place.raw()
    first = place.start("run", "--only", "transform")
    until(lambda: records(DagsterRunStatus.STARTED))
    second = place.start("run")
    assert second.stdout
    assert second.stdout.readline().strip() == WAITS
    # Only dbt writes to the warehouse in this part.
    until(place.warehouse.with_name(f"{place.warehouse.name}.wal").exists)
    time.sleep(2)
    assert first.poll() is None, "the run ended before it was killed"
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert place.query(judged, published=True) == published
    out, err = second.communicate(timeout=1200)
    assert second.returncode == 0, out + err
    assert [record.dagster_run.status for record in records()] == [
        DagsterRunStatus.SUCCESS,
        DagsterRunStatus.FAILURE,
        DagsterRunStatus.SUCCESS,
    ]
    assert place.query(judged, published=True) == published
    assert place.raw() == raw
