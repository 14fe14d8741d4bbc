"""Writes the readers' file: the marts alone, replaced whole."""

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from ingestion import machine, masking
from ingestion.database_file import EMPTY, oddity
from ingestion.errors import TieoutError
from orchestration.private_files import folder_mode, set_mode

SCHEMA = "marts"
_PRIVATE = 0o600


class PublishedUnusable(TieoutError):
    """There is something at the place of the readers' file that is not ours to replace."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"The published file {path} cannot be replaced ({reason}): correct PUBLISHED_PATH, or move it away."
        )


def check(published: Path) -> None:
    """Raises `PublishedUnusable` where a file would be replaced that nobody published."""
    if published.is_symlink() and not published.resolve().parent.is_dir():
        raise PublishedUnusable(published, f"{published.resolve().parent}, where it points to, does not exist")
    try:
        odd = oddity(published) if published.exists() else None
    except OSError as error:
        raise PublishedUnusable(published, f"{error.strerror}") from None
    # Whoever wants rights of his own for the first file may make an empty one.
    if odd and odd != EMPTY:
        raise PublishedUnusable(published, odd)
    if odd is None and published.exists():
        _check_tables(published)


def _check_tables(published: Path) -> None:
    # What is damaged, or held by a reader who may write to it, has our header; the next publish mends both.
    with suppress(duckdb.Error), machine.connect(published, read_only=True) as connection:
        held = connection.execute("SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL").fetchall()
        schemas = {schema for schema, _ in held}
        if held and (SCHEMA not in schemas or any(schema.startswith("raw_") for schema in schemas)):
            foreign = next(row for row in held if row[0] != SCHEMA)
            raise PublishedUnusable(published, f"it holds {'.'.join(foreign)}, and was not published by tieout")


def publish(warehouse: Path, published: Path, mode: int | None = None) -> dict[str, int]:
    """Copies the marts into a new file and swaps it in; readers have the old file or the new one. Rows by table.

    What somebody gave the old file stays: its owner and group, and where it is when its path is a link; its rights too,
    unless a mode is wanted. A first file is for its owner alone then.
    """
    check(published)
    place = published.resolve()
    _make_folder(place.parent, folder_mode(mode or _PRIVATE))
    # Opened for writing, though it only reads: DuckDB's lock then makes this the only publisher.
    with machine.connect(warehouse) as connection, _draft(place) as draft:
        connection.execute(f"ATTACH '{_quoted(draft)}' AS draft (TYPE duckdb)")
        connection.execute(f"CREATE SCHEMA draft.{SCHEMA}")
        rows = {table: _copy(connection, table) for table in _tables(connection)}
        _copy_comments(connection)
        connection.execute("DETACH draft")
        _keep_what_was_given(place, draft, mode)
        _sync(draft)
        # A reader that opened the old file for writing may have left a log, which does not belong to the new one.
        _log_of(place).unlink(missing_ok=True)
        _log_of(published).unlink(missing_ok=True)
        os.replace(draft, place)
    return rows


@contextmanager
def _draft(place: Path) -> Iterator[Path]:
    """In a folder that only we can enter: the new file gets the rights of the old one when it is whole."""
    folder = place.with_name(f".{place.name}.draft")
    _remove(folder)
    try:
        folder.mkdir(mode=0o700)
        yield folder / place.name
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    # What older versions left, which had files in its place.
    for file in (folder, _log_of(folder)):
        file.unlink(missing_ok=True)


def _make_folder(folder: Path, mode: int) -> None:
    """Folders that exist keep their mode."""
    if folder.is_dir():
        return
    _make_folder(folder.parent, mode)
    folder.mkdir(exist_ok=True)
    set_mode(folder, mode)


def _keep_what_was_given(old: Path, new: Path, mode: int | None) -> None:
    """Gives a new file the group, owner, rights and attributes (such as access lists) of the one that it replaces."""
    if not old.exists():
        set_mode(new, mode or _PRIVATE)
        return
    user, group = _given(old)
    if _given(new) != (user, group):
        try:
            os.chown(new, user, group)
        except PermissionError:
            # Only root gives files away; a group is given by whoever is in it.
            _give_group(old, new, group)
    # After the owner: a change of owner takes rights away.
    set_mode(new, stat.S_IMODE(old.stat().st_mode))
    for name in os.listxattr(old) if sys.platform == "linux" else ():
        with suppress(OSError):
            os.setxattr(new, name, os.getxattr(old, name))
    # After the access list, whose mask it is.
    if mode:
        set_mode(new, mode)


def _given(file: Path) -> tuple[int, int]:
    """Its owner and its group."""
    found = file.stat()
    return found.st_uid, found.st_gid


def _give_group(old: Path, new: Path, group: int) -> None:
    try:
        os.chown(new, -1, group)
    except PermissionError:
        raise PublishedUnusable(
            old, f"its readers' group {group} is not one of this user's, so that a new file would not be theirs"
        ) from None


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.wal")


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_catalog = current_database() AND table_schema = ? ORDER BY table_name",
        [SCHEMA],
    )
    return [name for (name,) in found.fetchall()]


def _copy(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    name = f'{SCHEMA}."{table}"'
    selected = "*" if not _holds_secret(connection, name) else f"* REPLACE ({', '.join(_masked(connection, name))})"
    counted = connection.execute(f"CREATE TABLE draft.{name} AS SELECT {selected} FROM {name}").fetchone()
    return int(counted[0]) if counted else 0


def _holds_secret(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether there is one to hide: in a seed that somebody edited, or in rows from before they were masked."""
    texts = ", ".join(f"{column}::varchar" for column, _ in _texts(connection, table))
    return bool(texts) and any(
        connection.execute(
            f"SELECT 1 FROM {table} WHERE regexp_matches(concat_ws(' ', {texts}), $1) LIMIT 1", [found]
        ).fetchall()
        for found, _ in masking.known().patterns
    )


