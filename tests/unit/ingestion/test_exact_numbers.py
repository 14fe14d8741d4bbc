from __future__ import annotations

import json
import re
from decimal import Decimal

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.exact_numbers import exact


@pytest.mark.parametrize(
    ("number", "is_kept"),
    [
        ("1234567890123456.78", False),
        ("1234567890123456789012", False),
        ("-9223372036854775809", False),
        ("9007199254740993.0", False),
        ("0.12345678901234567890", False),
        ("1e400", False),
        ("-1E-400", False),
        ("9223372036854775807", True),
        ("-9223372036854775808", True),
        ("0.30000000000000004", True),
        ("123456789012345.00000", True),
        ("1.10", True),
        ("1e3", True),
        ("-0.0", True),
        ("1e0002", True),
    ],
)
def test_what_a_double_holds_stays_a_number(number: str, is_kept: bool) -> None:
    for written in (f'{{"a":{number}}}', f"[ {number} ,1]", f'{{"a":{{"b": [1,{number}]}}}}'):
        assert exact(written) == (written if is_kept else written.replace(number, f'"{number}"'))


@pytest.mark.parametrize(
    "text",
    [
        "12345678901234567890.12",
        'say: 12345678901234567890.12, "quoted": 1e-400,',
        "\\",
        'ends in a backslash \\", 12345678901234567890.12 ,',
        "a0e0001-b0e-0001",
        "2026-01-01T00:00:00.1234567+00:00",
    ],
)
def test_texts_stay_as_they_are(text: str) -> None:
    body = json.dumps({text: [text, 1, {"b": text}]})
    assert exact(body) == body
    behind = body.replace("1, {", "1234567890123456789.25, {")
    assert exact(behind) == behind.replace("1234567890123456789.25", '"1234567890123456789.25"')


def test_what_is_no_json_is_left_to_those_who_parse_it() -> None:
    for body in ("", "12345678901234567890", "<html>: 12345678901234567890.12 </html>", "0e-0001", "e" * 20):
        assert exact(body).replace('"', "") == body


_PLAIN = st.decimals(allow_nan=False, allow_infinity=False).map(str)
_LONG = st.from_regex(re.compile(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?"), fullmatch=True)


@settings(max_examples=200, deadline=None)
@given(numbers=st.lists(_PLAIN | _LONG, max_size=6), texts=st.lists(st.text() | _LONG, min_size=1, max_size=4))
def test_the_value_of_every_number_survives_a_parser_that_makes_doubles(numbers: list[str], texts: list[str]) -> None:
    written = ",".join(numbers)
    body = f'{{"numbers":[{written}], "texts": {json.dumps(texts)}, "map": {{{json.dumps(texts[0])}:[{written}]}}}}'
    parsed = orjson.loads(exact(body))
    assert parsed["texts"] == [text.encode("utf-8", "replace").decode() for text in texts]
    for found in (parsed["numbers"], *parsed["map"].values()):
        assert [Decimal(str(number)) for number in found] == [Decimal(number) for number in numbers]
