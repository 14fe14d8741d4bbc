"""Several organizations in one run: two of them broken, none of them in another's rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from ingestion.sandbox import running_several
from orchestration.instance import LOCATION_TAGS, open_instance
from tests.organizations import Simulated, misjudged, simulate, strays

NORTH, BROKEN, SOUTH, UNSET = NAMES = ("north", "broken", "south", "unset")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    with running_several(NAMES) as organizations:
        yield simulate(tmp_path_factory.mktemp("organizations"), organizations, every=2)


def rows(simulated: Simulated, sql: str, *, published: bool = False) -> list[tuple[object, ...]]:
    file = simulated.published if published else simulated.warehouse
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_what_is_broken_is_named_and_stops_no_other(simulated: Simulated) -> None:
    assert simulated.code == 1
    (line,) = simulated.error.splitlines()
    assert f"[{BROKEN}] Raise refused the credential (401): check BROKEN_TOKEN" in line
    assert f"[{UNSET}] the variable that crm_plus_key_name names is not set" in line
    assert line.count("refused") == 1
    assert "marked" not in line
    assert f"[{NORTH}]" not in line
    assert f"[{SOUTH}]" not in line
    gifts = dict(rows(simulated, "select organization, count(*) from raw_raise.gifts group by all"))
    assert gifts == {slug: simulated.organizations[slug].counts()["raise"]["gifts"] for slug in (NORTH, SOUTH)}
    read = dict(
        rows(simulated, "select organization, bool_and(is_complete) from raw_raise.load_audit group by organization")
    )
    assert read == {NORTH: True, BROKEN: False, SOUTH: True}
    assert misjudged(simulated) == {NORTH: 0, SOUTH: 0}
    judged = rows(
        simulated, f"select distinct status from marts.recon_donors where organization = '{BROKEN}'", published=True
    )
    assert judged == [("not_assessable",)]


def test_the_ui_shows_what_the_command_said(simulated: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(simulated.dagster_home))
    with open_instance() as instance:
        (run,) = instance.get_runs()
        partitions = dg.StaticPartitionsDefinition(NAMES)
        raise_side, crm_side = (
            instance.get_status_by_partition(dg.AssetKey(key), NAMES, partitions)
            for key in (["raw_raise", "gifts"], ["raw_crm_plus", "gifts"])
        )
        published = instance.get_latest_materialization_event(dg.AssetKey("published"))
    red, green = AssetPartitionStatus.FAILED, AssetPartitionStatus.MATERIALIZED
    assert run.status is dg.DagsterRunStatus.FAILURE
    assert raise_side == {NORTH: green, BROKEN: red, SOUTH: green, UNSET: red}
    assert crm_side is not None
    assert crm_side[NORTH] == crm_side[SOUTH] == green
    assert crm_side[UNSET] == red
    assert published is not None
    assert published.run_id == run.run_id
    # By its origin the timeline of the UI finds a run, by its tag everything else.
    assert run.remote_job_origin is not None
    label = run.remote_job_origin.repository_origin.get_label()
    assert {".dagster/repository": label} == LOCATION_TAGS
    assert run.tags.items() >= LOCATION_TAGS.items()


def test_no_row_stands_under_another_organization(simulated: Simulated) -> None:
    schemas = ("raw_raise", "raw_crm_plus", "staging", "intermediate", "marts")
    found = strays(simulated.warehouse, NAMES, schemas) | strays(simulated.published, NAMES, ("marts",))
    assert {"raw_raise.gifts", "raw_crm_plus.contacts", "marts.recon_gifts", "marts.recon_exceptions"} <= found.keys()
    assert not {table: count for table, count in found.items() if count}


def test_a_row_under_another_organization_would_be_seen(simulated: Simulated, tmp_path: Path) -> None:
    file = tmp_path / "strayed.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"attach '{simulated.published}' as published (read_only)")
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.recon_gifts as select * replace"
            f" (if(row_number() over (partition by organization) = 1, '{SOUTH}', organization) as organization)"
            f" from published.marts.recon_gifts where crm_id is not null"
        )
    assert strays(file, NAMES, ("marts",)) == {"marts.recon_gifts": 1}


def test_no_join_of_the_marts_meets_another_organization(simulated: Simulated) -> None:
    """By their ids alone: what an analyst forgets to join by, must not matter to what the marts hold."""
    for table, key, other, its_key in (
        ("recon_gifts", "donor_id", "recon_donors", "raise_id"),
        ("recon_gifts", "contact_id", "recon_donors", "crm_id"),
        ("recon_recurring_gifts", "raise_id", "recon_exceptions", "raise_id"),
        ("recon_exceptions", "raise_id", "recon_donors", "raise_id"),
    ):
        met = rows(
            simulated,
            "select count(*) filter (a.organization = b.organization),"
            " count(*) filter (a.organization <> b.organization)"
            f" from marts.{table} a inner join marts.{other} b on a.{key} = b.{its_key}",
            published=True,
        )
        assert met[0][0] > 0
        assert met[0][1] == 0, (table, other)


def test_no_credential_goes_to_another_organizations_host(simulated: Simulated) -> None:
    strangers = {slug: sandbox.requests()["strangers"] for slug, sandbox in simulated.organizations.items()}
    assert (strangers[NORTH], strangers[SOUTH], strangers[UNSET]) == (0, 0, 0)
    assert strangers[BROKEN] > 0
    assert all(sandbox.requests()["undocumented"]["count"] == 0 for sandbox in simulated.organizations.values())
