"""Whatever the APIs, files and settings say, each command prints as many lines as ever, and nothing that acts."""

from __future__ import annotations

import csv
import io
import json
import re
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestion.plain_text import line
from ingestion.reading import Progress
from ingestion.settings import Settings
from orchestration import doctor as examination
from orchestration import erasing
from orchestration.alerts.changes import Kind, Message, Topic
from orchestration.cli import app, backup, dev, doctor, erase, exceptions, labels, run, summary, terminal, watch
from orchestration.cli.formats import Format, TabularFormat
from orchestration.doctor import Finding
from orchestration.labels import EventTypeLabels
from orchestration.register import Entry
from orchestration.schedules import Timetable
from orchestration.summary import Summary

PARTS = (
    "\x1b[31m", "\x1b]0;t\x07", "\x9b2J", "\n", "\r\n", "\t", "\x00", "\x7f", "\u202e", "\u2066", "\u2028", "\ud800",
    "[red]", "[/red]", "[link=https://example.org]", "\\[", ":skull:", "{0}", "%s", "=", "+", "-", "@", "Error: ", "x",
)  # fmt: skip
FEW = settings(max_examples=25, deadline=None)
HOSTILE = st.lists(st.sampled_from(PARTS) | st.characters(), min_size=1, max_size=5).map("".join)
SETTINGS = Settings(_env_file=None, raise_api_token="token")


def filled(kind: Any, text: str) -> Any:
    """Something of a type, with this text wherever a text can be."""
    if get_origin(kind) in (types.UnionType, Union):
        return filled(get_args(kind)[0], text)
    if get_origin(kind) is tuple:
        return (filled(get_args(kind)[0], text),)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: filled(hints[field.name], text) for field in fields(kind)})
    if issubclass(kind, Enum):
        return next(iter(kind))
    made = {str: text, int: 1, bool: False, float: 1.0, Decimal: Decimal("-1.5"), date: date(2026, 1, 1)}
    return made[kind] if kind in made else datetime(2026, 1, 1, tzinfo=UTC)


def with_patches(act: Callable[[], object], *patches: Any) -> None:
    with ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        act()


def run_(text: str) -> None:
    """What comes beside the summary: progress, notes, and how it ends."""
    watch._Lines(terminal.terminal()).reading(filled(Progress, text))
    terminal.say_note(text)
    terminal.say_warning(text)
    with mock.patch.object(app, "app", side_effect=ValueError(text)):
        app._exit_code()
    run._say_that_it_waits()


def patched(module: Any, name: str, result: object) -> Any:
    return mock.patch.object(module, name, return_value=result)


def summary_(text: str, format_: Format = Format.TABLE) -> None:
    with_patches(
        lambda: summary.summary(format_),
        patched(summary, "published_file", SETTINGS.published_path),
        patched(summary, "summaries", [filled(Summary, text)]),
        patched(summary, "seed_problems", [text]),
    )


def exceptions_(text: str, format_: TabularFormat = TabularFormat.TABLE) -> None:
    with_patches(
        lambda: exceptions.exceptions(format_=format_),
        patched(exceptions, "published_file", SETTINGS.published_path),
        patched(exceptions, "entries", [filled(Entry, text)]),
    )


def labels_(text: str, format_: TabularFormat = TabularFormat.TABLE) -> None:
    with_patches(
        lambda: labels.labels(format_=format_),
        patched(labels, "published_file", SETTINGS.published_path),
        patched(labels, "event_type_labels", [filled(EventTypeLabels, text)]),
    )


def doctor_(text: str) -> None:
    with_patches(
        lambda: doctor.doctor(send_test_alert=False),
        patched(doctor, "load_settings", SETTINGS),
        patched(doctor, "problems", []),
        patched(examination, "examine", [filled(Finding, text)]),
    )


def backup_(text: str) -> None:
    with_patches(
        lambda: backup.backup(Path(f"a{text}")),
        patched(backup, "load_settings", SETTINGS),
        patched(backup.copies, "backup", 5),
    )


def restore_(text: str) -> None:
    with_patches(
        lambda: backup.restore(Path(f"a{text}")),
        patched(backup, "load_settings", SETTINGS),
        patched(backup.restoring, "restore", Path(f"b{text}")),
    )


