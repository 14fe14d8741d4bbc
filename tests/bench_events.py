"""What it costs to fold the delivery log: a large one from nothing, then the increment of a day.

Run it with `python -m tests.bench_events`. The rows are made by DuckDB; time and memory are those of dbt, in a process
of its own, with each model's share.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import duckdb
import typer
from rich.console import Console
from rich.table import Table

from ingestion.columns import BOOKKEEPING, ORGANIZATION, arrow_schema
from ingestion.operations import TABLES
from ingestion.sources import definition
from ingestion.virtuous_crm_plus.resources import RESOURCES as CRM_PLUS_RESOURCES
from ingestion.virtuous_raise.resources import RESOURCES as RAISE_RESOURCES
from tests.building import Measured, measured

MODELS = (
    "int_raise__webhook_payloads",
    "int_raise__webhook_deliveries",
    "webhook_events",
    "webhook_delivery_health",
    "event_type_labels",
    "webhook_subscription_coverage",
    "records_missing_from_warehouse",
)

# Two webhooks get every event, one event in ten is tried twice, and a record has two events. Rows from `first` on.
_LOGS = """
insert into raw_raise.webhook_logs by name
select
    'bench' as organization,
    row_id as id,
    31 + row_id % 2 as webhook_id,
    [10, 11, 10, 11, 20, 21, 30, 31, 11, 41][1 + event % 10] as event_type,
    ['Gift Created', 'Gift Updated', 'Gift Created', 'Gift Updated', 'Recurring Gift Created', 'Recurring Gift Updated',
        'Donor Created', 'Donor Updated', 'Gift Updated', 'Campaign Updated'][1 + event % 10] as event_type_display,
    case when row_id % 20 < 2 then 'False' else 'True' end as success,
    case when row_id % 20 < 2 then '500' else '200' end as http_status_code,
    case when row_id % 20 < 2 then 'Internal Server Error' else 'OK' end as server_response,
    cast(100000 + event // 20 * 10 + event % 10 // 2 as varchar) as context_id,
    timestamptz '2024-01-01 00:00:00+00' + interval 12 second * row_id as created_date,
    timestamptz '2026-03-01 00:00:00+00' as _extracted_at,
    timestamptz '2026-03-01 00:00:00+00' as _first_extracted_at,
    row_id as _row_hash,
    $load as _dlt_load_id
from (select i as row_id, i * 10 // 22 as event from range($first, $first + $rows) as rows (i))
"""
# The log speaks of records that are there, but for one in ten thousand.
_RECORDS = """
insert into raw_raise.{table} by name
select
    'bench' as organization,
    cast(context_id as bigint) as id,
    {columns}
    timestamptz '2026-03-01 00:00:00+00' as _extracted_at,
    timestamptz '2026-03-01 00:00:00+00' as _first_extracted_at,
from (select distinct context_id from raw_raise.webhook_logs where event_type in {event_types})
where cast(context_id as bigint) % 9999 != 0
"""
_TABLES = {
    "gifts": ("cast(context_id as bigint) // 10 * 10 + 3 as donor_id,", (10, 11)),
    "recurring_gifts": ("", (20, 21)),
    "donors": ("", (30, 31)),
    "campaigns": ("", (41, 41)),
}
# A gift of about a kilobyte, in the three envelopes.
_PAYLOADS = """
insert into raw_raise.webhook_log_payloads by name
select
    organization,
    id,
    webhook_id,
    1 as attempts,
    'read' as outcome,
    case id % 3
        when 0 then resource
        when 1 then '{"eventType":' || event_type || ',' || resource[2:]
        else '{"event":{"type":' || event_type || ',"payload":' || resource || '}}'
    end as pay_load,
    _extracted_at,
    _first_extracted_at,
    id as _row_hash,
    $load as _dlt_load_id
from (
    select
        *,
        '{"id":' || context_id || ',"recurringGiftId":null,"notes":"' || repeat('x', 900) || '","modifiedDate":"'
        || strftime(time_bucket(interval 1 hour, created_date), '%Y-%m-%dT%H:%M:%SZ') || '"}' as resource
    from raw_raise.webhook_logs where id >= $first
)
"""


def _empty(connection: duckdb.DuckDBPyConnection) -> None:
    for source, resources in (("raise", RAISE_RESOURCES), ("crm_plus", CRM_PLUS_RESOURCES)):
        dataset = definition(source).name
        connection.execute(f"create schema {dataset}")
        columns = {resource.name: (*resource.columns, *BOOKKEEPING) for resource in resources}
        columns |= {name: declared for name, (declared, _) in TABLES.items()}
        for name, declared in columns.items():
            connection.register("declared", arrow_schema((ORGANIZATION, *declared)).empty_table())
            connection.execute(f"create table {dataset}.{name} as from declared")
            connection.execute(f"alter table {dataset}.{name} add column _dlt_load_id varchar")
            for column in declared:
                if column.kind.name == "JSON":
                    connection.execute(f'alter table {dataset}.{name} alter "{column.name}" type json')


def _build(warehouse: Path) -> Measured:
    """The models of the log, and in the first run what they stand on."""
    if (warehouse.parent / "target").exists():
        return measured(warehouse, "run", "--select", *MODELS)
    measured(warehouse, "seed")
    return measured(warehouse, "run", "--select", *(f"+{model}" for model in MODELS))


def main(
    rows: Annotated[int, typer.Option(help="Rows of the log.")] = 5_000_000,
    payloads: Annotated[int, typer.Option(help="Of them, the newest so many with their payload.")] = 100_000,
    increment: Annotated[int, typer.Option(help="Rows that a day adds.")] = 10_000,
) -> None:
    """Measures the models of the delivery log."""
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Path(folder) / "warehouse.duckdb"
        with duckdb.connect(str(warehouse)) as connection:
            _empty(connection)
            connection.execute(_LOGS, {"first": 0, "rows": rows, "load": "1"})
            connection.execute(_PAYLOADS, {"first": rows - payloads, "load": "1"})
            for table, (columns, event_types) in _TABLES.items():
                connection.execute(_RECORDS.format(table=table, columns=columns, event_types=event_types))
        whole = _build(warehouse)
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute(_LOGS, {"first": rows, "rows": increment, "load": "2"})
            connection.execute(_PAYLOADS, {"first": rows + increment - 200, "load": "2"})
        day = _build(warehouse)
    table = Table("model", f"{rows:,} rows", f"+{increment:,}", title="Seconds to fold the delivery log")
    for model in MODELS:
        table.add_row(model, f"{whole.seconds[model]:.1f}", f"{day.seconds[model]:.1f}")
    together = [sum(build.seconds[model] for model in MODELS) for build in (whole, day)]
    table.add_row("together", *(f"{seconds:.1f}" for seconds in together))
    table.add_row("peak GiB", f"{whole.gibibytes:.2f}", f"{day.gibibytes:.2f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
