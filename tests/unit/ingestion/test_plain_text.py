"""Texts of others neither run nor format nor forge lines, in any kind of output."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.plain_text import cell, clean_logs, line, log_entry, paragraph, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("River Relief – Łódź 日本 😀", "River Relief – Łódź 日本 😀"),
        ("\x1b]0;owned\x07\x1b[2J", "�]0;owned��[2J"),
        ("a\nError: forged\r\n\tb", "a Error: forged b"),
        ("a\x85b\u2028c\u2029d\x0be", "a b c d e"),
        ("\x9b31mred", "�31mred"),
        ("invoice\u202efdp.exe", "invoice�fdp.exe"),
        ("\u2066\u200f\ufeff\u00ad\x00", "�����"),
        ("half \ud83d", "half �"),
        # How Persian, Hindi and families are written.
        ("\u0645\u06cc\u200c\u062e 👩\u200d👧", "\u0645\u06cc\u200c\u062e 👩\u200d👧"),
        ("[red]River[/red] :skull:", "[red]River[/red] :skull:"),
        ("a\u00a0b", "a b"),
    ],
)
def test_a_line_is_one_line_and_does_nothing(text: str, shown: str) -> None:
    assert line(text) == shown


@given(st.text())
def test_any_text_becomes_one_line(text: str) -> None:
    shown = line(text)
    assert len(f"<{shown}>".splitlines()) == 1
    assert all(c.isprintable() or c in "\u200c\u200d" for c in shown)
    assert line(shown) == shown
    assert len(paragraph([text, text]).split("\n")) == 2


@given(st.text())
def test_further_lines_of_an_entry_look_like_none(text: str) -> None:
    _, *others = log_entry(text).split("\n")
    assert all(other.startswith("    ") for other in others)
    assert not {"\x1b", "\r", "\u202e", "\x9b", "\u2028"} & set(log_entry(text))


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t=", "\r=", "\n@", " =", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_no_cell_of_text_is_a_formula(start: str) -> None:
    assert str(cell(f"{start}cmd|' /C calc'!A0")).startswith("'")


@pytest.mark.parametrize("value", [-5, Decimal("-12.50"), None, True, "River", "", "–", "a=b", "5"])
def test_what_is_no_formula_stays_as_it_is(value: object) -> None:
    assert cell(value) is value or cell(value) == value


def test_everything_in_a_result_becomes_plain() -> None:
    class Verdict(StrEnum):
        OK = "ok"

    @dataclass(frozen=True)
    class Inner:
        text: str | None

    @dataclass(frozen=True)
    class Outer:
        verdict: Verdict
        inner: tuple[Inner, ...]
        listed: list[str]
        amount: Decimal

    found = plain([Outer(Verdict.OK, (Inner("a\nb"), Inner(None)), ["\x1b"], Decimal(1))])
    assert found == [Outer(Verdict.OK, (Inner("a b"), Inner(None)), ["�"], Decimal(1))]
    assert found[0].verdict is Verdict.OK


def test_no_text_forges_an_entry_of_a_log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(logging, "_logRecordFactory", logging.LogRecord)
    clean_logs()
    try:
        raise ValueError("odd\n2026-01-01 - ERROR - forged \x1b[2J")
    except ValueError:
        logging.getLogger("plain").exception("reading %s", "x\n2026-01-01 - ERROR - forged\x1b]0;t\x07")
    assert "\x1b" not in caplog.text
    assert not [entry for entry in caplog.text.splitlines() if entry.startswith("2026")]
    assert "ValueError: odd" in caplog.text
