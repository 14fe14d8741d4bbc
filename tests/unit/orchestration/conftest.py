from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from ingestion.settings import Settings
from orchestration.cli import main


@pytest.fixture
def tieout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., CompletedProcess[str]]]:
    """Runs the command line in this process, in a folder of its own and with no settings but those that are given."""
    for name in (*Settings.model_fields, "dagster_home"):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    umask = os.umask(0o022)

    def call(*arguments: str, **environment: str) -> CompletedProcess[str]:
        with monkeypatch.context() as changes:
            changes.setattr(sys, "argv", ["tieout", *arguments])
            for name, value in environment.items():
                changes.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return CompletedProcess(arguments, ended.value.code, said.out, said.err)

    yield call
    os.umask(umask)
