from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster_dlt import DagsterDltResource

from ingestion.errors import WarehouseLocked
from ingestion.resource_reading import Outcome
from orchestration.assets import ingest as subject
from orchestration.instance import WAREHOUSE_POOL
from orchestration.resources import Loader, RunOptions, Turn

GIFTS = dg.AssetKey(["raw_raise", "gifts"])
ORGANIZATIONS = """
[north]
raise_token_name = "NORTH"
[south]
raise_token_name = "SOUTH"
"""


@dataclass
class Reading:
    pipeline: Any
    outcomes: dict[str, Outcome]
    budget_left: int | None = None

    def packages(self) -> Iterator[None]:
        yield None


class Unloaded(Loader):
    """Says that every table was loaded, and loads none."""

    def run(self, context: Any, **_: Any) -> Iterator[dg.MaterializeResult]:
        for key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key, metadata={"dagster/storage_kind": "duckdb", "jobs": []})


@pytest.fixture
def asset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dg.AssetsDefinition:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "organizations.toml").write_text(ORGANIZATIONS)
    monkeypatch.setenv("ORGANIZATIONS_FILE", str(tmp_path / "organizations.toml"))
    monkeypatch.setenv("NORTH", "secret-north")
    monkeypatch.setenv("SOUTH", "secret-south")
    return subject.ingest_assets("raise")


def outcome(resource: str, **values: Any) -> Outcome:
    return Outcome(resource, datetime(2026, 3, 1, tzinfo=UTC), **{"is_complete": True, "rows_read": 10, **values})


def materialize(
    asset: dg.AssetsDefinition,
    monkeypatch: pytest.MonkeyPatch,
    outcomes: dict[str, dict[str, Outcome]],
    options: RunOptions | None = None,
) -> dg.ExecuteInProcessResult:
    @contextmanager
    def open_reading(source: str, organization: Any, *_: Any, **__: Any) -> Iterator[Reading]:
        yield Reading(None, outcomes[organization.slug])

    monkeypatch.setattr(subject, "open_reading", open_reading)
    resources = {"loader": Unloaded(), "options": options or RunOptions(), "turn": Turn()}
    return dg.materialize([asset], resources=resources, raise_on_error=False)


def test_the_organizations_are_told_together_and_apart(
    asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = materialize(
        asset,
        monkeypatch,
        {
            "north": {"gifts": outcome("gifts", requests=2)},
            "south": {"gifts": outcome("gifts", requests=3, mode="rolling")},
        },
    )
    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == GIFTS]
    metadata = event.materialization.metadata
    assert (metadata["rows_read"].value, metadata["requests"].value) == (20, 5)
    assert metadata["mode"].value == "full, rolling"
    assert [record.data["organization"] for record in metadata["readings"].records] == ["north", "south"]
    assert "jobs" not in metadata


def test_what_could_not_be_read_fails_its_check_and_not_the_run(
    asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = materialize(
        asset,
        monkeypatch,
        {
            "north": {"gifts": outcome("gifts", error="Raise refused the credential.", is_complete=False)},
            "south": {"gifts": outcome("gifts")},
        },
    )
    assert result.success
    (check,) = [check for check in result.get_asset_check_evaluations() if check.asset_key == GIFTS]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert check.description == "Raise refused the credential."


@pytest.mark.parametrize(("days", "passed"), [(6, True), (8, False)])
def test_the_promise_to_read_every_row_again_is_checked(
    asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch, days: int, passed: bool
) -> None:
    unread_since = datetime.now(UTC) - timedelta(days=days)
    result = materialize(
        asset,
        monkeypatch,
        {
            "north": {"gifts": outcome("gifts", unread_since=unread_since), "webhook_logs": outcome("webhook_logs")},
            "south": {"gifts": outcome("gifts", unread_since=datetime.now(UTC))},
        },
    )
    (check,) = [c for c in result.get_asset_check_evaluations() if c.check_name == subject.READ_AGAIN_IN_TIME]
    assert check.passed is passed
    assert passed or "north's gifts for 8.0 days" in (check.description or "")
    told = check.metadata["unread"].records
    assert [(r.data["organization"], r.data["resource"], r.data["days"]) for r in told] == [
        ("north", "gifts", days),
        ("south", "gifts", 0),
    ]


def test_one_organization_can_be_asked_for(asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch) -> None:
    result = materialize(asset, monkeypatch, {"south": {"gifts": outcome("gifts")}}, RunOptions(organization="south"))
    assert result.success


def test_a_source_that_is_not_in_use_passes(asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch) -> None:
    result = materialize(asset, monkeypatch, {"north": {}, "south": {}})
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())


def test_an_error_that_a_user_can_mend_is_its_one_line(
    asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def locked(*_: Any, **__: Any) -> None:
        raise WarehouseLocked(tmp_path / "w.duckdb", " by python (process 7)")

    monkeypatch.setattr(subject, "open_reading", locked)
    resources = {"loader": Unloaded(), "options": RunOptions(), "turn": Turn()}
    result = dg.materialize([asset], resources=resources, raise_on_error=False)
    (failure,) = result.get_step_failure_events()
    assert failure.step_failure_data.user_failure_data
    told = failure.step_failure_data.user_failure_data.description or ""
    assert "process 7" in told
    assert "\n" not in told


def test_a_part_of_a_source_cannot_be_read_alone(asset: dg.AssetsDefinition) -> None:
    assert not asset.can_subset
    assert asset.op.pool == WAREHOUSE_POOL


def test_describing_a_table_leaves_the_live_schema_whole() -> None:
    from dlt.common.schema import Schema
    from dlt.common.schema.utils import new_table

    schema = Schema("raise")
    schema.update_table(new_table("gifts", columns=[{"name": "id", "data_type": "bigint"}]))
    described = Loader()._extract_table_schema_metadata("gifts", schema)
    assert [column.name for column in described.columns] == ["id"]
    assert schema.tables["gifts"]["columns"]["id"]["name"] == "id"
    # The reason for the subclass: when this fails, it can go.
    DagsterDltResource()._extract_table_schema_metadata("gifts", schema)
    assert "name" not in schema.tables["gifts"]["columns"]["id"]
