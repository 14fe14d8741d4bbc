"""One whole run through the job of the schedule, in this process and on the shared instance."""

from dataclasses import dataclass

import dagster as dg
from dagster import DagsterEvent, DagsterEventType, ExecuteInProcessResult

from orchestration.assets.ingest import READ_COMPLETELY
from orchestration.definitions import defs
from orchestration.instance import bury_dead_runs, open_instance, run_tags
from orchestration.jobs import QUIET, reconcile
from orchestration.scope import Part


@dataclass(frozen=True)
class Finished:
    """How a run ended: `errors` are one line each, without repetition."""

    run_id: str
    succeeded: bool
    errors: tuple[str, ...]


def execute(*, organization: str | None = None, full: bool = False, only: Part | None = None) -> Finished:
    """Runs the job, or one part of it, in its turn. The run shows in the UI like any other."""
    with open_instance() as instance:
        bury_dead_runs(instance)
        result = defs.resolve_job_def(reconcile.name).execute_in_process(
            instance=instance,
            run_config=_run_config(organization, full, only),
            asset_selection=_assets(only),
            tags=run_tags(),
            raise_on_error=False,
        )
    return Finished(result.run_id, result.success, tuple(dict.fromkeys(_errors(result))))


def _run_config(organization: str | None, full: bool, only: Part | None) -> dict[str, object]:
    if only is Part.TRANSFORM:
        return dict(QUIET)
    return {**QUIET, "resources": {"options": {"config": {"organization": organization, "full": full}}}}


def _assets(only: Part | None) -> list[dg.AssetKey] | None:
    if only is None:
        return None
    graph = defs.resolve_asset_graph()
    raw = {key for key in graph.materializable_asset_keys if key.path[0].startswith("raw_")}
    return sorted(raw if only is Part.INGEST else graph.materializable_asset_keys - raw)


def _errors(result: ExecuteInProcessResult) -> list[str]:
    failures = [error for event in result.all_events if (error := _step_error(event))]
    unread = [
        check.description
        for check in result.get_asset_check_evaluations()
        if check.check_name == READ_COMPLETELY and check.severity is dg.AssetCheckSeverity.ERROR and check.description
    ]
    return [*failures, *unread]


def _step_error(event: DagsterEvent) -> str | None:
    if event.event_type is not DagsterEventType.STEP_FAILURE:
        return None
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    cause = failure.error
    while cause and cause.cause:
        cause = cause.cause
    return f"{event.step_key}: {cause.message.strip().splitlines()[0]}" if cause else f"{event.step_key} failed."
