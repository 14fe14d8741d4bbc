"""Reads what paging must know of an answer: the keys of its rows and the total."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from ingestion.columns import Resource
from ingestion.errors import AnswerNotUnderstood
from ingestion.exact_numbers import exact
from ingestion.pages import Page

_BIGINT_LIMIT = 2**63


def page_of(product: str, resource: Resource, rows: str, body: str, *, may_be_empty: bool = False) -> Page:
    """The page in `body`, whose rows stand under `rows` and whose count over all pages under `total`.

    Raises `AnswerNotUnderstood` for anything but the envelope: an error is not an empty page. Nothing at all is one
    only where it `may_be_empty`: where nobody has counted rows that would have to stand there.
    """
    if not body.strip() and may_be_empty:
        return Page(body, (), None)
    try:
        body = exact(body)
        answer = _decoder(rows, resource.key).decode(body)
    except msgspec.ValidationError:
        raise AnswerNotUnderstood(product, resource.path, f"no list of records named {rows}") from None
    except (msgspec.DecodeError, UnicodeError):
        raise AnswerNotUnderstood(product, resource.path, _start(body)) from None
    total = _integer(answer.total)
    if answer.rows is None and (total or (total is None and not may_be_empty)):
        raise AnswerNotUnderstood(product, resource.path, f"no list of records named {rows}")
    return Page(body, tuple(_integer(row.key) for row in answer.rows or ()), total)


@cache
def _decoder(rows: str, key: str) -> msgspec.json.Decoder[Any]:
    """A decoder that makes Python objects of the keys alone and skips the rest, which is most of the text."""
    row = msgspec.defstruct("Row", [("key", Any, msgspec.field(default=None, name=key))])
    answer = msgspec.defstruct(
        "Answer",
        [
            ("rows", list[row] | None, msgspec.field(name=rows)),  # type: ignore[valid-type]
            ("total", Any, msgspec.field(default=None)),
        ],
    )
    return msgspec.json.Decoder(answer)


def _integer(value: object) -> int | None:
    """The integer that an API means: ids come as numbers and as text. None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value) if isinstance(value, str) and "." in value else value
        integer = int(number)
    except (ValueError, OverflowError):
        return None
    is_whole = isinstance(number, str) or number == integer
    return integer if is_whole and abs(integer) < _BIGINT_LIMIT else None


def _start(body: str) -> str:
    text = " ".join(body[:80].split())
    if text.startswith(("{", "[")):
        # What stands in it may be about somebody.
        return "JSON that breaks off"
    return f"no JSON but a text that starts with {text!r}" if text else "an empty body"
