"""A run that is asked to end says so and ends within seconds, whatever it is doing."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from orchestration.cli.stopping import EXIT_CODE

PROGRAM = """
import os, sys, time
from orchestration.cli import app
from orchestration.cli.stopping import stoppable

def work():
    with stoppable():
        # As a run that keeps what is printed in a log.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        print("working", flush=True)
        {work}

def shown(**_):
    kept = os.dup(2)
    try:
        work()
    finally:
        os.dup2(kept, 2)

app.app = shown
app.main()
"""

PATIENT = "time.sleep(60)"
DEAF = """
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass
"""
ITS_OWN_WAY = """
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            raise RuntimeError("something on the way")
"""


@pytest.mark.parametrize("work", [PATIENT, DEAF, ITS_OWN_WAY], ids=["patient", "deaf", "its own way"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_within_seconds_and_says_why(number: signal.Signals, work: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(work=work.strip())],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "working\n"
        began = time.monotonic()
        process.send_signal(number)
        _, told = process.communicate(timeout=50)
    assert time.monotonic() - began < 30
    assert process.returncode == EXIT_CODE
    (line,) = told.splitlines()
    assert line.startswith(f"Error: Stopped as asked ({number.name}): what was loaded is kept")


def test_what_is_ignored_stays_so() -> None:
    """As under nohup."""
    program = f"""
import os, signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
{PROGRAM.format(work="os.kill(os.getpid(), signal.SIGHUP)")}
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "working\n", "")
