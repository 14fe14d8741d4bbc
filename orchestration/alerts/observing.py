"""What there is to see: runs and checks in Dagster's storage, data and exceptions in the readers' file."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status

from ingestion.settings import Organization, Settings, partitions
from orchestration.alerts.attempts import last_attempt
from orchestration.alerts.changes import BAD, UNKNOWN, WELL, Observation, Seen, Topic, label_subject
from orchestration.alerts.runs import organizations_of, run_states
from orchestration.assets.ingest import is_raw
from orchestration.assets.publish import PUBLISHED
from orchestration.failures import failures
from orchestration.labels import event_type_labels
from orchestration.published import NothingPublished, reading, rows
from orchestration.rules import EVENT_LABELS_STAY, READ_LATELY

_PRODUCTS = {"raise": "Raise", "crm_plus": "CRM+"}
_READABLE = "the readers' file"
_RUNS = 100
_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
_TOLD_AS_THAT = {READ_LATELY.name, EVENT_LABELS_STAY.name}
"""Checks of what has a topic of its own: a side grows stale also when no run comes that could check it."""


def observe(settings: Settings, instance: DagsterInstance, checks: Collection[dg.AssetCheckKey] | None) -> Observation:
    """Everything that can be looked at now. `checks`: those that are defined, where that can be told."""
    organizations = settings.organizations_or_none()
    slugs = partitions()
    ended = instance.get_run_records(RunsFilter(statuses=_ENDED), limit=_RUNS)
    seen: dict[Topic, Mapping[str, Seen]] = {
        Topic.RUN: run_states(instance, ended, last_attempt(settings), slugs),
        Topic.PUBLISHING: _publishing(instance, ended, settings.published_path),
    }
    if checks is not None:
        seen[Topic.CHECK] = dict(_checks(instance, checks, slugs))
    if settings.published_path.exists():
        try:
            if organizations is not None:
                seen[Topic.READING] = _readings(settings.published_path, organizations, settings.now())
            seen[Topic.EXCEPTION] = _exceptions(settings.published_path)
            seen[Topic.LABEL] = _labels(settings.published_path)
            readable = Seen(WELL, "The readers' file can be read.")
        except NothingPublished as error:
            readable = Seen(BAD, str(error))
        seen[Topic.PUBLISHING] = {**seen[Topic.PUBLISHING], _READABLE: readable}
    return seen


def _publishing(instance: DagsterInstance, ended: Collection[RunRecord], published: Path) -> dict[str, Seen]:
    """Whether the newest run that was to publish did."""
    runs = [
        r.dagster_run for r in ended if not r.dagster_run.asset_selection or PUBLISHED in r.dagster_run.asset_selection
    ]
    if not runs:
        return {}
    newest = instance.get_latest_materialization_event(PUBLISHED)
    if newest and newest.run_id == runs[0].run_id:
        return {PUBLISHED.to_user_string(): Seen(WELL, _file(published))}
    return {PUBLISHED.to_user_string(): Seen(BAD, _file(published))}


def _file(published: Path) -> str:
    try:
        made = datetime.fromtimestamp(published.stat().st_mtime, UTC)
    except OSError:
        return "There is no readers' file."
    return f"The readers' file is that of {_instant(made)}."


def _checks(
    instance: DagsterInstance, keys: Collection[dg.AssetCheckKey], slugs: Sequence[str]
) -> Iterator[tuple[str, Seen]]:
    is_whole: dict[str, bool] = {}
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    for key, record in latest.items():
        # The query takes the names and the assets of the keys each by itself.
        if key not in keys or key.name in _TOLD_AS_THAT:
            continue
        if record.run_id not in is_whole:
            run = instance.get_run_by_id(record.run_id)
            is_whole[record.run_id] = run is None or organizations_of(run, slugs) is None
        name = f"{key.asset_key.to_user_string()}: {key.name}"
        # A run of one organization reads that alone, and says nothing of the others; dbt tests them all.
        is_judged = is_whole[record.run_id] or not is_raw(key.asset_key)
        yield name, _check(name, record) if is_judged else Seen(UNKNOWN, name)


def _check(name: str, record: AssetCheckExecutionRecord) -> Seen:
    evaluation = record.evaluation if record.status in (Status.SUCCEEDED, Status.FAILED) else None
    if evaluation is None:
        return Seen(UNKNOWN, name)
    if evaluation.passed:
        return Seen(WELL, name)
    event = record.event and record.event.dagster_event
    # Told as the failure of its run.
    if event and failures([event]):
        return Seen(UNKNOWN, name)
    severity = " (warning)" if evaluation.severity is dg.AssetCheckSeverity.WARN else ""
    return Seen(BAD, f"{name}{severity}{f': {evaluation.description}' if evaluation.description else ''}")


def _readings(published: Path, organizations: Collection[Organization], now: datetime) -> dict[str, Seen]:
    """The resource of each side whose last complete read is the oldest. One that never was complete fails a check."""
    sides = {(o.slug, "raise"): o.stale_after_hours for o in organizations}
    sides |= {(o.slug, "crm_plus"): o.stale_after_hours for o in organizations if o.crm_plus_api_key}
    with reading(published) as connection:
        found = rows(
            connection,
            """
            SELECT organization, source, arg_min(resource, last_read_at), min(last_read_at)
            FROM (
                SELECT
                    organization, source, resource,
                    -- A clock that was ahead made none of them later.
                    max(finished_at) FILTER (is_complete AND finished_at <= $now) AS last_read_at
                FROM marts.load_audit
                -- Read a few at a time, for as long as it takes.
                WHERE resource <> 'webhook_log_payloads'
                GROUP BY ALL
            )
            WHERE last_read_at IS NOT NULL
            GROUP BY ALL
            """,
            now=now,
        )
    seen = {}
    for organization, source, resource, at in found:
        if (organization, source) in sides:
            side = f"{organization}: {_PRODUCTS[source]}"
            is_stale = now - at > timedelta(hours=sides[organization, source])
            text = f"{side}: {resource} were last read completely on {_instant(at)}"
            seen[side] = Seen(BAD if is_stale else WELL, text)
    return seen


def _exceptions(published: Path) -> dict[str, Seen]:
    """Those that are open and of severity error: what is wrong and what it is worth, and not with whom."""
    with reading(published) as connection:
        found = rows(
            connection,
            """
            SELECT
                open.exception_id, open.reopened_count, open.organization, open.entity, statuses.title,
                open.amount_at_stake,
                coalesce(gifts.compared_currency, gifts.raise_currency, gifts.crm_currency, schedules.currency)
            FROM marts.recon_exceptions AS open
            LEFT JOIN marts.recon_statuses AS statuses ON statuses.entity = open.entity AND statuses.code = open.code
            LEFT JOIN marts.recon_gifts AS gifts
                ON open.entity = 'gift' AND gifts.organization = open.organization
                AND (gifts.raise_id = open.raise_id OR (open.raise_id IS NULL AND gifts.crm_id = open.crm_id))
            LEFT JOIN marts.recurring_gifts AS schedules
                ON open.entity = 'recurring_gift' AND schedules.organization = open.organization
                AND schedules.recurring_gift_id = open.raise_id
            WHERE open.state = 'open' AND open.severity = 'error'
            """,
        )
    return {
        exception_id: Seen(str(reopened), f"{organization}: {_words(entity)}: {title}", amount, currency)
        for exception_id, reopened, organization, entity, title, amount, currency in found
    }


def _labels(published: Path) -> dict[str, Seen]:
    return {
        label_subject(label.organization, label.event_type): Seen(
            f"{label.status}: {label.observed_label}",
            f"{label.organization}: {label.event_type} is called “{label.observed_label}” ({label.status})",
        )
        for label in event_type_labels(published)
        if label.observed_label is not None
    }


def _instant(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def _words(name: str) -> str:
    return name.replace("_", " ")
