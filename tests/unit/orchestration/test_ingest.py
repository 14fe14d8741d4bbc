from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import AssetPartitionStatus
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)
from dagster_dlt import DagsterDltResource

from ingestion.errors import WarehouseLocked
from ingestion.http import PATIENCE, Patience
from ingestion.resource_reading import Outcome
from ingestion.sources import definition
from orchestration import rounds
from orchestration.alerts.runs import run_states
from orchestration.assets import ingest as subject
from orchestration.assets import publish
from orchestration.consent import Consent, given
from orchestration.dbt import Described
from orchestration.failures import failures, notes
from orchestration.instance import WAREHOUSE_POOL
from orchestration.resources import Loader, RunOptions, Turn

GIFTS = dg.AssetKey(["raw_raise", "gifts"])
DESCRIBED = {
    ("raw_raise", name): Described(f"The {name}.", {"id": f"Which of the {name}."})
    for name in definition("raise").resources
}
ORGANIZATIONS = """
[north]
raise_token_name = "NORTH"
[south]
raise_token_name = "SOUTH"
"""


LOADED = {
    "dagster/storage_kind": "duckdb",
    "dagster/column_schema": dg.TableSchema([dg.TableColumn("id", "bigint"), dg.TableColumn("_dlt_load_id", "text")]),
    "jobs": [],
}


@dataclass
class Reading:
    pipeline: Any
    outcomes: dict[str, Outcome]
    budget_left: int | None = None
    is_throttled: bool = False
    foreign_organization: str | None = None

    def packages(self) -> Iterator[None]:
        yield None


class Unloaded(Loader):
    """Says that every table was loaded, and loads none."""

    def run(self, context: Any, **_: Any) -> Iterator[dg.MaterializeResult]:
        for key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key, metadata=LOADED)


@pytest.fixture
def asset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dg.AssetsDefinition:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "organizations.toml").write_text(ORGANIZATIONS)
    monkeypatch.setenv("ORGANIZATIONS_FILE", str(tmp_path / "organizations.toml"))
    monkeypatch.setenv("NORTH", "secret-north")
    monkeypatch.setenv("SOUTH", "secret-south")
    return subject.ingest_assets("raise", DESCRIBED)


def outcome(resource: str, **values: Any) -> Outcome:
    return Outcome(resource, datetime(2026, 3, 1, tzinfo=UTC), **{"is_complete": True, "rows_read": 10, **values})


def materialize(
    asset: dg.AssetsDefinition,
    monkeypatch: pytest.MonkeyPatch,
    outcomes: Mapping[str, dict[str, Outcome] | Exception],
    options: RunOptions | None = None,
    tags: dict[str, str] | None = None,
    instance: dg.DagsterInstance | None = None,
    throttled: Collection[str] = (),
    opened: list[tuple[str, float]] | None = None,
    told: list[dict[str, Any]] | None = None,
    foreign: Mapping[str, str] | None = None,
    assets: list[dg.AssetsDefinition] | None = None,
) -> dg.ExecuteInProcessResult:
    opened = [] if opened is None else opened
    told = [] if told is None else told

    @contextmanager
    def open_reading(source: str, organization: Any, *_: Any, patience: Patience, **how: Any) -> Iterator[Reading]:
        opened.append((organization.slug, patience.throttle))
        told.append(how)
        found = outcomes[organization.slug]
        if isinstance(found, Exception):
            raise found
        is_throttled = organization.slug in throttled and patience.throttle < PATIENCE.throttle
        live = (foreign or {}).get(organization.slug)
        yield Reading(None, found, is_throttled=is_throttled, foreign_organization=live)

    monkeypatch.setattr(rounds, "open_reading", open_reading)
    resources = {"loader": Unloaded(), "options": options or RunOptions(), "turn": Turn()}
    return dg.materialize(assets or [asset], resources=resources, raise_on_error=False, tags=tags, instance=instance)


