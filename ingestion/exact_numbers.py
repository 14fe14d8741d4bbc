"""Numbers that no double and no 64-bit integer holds become texts, so that whatever parses a body keeps their digits.

DuckDB, orjson and Python read a JSON number with a fraction or an exponent as a double, which keeps 15 digits for sure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from math import isfinite

# Digits and points are zeros in the shape of a body: so what may be too long or too large is found without a regex.
_SHAPE = bytes.maketrans(b"123456789.E", b"0000000000e")
# 16 digits with a point, or more without one; exponents of three digits.
_NEEDLES = (b"0" * 17, b"0e000", b"0e+000", b"0e-000")
_ZEROS = re.compile(b"0*")
_NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_BEFORE, _AFTER = b":,[ \t\r\n", b",]} \t\r\n"


def exact(body: str) -> str:
    """The body with such numbers in quotes. Most bodies have none, and are not parsed to find that out."""
    data = body.encode()
    shape = data.translate(_SHAPE)
    if not any(needle in shape for needle in _NEEDLES):
        return body
    plain, quotes, counted = b"", 0, 0
    parts, done = [], 0
    for start in sorted(set(_starts(shape))):
        start -= data[start - 1 : start] == b"-"
        number = _NUMBER.match(data, start)
        if not number or data[start - 1] not in _BEFORE or data[number.end() : number.end() + 1] not in _AFTER:
            continue
        # What looks like a number may be a part of a text: behind an odd number of quotes.
        plain = plain or data.replace(rb"\\", b"__").replace(rb"\"", b"__")
        quotes += plain.count(b'"', counted, start)
        counted = start
        if quotes % 2 or _is_held(number.group().decode()):
            continue
        parts += [data[done:start], b'"', number.group(), b'"']
        done = number.end()
    return b"".join((*parts, data[done:])).decode() if parts else body


def _starts(shape: bytes) -> Iterator[int]:
    """Where the digits begin of what may be a number that is too long or too large."""
    for needle in _NEEDLES:
        hit = shape.find(needle)
        while hit >= 0:
            start = hit
            while shape[start - 1 : start] == b"0":
                start -= 1
            yield start
            zeros = _ZEROS.match(shape, hit)
            assert zeros
            hit = shape.find(needle, zeros.end())


def _is_held(number: str) -> bool:
    try:
        value = Decimal(number)
        if number.lstrip("-").isdigit():
            return -(2**63) <= value < 2**63
        near = float(number)
        return isfinite(near) and Decimal(repr(near)) == value
    except ArithmeticError:
        return False
