"""A disk without room, whoever noticed it: DuckDB, SQLite, dlt and Dagster each say so in another way."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from pathlib import Path

from ingestion.errors import TieoutError

_CODES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_TEXTS = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|database or disk is full|failed to offload"
)
_FILE = re.compile(r"file \"([^\"]+)\"")


class DiskFull(TieoutError):
    """There is no room, or no right to more, where something had to be written."""

    def __init__(self, where: str | None) -> None:
        place = f": {where} could not be written" if where else ""
        super().__init__(
            f"The disk is full, or its quota used up{place}. Make room and run again; what was loaded before is kept."
        )


def full_disk(error: BaseException, place: Path | None = None) -> DiskFull | None:
    """The error in words that help, where it comes from a full disk at any depth. `place` is what was being written,
    for where the error does not say.
    """
    for cause in _causes(error):
        if isinstance(cause, DiskFull):
            return cause
        # What an API says is about its own disk.
        if isinstance(cause, TieoutError):
            return None
        if isinstance(cause, OSError) and cause.errno in _CODES:
            # Of a copy, the second one is what was written.
            return DiskFull(_named(cause.filename2 or cause.filename or place))
        if is_full_disk(text := str(cause)):
            return DiskFull(written_file(text) or _named(place))
    return None


def written_file(text: str) -> str | None:
    """Which file could not be written, where DuckDB says it."""
    found = _FILE.search(text)
    return found[1] if found else None


def _named(place: object) -> str | None:
    return str(place) if place else None


def is_full_disk(text: str) -> bool:
    """Whether a message says so."""
    return bool(_TEXTS.search(text))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
