"""Stale is what was not read completely for too long; quiet is a product in which nothing happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from ingestion.resource_reading import Outcome
from ingestion.settings import Settings
from orchestration.assets.ages import age_checks

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
ORGANIZATIONS = """
[north]
raise_token_name = "NORTH"
[south]
raise_token_name = "SOUTH"
stale_after_hours = 6
quiet_after_days = 1
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    (tmp_path / "organizations.toml").write_text(ORGANIZATIONS)
    monkeypatch.setenv("NORTH", "secret-north")
    monkeypatch.setenv("SOUTH", "secret-south")
    monkeypatch.setattr(Settings, "now", lambda _: NOW)
    return Settings(organizations_file=tmp_path / "organizations.toml", warehouse_path=tmp_path / "w.duckdb")


def read(settings: Settings, slug: str, hours_ago: float, *, complete: bool = True, newest: float = 1) -> None:
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute(
            """
            create schema if not exists raw_raise;
            create table if not exists raw_raise.load_audit (
                organization varchar, resource varchar, started_at timestamptz, is_complete boolean, watermark varchar
            )
            """
        )
        connection.execute(
            "insert into raw_raise.load_audit values ($1, 'gifts', $2, $3, $4)",
            [slug, NOW - timedelta(hours=hours_ago), complete, (NOW - timedelta(hours=newest)).isoformat()],
        )


def checks(settings: Settings, *slugs: str) -> dict[str, dg.AssetCheckResult]:
    outcomes = {"gifts": {slug: Outcome("gifts", NOW) for slug in slugs}}
    return {result.check_name or "": result for result in age_checks("raw_raise", outcomes, settings)}


def test_nothing_read_yet_is_not_stale(settings: Settings) -> None:
    assert all(check.passed for check in checks(settings, "north").values())


@pytest.mark.parametrize(("slug", "hours", "passed"), [("north", 48, True), ("north", 49, False), ("south", 7, False)])
def test_each_organization_has_its_threshold(settings: Settings, slug: str, hours: float, passed: bool) -> None:
    read(settings, slug, hours)
    # A reading that was not complete makes nothing fresh.
    read(settings, slug, 1, complete=False)
    # Nor does one by a clock that was ahead.
    read(settings, slug, -700)
    check = checks(settings, slug)["read_lately"]
    assert check.passed is passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert check.metadata["oldest_reading_hours"].value == hours
    assert passed or check.description == f"Not read completely: {slug}'s gifts for {hours} hours."


@pytest.mark.parametrize(
    ("slug", "newest", "passed"),
    [("north", 167, True), ("north", 169, False), ("south", 23, True), ("south", 25, False)],
)
def test_a_product_in_which_nothing_happens_warns(settings: Settings, slug: str, newest: float, passed: bool) -> None:
    read(settings, slug, 1, newest=newest)
    read(settings, slug, -700, newest=-600)
    found = checks(settings, slug)
    assert found["read_lately"].passed
    assert found["has_news"].passed is passed
    assert found["has_news"].severity is dg.AssetCheckSeverity.WARN
    assert found["has_news"].metadata["newest_record_hours"].value == newest


def test_an_organization_that_no_longer_uses_the_product_is_left_alone(settings: Settings) -> None:
    read(settings, "north", 500, newest=500)
    assert all(check.passed for check in checks(settings, "south").values())
