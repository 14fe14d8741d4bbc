"""Texts of others as they may be shown: one function for each kind of output.

Names and notes come from whoever filled in a form. In a terminal, a log, a mail or a spreadsheet they must not run,
format, forge lines or turn the reading direction around; nor must any of them show a secret.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

from ingestion.masking import masked

_UNSHOWN = "\N{REPLACEMENT CHARACTER}"
# Scripts of Persia and India, and emoji, are written with these; they do nothing by themselves.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
# https://owasp.org/www-community/attacks/CSV_Injection; spreadsheets take the wide forms for the others.
_FORMULA = re.compile("[=+\\-@\uff1d\uff0b\uff0d\uff20]")

T = TypeVar("T")


def line(text: str) -> str:
    """For a terminal: one line, without control characters and marks of direction; what was there is seen as �."""
    return _printable(" ".join(masked(text).split()))


def log_entry(text: str) -> str:
    """For a log: further lines are indented, so that none of them looks like an entry of its own."""
    return "\n    ".join(_printable(part.replace("\t", "    ")) for part in masked(text).splitlines())


def paragraph(lines: Iterable[str]) -> str:
    """For an alert, by mail or chat: these lines and no others."""
    return "\n".join(map(line, lines))


def cell(value: object) -> object:
    """For CSV: a text that a spreadsheet would run as a formula begins with an apostrophe; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = line(value)
    return f"'{text}" if _FORMULA.match(text) else text


def plain(value: T) -> T:
    """The same with each text in it as a line: dataclasses, tuples and lists are gone through."""
    return _plain(value)  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Enum):
        return line(value)
    if isinstance(value, (tuple, list)):
        return type(value)(map(_plain, value))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _plain(getattr(value, field.name)) for field in fields(value)})
    return value


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS or _is_space(c) else _UNSHOWN for c in text)


def _is_space(character: str) -> bool:
    return unicodedata.category(character) == "Zs"


def clean_logs() -> None:
    """Whatever this process logs from now on goes through `log_entry`, errors with their traces too."""
    made = logging.getLogRecordFactory()
    if not isinstance(made, _Records):
        logging.setLogRecordFactory(_Records(made))


class _Records:
    def __init__(self, made: Callable[..., logging.LogRecord]) -> None:
        self._made = made

    def __call__(self, *args: object, **kwargs: object) -> logging.LogRecord:
        record = self._made(*args, **kwargs)
        record.msg, record.args = log_entry(record.getMessage()), None
        if record.exc_info and record.exc_info[0]:
            # A formatter takes what is there already.
            record.exc_text = log_entry(logging.Formatter().formatException(record.exc_info))
        return record
