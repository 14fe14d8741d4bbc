"""Killed at any moment, the next run ends with the warehouse of an undisturbed one.

`KILLS` says how often (8 unless told): `KILLS=100 pytest tests/integration/test_kills.py -s` prints where they hit.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestion.sandbox import Handle, running
from tests.integration.conftest import Workplace

ROOT = Path(__file__).parents[2]


def ingest(place: Workplace) -> subprocess.Popen[bytes]:
    """Starts the ingestion alone, with many small load packages."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.ingest"],
        cwd=ROOT,
        env=place.environment
        | {
            "COMMIT_EVERY_ROWS": "600",
            "WEBHOOK_PAYLOADS_PER_RUN": "10000",
            "WAREHOUSE_PATH": str(place.warehouse),
            "PUBLISHED_PATH": str(place.published),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    _, err = process.communicate(timeout=800)
    assert process.returncode == 0, err.decode()


@pytest.mark.timeout(3000)
def test_killed_while_reading_and_loading(workplaces: Callable[[Handle], Workplace]) -> None:
    kills = int(os.environ.get("KILLS", "8"))
    chance = random.Random(7)
    with running(seed=12, scale="small") as sandbox:
        quiet = workplaces(sandbox)
        began = time.monotonic()
        finish(ingest(quiet))
        length = time.monotonic() - began

        killed = workplaces(sandbox)
        hits: Counter[str] = Counter()
        while hits.total() < kills:
            process = ingest(killed)
            try:
                process.communicate(timeout=chance.uniform(0.3, 0.9) * length)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                hits[moment(killed)] += 1
            else:
                # Nothing was left to do that takes long enough to be killed in.
                assert killed.raw() == quiet.raw()
                killed = workplaces(sandbox)
        finish(ingest(killed))
        print(dict(hits))
        assert killed.raw() == quiet.raw()
        assert sandbox.requests()["undocumented"]["count"] == 0


def moment(place: Workplace) -> str:
    """What dlt had left to do: tells in which step the process was killed."""
    state = place.warehouse.with_suffix(".state") / "dlt"
    if not state.exists():
        return "before dlt"
    left = {
        path.parent.parent.name
        for path in state.glob("*/*/*/*")
        if path.is_dir() and path.parent.name in ("new", "extracted", "normalized")
    }
    for step in ("load", "normalize"):
        if step in left:
            return f"in {step}"
    return "between packages"


@pytest.mark.timeout(1500)
def test_killed_in_dbt(workplaces: Callable[[Handle], Workplace]) -> None:
    with running(seed=12, scale="small") as sandbox:
        place = workplaces(sandbox)
        assert place.tieout("run").returncode == 0
        published = place.query("from marts.recon_donors order by all", published=True)
        raw = place.raw()
        process = place.start("run", "--only", "transform")
        # Only dbt writes to the warehouse in this part.
        written = place.warehouse.with_name(f"{place.warehouse.name}.wal")
        deadline = time.monotonic() + 600
        while not written.exists():
            assert process.poll() is None, "the run ended before it was killed"
            assert time.monotonic() < deadline, "dbt never wrote"
            time.sleep(0.05)
        time.sleep(2)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert place.query("from marts.recon_donors order by all", published=True) == published
        done = place.tieout("run")
        assert done.returncode == 0, done.stderr
        assert place.query("from marts.recon_donors order by all", published=True) == published
        assert place.raw() == raw
