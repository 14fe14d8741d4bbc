"""The delivery log against the truth of the sandbox: run after run, and all at once.

`python -m tests.events FOLDER --seeds 20` compares twenty organizations and prints how many rows agree.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ingestion.sandbox import Handle, running
from ingestion.settings import Settings
from ingestion.sources import SOURCES, open_reading
from tests.building import BUILD, Dbt, marts, query

MARTS = (
    "webhook_events",
    "webhook_delivery_health",
    "webhook_subscription_coverage",
    "event_type_labels",
    "records_missing_from_warehouse",
)
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"forbidden_logs": (31,), "log_retention_days": 15},
    {"withholds_payloads": True},
)
"""What can be read of the log: all, what is retained and permitted, or no payload."""
_BUILD = (*BUILD, "test", "--select", *(f"+{mart}" for mart in MARTS))


def compared(dbt: Dbt, folder: Path, seed: int, **options: Any) -> int:
    """Reads and builds twice with 30 hours between, then all anew; returns how many rows were compared."""
    folder.mkdir(parents=True)
    warehouse, rows = folder / "warehouse.duckdb", 0
    with running(seed=seed, **options) as sandbox:
        for hours in (0, 30):
            if hours:
                sandbox.advance(hours=hours)
            read(sandbox, warehouse)
            sandbox.observed()
            dbt(warehouse, *_BUILD)
            rows += _compare(warehouse, sandbox.truth())
        by_increments = marts(warehouse, MARTS)
        dbt(warehouse, *_BUILD, "--full-refresh")
        assert marts(warehouse, MARTS) == by_increments
    return rows


def read(sandbox: Handle, warehouse: Path) -> None:
    """Reads what Raise has, payloads and all."""
    named = {name.lower(): value for name, value in sandbox.env().items() if name != "CRM_PLUS_API_KEY"}
    settings = Settings(**named, warehouse_path=warehouse, webhook_payloads_per_run=100_000, _env_file=None)
    for source in SOURCES:
        with open_reading(source, settings.organizations[0], settings, run_id=settings.now().isoformat()) as reading:
            assert all(outcome.is_complete for outcome in reading.run().values())


_AT = "strftime({}, '%Y-%m-%dT%H:%M:%S.%gZ')"


def _compare(warehouse: Path, truth: dict[str, Any]) -> int:
    columns = list(truth["webhook_events"][0])
    selected = ", ".join(_AT.format(column) if column.endswith("_at") else column for column in columns)
    events = query(warehouse, f"select {selected} from marts.webhook_events")
    expected = [tuple(_trimmed(row[column]) for column in columns) for row in truth["webhook_events"]]
    differences = sorted(set(events) ^ set(expected), key=str)
    assert not differences, differences[:6]
    assert len(events) == len(expected)

    health = query(
        warehouse,
        """
        select webhook_id, day::varchar, attempts, events, delivered_events, failures_by_status
        from marts.webhook_delivery_health
        """,
    )
    assert sorted((*row[:-1], json.loads(row[-1]) if row[-1] else None) for row in health) == sorted(
        tuple(row.values()) for row in truth["webhook_health"]
    )

    coverage = query(
        warehouse, "select event_type, active_webhooks, is_recommended, is_gap from marts.webhook_subscription_coverage"
    )
    assert sorted(coverage) == sorted(tuple(row.values()) for row in truth["webhook_coverage"])

    labels = query(
        warehouse, "select event_type, status, observed_label, observations, label_count from marts.event_type_labels"
    )
    assert {str(kind): rest for kind, *rest in labels} == {
        kind: list(row.values()) for kind, row in truth["event_types"].items()
    }

    missing = query(
        warehouse, "select entity, record_id from marts.records_missing_from_warehouse where severity is not null"
    )
    assert not missing
    return len(events) + len(health) + len(coverage) + len(labels)


def _trimmed(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def main(
    folder: Annotated[Path, typer.Argument(help="An empty folder to work in.")],
    seeds: Annotated[int, typer.Option(help="How many organizations, each by a seed of its own.")] = 1,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    dbt = Dbt(folder)
    for seed in range(1, seeds + 1):
        for number, options in enumerate(OPTIONS):
            rows = compared(dbt, folder / f"{seed}-{number}", seed, **options)
            print(f"seed {seed}, {options or 'all can be read'}: {rows} rows agree", flush=True)


if __name__ == "__main__":
    typer.run(main)