def _masked(connection: duckdb.DuckDBPyConnection, table: str) -> Iterator[str]:
    """The columns of text with what is to be hidden replaced."""
    for column, kind in _texts(connection, table):
        text = f"{column}::varchar"
        for _, hidden in masking.known().patterns:
            text = f"regexp_replace({text}, '{_quoted(hidden)}', '{masking.MASK}', 'g')"
        yield f"try_cast({text} AS {kind}) AS {column}"


def _texts(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    """The columns in which texts can be, with their types."""
    columns = connection.execute(f"DESCRIBE {table}").fetchall()
    return [(f'"{name}"', kind) for name, kind, *_ in columns if "VARCHAR" in kind or "JSON" in kind]


def _copy_comments(connection: duckdb.DuckDBPyConnection) -> None:
    comments = connection.execute(
        """
        SELECT 'TABLE', format('{}."{}"', schema_name, table_name), comment FROM duckdb_tables()
        WHERE database_name = current_database() AND schema_name = $schema AND comment IS NOT NULL
        UNION ALL
        SELECT 'TABLE', format('{}."{}"', schema_name, view_name), comment FROM duckdb_views()
        WHERE database_name = current_database() AND schema_name = $schema AND comment IS NOT NULL
        UNION ALL
        SELECT 'COLUMN', format('{}."{}"."{}"', schema_name, table_name, column_name), comment FROM duckdb_columns()
        WHERE database_name = current_database() AND schema_name = $schema AND comment IS NOT NULL
        """,
        {"schema": SCHEMA},
    ).fetchall()
    for kind, name, comment in comments:
        connection.execute(f"COMMENT ON {kind} draft.{name} IS '{_quoted(comment)}'")


def _quoted(text: object) -> str:
    return str(text).replace("'", "''")


def _sync(file: Path) -> None:
    with file.open("rb") as written:
        os.fsync(written.fileno())
