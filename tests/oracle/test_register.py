"""The register of exceptions says after many runs what a second reading of its contract says.

`python -m tests.oracle.register_runs FOLDER --count 60 --seed 7` tries more.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_exceptions_appear_resolve_reopen_and_are_waived_over_many_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.oracle.register_runs", str(tmp_path), "--count", "12", "--seed", "5"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
