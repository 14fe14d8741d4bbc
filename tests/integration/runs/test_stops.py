"""A run that is killed or asked to end leaves nothing behind that the next one stumbles over."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

from ingestion.sandbox import Handle
from tests.integration.conftest import Workplace


def children(pid: int) -> list[str]:
    """The commands of a process's children."""
    listed = subprocess.run(["ps", "-ww", "-eo", "ppid,args"], capture_output=True, text=True, check=True).stdout
    return [found[1] for found in re.findall(r"^ *(\d+) (.*)$", listed, re.MULTILINE) if int(found[0]) == pid]


def test_killed_as_dbt_starts(place: Workplace) -> None:
    first = place.start("run", "--only", "transform")
    while not any("dbt.cli.main:cli build" in command for command in children(first.pid)):
        assert first.poll() is None, first.communicate()
        time.sleep(0.05)
    # The run alone: nobody tells dbt.
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    done = place.tieout("run", "--only", "transform")
    assert done.returncode == 0, done.stderr


def test_asked_to_end_while_a_product_is_read(place: Workplace, sandbox: Handle) -> None:
    asked = sandbox.requests()["raise"]["total"]
    # A request a minute: it waits for the next one when it is asked to end.
    run = place.start("run", "--only", "ingest", RAISE_REQUESTS_PER_SECOND="0.016")
    while sandbox.requests()["raise"]["total"] == asked:
        assert run.poll() is None, run.communicate()
        time.sleep(0.2)
    began = time.monotonic()
    run.send_signal(signal.SIGTERM)
    out, err = run.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert run.returncode == 130, out + err
    assert err.startswith("Error: Stopped as asked (SIGTERM)")
    assert len(err.splitlines()) == 1
