"""A child ends with its parent, also when nobody could tell it to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestration import tethered

PARENT = """
import os, subprocess, sys
from orchestration import tethered
child = subprocess.Popen([*tethered.command("signal:pause")], env={**os.environ, **tethered.tie()})
print("started", flush=True)
child.wait()
"""


@pytest.mark.parametrize("seconds", [0, 2], ids=["as it starts", "later"])
def test_a_child_does_not_outlive_a_parent_that_is_killed(seconds: float) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"started\n"
        time.sleep(seconds)
        assert parent.poll() is None
        os.kill(parent.pid, signal.SIGKILL)
        began = time.monotonic()
        # The child has this end of the pipe too: the end comes when both are gone.
        assert parent.stdout.read() == b""
        assert time.monotonic() - began < 60


def test_arguments_output_and_exit_code_are_those_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text("[1]")
    (tmp_path / "bad.json").write_text("[1")
    # A module of this name in the current folder is none of ours.
    (tmp_path / "json.py").write_text("raise SystemExit(7)")

    def run(file: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*tethered.command("json.tool:main"), "--compact", file],
            cwd=tmp_path,
            env={**os.environ, **tethered.tie()},
            capture_output=True,
            text=True,
            check=False,
        )

    good, bad = run("good.json"), run("bad.json")
    assert (good.returncode, good.stdout) == (0, "[1]\n")
    assert bad.returncode == 1
