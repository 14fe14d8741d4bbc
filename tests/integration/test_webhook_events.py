"""The delivery log against the truth of the sandbox: run after run, and all at once.

`python -m tests.integration.test_webhook_events 1 2 3` compares organizations of other seeds and prints how many rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.sandbox import Handle, running

PROJECT = Path(__file__).parents[2] / "transform"
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

_INGEST = """
from ingestion.settings import load_settings
from ingestion.sources import SOURCES, open_reading
settings = load_settings()
for source in SOURCES:
    with open_reading(source, settings.organizations[0], settings, run_id=settings.now().isoformat()) as reading:
        assert all(outcome.is_complete for outcome in reading.run().values())
"""


@pytest.mark.parametrize("number", range(len(OPTIONS)))
def test_events_are_as_they_happened_whatever_of_them_can_be_read(tmp_path: Path, number: int) -> None:
    assert compared(tmp_path / "place", seed=number + 1, **OPTIONS[number]) > 500


def compared(folder: Path, seed: int, **options: Any) -> int:
    """Reads and builds twice with 30 hours between, then all anew; returns how many rows were compared."""
    folder.mkdir(parents=True)
    with running(seed=seed, **options) as sandbox:
        place = _Place(folder, sandbox)
        rows = 0
        for hours in (0, 30):
            if hours:
                sandbox.advance(hours=hours)
            place.run(sys.executable, "-c", _INGEST)
            sandbox.observed()
            place.build()
            rows += _compare(place, sandbox.truth())
        by_increments = place.marts()
        place.build("--full-refresh")
        assert place.marts() == by_increments
    return rows


class _Place:
    """A warehouse of its own."""

    def __init__(self, folder: Path, sandbox: Handle) -> None:
        self.folder, self.sandbox, self.warehouse = folder, sandbox, folder / "warehouse.duckdb"

    def run(self, *command: str, cwd: Path | None = None) -> None:
        environment = {
            **os.environ,
            **self.sandbox.env(),
            "CRM_PLUS_API_KEY": "",
            "HOME": str(self.folder),
            "WAREHOUSE_PATH": str(self.warehouse),
            "WEBHOOK_PAYLOADS_PER_RUN": "100000",
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
            "DBT_PROFILES_DIR": str(PROJECT),
            "PYTHONPATH": str(PROJECT.parent),
        }
        done = subprocess.run(
            command, cwd=cwd or self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def build(self, *flags: str) -> None:
        code = "import sys; from dbt.cli.main import cli; cli(sys.argv[1:])"
        nothing_else = ("--exclude-resource-type", "unit_test", "test")
        self.run(
            *(sys.executable, "-c", code, "build", *flags, *nothing_else, "--select", *(f"+{mart}" for mart in MARTS)),
            cwd=PROJECT,
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).fetchall()

    def marts(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything but which build wrote it."""
        return {
            mart: self.query(f"select columns(lambda c: c != 'computed_at') from marts.{mart} order by all")
            for mart in MARTS
        }


_AT = "strftime({}, '%Y-%m-%dT%H:%M:%S.%gZ')"


def _compare(place: _Place, truth: dict[str, Any]) -> int:
    columns = list(truth["webhook_events"][0])
    selected = ", ".join(_AT.format(column) if column.endswith("_at") else column for column in columns)
    events = place.query(f"select {selected} from marts.webhook_events")
    expected = [tuple(_trimmed(row[column]) for column in columns) for row in truth["webhook_events"]]
    differences = sorted(set(events) ^ set(expected), key=str)
    assert not differences, differences[:6]
    assert len(events) == len(expected)

    health = place.query(
        """
        select webhook_id, day::varchar, attempts, events, delivered_events, failures_by_status
        from marts.webhook_delivery_health
        """
    )
    assert sorted((*row[:-1], json.loads(row[-1]) if row[-1] else None) for row in health) == sorted(
        tuple(row.values()) for row in truth["webhook_health"]
    )

    coverage = place.query(
        "select event_type, active_webhooks, is_recommended, is_gap from marts.webhook_subscription_coverage"
    )
    assert sorted(coverage) == sorted(tuple(row.values()) for row in truth["webhook_coverage"])

    labels = place.query(
        "select event_type, status, observed_label, observations, label_count from marts.event_type_labels"
    )
    assert {str(kind): rest for kind, *rest in labels} == {
        kind: list(row.values()) for kind, row in truth["event_types"].items()
    }

    missing = place.query(
        "select entity, record_id from marts.records_missing_from_warehouse where severity is not null"
    )
    assert not missing
    return len(events) + len(health) + len(coverage) + len(labels)


def _trimmed(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as made:
            for option_number, chosen in enumerate(OPTIONS):
                count = compared(Path(made) / str(option_number), seed=int(argument), **chosen)
                print(f"seed {argument}, {chosen or 'all can be read'}: {count} rows agree", flush=True)
