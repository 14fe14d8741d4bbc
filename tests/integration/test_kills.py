"""Killed at any moment, the next run ends with the warehouse of an undisturbed one.

`KILLS` says how often (20 unless told): `KILLS=100 pytest tests/integration/test_kills.py -s` prints where they hit.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import pytest

from ingestion.sandbox import Handle, running
from tests.integration.conftest import Workplace
from tests.integration.ingest import ingest

# Every process is the fork of one that has loaded dlt already: a kill costs no more than the reading that it ends.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.integration.ingest"])


def start(place: Workplace) -> BaseProcess:
    """Starts the ingestion alone, with many small load packages."""
    environment = place.environment | {
        "COMMIT_EVERY_ROWS": "600",
        "WEBHOOK_PAYLOADS_PER_RUN": "10000",
        "WAREHOUSE_PATH": str(place.warehouse),
        "PUBLISHED_PATH": str(place.published),
    }
    process = FORKS.Process(target=ingest, args=(environment,))
    process.start()
    return process


def finish(process: BaseProcess) -> None:
    process.join(timeout=800)
    assert process.exitcode == 0


@pytest.mark.timeout(3000)
def test_killed_while_reading_and_loading(workplace_for: Callable[[Handle], Workplace]) -> None:
    kills = int(os.environ.get("KILLS", "20"))
    chance = random.Random(7)
    with running(seed=12, scale="small", faults=["odd_values"]) as sandbox:
        place = workplace_for(sandbox)
        began = time.monotonic()
        finish(start(place))
        length = time.monotonic() - began
        undisturbed, unread = place.raw(), place.quarantine()
        assert unread

        place = workplace_for(sandbox)
        hits: Counter[str] = Counter()
        while hits.total() < kills:
            process = start(place)
            process.join(timeout=chance.uniform(0.05, 0.6) * length)
            if process.is_alive():
                os.killpg(process.pid, signal.SIGKILL)
                process.join()
                hits[moment(place)] += 1
            else:
                # Nothing was left to do that takes long enough to be killed in.
                assert process.exitcode == 0
                assert (place.raw(), place.quarantine()) == (undisturbed, unread)
                place = workplace_for(sandbox)
        finish(start(place))
        print(dict(hits))
        assert (place.raw(), place.quarantine()) == (undisturbed, unread)
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
