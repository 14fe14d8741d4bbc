from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestration.cli import demo as subject
from orchestration.home import home


def test_the_runs_of_the_demo_are_in_a_home_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = tmp_path / "users"
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        # What the demo sets is taken back.
        monkeypatch.setenv(name, os.environ[name])
    monkeypatch.setenv("DAGSTER_HOME", str(users))
    homes = list[Path]()

    @contextmanager
    def running(**_: Any) -> Any:
        yield SimpleNamespace(env=dict, advance=lambda **_: None)

    monkeypatch.setattr("ingestion.sandbox.running", running)
    monkeypatch.setattr(subject, "execute_shown", lambda _: homes.append(home()) or ())
    monkeypatch.setattr(subject, "show", lambda *_: None)
    for name in ("WAREHOUSE_PATH", "PUBLISHED_PATH"):
        monkeypatch.setenv(name, "x")
    subject.demo()
    assert homes == [tmp_path / "data/demo/dagster"] * 2
    assert not users.exists()
