"""The raw tables: one multi-asset per source, from its API to its dataset.

`multi_asset` instead of `dlt_assets`, because the same step also yields the checks on what it read, and because a part
of a source must not be read without the audit row that says so. With an ORGANIZATIONS_FILE each organization is a
partition; one run reads all of them all the same, and tells of each.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.tags import PRIORITY_TAG
from dagster_dlt import DagsterDltTranslator
from dagster_dlt.translator import DltResourceTranslatorData

from ingestion import operations
from ingestion.plan import Mode
from ingestion.resource_reading import Outcome
from ingestion.settings import Settings, partitions
from ingestion.sources import SOURCES, OpenReading, definition
from orchestration import rules
from orchestration.assets.ages import age_check_specs, age_checks
from orchestration.assets.common import guarded
from orchestration.consent import consent
from orchestration.dbt import Described
from orchestration.instance import WAREHOUSE_POOL
from orchestration.resources import Loader, RunOptions, Turn
from orchestration.rounds import Read, Round
from orchestration.scope import chosen

READ_COMPLETELY = rules.READ_COMPLETELY.name
READ_AGAIN_IN_TIME = rules.READ_AGAIN_IN_TIME.name
SAME_ORGANIZATION = rules.SAME_ORGANIZATION.name

_NOT_READ = "could_not_be_read"
_COLUMNS = "dagster/column_schema"
_TABLE = "dagster/table_name"
_PRODUCTS = {"raise": "Virtuous Raise", "crm_plus": "Virtuous CRM+"}
_SUMMED = (
    "rows_read",
    "rows_new",
    "rows_changed",
    "rows_deleted",
    "rows_quarantined",
    "requests",
    "retries",
    "throttled_seconds",
    "seconds",
)


def is_raw(key: dg.AssetKey) -> bool:
    """Whether an asset is read from an API, or written about what is."""
    return key.path[0].startswith("raw_")


def step_of(source: str) -> str:
    """The step that reads a source, and the name of its assets."""
    return f"ingest_{source}"


def api_key(source: str) -> dg.AssetKey:
    return dg.AssetKey(f"{source}_api")


def api_spec(source: str) -> dg.AssetSpec:
    """Where the lineage starts."""
    return dg.AssetSpec(
        api_key(source),
        description=f"The API of {_PRODUCTS[source]}, read only.",
        group_name="apis",
        kinds={"api"},
    )


class RawTables(DagsterDltTranslator):
    """Names a raw table as dbt names it, so that the lineage joins by itself: dataset, then resource."""

    def __init__(self, source: str, dataset: str, described: Mapping[tuple[str, str], Described]) -> None:
        super().__init__()
        self.source = source
        self.dataset = dataset
        self._described = described
        self._freshness = rules.freshness_policy()

    def get_asset_spec(self, data: DltResourceTranslatorData) -> dg.AssetSpec:
        resource = data.resource
        spec = super().get_asset_spec(data)
        return spec.replace_attributes(
            key=dg.AssetKey([self.dataset, resource.name]),
            deps=[api_key(self.source)],
            description=self._described[self.dataset, resource.name].says,
            group_name=self.dataset,
            kinds={"dlt", "duckdb"},
            tags={"source": self.source},
            # Without the dataset, Dagster takes the tables of one name in both products for one table.
            metadata={**spec.metadata, _TABLE: f"{self.dataset}.{resource.name}"},
            freshness_policy=self._freshness,
        )

    def metadata(self, key: dg.AssetKey, loaded: Mapping[str, Any]) -> dict[str, Any]:
        """What the integration knows of a table: its name and its columns, here with what they mean.

        The rest of what it tells is about files of the load package.
        """
        told = {name: value for name, value in loaded.items() if name.startswith("dagster/") and name != _TABLE}
        if schema := told.get(_COLUMNS):
            meanings = self._described[self.dataset, key.path[-1]].columns
            columns = [
                dg.TableColumn(column.name, column.type, meanings.get(column.name), column.constraints, column.tags)
                for column in schema.columns
            ]
            told[_COLUMNS] = dg.TableSchema(columns)
        return told


def ingest_assets(source: str, described: Mapping[tuple[str, str], Described]) -> dg.AssetsDefinition:
    """Every raw table of a source, its operations tables included, with what the dbt project says of them."""
    declared = definition(source)
    tables = RawTables(source, declared.name, described)
    # A settled list: it changes with the settings, when Dagster loads them.
    partitioned = dg.StaticPartitionsDefinition(slugs) if (slugs := partitions()) else None
    specs = [
        tables.get_asset_spec(DltResourceTranslatorData(resource=resource, pipeline=None))
        for resource in declared.resources.values()
    ]

    @dg.multi_asset(
        name=step_of(source),
        specs=specs,
        check_specs=[
            dg.AssetCheckSpec(READ_COMPLETELY, asset=spec.key, description=rules.READ_COMPLETELY.says)
            for spec in specs
            if _is_read(spec.key)
        ]
        + [
            dg.AssetCheckSpec(
                READ_AGAIN_IN_TIME,
                asset=_progress_key(declared.name),
                description=rules.READ_AGAIN_IN_TIME.says,
            ),
            dg.AssetCheckSpec(
                SAME_ORGANIZATION, asset=_connections_key(declared.name), description=rules.SAME_ORGANIZATION.says
            ),
            *age_check_specs(declared.name),
        ],
        pool=WAREHOUSE_POOL,
        partitions_def=partitioned,
        backfill_policy=dg.BackfillPolicy.single_run() if partitioned else None,
        op_tags={PRIORITY_TAG: str(-SOURCES.index(source))},
    )
    def ingest(context: dg.AssetExecutionContext, loader: Loader, options: RunOptions, turn: Turn) -> Iterator[Any]:
        loaded: dict[dg.AssetKey | None, Mapping[str, Any]] = {}
        budgets: list[int] = []

        def load(reading: OpenReading) -> None:
            for package in reading.packages():
                for result in loader.run(
                    context, dlt_source=package, dlt_pipeline=reading.pipeline, dagster_dlt_translator=tables
                ):
                    loaded[result.asset_key] = result.metadata or {}
            if reading.budget_left is not None:
                budgets.append(reading.budget_left)

        is_run_of_partitions = context.has_partition_key or context.has_partition_key_range
        with guarded():
            settings = options.settings()
            scope = chosen(settings, context.partition_keys if is_run_of_partitions else options.organizations)
            reads = Round(
                source,
                settings,
                load,
                context.log.error if settings.hides_persons else context.log.exception,
                run_id=context.run.run_id,
                full=options.full,
                accept_deletions=consent().deletions,
                accept_organization=consent().organizations,
                wait_at_most=options.wait_at_most,
            ).read(scope)
        failed: set[str] = set()
        for key in (spec.key for spec in specs):
            resource = key.path[-1]
            outcomes = {slug: read.outcomes[resource] for slug, read in reads.items() if resource in read.outcomes}
            errors = {
                slug: _named(slug, error, settings)
                for slug, read in reads.items()
                if (error := read.error_of(resource))
            }
            notes = {
                slug: _named(slug, note, settings) for slug, read in reads.items() if (note := read.note_of(resource))
            }
            if partitioned and (errors or not is_run_of_partitions):
                if not is_run_of_partitions:
                    _plan(context, key, step_of(source), errors)
                for slug in reads:
                    context.log_event(_of_one(key, slug, outcomes.get(slug), errors.get(slug) or notes.get(slug)))
            failed |= set(errors.values())
            # Dagster takes an asset's result for that of all partitions of the run.
            if not (errors and is_run_of_partitions):
                readings = _readings(outcomes, settings.now())
                # Of the organization that has the least left; the others' resources share it.
                budget = {"budget_left": min(budgets)} if budgets and readings else {}
                yield dg.MaterializeResult(
                    asset_key=key, metadata={**tables.metadata(key, loaded[key]), **readings, **budget}
                )
            if _is_read(key):
                others = _others(context.instance, dg.AssetCheckKey(key, READ_COMPLETELY), reads, settings)
                yield _read_completely(key, outcomes, errors, notes, others)
        yield _read_again_in_time(_progress_key(declared.name), reads, settings)
        connections = _connections_key(declared.name)
        foreign = _others(context.instance, dg.AssetCheckKey(connections, SAME_ORGANIZATION), reads, settings)
        yield _same_organization(connections, reads, foreign)
        yield from age_checks(declared.name, _by_resource(reads), settings)
        is_alone = bool(context.run.asset_selection) and all(is_raw(key) for key in context.run.asset_selection or ())
        if failed and (is_run_of_partitions or is_alone):
            # What follows fails a run that goes on; only a failed one turns the partitions that were not read red.
            raise not_read(failed)

    return ingest


def not_read(errors: Collection[str]) -> dg.Failure:
    """Fails a run that did its work, but for what could not be read, which the checks report: as `tieout run` does."""
    return dg.Failure(" ".join(sorted(errors)), metadata={_NOT_READ: len(errors)}, allow_retries=False)


def is_not_read(event: dg.DagsterEvent) -> bool:
    """Whether a step failed with `not_read`."""
    if event.event_type is not dg.DagsterEventType.STEP_FAILURE:
        return False
    said = event.step_failure_data.user_failure_data
    return bool(said and _NOT_READ in said.metadata)


def errors_of(check: dg.AssetCheckEvaluation) -> Mapping[str, str]:
    """Why organizations could not be read, a line each by slug, as a check of `READ_COMPLETELY` tells it."""
    return _told(check, "errors")


def notes_of(check: dg.AssetCheckEvaluation) -> Mapping[str, str]:
    """What a product does not give and others are read without, the same way."""
    return _told(check, "notes")


def _told(check: dg.AssetCheckEvaluation, kind: str) -> Mapping[str, str]:
    told = check.metadata[kind].value
    assert isinstance(told, dict)
    return told


def _by_resource(reads: Mapping[str, Read]) -> dict[str, dict[str, Outcome]]:
    found: dict[str, dict[str, Outcome]] = {}
    for slug, read in reads.items():
        for resource, outcome in read.outcomes.items():
            found.setdefault(resource, {})[slug] = outcome
    return found


def _named(slug: str, error: str, settings: Settings) -> str:
    """An error with the name of its organization, where there may be several."""
    return f"[{slug}] {error}" if settings.organizations_file and f"[{slug}]" not in error else error


def _of_one(
    key: dg.AssetKey, slug: str, outcome: Outcome | None, error: str | None
) -> dg.AssetMaterialization | dg.AssetObservation:
    """That a table was read for one organization; or that it was not, which leaves the last time that it was."""
    told = _record(slug, outcome) if outcome else {}
    if error:
        return dg.AssetObservation(key, description=error, partition=slug, metadata={**told, "error": error})
    return dg.AssetMaterialization(key, partition=slug, metadata=told)


def _plan(context: dg.AssetExecutionContext, key: dg.AssetKey, step: str, slugs: Collection[str]) -> None:
    """Dagster takes a partition for failed that a failed run was to make and did not; a run of all names none."""
    for slug in slugs:
        planned = AssetMaterializationPlannedData(key, partition=slug)
        event = dg.DagsterEvent.build_asset_materialization_planned_event(context.job_name, step, planned)
        context.instance.report_dagster_event(event, run_id=context.run.run_id)


def _progress_key(dataset: str) -> dg.AssetKey:
    return dg.AssetKey([dataset, "read_progress"])


def _connections_key(dataset: str) -> dg.AssetKey:
    return dg.AssetKey([dataset, "connections"])


def _is_read(key: dg.AssetKey) -> bool:
    """Whether a table is read from the API, and not written about it."""
    return key.path[-1] not in operations.TABLES


def _readings(outcomes: Mapping[str, Outcome], now: datetime) -> dict[str, Any]:
    """What was read of a resource, summed over the organizations and told for each. Dagster plots the numbers."""
    if not outcomes:
        return {}
    sums = {name: sum(getattr(outcome, name) or 0 for outcome in outcomes.values()) for name in ("api_total", *_SUMMED)}
    whole = sum(outcome.mode == Mode.FULL for outcome in outcomes.values())
    complete = sum(outcome.is_complete for outcome in outcomes.values())
    watermarks = [datetime.fromisoformat(outcome.watermark) for outcome in outcomes.values() if outcome.watermark]
    newest = {"newest_record_hours": round((now - max(watermarks)) / timedelta(hours=1), 2)} if watermarks else {}
    return {
        **sums,
        **newest,
        "share_complete": complete / len(outcomes),
        "share_read_whole": whole / len(outcomes),
        "mode": ", ".join(sorted({outcome.mode for outcome in outcomes.values()})),
        "is_complete": all(outcome.is_complete for outcome in outcomes.values()),
        "readings": dg.MetadataValue.table(
            [dg.TableRecord(_record(organization, outcome)) for organization, outcome in outcomes.items()]
        ),
    }


def _record(organization: str, outcome: Outcome) -> dict[str, str | int | float | bool | None]:
    return {
        "organization": organization,
        "mode": outcome.mode,
        "is_complete": outcome.is_complete,
        **{name: getattr(outcome, name) for name in ("api_total", *_SUMMED)},
        "watermark": str(outcome.watermark) if outcome.watermark is not None else None,
        "error": outcome.error,
    }


def _others(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, reads: Collection[str], settings: Settings
) -> dict[str, str]:
    """What the last evaluation of a check found wrong with organizations that this run does not read, by slug.

    Without it a run of one organization would turn green what another one's failed.
    """
    others = {*settings.slugs} - {*reads}
    if not others:
        return {}
    history = instance.event_log_storage.get_asset_check_execution_history(
        check, limit=1, status={AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
    )
    found: dict[str, str] = {}
    for evaluation in (record.evaluation for record in history if record.evaluation):
        for kind in ("others", "errors"):
            told = evaluation.metadata.get(kind)
            if told and isinstance(told.value, dict):
                found |= {slug: line for slug, line in told.value.items() if slug in others}
    return found


def _read_completely(
    key: dg.AssetKey,
    outcomes: Mapping[str, Outcome],
    errors: Mapping[str, str],
    notes: Mapping[str, str],
    others: Mapping[str, str],
) -> dg.AssetCheckResult:
    incomplete = [slug for slug, outcome in outcomes.items() if not outcome.is_complete]
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=READ_COMPLETELY,
        passed=not errors and not incomplete and not others,
        severity=rules.READ_COMPLETELY.severity if errors or others else rules.UNFINISHED,
        description="; ".join(dict.fromkeys((*errors.values(), *others.values(), *notes.values()))) or None,
        metadata={"incomplete": incomplete, "errors": dict(errors), "notes": dict(notes), "others": dict(others)},
    )


def _same_organization(key: dg.AssetKey, reads: Mapping[str, Read], others: Mapping[str, str]) -> dg.AssetCheckResult:
    """The organizations whose credential opens another one than the warehouse holds."""
    errors = {slug: f"{slug}'s credential opens {read.foreign}" for slug, read in reads.items() if read.foreign}
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=SAME_ORGANIZATION,
        passed=not errors and not others,
        severity=rules.SAME_ORGANIZATION.severity,
        description="; ".join((*errors.values(), *others.values())) or None,
        metadata={"errors": errors, "others": dict(others)},
    )


def _read_again_in_time(key: dg.AssetKey, reads: Mapping[str, Read], settings: Settings) -> dg.AssetCheckResult:
    """How old the row is that was not read for the longest time, for each resource that was ever read to its end."""
    now, promise = settings.now(), timedelta(days=settings.full_sweep_every_days)
    ages = {
        (organization, resource): now - outcome.unread_since
        for organization, read in reads.items()
        for resource, outcome in read.outcomes.items()
        if outcome.unread_since
    }
    late = [
        f"{organization}'s {resource} for {age / timedelta(days=1):.1f} days"
        for (organization, resource), age in ages.items()
        if age > promise
    ]
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=READ_AGAIN_IN_TIME,
        passed=not late,
        severity=rules.READ_AGAIN_IN_TIME.severity,
        description=f"Some rows went unread for longer than FULL_SWEEP_EVERY_DAYS: {', '.join(late)}."
        if late
        else None,
        metadata={
            "FULL_SWEEP_EVERY_DAYS": settings.full_sweep_every_days,
            "unread": dg.MetadataValue.table(
                [
                    dg.TableRecord(
                        {"organization": organization, "resource": resource, "days": round(age / timedelta(days=1), 2)}
                    )
                    for (organization, resource), age in ages.items()
                ],
                schema=dg.TableSchema(
                    [
                        dg.TableColumn("organization"),
                        dg.TableColumn("resource"),
                        dg.TableColumn("days", "float"),
                    ]
                ),
            ),
        },
    )
