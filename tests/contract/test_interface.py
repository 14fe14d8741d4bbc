"""What the README and `.env.example` say of the commands and settings is what there is."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import typer.main

from ingestion.settings import SCHEDULE_SETTINGS, Settings
from orchestration.cli.app import app
from orchestration.register import FIELDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETTINGS = {name.upper() for name in Settings.model_fields} | {*SCHEDULE_SETTINGS}


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def usage_of(command: str) -> str:
    (usage,) = re.findall(rf"^\| `tieout {command}( [^`]*)?` \|", section("Command line"), re.MULTILINE)
    return usage


def options(command: typer.main.TyperCommand) -> set[str]:
    return {max(parameter.opts, key=len) for parameter in command.params if parameter.param_type_name == "option"}


COMMANDS = typer.main.get_command(app)


@pytest.mark.parametrize("name", sorted(COMMANDS.commands))
def test_the_readme_has_every_command_with_every_option(name: str) -> None:
    assert set(re.findall(r"--[a-z-]+", usage_of(name))) == options(COMMANDS.commands[name]) - {"--help"}


def choices(command: typer.main.TyperCommand) -> set[type[StrEnum]]:
    hints = get_type_hints(command.callback).values()
    kinds = [kind for hint in hints for kind in (hint, *get_args(hint))]
    return {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, StrEnum)}


@pytest.mark.parametrize("name", sorted(name for name, command in COMMANDS.commands.items() if choices(command)))
def test_the_readme_has_every_choice_of_an_option(name: str) -> None:
    usage = usage_of(name)
    assert {"\\|".join(kind) for kind in choices(COMMANDS.commands[name])} <= set(re.findall(r"[a-z_\\|]+", usage))


def test_the_readme_has_the_options_of_tieout_itself() -> None:
    named = set(re.findall(r"`(?:tieout )?(--[a-z-]+)`", section("Command line")))
    assert options(COMMANDS) | {"--help"} <= named


def test_the_readme_has_every_setting_and_no_other() -> None:
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", section("Settings"), re.MULTILINE)) == SETTINGS


def test_the_example_has_every_setting_and_no_other() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE)) == SETTINGS


def test_the_example_shows_the_defaults() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    shown = {name: value for name, value in re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", example, re.MULTILINE) if value}
    told = dict(re.findall(r"^\| `([A-Z_]+)` \| `([^`]+)` \|", section("Settings"), re.MULTILINE))
    examples = {"ORGANIZATIONS_FILE", *SCHEDULE_SETTINGS}
    assert {name: value for name, value in shown.items() if name not in examples} == told
    for name, value in told.items():
        default = Settings.model_fields[name.lower()].default
        assert str(getattr(default, "value", default)).removesuffix(".0") == value


def test_the_readme_has_the_fields_of_an_exception_in_order() -> None:
    text = section("Command line").split("in this order:")[1].split(". Ids")[0]
    assert tuple(re.findall(r"`([a-z_]+)`", text)) == FIELDS