def erase_(text: str) -> None:
    with_patches(
        lambda: erase.erase(),
        patched(erase, "load_settings", SETTINGS),
        patched(erase, "execute_shown", ()),
        patched(erasing, "erased", set()),
        patched(erasing, "name", None),
        patched(erasing, "remains", [text, text]),
    )


def dev_(text: str) -> None:
    with_patches(
        lambda: dev.dev(),
        mock.patch("orchestration.instance.open_instance"),
        mock.patch("orchestration.schedules.timetable", return_value=Timetable((), (text,), "UTC")),
        mock.patch.object(dev, "_services", **{"return_value.__enter__.return_value": {"x": mock.Mock()}}),
        patched(dev, "_stoppable", ExitStack()),
        patched(dev, "_check", None),
    )


RENDERERS: Mapping[str, Callable[[str], None]] = {
    "run": run_,
    "summary": summary_,
    "exceptions": exceptions_,
    "labels": labels_,
    "doctor": doctor_,
    "backup": backup_,
    "restore": restore_,
    "dev": dev_,
    "erase": erase_,
}
NO_TEXT_OF_OTHERS = {"sandbox", "demo", "ui", "tidy"}
"""The first prints its own settings, the second what `run` and `summary` print, the third nothing, the last counts."""


def printed(render: Callable[[str], None], text: str) -> str:
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(out), mock.patch.dict("os.environ", COLUMNS="4000"):
        render(text)
    return out.getvalue()


def acting(text: str) -> set[str]:
    return {c for c in text if not (c.isprintable() or c in "\n\u200c\u200d")}


def test_every_command_is_here() -> None:
    known = {command.callback.__name__ for command in app.app.registered_commands if command.callback}
    assert known == RENDERERS.keys() | NO_TEXT_OF_OTHERS


@pytest.mark.parametrize("command", RENDERERS)
@FEW
@given(text=HOSTILE)
@example(text="[red]x[/red]\x1b[31m\x1b]0;t\x07\nError: forged\u202e")
@example(text="[/nothing]")
@example(text=":skull:")
def test_a_command_prints_nothing_that_acts(command: str, text: str) -> None:
    said = printed(RENDERERS[command], text)
    assert acting(said) == set()
    # As many lines as of a text that has but one.
    assert said.count("\n") == printed(RENDERERS[command], line(text)).count("\n")
    assert text not in ("[/nothing]", ":skull:") or text in said
    assert "forged" not in text or "[red]x[/red]" in said


@FEW
@given(text=HOSTILE)
@example(text="=cmd|' /C calc'!A0")
@pytest.mark.parametrize("render", [exceptions_, labels_])
def test_csv_has_no_formula_and_its_numbers_are_numbers(render: Callable[..., None], text: str) -> None:
    said = printed(lambda text: render(text, TabularFormat.CSV), text)
    assert acting(said) == set()
    heading, *rows = csv.reader(io.StringIO(said))
    assert said.count("\n") == 2
    (row,) = rows
    texts = [value for value in row if not re.fullmatch(r"-?\d+(\.\d+)?", value)]
    formulas = [value for value in texts if value[:1] in set("=+-@\t\r\uff1d\uff0b\uff0d\uff20")]
    assert formulas == []
    assert dict(zip(heading, row, strict=True)).get("amount_at_stake", "-1.5") == "-1.5"


@FEW
@given(text=HOSTILE)
@pytest.mark.parametrize(
    ("render", "format_"),
    [(exceptions_, TabularFormat.JSON), (labels_, TabularFormat.JSON), (summary_, Format.JSON)],
)
def test_json_says_all_of_it_in_escapes(render: Callable[..., None], format_: object, text: str) -> None:
    said = printed(lambda text: render(text, format_), text)
    assert acting(said) - {"\u200c", "\u200d"} == set()
    assert text in {*texts(json.loads(said))}


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from texts(inner)
    if isinstance(value, str):
        yield value


@FEW
@given(text=HOSTILE)
def test_an_alert_has_its_lines_and_no_others(text: str) -> None:
    message = Message(Kind.RUN_FAILED, Topic.RUN, (text, text), {})
    assert acting(message.text) == set()
    assert len(message.text.split("\n")) == 4
