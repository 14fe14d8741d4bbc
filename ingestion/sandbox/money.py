"""Money is whole cents inside the sandbox; these are its spellings on the wire."""

from __future__ import annotations

SYMBOLS = {"USD": "$", "CAD": "CA$", "EUR": "€"}


def number(cents: int) -> float:
    """A JSON number."""
    return cents / 100


def text(cents: int, currency: str = "USD") -> str:
    """`$1,200.00`, and `-$3.50` below zero."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{SYMBOLS[currency]}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def short_text(cents: int) -> str:
    """`$1,200` and `$10.50`: whole amounts lose their decimals."""
    return text(cents).removesuffix(".00")
