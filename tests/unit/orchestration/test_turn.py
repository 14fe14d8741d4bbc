from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ingestion.errors import WarehouseUnusable
from ingestion.settings import Settings
from orchestration import turn as subject
from orchestration.resources import Turn

HOLDER = """
import sys
from ingestion.settings import load_settings
from orchestration.turn import taken
with taken(load_settings(), on_wait=lambda: print("waits", flush=True)):
    print("has it", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "w.duckdb"))
    return Settings()


@pytest.fixture
def start(settings: Settings) -> Iterator:
    started: list[subprocess.Popen[str]] = []

    def one() -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1, text=True
            )
        )
        return started[-1]

    yield one
    for process in started:
        process.kill()
        process.communicate()


def says(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_one_waits_for_the_other_and_says_so_once(start) -> None:
    first = start()
    assert says(first) == "has it"
    second = start()
    assert says(second) == "waits"
    first.communicate("\n")
    assert says(second) == "has it"


def test_who_is_killed_gives_way(start) -> None:
    first = start()
    assert says(first) == "has it"
    second = start()
    assert says(second) == "waits"
    first.send_signal(signal.SIGKILL)
    assert says(second) == "has it"


def test_who_does_not_want_to_wait_is_told(start, settings: Settings) -> None:
    assert says(start()) == "has it"
    with pytest.raises(subject.RunInProgress, match="--no-wait"), subject.taken(settings, on_wait=list, wait=False):
        pass


def test_a_run_has_its_turn_from_before_its_first_step_to_after_its_last(start, settings: Settings) -> None:
    steps = []

    def others_can_go() -> bool:
        # Of another process: this one has the turn already.
        code = HOLDER.replace("on_wait=", "wait=False, on_wait=")
        done = subprocess.run([sys.executable, "-c", code], input="\n", capture_output=True, text=True, check=False)
        return done.returncode == 0

    @dg.asset
    def first(turn: Turn) -> None:
        steps.append(others_can_go())

    @dg.asset(deps=[first])
    def second(turn: Turn) -> None:
        steps.append(others_can_go())

    with subject.taken(settings, on_wait=list):
        assert dg.materialize([first, second], resources={"turn": Turn()}).success
        assert not others_can_go()
    assert steps == [False, False]
    assert others_can_go()


def test_a_folder_that_cannot_be_written_is_told(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "w.state").write_text("in the way")
    with pytest.raises(WarehouseUnusable, match=r"w\.state"), subject.taken(settings, on_wait=list):
        pass
