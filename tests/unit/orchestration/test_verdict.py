"""The last look at the marts: what warns, what stops publishing, and what is told of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from ingestion.settings import Settings, load_settings
from orchestration.assets.verdict import judged, verdict_checks
from orchestration.instance import WAREHOUSE_POOL
from orchestration.publishing import publish
from orchestration.resources import Turn
from orchestration.rules import MART_RULES, MOST_NEW_IN_QUARANTINE

TABLES = """
create table marts.donors (organization varchar, donor_id bigint);
create table marts.gifts (organization varchar, gift_id bigint);
create table marts.recurring_gifts (organization varchar, recurring_gift_id bigint);
create table marts.quarantined_records (
    organization varchar, source varchar, resource varchar, record_id varchar, field varchar, resolved_at timestamptz
);
create table marts.event_type_labels (organization varchar, event_type bigint, observed_label varchar, status varchar);
create table marts.enum_labels (organization varchar, field varchar, value bigint, label varchar);
create table marts.schema_drift (organization varchar, source varchar, resource varchar, field varchar, kind varchar);
create table marts.recon_exceptions (organization varchar, entity varchar, state varchar, severity varchar);
create table marts.recon_summary (organization varchar, entity varchar, records bigint);
create table marts.recon_daily_totals (organization varchar, is_balanced boolean);
create table marts.load_audit (organization varchar);
create schema intermediate;
create table intermediate.int_recon__empty_sides (organization varchar, reason varchar);
insert into marts.load_audit values ('north'), ('south');
insert into marts.gifts select 'north', range from range(100);
insert into marts.gifts select 'south', range from range(10);
insert into marts.event_type_labels values
    ('north', 10, 'Donor Created', 'confirmed'), ('north', 11, null, 'unobserved');
