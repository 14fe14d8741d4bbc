"""The runbook and the deployment guide speak of what there is, and of all of it."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import typer.main
import yaml

from ingestion.errors import SettingsError, SourceError, TieoutError, WarehouseLocked, WarehouseUnusable
from ingestion.settings import SCHEDULE_SETTINGS, Settings
from orchestration.alerts.changes import Kind, Message, Topic
from orchestration.cli.app import app
from orchestration.dbt import TransformBroken, TransformFailed

CALL = re.compile(r"(?<![/\w.-])(?:\S*/bin/)?tieout ([a-z]+)([^\n#;&|]*)")

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
DEPLOY = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
UNITS = sorted((ROOT / "deploy").glob("*.service"))
MODULE = "orchestration.definitions"
LOCATION = yaml.safe_load((ROOT / "deploy" / "workspace.yaml").read_text())["load_from"][0]["grpc_server"]
COMMANDS = typer.main.get_command(app).commands
HOME = "/opt/tieout/"


def part(text: str, title: str) -> str:
    level = title.split()[0]
    return re.split(rf"^#{{2,{len(level)}}} ", text.split(f"\n{title}\n")[1], flags=re.MULTILINE)[0]


def test_every_alert_has_its_entry_in_the_order_of_the_alerts() -> None:
    assert re.findall(r"^### (\w+)$", part(RUNBOOK, "## Alerts"), re.MULTILINE) == list(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_an_alert_names_its_entry_and_the_entry_its_title(kind: Kind) -> None:
    message = Message(kind, Topic.RUN, (), {})
    assert message.text.splitlines()[-1] == f"What to do: docs/runbook.md, {kind}"
    assert f"*{message.title.removeprefix('tieout: ')}.*" in part(RUNBOOK, f"### {kind}")


def faults(base: type[SourceError] = SourceError) -> list[type[SourceError]]:
    return [kind for sub in base.__subclasses__() for kind in (sub, *faults(sub)) if kind.is_fault]


@pytest.mark.parametrize(
    "error", [*faults(), WarehouseLocked, WarehouseUnusable, TransformBroken, TransformFailed, SettingsError]
)
def test_every_error_that_an_alert_can_carry_has_its_line(error: type[TieoutError]) -> None:
    texts = re.findall(rf"^\| `{error.__name__}`: ([^|]+) \|", ERRORS, re.MULTILINE)
    fragments = [max((piece.strip() for piece in text.split("…")), key=len) for text in texts]
    assert any(fragment in part(RUNBOOK, "### run_failed") for fragment in fragments), fragments


@pytest.fixture(scope="module")
def checks(defs: dg.Definitions) -> set[str]:
    return {key.name for key in defs.resolve_asset_graph().asset_check_keys}


def entries_of_checks() -> list[str]:
    rows = re.findall(r"^\| (`.+?) \|", part(RUNBOOK, "## Checks"), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def test_every_check_has_its_entry_and_every_entry_its_check(checks: set[str]) -> None:
    entries = entries_of_checks()
    assert sorted(name for name in checks if not any(entry in name for entry in entries)) == []
    assert [entry for entry in entries if not any(entry in name for name in checks)] == []


@pytest.mark.parametrize("text", [RUNBOOK, DEPLOY], ids=["runbook", "deploy"])
def test_commands_files_and_settings_that_are_named_exist(text: str) -> None:
    fenced = re.findall(r"^```.*?$(.*?)^```", text, re.MULTILINE | re.DOTALL)
    code = [*fenced, *re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))]
    called = [call for piece in code for call in CALL.findall(piece)]
    assert called
    for command, arguments in called:
        options = {option for parameter in COMMANDS[command].params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", arguments)) <= options, command
    files = {name for piece in code for name in re.findall(rf"{HOME}([\w./-]*\w)", piece)}
    files |= {name for piece in code for name in re.findall(r"^((?:transform|docs|deploy)/[\w./-]+)$", piece)}
    assert [name for name in files if not name.startswith(".venv") and not (ROOT / name).exists()] == []
    links = re.findall(r"\]\(([^)#]+)", text)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    known = {name.upper() for name in Settings.model_fields} | {*SCHEDULE_SETTINGS, "DAGSTER_HOME", "HOME"}
    named = {name for piece in code for name in re.findall(r"\b(?:[A-Z]+_)+[A-Z]+\b", piece)}
    assert {name for name in named if not name.startswith("DAGSTER_PG_")} <= known


def test_anchors_lead_somewhere() -> None:
    for text, own in ((RUNBOOK, "runbook.md"), (DEPLOY, "deploy.md")):
        for file, anchor in re.findall(r"\]\(([\w.-]*)#([\w-]+)\)", text):
            target = (ROOT / "docs" / (file or own)).read_text(encoding="utf-8")
            titles = re.findall(r"^#+ (.+)$", target, re.MULTILINE)
            headings = [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]
            assert anchor in headings


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_the_units_are_those_of_the_guide(unit: Path) -> None:
    assert f"{HOME}deploy/{unit.name}" in DEPLOY
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(unit.read_text(encoding="utf-8"))
    service = parser["Service"]
    program, *arguments = service["ExecStart"].split()
    if unit.stem == "tieout-code":
        assert (program, arguments[:4]) == (f"{HOME}.venv/bin/dagster", ["api", "grpc", "-m", MODULE])
        assert arguments[4:] == ["--location-name", LOCATION["location_name"], "--socket", LOCATION["socket"]]
        assert LOCATION["socket"].startswith(f"/run/{service['RuntimeDirectory']}/")
    else:
        # The web server of Dagster's own would answer to every page.
        assert (program, arguments[0]) in {
            (f"{HOME}.venv/bin/dagster-daemon", "run"),
            (f"{HOME}.venv/bin/tieout", "ui"),
        }
        assert arguments[-2] in {"-w", "--workspace"}
        assert arguments[-1] == f"{HOME}deploy/workspace.yaml"
        assert "tieout-code.service" in parser["Unit"]["After"].split()
    files = re.findall(r"^EnvironmentFile=(.+)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    # Whoever gets into the server of the UI gets no credentials of the APIs.
    assert files == ["/etc/tieout/tieout.env"] * (unit.stem == "tieout-code") + ["-/etc/tieout/dagster.env"]
    for named in (*files, service["WorkingDirectory"], f"--uid={service['User']}"):
        assert named in DEPLOY
    assert "DAGSTER_HOME=/var/lib/tieout/dagster" in service["Environment"]
    assert (service["NoNewPrivileges"], service["ProtectSystem"]) == ("yes", "strict")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_little_is_left_to_the_units(unit: Path) -> None:
    """At most 1.5 of 10 by what systemd itself counts; the option takes tenths."""
    if (analyze := shutil.which("systemd-analyze")) is None:
        pytest.skip("needs systemd-analyze")
    command = [analyze, "security", "--offline=yes", "--threshold=15", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_there_are_all_units() -> None:
    assert [unit.stem for unit in UNITS] == ["tieout-code", "tieout-daemon", "tieout-webserver"]


def test_postgres_is_of_the_version_of_the_integrations() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (pin,) = [line.split("==")[1] for line in project["dependencies"] if line.startswith("dagster-dbt==")]
    assert f"dagster-postgres=={pin}" in DEPLOY


def test_our_event_log_is_named_where_dagster_is_told_of_it() -> None:
    told = (ROOT / "dagster.yaml").read_text(encoding="utf-8")
    module, name = re.findall(r"module: (\S+)\n\s+class: (\S+)", told)[0]
    assert f"`{module}.{name}`" in DEPLOY


def test_the_makefile_installs_as_the_guide_says() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "INSTALLED := $(VENV)/.installed" in makefile
    assert "make -C /opt/tieout .venv/.installed" in DEPLOY


def test_the_sensor_is_there_and_on(defs: dg.Definitions) -> None:
    (sensor,) = defs.sensors or ()
    assert isinstance(sensor, dg.SensorDefinition)
    assert (sensor.name, sensor.default_status) == ("alerts", dg.DefaultSensorStatus.RUNNING)
    assert "sensor `alerts`" in RUNBOOK


@pytest.mark.parametrize("file", sorted(ROOT.glob("docs/*.md")) + sorted(ROOT.glob("*.md")), ids=lambda file: file.name)
def test_every_row_of_a_table_stands_under_its_head(file: Path) -> None:
    """Behind a blank line a row is plain text."""
    blocks = re.findall(r"(?:^\|.*\n)+", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert [block.splitlines()[0] for block in blocks if not re.search(r"\A.*\n\|[-|: ]+\n", block)] == []
