"""The delivery log against the truth of the sandbox: run after run, and all at once.

`python -m tests.events FOLDER --seeds 20` compares twenty organizations and prints how many rows agree.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
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
OPTIONS: dict[str, dict[str, Any]] = {
    "all": {},
    "permitted": {"forbidden_logs": (31,), "log_retention_days": 15},
    "no-payload": {"withholds_payloads": True},
    "none": {"has_webhooks": False},
}
"""What can be read of the log: all, what is retained and permitted, or no payload; or there is none."""
_BUILD = (*BUILD, "test", "--select", *(f"+{mart}" for mart in MARTS))


def compared(dbt: Dbt, folder: Path, seed: int) -> dict[str, int]:
    """One organization for each of `OPTIONS`, with the same ids, in one warehouse.

    Reads and builds twice with 30 hours between, then all anew; returns how many rows of each were compared.
    """
    folder.mkdir(parents=True)
    warehouse, rows = folder / "warehouse.duckdb", Counter[str]()
    with ExitStack() as stack:
        sandboxes = {name: stack.enter_context(running(seed=seed, **options)) for name, options in OPTIONS.items()}
        for hours in (0, 30):
            for name, sandbox in sandboxes.items():
                if hours:
                    sandbox.advance(hours=hours)
                read(sandbox, warehouse, name)
                sandbox.observed()
            dbt(warehouse, *_BUILD)
            for name, sandbox in sandboxes.items():
                rows[name] += _compare(warehouse, name, sandbox.truth())
        by_increments = marts(warehouse, MARTS)
        dbt(warehouse, *_BUILD, "--full-refresh")
        assert marts(warehouse, MARTS) == by_increments
    return dict(rows)


def read(sandbox: Handle, warehouse: Path, name: str) -> None:
    """Reads what Raise has, payloads and all."""
    named = {name.lower(): value for name, value in sandbox.env().items() if name != "CRM_PLUS_API_KEY"}
    settings = Settings(**named, warehouse_path=warehouse, webhook_payloads_per_run=100_000, _env_file=None)
    organization = settings.organizations[0].model_copy(update={"slug": name})
    for source in SOURCES:
        with open_reading(source, organization, settings, run_id=settings.now().isoformat()) as reading:
            assert all(outcome.is_complete for outcome in reading.run().values())


_AT = "strftime({}, '%Y-%m-%dT%H:%M:%S.%gZ')"


def _compare(warehouse: Path, organization: str, truth: dict[str, Any]) -> int:
    def told(sql: str) -> list[tuple[Any, ...]]:
        return query(warehouse, f"{sql} where organization = $1", organization)

    columns = list(truth["webhook_events"][0]) if truth["webhook_events"] else ["event_key"]
    selected = ", ".join(_AT.format(column) if column.endswith("_at") else column for column in columns)
    events = told(f"select {selected} from marts.webhook_events")
    expected = [tuple(_trimmed(row[column]) for column in columns) for row in truth["webhook_events"]]
    differences = sorted(set(events) ^ set(expected), key=str)
    assert not differences, differences[:6]
    assert len(events) == len(expected)

    health = told(
        """
        select webhook_id, day::varchar, attempts, events, delivered_events, failures_by_status
        from marts.webhook_delivery_health
        """
    )
    assert sorted((*row[:-1], json.loads(row[-1]) if row[-1] else None) for row in health) == sorted(
        tuple(row.values()) for row in truth["webhook_health"]
    )

    coverage = told(
        "select event_type, active_webhooks, is_recommended, is_gap from marts.webhook_subscription_coverage"
    )
    assert sorted(coverage) == sorted(tuple(row.values()) for row in truth["webhook_coverage"])

    labels = told("select event_type, status, observed_label, observations, label_count from marts.event_type_labels")
    assert {str(kind): rest for kind, *rest in labels} == {
        kind: list(row.values()) for kind, row in truth["event_types"].items()
    }

    missing = told("select entity, record_id, severity from marts.records_missing_from_warehouse")
    assert not [row for row in missing if row[-1]]
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
        for name, rows in compared(dbt, folder / str(seed), seed).items():
            print(f"seed {seed}, {OPTIONS[name] or 'all can be read'}: {rows} rows agree", flush=True)


if __name__ == "__main__":
    typer.run(main)
