"""Nothing that Dagster is told gets lost unnoticed."""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.definitions_snapshot import KEPT, ROOT, described


@pytest.mark.usefixtures("defs")
def test_the_definitions_are_those_that_are_kept(nowhere: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "tests.definitions_snapshot", str(nowhere)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    kept = KEPT.read_text(encoding="utf-8")
    changes = difflib.unified_diff(kept.splitlines(), found.splitlines(), "kept", "now", n=3, lineterm="")
    assert found == kept, "\n".join(["`make snapshot` keeps what is meant:", *changes])


def sample(without: str = "") -> dg.Definitions:
    """One of each, or all but one."""
    has = lambda part: part != without  # noqa: E731

    @dg.asset
    def first() -> None: ...

    @dg.asset(
        deps=[first] if has("dependency") else [],
        pool="pool" if has("pool") else None,
        freshness_policy=dg.FreshnessPolicy.time_window(timedelta(hours=2)) if has("freshness") else None,
    )
    def second() -> None: ...

    @dg.asset
    def third() -> None: ...

    @dg.asset_check(asset=second, blocking=has("blocking"))
    def check() -> Any: ...

    job = dg.define_asset_job("job", selection=[first])
    other = dg.define_asset_job("other", selection=[second])

    @dg.sensor(job=job)
    def sensor() -> None: ...

    return dg.Definitions(
        assets=[first, second, *([third] if has("asset") else [])],
        asset_checks=[check] if has("check") else [],
        jobs=[job, *([other] if has("job") else [])],
        schedules=[dg.ScheduleDefinition(name="schedule", job=job, cron_schedule="@daily")] if has("schedule") else [],
        sensors=[sensor] if has("sensor") else [],
    )


@pytest.mark.parametrize(
    "part", ["asset", "dependency", "check", "blocking", "job", "schedule", "sensor", "pool", "freshness"]
)
def test_whatever_is_removed_is_noticed(part: str) -> None:
    assert described(sample(without=part)) != described(sample())


def test_the_same_definitions_read_the_same() -> None:
    assert described(sample()) == described(sample())
