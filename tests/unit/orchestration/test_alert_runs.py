"""What alerts say of each organization is what its newest run did."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
import pytest
from dagster import RunsFilter
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from orchestration.alerts import runs as subject
from orchestration.alerts.attempts import Attempt
from orchestration.alerts.changes import BAD, UNKNOWN, WELL
from orchestration.assets.ingest import READ_COMPLETELY

SLUGS = ("east", "north", "south")
RAW, PUBLISHED = dg.AssetKey(["raw_raise", "gifts"]), dg.AssetKey("published")
REFUSED = "Raise refused the credential (401)."
Marks = Mapping[str, str | None]
ALL_WELL: Marks = {"east": WELL, "north": WELL, "south": WELL, "all organizations": WELL}


def backfill(first: str, last: str | None = None) -> dict[str, str]:
    """The tags of a backfill that the UI starts."""
    return {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last or first}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def run(
    instance: dg.DagsterInstance,
    unread: Mapping[str, str] | None = None,
    *,
    reading_fails: str | None = None,
    building_fails: str | None = None,
    tags: Mapping[str, str] | None = None,
    only: dg.AssetKey | None = None,
) -> None:
    """A run of one source and what follows it; one of partitions fails with what it could not read."""

    @dg.multi_asset(
        name="ingest_raise", specs=[dg.AssetSpec(RAW)], check_specs=[dg.AssetCheckSpec(READ_COMPLETELY, asset=RAW)]
    )
    def ingest():
        if reading_fails:
            raise dg.Failure(reading_fails, allow_retries=False)
        yield dg.MaterializeResult(asset_key=RAW)
        errors = {slug: f"[{slug}] {line}" for slug, line in (unread or {}).items()}
        metadata = {"errors": errors, "notes": {}}
        yield dg.AssetCheckResult(asset_key=RAW, check_name=READ_COMPLETELY, passed=not unread, metadata=metadata)
        if unread and tags:
            raise dg.Failure(" ".join(errors.values()), allow_retries=False)

    @dg.asset(key=PUBLISHED, deps=[RAW])
    def published() -> None:
        if building_fails:
            raise dg.Failure(building_fails, allow_retries=False)

    defs = dg.Definitions(assets=[ingest, published], jobs=[dg.define_asset_job("reconcile")])
    selection = [RAW] if tags else [only] if only else None
    defs.resolve_job_def("reconcile").execute_in_process(
        instance=instance, tags=dict(tags or {}), asset_selection=selection, raise_on_error=False
    )


def marks(instance: dg.DagsterInstance, attempt: Attempt | None = None) -> Marks:
    return {slug: seen.mark for slug, seen in states(instance, attempt).items()}


def states(instance: dg.DagsterInstance, attempt: Attempt | None = None) -> dict[str, subject.Seen]:
    records = instance.get_run_records(RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]))
    return subject.run_states(instance, records, attempt, SLUGS)


def test_an_organization_is_red_until_a_run_reads_it(instance: dg.DagsterInstance) -> None:
    run(instance, {"north": REFUSED})
    assert states(instance)["north"].text == f"north: {REFUSED}"
    assert marks(instance) == {**ALL_WELL, "north": BAD}
    run(instance, tags=backfill("south"))
    assert marks(instance) == {**ALL_WELL, "north": BAD}, "one that succeeds says nothing of another"
    run(instance, {"south": REFUSED}, tags=backfill("south"))
    assert marks(instance) == {**ALL_WELL, "north": BAD, "south": BAD}, "each failure is news"
    run(instance, tags=backfill("north"))
    assert marks(instance) == {**ALL_WELL, "south": BAD}
    run(instance)
    assert marks(instance) == ALL_WELL


@pytest.mark.parametrize(
    ("tags", "read"),
    [
        ({PARTITION_NAME_TAG: "north"}, {"north"}),
        (backfill("north"), {"north"}),
        (backfill("north", "south"), {"north", "south"}),
        (backfill("east", "south"), {"east", "north", "south"}),
        (backfill("removed"), {"removed"}),
        ({}, None),
    ],
)
def test_the_organizations_of_a_run(instance: dg.DagsterInstance, tags: dict[str, str], read: set[str] | None) -> None:
    @dg.job
    def work() -> None: ...

    assert subject.organizations_of(instance.create_run_for_job(work, tags=tags), SLUGS) == read


def test_what_fails_for_all_is_well_with_a_run_of_all(instance: dg.DagsterInstance) -> None:
    run(instance, {"north": REFUSED})
    run(instance, reading_fails="Raise cannot be reached.")
    unknown = dict.fromkeys(SLUGS, UNKNOWN)
    assert marks(instance) == {**unknown, "all organizations": BAD}
    assert states(instance)["all organizations"].text == "all organizations: Raise cannot be reached."
    run(instance, tags=backfill("south"))
    assert marks(instance) == {**unknown, "south": WELL, "all organizations": BAD}
    run(instance, only=PUBLISHED)
    assert marks(instance)["all organizations"] == BAD, "it read nothing"
    run(instance)
    assert marks(instance) == ALL_WELL


def test_a_run_of_partitions_that_could_not_begin_to_read(instance: dg.DagsterInstance) -> None:
    run(instance)
    run(instance, reading_fails="Raise cannot be reached.", tags=backfill("north", "south"))
    assert marks(instance) == {**ALL_WELL, "north": BAD, "south": BAD}


def test_what_follows_the_reading_concerns_all(instance: dg.DagsterInstance) -> None:
    run(instance, {"north": REFUSED}, building_fails="dbt: a test failed.")
    found = marks(instance)
    assert found == {"east": UNKNOWN, "north": BAD, "south": UNKNOWN, "all organizations": BAD}
    run(instance, tags=backfill("south"))
    assert marks(instance)["all organizations"] == BAD, "it built nothing"
    run(instance, only=PUBLISHED)
    assert marks(instance)["all organizations"] is WELL


def test_an_attempt_counts_until_a_later_run_of_the_same(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run(instance)
    locked = Attempt(time.time(), None, "The warehouse is in use.")
    two = Attempt(time.time(), "north, south", "A credential is missing.")
    run(instance, tags=backfill("south"))
    assert marks(instance, locked) == {**ALL_WELL, "all organizations": BAD}
    assert marks(instance, two) == {**ALL_WELL, "north": BAD}
    run(instance)
    assert marks(instance, locked) == ALL_WELL
    assert marks(instance, two) == ALL_WELL
