"""One whole run through the job of the schedule, in this process and on the shared instance."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import RemoteJobOrigin

from ingestion.disk import full_disk
from orchestration.assets.ingest import is_not_read, is_raw
from orchestration.consent import NOTHING, Consent, given
from orchestration.definitions import defs
from orchestration.failures import failures, notes
from orchestration.home import home
from orchestration.instance import LOCATION_TAGS, bury_dead_runs, give_sign_of_life, open_instance, repository_origin
from orchestration.jobs import QUIET, reconcile
from orchestration.scope import Part


@dataclass(frozen=True)
class Finished:
    """How a run ended: `errors` are one line each, without repetition, and so are `notes`, which fail nothing.

    One that could not read everything has errors and did its work all the same.
    """

    run_id: str
    did_its_work: bool
    errors: tuple[str, ...]
    notes: tuple[str, ...]


def execute(
    *,
    organizations: Sequence[str] = (),
    full: bool = False,
    agreed: Consent = NOTHING,
    only: Part | None = None,
    wait_at_most: float | None = None,
) -> Finished:
    """Runs the job, or one part of it, in its turn. The run shows in the UI like any other."""
    with _on_a_disk(), open_instance() as instance, given(agreed):
        bury_dead_runs(instance)
        # From before its beginning: Dagster calls it started before any of its resources is made.
        run_id = str(uuid4())
        give_sign_of_life(instance, run_id)
        job = defs.resolve_job_def(reconcile.name)
        run = instance.create_run_for_job(
            job,
            run_id=run_id,
            run_config=_run_config(
                only,
                organizations=list(organizations),
                full=full,
                wait_at_most=wait_at_most,
            ),
            asset_selection=_assets(only),
            tags={**LOCATION_TAGS, **_tags(agreed)},
            # Without it the timeline of the UI leaves the run out.
            remote_job_origin=RemoteJobOrigin(repository_origin(), job.name),
        )
        # `execute_in_process` makes a run without an origin.
        events = execute_run(InMemoryJob(job), run, instance).all_events
    failed = [event for event in events if event.event_type is dg.DagsterEventType.STEP_FAILURE]
    is_done = all(is_not_read(event) for event in failed) and (bool(failed) or _is_success(events))
    return Finished(run_id, is_done, failures(events), notes(events))


def _is_success(events: Iterable[dg.DagsterEvent]) -> bool:
    return any(event.event_type is dg.DagsterEventType.RUN_SUCCESS for event in events)


@contextmanager
def _on_a_disk() -> Iterator[None]:
    """What goes wrong in here and in no asset, goes wrong in Dagster's own storage."""
    try:
        yield
    except Exception as error:
        if full := full_disk(error, home()):
            raise full from None
        raise


def _tags(agreed: Consent) -> dict[str, str]:
    """So that the UI shows what was agreed to."""
    said = {"tieout/accepted_deletions": agreed.deletions, "tieout/accepted_organizations": agreed.organizations}
    return {name: ", ".join(values) for name, values in said.items() if values}


def _run_config(only: Part | None, **options: object) -> dict[str, object]:
    if only is Part.TRANSFORM:
        return dict(QUIET)
    given = {name: value for name, value in options.items() if value is not None}
    return {**QUIET, "resources": {"options": {"config": given}}}


def _assets(only: Part | None) -> set[dg.AssetKey] | None:
    if only is None:
        return None
    graph = defs.resolve_asset_graph()
    raw = {key for key in graph.materializable_asset_keys if is_raw(key)}
    return raw if only is Part.INGEST else {*graph.materializable_asset_keys} - raw