def materializations(result: dg.ExecuteInProcessResult) -> list[dg.AssetMaterialization]:
    return [e.materialization for e in result.get_asset_materialization_events() if e.asset_key == GIFTS]


def observations(result: dg.ExecuteInProcessResult) -> list[dg.AssetObservation]:
    return [
        e.asset_observation_data.asset_observation
        for e in result.get_asset_observation_events()
        if e.asset_key == GIFTS
    ]


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
    (event,) = [e for e in materializations(result) if e.partition is None]
    metadata = event.metadata
    assert (metadata["rows_read"].value, metadata["requests"].value) == (20, 5)
    assert metadata["mode"].value == "full, rolling"
    assert [record.data["organization"] for record in metadata["readings"].records] == ["north", "south"]
    assert "jobs" not in metadata
    of_one = {e.partition: e.metadata["rows_read"].value for e in materializations(result) if e.partition}
    assert of_one == {"north": 10, "south": 10}


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
    assert check.description == "[north] Raise refused the credential."
    assert {e.partition for e in materializations(result)} == {None, "south"}
    assert {(o.partition, o.description) for o in observations(result)} == {("north", check.description)}


def test_a_resource_that_is_withheld_warns_and_is_no_error(
    asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    withheld = outcome("gifts", error="Raise does not let it read.", is_complete=False, is_withheld=True)
    result = materialize(asset, monkeypatch, {"north": {"gifts": withheld}, "south": {"gifts": outcome("gifts")}})
    assert result.success
    (check,) = [check for check in result.get_asset_check_evaluations() if check.asset_key == GIFTS]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description == "[north] Raise does not let it read."
    assert (failures(result.all_events), notes(result.all_events)) == ((), (check.description,))
    assert {e.partition for e in materializations(result)} == {None, "south"}
    assert {(o.partition, o.description) for o in observations(result)} == {("north", check.description)}
    every = {ASSET_PARTITION_RANGE_START_TAG: "north", ASSET_PARTITION_RANGE_END_TAG: "south"}
    assert materialize(asset, monkeypatch, {"north": {"gifts": withheld}, "south": {}}, tags=every).success


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
    result = materialize(
        asset, monkeypatch, {"south": {"gifts": outcome("gifts")}}, RunOptions(organizations=["south"])
    )
    assert result.success
    assert {e.partition for e in materializations(result)} == {None, "south"}


def test_a_reading_is_told_what_the_run_was_told(asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    options = RunOptions(organizations=["south"], full=True)
    with given(Consent(("raise.gifts",), ("raise",))):
        assert materialize(asset, monkeypatch, {"south": {}}, options, told=told).success
    (how,) = told
    assert (how["full"], how["accept_deletions"], how["accept_organization"]) == (True, ("raise.gifts",), ("raise",))


@pytest.mark.parametrize("foreign", [{}, {"north": "organization 6"}])
def test_a_credential_of_another_organization_fails_a_check(
    asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch, foreign: dict[str, str]
) -> None:
    found = {slug: {"gifts": outcome("gifts")} for slug in ("north", "south")}
    result = materialize(asset, monkeypatch, found, foreign=foreign)
    (check,) = [c for c in result.get_asset_check_evaluations() if c.check_name == subject.SAME_ORGANIZATION]
    assert check.passed is not bool(foreign)
    assert check.description == ("north's credential opens organization 6" if foreign else None)


def test_what_breaks_one_organization_stops_no_other(
    asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = ValueError("something odd\nand its details")
    result = materialize(asset, monkeypatch, {"north": broken, "south": {"gifts": outcome("gifts")}})
    assert result.success
    (check,) = [check for check in result.get_asset_check_evaluations() if check.asset_key == GIFTS]
    (told,) = subject.errors_of(check).values()
    assert told == "[north] Unexpected ValueError in raise: something odd. Report this as a bug."
    assert {e.partition for e in materializations(result)} == {None, "south"}


def test_a_secret_that_is_missing_stops_no_other(asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NORTH")
    result = materialize(asset, monkeypatch, {"south": {"gifts": outcome("gifts")}})
    assert result.success
    (check,) = [check for check in result.get_asset_check_evaluations() if check.asset_key == GIFTS]
    (told,) = subject.errors_of(check).values()
    assert "[north] the variable that raise_token_name names is not set" in told


def test_where_none_can_be_read_the_step_fails(asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch) -> None:
    result = materialize(asset, monkeypatch, {"north": ValueError("odd"), "south": ValueError("odd")})
    (failure,) = result.get_step_failure_events()
    assert "ValueError: odd" in str(failure.step_failure_data.error)


def test_a_load_that_broke_off_stops_the_others(asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would stage their rows where its rows are."""
    monkeypatch.setattr(rounds, "is_half_loaded", lambda source, slug, settings: slug == "north")
    opened: list[tuple[str, float]] = []
    outcomes = {"north": ValueError("disk full"), "south": {"gifts": outcome("gifts")}}
    assert not materialize(asset, monkeypatch, outcomes, opened=opened).success
    assert [slug for slug, _ in opened] == ["north"]


def test_what_killed_runs_left_is_finished_before_anything_is_read(
    asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(rounds, "finish_pending", lambda source, _: opened.append(source))
    alone = RunOptions(organizations=["south"])
    assert materialize(asset, monkeypatch, {"south": {}}, alone, opened=opened).success
    assert opened == ["raise", ("south", PATIENCE.throttle)]


def test_who_is_to_wait_for_long_comes_last(asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, float]] = []
    outcomes = {slug: {"gifts": outcome("gifts")} for slug in ("north", "south")}
    assert materialize(asset, monkeypatch, outcomes, throttled=["north"], opened=opened).success
    assert opened == [("north", 60), ("south", 60), ("north", PATIENCE.throttle)]


def test_one_alone_waits_as_long_as_it_is_told(asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, float]] = []
    alone = RunOptions(organizations=["north"])
    assert materialize(asset, monkeypatch, {"north": {}}, alone, opened=opened).success
    assert opened == [("north", PATIENCE.throttle)]


def test_a_run_of_partitions_reads_them_alone_and_fails_with_them(
    asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = {"gifts": outcome("gifts", error="Raise refused the credential.", is_complete=False)}
    every = {ASSET_PARTITION_RANGE_START_TAG: "north", ASSET_PARTITION_RANGE_END_TAG: "south"}
    with dg.DagsterInstance.ephemeral() as instance:
        one = materialize(asset, monkeypatch, {"south": {}}, tags={PARTITION_NAME_TAG: "south"}, instance=instance)
        assert one.success
        assert {e.partition for e in materializations(one)} == {"south"}
        both = materialize(asset, monkeypatch, {"north": failing, "south": {}}, tags=every, instance=instance)
        assert not both.success
        assert {e.partition for e in materializations(both)} == {"south"}
        status = instance.get_status_by_partition(GIFTS, ["north", "south"], asset.partitions_def)
    assert status == {"north": AssetPartitionStatus.FAILED, "south": AssetPartitionStatus.MATERIALIZED}


def test_one_organization_alone_is_no_partition(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It would cost a second event for each table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ORGANIZATIONS_FILE", raising=False)
    monkeypatch.setenv("RAISE_API_TOKEN", "secret")
    alone = subject.ingest_assets("raise", DESCRIBED)
    assert alone.partitions_def is None
    result = materialize(alone, monkeypatch, {"default": {"gifts": outcome("gifts")}})
    assert [e.partition for e in materializations(result)] == [None]


def test_a_table_tells_what_its_columns_mean(asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch) -> None:
    result = materialize(asset, monkeypatch, {"north": {}, "south": {}})
    (told,) = (e.metadata for e in materializations(result) if e.asset_key == GIFTS and e.partition is None)
    assert "jobs" not in told
    schema = told["dagster/column_schema"].value
    assert [(c.name, c.type, c.description) for c in schema.columns] == [
        ("id", "bigint", "Which of the gifts."),
        ("_dlt_load_id", "text", None),
    ]
    assert asset.specs_by_key[GIFTS].description == "The gifts."


def test_a_source_that_is_not_in_use_passes(asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch) -> None:
    result = materialize(asset, monkeypatch, {"north": {}, "south": {}})
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())


def test_an_error_that_a_user_can_mend_is_its_one_line(
    asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def locked(*_: Any, **__: Any) -> None:
        raise WarehouseLocked(tmp_path / "w.duckdb", " by python (process 7)")

    monkeypatch.setattr(rounds, "open_reading", locked)
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


def test_a_run_of_one_organization_leaves_the_checks_of_another_as_they_are(
    asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {"gifts": outcome("gifts", error="Raise refused the credential.", is_complete=False)}
    well = {"gifts": outcome("gifts")}
    south = {ASSET_PARTITION_RANGE_START_TAG: "south", ASSET_PARTITION_RANGE_END_TAG: "south"}

    def checks(result: dg.ExecuteInProcessResult) -> tuple[bool, bool]:
        found = {c.check_name: c.passed for c in result.get_asset_check_evaluations() if c.asset_key == GIFTS}
        found |= {c.check_name: c.passed for c in result.get_asset_check_evaluations() if c.check_name not in found}
        return found[subject.READ_COMPLETELY], found[subject.SAME_ORGANIZATION]

    with dg.DagsterInstance.ephemeral() as instance:
        foreign = {"north": "organization 6"}
        every = {"north": refused, "south": well}
        assert checks(materialize(asset, monkeypatch, every, instance=instance, foreign=foreign)) == (False, False)
        for _ in range(2):
            one = materialize(asset, monkeypatch, {"south": well}, tags=south, instance=instance)
            assert one.success
            assert failures(one.all_events) == ()
            assert checks(one) == (False, False)
        every = {"north": well, "south": well}
        assert checks(materialize(asset, monkeypatch, every, instance=instance)) == (True, True)


def test_a_run_that_goes_on_fails_at_its_end_and_turns_red_what_was_not_read(
    asset: dg.AssetsDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {"gifts": outcome("gifts", error="Raise refused the credential.", is_complete=False)}
    well = {"gifts": outcome("gifts")}
    monkeypatch.setattr(publish, "publish", lambda *_: {"recon_gifts": 3})
    monkeypatch.setattr(publish.warehouse, "check", lambda _: None)

    @dg.asset(key=["marts", "recon_gifts"], deps=[GIFTS])
    def marts() -> None: ...

    assets = [asset, marts, publish.published_asset(marts)]
    with dg.DagsterInstance.ephemeral() as instance:

        def run(outcomes: Any) -> tuple[bool, Any]:
            result = materialize(asset, monkeypatch, outcomes, instance=instance, assets=assets)
            told = [e for e in result.get_asset_materialization_events() if e.asset_key == publish.PUBLISHED]
            assert len(told) == 1, "it is published whatever could not be read"
            assert failures(result.all_events) == failures(result.all_events, only_ours=True)
            for slug, found in outcomes.items():
                assert (f"[{slug}] Raise refused the credential." in failures(result.all_events)) == (found is refused)
            return result.success, instance.get_status_by_partition(GIFTS, ["north", "south"], asset.partitions_def)

        red, green = AssetPartitionStatus.FAILED, AssetPartitionStatus.MATERIALIZED
        assert run({"north": refused, "south": well}) == (False, {"north": red, "south": green})
        (record,) = instance.get_run_records()
        (state,) = [
            s for slug, s in run_states(instance, [record], None, ["north", "south"]).items() if slug == "north"
        ]
        assert state.text == "north: Raise refused the credential."
        states = run_states(instance, [record], None, ["north", "south"])
        assert (states["south"].mark, states["all organizations"].mark) == (None, None)
        assert run({"north": well, "south": well}) == (True, {"north": green, "south": green})
