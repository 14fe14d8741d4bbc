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
def test_killed_while_reading_and_loading(workplace_for: Callable[[Handle], Workplace]) -> None:
    kills = int(os.environ.get("KILLS", "8"))
    chance = random.Random(7)
    with running(seed=12, scale="small") as sandbox:
        place = workplace_for(sandbox)
        began = time.monotonic()
        finish(ingest(place))
        length = time.monotonic() - began
        undisturbed = place.raw()

        place = workplace_for(sandbox)
        hits: Counter[str] = Counter()
        while hits.total() < kills:
            process = ingest(place)
            try:
                process.communicate(timeout=chance.uniform(0.3, 0.9) * length)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                hits[moment(place)] += 1
            else:
                # Nothing was left to do that takes long enough to be killed in.
                assert place.raw() == undisturbed
                place = workplace_for(sandbox)
        finish(ingest(place))
        print(dict(hits))
        assert place.raw() == undisturbed
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