insert into marts.enum_labels values ('north', 'gift.status', 1, 'Approved'), ('north', 'crm_plus.x', null, 'Active');
insert into marts.recon_summary values ('north', 'gift', 400), ('north', 'gift', 600);
insert into marts.recon_daily_totals select 'north', true from range(100);
"""


class Warehouse:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "warehouse.duckdb"
        self.published = folder / "published/tieout.duckdb"
        self.do(f"create schema marts; {TABLES}")

    def do(self, sql: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            connection.execute(sql)

    def publish(self) -> None:
        publish(self.path, self.published)

    def breaches(self) -> dict[str, list[str]]:
        """What breaks rules, by mart and rule."""
        return {f"{rule.mart} {rule.name}": found for rule, found in judged(load_settings(), MART_RULES) if found}

    def judge(self) -> tuple[dict[str, dg.AssetCheckEvaluation], dg.ExecuteInProcessResult]:
        """The checks that fail, and the run, with an asset behind them as the published file is."""
        keys = sorted({dg.AssetKey(["marts", rule.mart]) for rule in MART_RULES})

        @dg.multi_asset(specs=[dg.AssetSpec(key) for key in keys])
        def marts() -> Iterator[Any]:
            yield from (dg.MaterializeResult(asset_key=key) for key in keys)

        @dg.asset(deps=keys)
        def published() -> None:
            self.publish()

        defs = dg.Definitions(
            assets=[marts, published],
            asset_checks=[verdict_checks(MART_RULES)],
            jobs=[dg.define_asset_job("all", executor_def=dg.in_process_executor)],
            resources={"turn": Turn()},
        )
        result = defs.resolve_job_def("all").execute_in_process(raise_on_error=False)
        checks = result.get_asset_check_evaluations()
        assert len(checks) == len(MART_RULES)
        return {f"{c.asset_key.path[-1]} {c.check_name}": c for c in checks if not c.passed}, result


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    made = Warehouse(tmp_path)
    monkeypatch.setenv("WAREHOUSE_PATH", str(made.path))
    monkeypatch.setenv("PUBLISHED_PATH", str(made.published))
    return made


def test_the_first_time_there_is_nothing_to_compare_with(warehouse: Warehouse) -> None:
    failed, result = warehouse.judge()
    assert not failed
    assert result.success
    told = {c.description for c in result.get_asset_check_evaluations() if c.check_name == "rows_are_kept"}
    assert told == {"There is no published file to compare with."}
    assert warehouse.published.exists()


def test_what_did_not_change_passes(warehouse: Warehouse) -> None:
    warehouse.publish()
    assert warehouse.breaches() == {}


def test_what_a_new_organization_brings_is_no_change(warehouse: Warehouse) -> None:
    warehouse.publish()
    of = "insert into marts.{} select '{}'"
    for organization in ("west", "north"):
        warehouse.do(
            f"{of.format('event_type_labels', organization)}, 99, 'Test', 'contradicted';"
            f"{of.format('enum_labels', organization)}, 'gift.status', 9, 'New';"
            f"{of.format('schema_drift', organization)}, 'raise', 'gifts', 'x', 'new_field';"
            f"{of.format('quarantined_records', organization)}, 'raise', 'gifts', range::varchar, null, null"
            f" from range({MOST_NEW_IN_QUARANTINE + 1})"
        )
        breaches = warehouse.breaches()
        assert sum(map(len, breaches.values())) == (4 if organization == "north" else 0), breaches


def test_a_published_file_of_an_older_version_is_no_obstacle(warehouse: Warehouse) -> None:
    warehouse.publish()
    with duckdb.connect(str(warehouse.published)) as connection:
        connection.execute("drop table marts.schema_drift; alter table marts.enum_labels drop column label")
    assert warehouse.breaches() == {}


def test_a_damaged_published_file_is_no_obstacle(warehouse: Warehouse) -> None:
    warehouse.published.parent.mkdir()
    warehouse.published.write_text("no database")
    assert warehouse.breaches() == {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("delete from marts.gifts where organization = 'south' and gift_id >= 7", "south: 7 rows instead of 10"),
        ("delete from marts.gifts where organization = 'south'", "south: 0 rows instead of 10"),
    ],
)
def test_lost_rows_stop_publishing_and_leave_the_last_good_file(warehouse: Warehouse, change: str, told: str) -> None:
    warehouse.publish()
    before = warehouse.published.read_bytes()
    warehouse.do(change)
    failed, result = warehouse.judge()
    assert list(failed) == ["gifts rows_are_kept"]
    assert failed["gifts rows_are_kept"].severity is dg.AssetCheckSeverity.ERROR
    assert not result.success
    assert warehouse.published.read_bytes() == before
    (failure,) = result.get_step_failure_events()
    assert failure.step_failure_data.user_failure_data
    line = failure.step_failure_data.user_failure_data.description or ""
    assert line == (
        f"Nothing was published, readers keep the last good file: marts.gifts rows_are_kept ({told})."
        f" If that is meant, move {warehouse.published} away and run again."
    )


def test_few_lost_rows_are_let_through(warehouse: Warehouse) -> None:
    warehouse.publish()
    warehouse.do("delete from marts.gifts where organization = 'south' and gift_id >= 8")
    assert warehouse.breaches() == {}


IN_QUARANTINE = (
    "insert into marts.quarantined_records select 'north', 'raise', 'gifts', range, 'amount', null from range"
)


@pytest.mark.parametrize(
    ("change", "check", "told"),
    [
        (
            f"{IN_QUARANTINE}({MOST_NEW_IN_QUARANTINE + 1})",
            "quarantined_records quarantine_does_not_grow",
            "north: 11 more of raise gifts",
        ),
        (
            "update marts.event_type_labels set observed_label = 'Donor Made'  where event_type = 10",
            "event_type_labels event_labels_stay",
            "north: 10 is called Donor Made, confirmed",
        ),
        (
            "update marts.event_type_labels set observed_label = 'Gone', status = 'contradicted' where event_type = 11",
            "event_type_labels event_labels_stay",
            "north: 11 is called Gone, contradicted",
        ),
        (
            "insert into marts.enum_labels values ('north', 'gift.status', 9, 'Held')",
            "enum_labels enum_labels_stay",
            "north: gift.status 9 is called Held",
        ),
        (
            "update marts.enum_labels set label = 'Settled' where value = 1",
            "enum_labels enum_labels_stay",
            "north: gift.status 1 is called Settled",
        ),
        (
            "insert into marts.schema_drift values ('north', 'raise', 'gifts', 'tip', 'new_field')",
            "schema_drift schema_does_not_drift",
            "north: raise gifts tip: new field",
        ),
        (
            "insert into marts.recon_exceptions select 'north', 'gift', 'open', 'error' from range(101)",
            "recon_exceptions exceptions_are_few",
            "north: 101 of 1,000 gifts",
        ),
        (
            "update marts.recon_daily_totals set is_balanced = rowid >= 6",
            "recon_daily_totals days_balance",
            "north: 6 of 100",
        ),
        (
            "insert into intermediate.int_recon__empty_sides values ('north', 'CRM+ shows no gift.')",
            "recon_summary both_sides_are_there",
            "north: CRM+ shows no gift.",
        ),
    ],
)
def test_a_finding_is_told(warehouse: Warehouse, change: str, check: str, told: str) -> None:
    warehouse.publish()
    warehouse.do(change)
    assert warehouse.breaches() == {check: [told]}
    warehouse.publish()
    # What readers know now is no news the next time; a state is told as long as it lasts.
    assert bool(warehouse.breaches()) == (
        check.split()[1] in {"exceptions_are_few", "days_balance", "both_sides_are_there"}
    )


@pytest.mark.parametrize(
    "change",
    [
        f"{IN_QUARANTINE}({MOST_NEW_IN_QUARANTINE})",
        "insert into marts.recon_exceptions select 'north', 'gift', 'waived', 'error' from range(500)",
        "insert into marts.recon_exceptions select 'north', 'gift', 'open', 'error' from range(100)",
        "update marts.recon_daily_totals set is_balanced = null",
        "update marts.recon_daily_totals set is_balanced = rowid >= 5",
    ],
)
def test_what_is_tolerated_passes(warehouse: Warehouse, change: str) -> None:
    warehouse.publish()
    warehouse.do(change)
    assert warehouse.breaches() == {}


def test_a_finding_warns_and_is_published(warehouse: Warehouse) -> None:
    warehouse.publish()
    warehouse.do(
        "insert into marts.schema_drift select 'north', 'raise', 'gifts', 'f' || range, 'new_field' from range(8)"
    )
    failed, result = warehouse.judge()
    (found,) = failed.values()
    assert found.severity is dg.AssetCheckSeverity.WARN
    assert (found.description or "").endswith("; north: raise gifts f4: new field; and 3 more")
    assert found.metadata["breaches"].value == 8
    assert result.success
    assert warehouse.breaches() == {}


def test_the_step_waits_for_the_warehouse() -> None:
    assert verdict_checks(MART_RULES).node_def.pool == WAREHOUSE_POOL
