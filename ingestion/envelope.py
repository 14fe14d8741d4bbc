"""Reads what paging must know of an answer: the keys of its rows and the total."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec

from ingestion.columns import Resource
from ingestion.errors import AnswerNotUnderstood
from ingestion.exact_numbers import exact
from ingestion.pages import Page

_BIGINT_LIMIT = 2**63
# More digits are no BIGINT, and Python refuses thousands of them. A number with a fraction goes through a double.
_INTEGER = re.compile(
    rb'(?P<whole>-?[0-9]{1,25})|(?P<real>-?[0-9]{1,15})\.0{1,9}|" *(?P<text>[+-]?[0-9]{1,25})(\.0{0,9})? *"'
)
_NOTHING = msgspec.Raw(b"null")


def page_of(product: str, resource: Resource, rows: str, body: str, *, may_be_empty: bool = False) -> Page:
    """The page in `body`, whose rows are listed under `rows` and whose count over all pages under `total`.

    Raises `AnswerNotUnderstood` for anything but the envelope: an error is not an empty page. Nothing at all is one
    only where it `may_be_empty`: where every row that was counted before has come.
    """
    if not body.strip() and may_be_empty:
        return Page(body, (), None)
    try:
        body = exact(body)
        answer = _decoder(rows, resource.key).decode(body)
    except msgspec.ValidationError:
        raise AnswerNotUnderstood(product, resource.path, f"no list of records named {rows}") from None
    except RecursionError:
        raise AnswerNotUnderstood(product, resource.path, "JSON that is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeError):
        raise AnswerNotUnderstood(product, resource.path, *_start(body)) from None
    total = _integer(answer.total)
    if total is not None and total < 0:
        total = None
    if answer.rows is None and (total or (total is None and not may_be_empty)):
        raise AnswerNotUnderstood(product, resource.path, f"no list of records named {rows}")
    return Page(body, tuple(_integer(row.key) for row in answer.rows or ()), total)


def row_page_of(product: str, resource: Resource, rows: str, row: str, path: str) -> Page:
    """The page of the one row that `row`, the body of an answer to `path`, is."""
    if not row.strip():
        raise AnswerNotUnderstood(product, path, *_start(row))
    page = page_of(product, resource, rows, f'{{"{rows}":[{row}],"total":1}}')
    if page.count != 1:
        raise AnswerNotUnderstood(product, path, "more than one record")
    return page


@cache
def _decoder(rows: str, key: str) -> msgspec.json.Decoder[Any]:
    """A decoder that makes Python objects of the keys alone and skips the rest, which is most of the text."""
    row = msgspec.defstruct("Row", [("key", msgspec.Raw, msgspec.field(default=_NOTHING, name=key))])
    answer = msgspec.defstruct(
        "Answer",
        [
            ("rows", list[row] | None, msgspec.field(name=rows)),  # type: ignore[valid-type]
            ("total", msgspec.Raw, msgspec.field(default=_NOTHING)),
        ],
    )
    return msgspec.json.Decoder(answer)


def _integer(value: msgspec.Raw) -> int | None:
    """The integer that an API means: ids come as numbers and as text. None for anything else.

    Only what every parser reads alike: Python takes `1_2` and digits of other scripts for integers too; DuckDB takes
    `1e3` for one or not, depending on how it is asked.
    """
    found = _INTEGER.fullmatch(bytes(value))
    if not found:
        return None
    integer = int(found["whole"] or found["real"] or found["text"])
    return integer if abs(integer) < _BIGINT_LIMIT else None


def _start(body: str) -> tuple[str, str]:
    """What a body is that is no JSON, and how it starts."""
    text = " ".join(body[:80].split())
    if text.startswith(("{", "[")):
        # What stands in it may be about somebody.
        return "JSON that breaks off", ""
    return ("no JSON but a text", f" that starts with {text!r}") if text else ("an empty body", "")
