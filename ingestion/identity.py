"""By what a warehouse is known as ours, and in which format it is kept: a mark of its own inside of it.

Warehouses that were made before there was a mark are known by the account of what was read into them.
"""

from __future__ import annotations

from importlib.metadata import version

import duckdb

FORMAT = 1
"""Goes up when tieout, from then on, cannot work on the warehouses of before, or those of before cannot on the new.

What a new version adds to its own tables (columns, tables, models) is no new format.
"""

SCHEMA = "_tieout"
_MARK = f"{SCHEMA}.warehouse"
_ACCOUNT = ("load_audit", ["raw_raise", "raw_crm_plus"])


class Foreign(Exception):
    """A database is somebody else's; `str(error)` says what it holds."""


class Newer(Exception):
    """A newer tieout made the warehouse, in a format that is not known here."""


def check(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the database carries the mark. Raises `Foreign` or `Newer` where it is not ours to write to."""
    held = connection.execute(
        """
        select schema_name, table_name from duckdb_tables() where database_name = current_database()
        union all
        select schema_name, view_name from duckdb_views()
        where database_name = current_database() and not internal
        order by all
        """
    ).fetchall()
    if tuple(_MARK.split(".")) in held:
        made = connection.execute(f"select format from {_MARK}").fetchall()
        if any(number > FORMAT for (number,) in made):
            raise Newer
        return True
    table, schemas = _ACCOUNT
    # A first run that was killed early leaves nothing.
    if held and not any((schema, table) in held for schema in schemas):
        others = f" and {len(held) - 1:,} more" if len(held) > 1 else ""
        raise Foreign(f"it holds {'.'.join(held[0])}{others}, and was not made by tieout")
    return False


def mark(connection: duckdb.DuckDBPyConnection) -> None:
    """Marks a database, which `check` has passed, as a warehouse of tieout."""
    if check(connection):
        return
    made_by = f"tieout {version('tieout')}"
    connection.execute(f"begin; create schema if not exists {SCHEMA}")
    connection.execute(f"create table {_MARK} as select $1::integer as format, $2 as made_by", [FORMAT, made_by])
    connection.execute(
        f"comment on table {_MARK} is 'By this table tieout knows its warehouse; do not edit or drop it'; commit"
    )
