"""One organization as the raw tables hold it, and the writing of many of them into one warehouse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ingestion import operations
from ingestion.columns import BOOKKEEPING, ORGANIZATION, Column, arrow_schema
from ingestion.virtuous_crm_plus import resources as crm_plus
from ingestion.virtuous_raise import resources as raise_

CLOCK = datetime(2026, 3, 2, 7, tzinfo=UTC)
Row = dict[str, Any]
"""A row by the column names of its raw table; what is not there is null."""

SCHEMAS = {"raise": "raw_raise", "crm_plus": "raw_crm_plus"}
_RESOURCES = {"raise": raise_.RESOURCES, "crm_plus": crm_plus.RESOURCES}


@dataclass
class Organization:
    name: str
    runs_crm_plus: bool | None
    """None: nobody has said so."""
    rows: dict[tuple[str, str], list[Row]] = field(default_factory=dict)
    """By source and resource."""
    reads: list[Row] = field(default_factory=list)
    """Rows of `load_audit`."""
    quarantine: list[Row] = field(default_factory=list)
    campaign_versions: list[Row] = field(default_factory=list)
    """Rows of the campaigns' snapshot: `campaign_id`, `can_sync`, `dbt_valid_from`, `dbt_valid_to`."""
    overrides: dict[int, int] = field(default_factory=dict)
    """Raise gift by CRM+ gift."""
    foreign: set[str] = field(default_factory=set)
    """Sources whose credential shows another organization than the warehouse holds."""
    clock: datetime = CLOCK
    """What the clock of the last run says."""

    def of(self, source: str, resource: str) -> list[Row]:
        return self.rows.setdefault((source, resource), [])

    def as_text(self) -> str:
        """Everything that is not null, for a person who looks into a difference."""
        lines: list[str] = [f"{self.name}: CRM+ {self.runs_crm_plus}, overrides {self.overrides}"]
        tables: dict[str, list[Row]] = {" ".join(key): rows for key, rows in self.rows.items()}
        tables |= {"read": self.reads, "quarantine": self.quarantine, "version": self.campaign_versions}
        for table, rows in tables.items():
            lines += [f"  {table} " + str({k: str(v) for k, v in row.items() if v is not None}) for row in rows]
        return "\n".join(lines)


def write(organizations: Iterable[Organization], warehouse: Path) -> None:
    """The raw tables as ingestion would leave them, and the snapshot as earlier runs would."""
    organizations = list(organizations)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set timezone = 'UTC'")
        for source, schema in SCHEMAS.items():
            connection.execute(f"create schema {schema}")
            for resource in _RESOURCES[source]:
                _insert(
                    connection,
                    f"{schema}.{resource.name}",
                    (*resource.columns, *BOOKKEEPING),
                    ({"organization": o.name, **row} for o in organizations for row in o.of(source, resource.name)),
                )
            for name, (columns, _) in operations.TABLES.items():
                _insert(connection, f"{schema}.{name}", columns, _operations(organizations, source, name))
        connection.execute("create schema intermediate")
        connection.execute(
            """create table intermediate.campaigns_snapshot (organization varchar, campaign_id bigint,
            campaign_name varchar, can_sync boolean, extracted_at timestamptz, dbt_scd_id varchar,
            dbt_updated_at timestamptz, dbt_valid_from timestamptz, dbt_valid_to timestamptz)"""
        )
        versions = [
            (
                o.name,
                version["campaign_id"],
                version["campaign_name"],
                version["can_sync"],
                version["dbt_valid_from"],
                f"{o.name}/{version['campaign_id']}/{version['dbt_valid_from']}",
                version["dbt_valid_from"],
                version["dbt_valid_from"],
                version["dbt_valid_to"],
            )
            for o in organizations
            for version in o.campaign_versions
        ]
        if versions:
            connection.executemany(
                "insert into intermediate.campaigns_snapshot values (?, ?, ?, ?, ?, ?, ?, ?, ?)", versions
            )


def _operations(organizations: list[Organization], source: str, table: str) -> list[Row]:
    rows: list[Row] = []
    for o in organizations:
        if table == "load_audit":
            rows += [{"organization": o.name, **read} for read in o.reads if read["source"] == source]
        elif table == "quarantined_records":
            rows += [{"organization": o.name, **row} for row in o.quarantine if row["source"] == source]
        elif table == "connections" and (source == "raise" or o.runs_crm_plus is not None):
            foreign = "Another Organization" if source in o.foreign else None
            is_connected = source == "raise" or o.runs_crm_plus
            row = {"organization": o.name, "is_connected": is_connected, "foreign_organization": foreign}
            rows.append(row | {"recorded_at": o.clock})
    return rows


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, columns: tuple[Column, ...], rows: Iterable[Row]
) -> None:
    columns = (ORGANIZATION, *columns)
    named = ", ".join(f'"{column.name}" {column.kind.value}' for column in columns)
    connection.execute(f"create table {table} ({named}, _dlt_load_id varchar)")
    rows = list(rows)
    names = {column.name for column in columns}
    for row in rows:
        assert row.keys() <= names, f"{table} has no {row.keys() - names}"
    loaded = pa.Table.from_pylist(rows, arrow_schema(columns))  # noqa: F841, DuckDB finds it by its name
    connection.execute(f"insert into {table} select *, null from loaded")
