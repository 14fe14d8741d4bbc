"""What it costs to reconcile: everything from nothing, then again after a day.

    python -m tests.bench_reconciliation [--organizations 10] [--scale medium]

One organization of the sandbox is read over HTTP and copied under other names: of medium scale it has 20,000 donors and
100,000 gifts on each side, so that ten make a million. Time and memory are those of `dbt build`, in a process of its
own, with the share of the models that cost most.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import duckdb
import typer
from rich.console import Console
from rich.table import Table

from ingestion.sandbox import Handle, running
from ingestion.settings import Settings
from ingestion.sources import SOURCES, open_reading
from tests.building import BUILD, Measured, measured

_MODELS_SHOWN = 15


def _read(sandbox: Handle, warehouse: Path) -> None:
    named = {name.lower(): value for name, value in sandbox.env().items()}
    settings = Settings(**{**named, "warehouse_path": warehouse, "webhook_payloads_per_run": 0, "_env_file": None})
    for source in SOURCES:
        with open_reading(source, settings.organizations[0], settings, run_id="bench") as reading:
            assert all(outcome.is_complete for outcome in reading.run().values())
    sandbox.observed()


def _copy(read: Path, warehouse: Path, organizations: int) -> tuple[int, int]:
    """Replaces all raw tables by those that were read, once for each name. How many gifts there are on each side."""
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(f"attach '{read}' as read (read_only)")
        tables = connection.execute(
            "select schema_name, table_name, list_contains(list(column_name), 'organization') from duckdb_columns()"
            " where database_name = 'read' and starts_with(schema_name, 'raw_') group by all"
        ).fetchall()
        for schema, table, is_copied in tables:
            connection.execute(f"create schema if not exists {schema}")
            rows = f"select * from read.{schema}.{table}"
            if is_copied:
                rows = (
                    f"select t.* replace ('organization-' || i as organization)"
                    f" from read.{schema}.{table} as t, range({organizations}) as copies (i)"
                )
            connection.execute(f"create or replace table {schema}.{table} as {rows}")
        counts = connection.execute(
            "select (select count(*) from raw_raise.gifts), (select count(*) from raw_crm_plus.gifts)"
        ).fetchall()
    return counts[0]


def main(
    organizations: Annotated[int, typer.Option(help="How many there are of the one that is read.")] = 10,
    scale: Annotated[str, typer.Option(help="That of the sandbox.")] = "medium",
) -> None:
    """Measures `dbt build`."""
    console, builds = Console(), list[Measured]()
    with tempfile.TemporaryDirectory() as folder, running(seed=1, scale=scale) as sandbox:
        read, warehouse = Path(folder) / "read.duckdb", Path(folder) / "warehouse.duckdb"
        for hours in (0, 24):
            sandbox.advance(hours=hours)
            _read(sandbox, read)
            gifts = _copy(read, warehouse, organizations)
            console.print(f"{gifts[0]:,} gifts in Raise, {gifts[1]:,} in CRM+")
            builds.append(measured(warehouse, *BUILD))
    first, after_a_day = builds
    table = Table("model", "from nothing", "after a day", title="Seconds to reconcile")
    for model in sorted(first.seconds, key=lambda name: -first.seconds[name])[:_MODELS_SHOWN]:
        table.add_row(model, f"{first.seconds[model]:.1f}", f"{after_a_day.seconds.get(model, 0):.1f}")
    table.add_row("all nodes", f"{sum(first.seconds.values()):.1f}", f"{sum(after_a_day.seconds.values()):.1f}")
    table.add_row("the whole of dbt", f"{first.total:.1f}", f"{after_a_day.total:.1f}")
    table.add_row("peak GiB", f"{first.gibibytes:.2f}", f"{after_a_day.gibibytes:.2f}")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
