"""Secrets never show: the one place that knows them, and in which forms they come.

A text of a server is masked where it enters (`http.py`), and whatever is written once more where it is written: errors,
logs, tables, Dagster's events, the readers' file, terminals, alerts.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property

import pyarrow as pa
import pyarrow.compute as pc

MASK = "***"
SHORTEST = 8
"""A shorter secret, or a number, stands in too many innocent texts to be searched for."""

_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_ALPHANUMERIC = re.compile("[A-Za-z0-9]+")
# From so many characters on, the engine that looks once at each of them is worth its start.
_LONG = 4_000
# More patterns in one would be too large for that engine.
_MOST_IN_ONE = 8


def can_be_masked(secret: str) -> bool:
    """Whether a secret is long and odd enough to be told from other texts."""
    return len(secret) >= SHORTEST and not secret.isdecimal() and secret.isprintable()


@dataclass(frozen=True)
class _Secret:
    """How one secret is found: quickly by `hints`, surely by `found`; what of it is hidden is `hidden`.

    The expressions are such that Python and RE2 read them alike.
    """

    hints: tuple[str, ...]
    found: str
    hidden: str

    def may_be_in(self, text: str, folded: str) -> bool:
        plain, *encoded = self.hints
        return plain in folded or any(hint in text for hint in encoded)


class Mask:
    """Hides secrets in texts and tables: as they are (in any casing), URL-encoded, escaped in JSON or HTML, in Base64.

    `Bearer …` and other texts around a secret stay.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = frozenset(filter(can_be_masked, secrets))
        # The longest first, so that none leaves a rest of another.
        self._each = [_secret(secret) for secret in sorted(self.secrets, key=lambda secret: (-len(secret), secret))]

    @cached_property
    def patterns(self) -> tuple[tuple[str, str], ...]:
        """For RE2: by what a few secrets are found, and what is then to be replaced by `MASK`."""
        few = [self._each[start : start + _MOST_IN_ONE] for start in range(0, len(self._each), _MOST_IN_ONE)]
        return tuple(("|".join(s.found for s in part), "|".join(s.hidden for s in part)) for part in few)

    def text(self, text: str) -> str:
        """The text without the secrets."""
        if len(text) > _LONG and len(self.patterns) == 1:
            try:
                return str(self._column(pa.array([text]))[0].as_py())
            except UnicodeEncodeError:
                # Halves of a character.
                pass
        folded = text.lower()
        # Any character may be written otherwise.
        is_escaped = "%" in text or "\\u00" in text or "&#" in text
        for secret in self._each:
            if is_escaped or secret.may_be_in(text, folded):
                text = _compiled(secret.hidden).sub(MASK, text)
        return text

    def table(self, table: pa.Table) -> pa.Table:
        """The table with the secrets hidden in its columns of text."""
        for place, field in enumerate(table.schema):
            column = table.column(place)
            if self._each and pa.types.is_string(field.type) and len(column):
                # All in one is searched many times as fast as one by one.
                whole = [_joined(chunk) for chunk in column.chunks if len(chunk)]
                if any(_is_in(text, found) for text in whole for found, _ in self.patterns):
                    table = table.set_column(place, field, self._column(column))
        return table

    def _column(self, texts: pa.Array) -> pa.Array:
        for found, hidden in self.patterns:
            if pc.any(pc.match_substring_regex(texts, pattern=found)).as_py():
                texts = pc.replace_substring_regex(texts, pattern=hidden, replacement=MASK)
        return texts


def _is_in(texts: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, pattern=pattern)).as_py())


def _joined(texts: pa.Array) -> pa.Array:
    """The texts as one, without a copy: they lie one behind the other."""
    _, offsets, data = texts.buffers()
    first, last = (struct.unpack_from("<i", offsets, 4 * (texts.offset + at))[0] for at in (0, len(texts)))
    bounds = pa.py_buffer(struct.pack("<qq", first, last))
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, bounds, data or pa.py_buffer(b"")])


# It takes milliseconds for each secret, and most are never met.
_compiled = cache(re.compile)


def _secret(secret: str) -> _Secret:
    plain = f"(?i:{''.join(map(_character, secret))})"
    cores = [*_base64(secret)]
    encoded = ["".join(map(_of_base64, core)) for core in cores]
    return _Secret(
        (_hint(secret).lower(), *map(_hint, cores)),
        "|".join((plain, *encoded)),
        # The characters beside a core are partly of the secret, too.
        "|".join((plain, *(f"[A-Za-z0-9+/_-]?{core}[A-Za-z0-9+/_-]?=*" for core in encoded))),
    )


def _hint(secret: str) -> str:
    """The longest part that nobody needs to escape."""
    return max(_ALPHANUMERIC.findall(secret), key=len, default=secret)


def _character(character: str) -> str:
    """As it is, or as an escape: in a URL, in JSON, in HTML, each of them also within another of its kind."""
    url = "".join(f"%(?:25)*{byte:02x}" for byte in character.encode())
    code = ord(character)
    forms = [re.escape(character) if character.isalnum() else rf"\\*{re.escape(character)}", url, rf"\\+u{code:04x}"]
    forms += [f"&#0*{code};", f"&#x0*{code:x};"]
    forms += [f"&(?:amp;)*{_ENTITIES[character]};"] if character in _ENTITIES else []
    return f"(?:{'|'.join(forms)})"


def _base64(secret: str) -> Iterator[str]:
    """What of a Base64 text depends on the secret alone, wherever it begins in what was encoded."""
    for before, mixed in ((0, 0), (1, 2), (2, 3)):
        data = bytes(before) + secret.encode()
        yield base64.b64encode(data).decode()[mixed : 8 * len(data) // 6]


def _of_base64(character: str) -> str:
    return {"+": r"(?:[+-]|%2[Bb]|\\u002[Bb])", "/": r"(?:\\*/|_|%2[Ff])"}.get(character, character)


_known = Mask()


def learn(secrets: Iterable[str]) -> None:
    """From now on nothing that this process writes shows these either."""
    global _known
    if not _known.secrets.issuperset(new := set(filter(can_be_masked, secrets))):
        _known = Mask(_known.secrets | new)


def known() -> Mask:
    """Hides every secret that this process has met."""
    return _known


def masked(text: str) -> str:
    """The text without any secret that this process has met."""
    return _known.text(text)
