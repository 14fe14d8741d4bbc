from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRun

from orchestration.consent import Consent, consent
from orchestration.resources import RunOptions

COMMANDS = [
    "run",
    "doctor",
    "summary",
    "exceptions",
    "labels",
    "backup",
    "restore",
    "tidy",
    "sandbox",
    "demo",
    "dev",
    "ui",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(tieout, command: str) -> None:
    answer = tieout(command, "--help")
    assert answer.returncode == 0
    assert "Usage" in answer.stdout


def test_no_command_shows_the_commands(tieout) -> None:
    answer = tieout()
    assert answer.returncode == 0
    assert all(command in answer.stdout for command in COMMANDS)


def test_the_version(tieout) -> None:
    answer = tieout("--version")
    assert (answer.returncode, answer.stdout) == (0, f"tieout {version('tieout')}\n")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("tieout ex", {"exceptions"}), ("tieout exceptions --entity g", {"gift"}), ("tieout run --fu", {"--full"})],
)
def test_the_shell_completes(typed: str, offered: set[str]) -> None:
    command = Path(sys.executable).with_name("tieout")
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    answer = subprocess.run(
        [command],
        env={**os.environ, **words, "_TIEOUT_COMPLETE": "complete_bash"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert set(answer.stdout.split()) == offered
    assert answer.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["exceptions"], ["exceptions", "--help"], ["summary"], ["run", "--help"], ["doctor", "--help"]],
)
def test_what_only_reads_or_helps_loads_no_heavy_tools(tmp_path: Path, arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from orchestration.cli.app import _exit_code\n"
        "_exit_code()\n"
        "print('loaded', *sorted({'dagster', 'dbt', 'dlt'} & sys.modules.keys()), file=sys.stderr)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.stderr.splitlines()[-1] == "loaded"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nonsense"], 2, "nonsense"),
        (["run", "--only", "half"], 2, "--only"),
        (["run", "--accept-deletions", "raise.webhook"], 2, "'raise.webhook' is not one of raise.webhooks, "),
        (["run", "--accept-deletions", "raise.webhook_logs"], 2, ", crm_plus.gifts. See --help."),
        (["sandbox", "--faults", "bad_luck"], 2, "bad_luck"),
        (["run"], 2, "RAISE_API_TOKEN"),
        (["doctor", "--fix"], 2, "--fix"),
        (["summary"], 1, "tieout run"),
        (["summary", "--format", "xml"], 2, "--format"),
        (["exceptions"], 1, "tieout run"),
        (["exceptions", "--entity", "pledge"], 2, "--entity"),
        (["labels"], 1, "tieout run"),
    ],
)
def test_an_error_is_one_line_on_stderr(tieout, arguments: list[str], code: int, said: str) -> None:
    answer = tieout(*arguments)
    assert answer.returncode == code
    assert answer.stdout == ""
    assert len(answer.stderr.splitlines()) == 1
    assert said in answer.stderr


def test_an_unknown_organization_is_a_wrong_setting(tieout) -> None:
    answer = tieout("run", "--organization", "elsewhere", RAISE_API_TOKEN="secret")
    assert answer.returncode == 2
    assert "elsewhere" in answer.stderr
    assert "default" in answer.stderr


def test_what_the_command_is_told_reaches_the_job(tieout, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration import pipeline

    asked: list[Any] = []

    def execute_run(_: Any, run: DagsterRun, instance: DagsterInstance) -> Any:
        # A run that is killed before its first resource is made is buried too.
        assert (Path(instance.root_directory) / "alive" / f"{run.run_id}.lock").exists()
        asked.append((run.run_config["resources"]["options"]["config"], consent(), run.tags))
        return SimpleNamespace(all_events=[DagsterEvent(DagsterEventType.RUN_SUCCESS.value, run.job_name)])

    monkeypatch.setattr(pipeline, "execute_run", execute_run)
    accepted = ["--accept-deletions", "raise.webhooks", "--accept-deletions", "crm_plus.gifts"]
    accepted += ["--accept-organization", "crm_plus"]
    waits = ["--wait-at-most", "1h30m"]
    answer = tieout("run", "--only", "ingest", "--full", *accepted, *waits, RAISE_API_TOKEN="secret")
    assert answer.returncode == 0, answer.stderr
    ((options, agreed, tags),) = asked
    assert options == {"organizations": [], "full": True, "wait_at_most": 5400.0}
    assert RunOptions(**options)
    assert agreed == Consent(("raise.webhooks", "crm_plus.gifts"), ("crm_plus",))
    assert tags["tieout/accepted_deletions"] == "raise.webhooks, crm_plus.gifts"
    assert tags["tieout/accepted_organizations"] == "crm_plus"


@pytest.mark.parametrize("duration", ["", "soon", "5", "-1h", "1h30", "1s1h"])
def test_a_wait_is_a_duration(tieout, duration: str) -> None:
    answer = tieout("run", "--wait-at-most", duration, RAISE_API_TOKEN="secret")
    assert answer.returncode == 2
    assert "is not a duration such as 90s, 15m, 2h or 1h30m" in " ".join(answer.stderr.split())


def test_a_locked_warehouse_is_told_before_anything_is_fetched(tmp_path: Path, unused_tcp_port: int) -> None:
    settings = {
        "RAISE_API_TOKEN": "secret",
        "RAISE_BASE_URL": f"http://127.0.0.1:{unused_tcp_port}",
        "WAREHOUSE_PATH": str(tmp_path / "w.duckdb"),
    }
    with duckdb.connect(settings["WAREHOUSE_PATH"]):
        answer = subprocess.run(
            [Path(sys.executable).with_name("tieout"), "run"],
            cwd=tmp_path,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1
    assert str(tmp_path / "w.duckdb") in answer.stderr
    assert "secret" not in answer.stderr + answer.stdout


@pytest.mark.parametrize("command", [["run"], ["doctor"], ["summary"], ["exceptions"], ["labels"], ["backup"], ["dev"]])
@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TIEOUT_SCHEDULE_NIGTHLY": "0 6 * * *"}, "TIEOUT_SCHEDULE_NIGHTLY is meant"),
        ({"STALE_AFTER_HOURS": "1e20"}, "STALE_AFTER_HOURS"),
        ({"PUBLISHED_PATH": "."}, "is a folder: name a file in it."),
        ({}, ".env, line 1, is no UTF-8"),
    ],
)
def test_every_command_refuses_settings_that_cannot_be_meant(
    tieout, tmp_path: Path, command: list[str], environment: dict[str, str], said: str
) -> None:
    if not environment:
        (tmp_path / ".env").write_bytes(b"\xff")
    answer = tieout(*command, RAISE_API_TOKEN="secret", **environment)
    assert answer.returncode == 2
    told = answer.stdout if command == ["doctor"] else answer.stderr
    assert said in told
    assert len(told.splitlines()) == 1


def test_a_home_of_dagster_that_is_a_file_is_a_wrong_setting(tieout, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    answer = tieout("run", RAISE_API_TOKEN="secret", DAGSTER_HOME=str(tmp_path / "home"))
    assert answer.returncode == 2
    assert "of Dagster cannot be made" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
