"""A warehouse without dlt, for tests of what is read and when."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from ingestion.columns import Resource
from ingestion.operations import TABLES
from ingestion.reading import Reading


class PlainWarehouse:
    """Loads packages as dlt does: each wholly or not at all."""

    def __init__(self, path: Path, *resources: Resource) -> None:
        self.path = path
        self.resources = resources
        with duckdb.connect(str(path)) as connection:
            connection.execute("create schema if not exists raw")

    def load(self, reading: Reading) -> None:
        keys: Mapping[str, list[str]] = {
            **{resource.name: [resource.key_column.name] for resource in self.resources},
            **{name: list(key) for name, (_, key) in TABLES.items()},
        }
        loaded = {resource.name: list(reading.rows(resource)) for resource in self.resources}
        appended = {name for name in keys if reading.replaces_nothing(name)}
        loaded |= {name: list(reading.operations(name)) for name in TABLES}
        with duckdb.connect(str(self.path)) as connection:
            connection.execute("begin")
            for name, tables in loaded.items():
                for table in tables:
                    if not table.num_columns:
                        continue
                    connection.register("incoming", table)
                    connection.execute(f"create table if not exists raw.{name} as from incoming limit 0")
                    connection.execute(f"alter table raw.{name} add column if not exists _dlt_load_id varchar")
                    for column, kind, *_ in connection.execute("describe incoming").fetchall():
                        connection.execute(f'alter table raw.{name} add column if not exists "{column}" {kind}')
                    same = " and ".join(f't."{key}" = i."{key}"' for key in ["organization", *keys[name]])
                    if name not in appended:
                        connection.execute(
                            f"delete from raw.{name} t where exists (select 1 from incoming i where {same})"
                        )
                    connection.execute(f"insert into raw.{name} by name from incoming")
                    connection.unregister("incoming")
            connection.execute("commit")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return connection.execute(sql).fetchall()
