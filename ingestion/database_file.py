"""What kind of file a path is, before DuckDB is asked to open it.

DuckDB opens what it knows by its first bytes, and for SQLite and others looks for an extension in the network.
"""

from __future__ import annotations

import stat
from pathlib import Path

EMPTY = "it is empty"

_SQLITE = b"SQLite format 3\0"
# After a checksum of eight bytes (https://duckdb.org/docs/stable/internals/storage).
_DUCKDB = slice(8, 12), b"DUCK"


def oddity(path: Path) -> str | None:
    """Why a path is no DuckDB file, in words that fit behind its name; None where it is one. Raises `OSError`."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        return "it is a folder"
    if not stat.S_ISREG(mode):
        return "it is no plain file"
    with path.open("rb") as opened:
        head = opened.read(16)
    if not head:
        return EMPTY
    if head == _SQLITE:
        return "it is an SQLite file"
    where, magic = _DUCKDB
    return None if head[where] == magic else "it is no DuckDB file"
