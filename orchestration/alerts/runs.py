"""How the runs ended: of each organization the newest one that read it, and what concerns all of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunRecord
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from ingestion.sources import SOURCES
from orchestration.alerts.attempts import Attempt
from orchestration.alerts.changes import BAD, UNKNOWN, WELL, Seen
from orchestration.assets.ingest import is_not_read, is_raw, step_of
from orchestration.failures import EVENTS, failures, unread

EVERYTHING = "all organizations"
_READING_STEPS = {step_of(source) for source in SOURCES}
_NO_REASON = ("It ended without a word: its process was killed, or could not start.",)


@dataclass(frozen=True)
class _Ended:
    """What a run did, and what kept it from doing it, in lines."""

    at: float
    organizations: Collection[str] | None
    """None: all of them."""
    reads: bool
    came_to_the_rest: bool
    """To what follows the reading, which concerns every organization: models, checks, the published file."""
    unread: Mapping[str, Sequence[str]]
    """Why an organization could not be read."""
    reading: Sequence[str]
    """Why none of its organizations could be read."""
    rest: Sequence[str]

    def is_about(self, organization: str) -> bool:
        return self.organizations is None or organization in self.organizations


def organizations_of(run: DagsterRun, slugs: Sequence[str]) -> Collection[str] | None:
    """The organizations that a run was to read; None: all. `slugs`: the partitions, in their order."""
    config: Any = run.run_config
    options = config.get("resources", {}).get("options", {}).get("config", {})
    if one := run.tags.get(PARTITION_NAME_TAG):
        return {one}
    if (first := run.tags.get(ASSET_PARTITION_RANGE_START_TAG)) and (
        last := run.tags.get(ASSET_PARTITION_RANGE_END_TAG)
    ):
        between = slugs[slugs.index(first) : slugs.index(last) + 1] if {first, last} <= {*slugs} else ()
        return {first, *between, last}
    return {*options.get("organizations", ())} or None


def run_states(
    instance: DagsterInstance, records: Collection[RunRecord], attempt: Attempt | None, slugs: Sequence[str]
) -> dict[str, Seen]:
    """How each organization stands, and what concerns all of them. `slugs`: none where there is only one."""
    ended = [_ended(instance, record, slugs) for record in records]
    ended.sort(key=lambda run: run.at, reverse=True)
    named = {slug for run in ended for slug in run.organizations or ()}
    found = {slug: _state(slug, ended) for slug in (slugs or sorted(named))}
    if ended:
        found[EVERYTHING] = _state_of_all(ended)
    if attempt:
        for scope in attempt.organization.split(", ") if attempt.organization else [EVERYTHING]:
            if not any(
                run.organizations is None if scope == EVERYTHING else run.is_about(scope)
                for run in ended
                if run.at >= attempt.at
            ):
                found[scope] = Seen(BAD, attempt.error)
    return found


def _state(slug: str, ended: Sequence[_Ended]) -> Seen:
    run = next((run for run in ended if run.reads and run.is_about(slug)), None)
    if not run:
        return Seen(UNKNOWN, slug)
    if lines := run.unread.get(slug) or (run.reading if run.organizations is not None else ()):
        return Seen(BAD, f"{slug}: {' '.join(lines)}")
    # What failed for all of them is reported as that.
    return Seen(UNKNOWN if run.reading or run.rest else WELL, slug)


def _state_of_all(ended: Sequence[_Ended]) -> Seen:
    read = next((run for run in ended if run.reads and run.organizations is None), None)
    built = next((run for run in ended if run.came_to_the_rest), None)
    lines = dict.fromkeys([*(read.reading if read else ()), *(built.rest if built else ())])
    if lines:
        return Seen(BAD, f"{EVERYTHING}: {' '.join(lines)}")
    return Seen(WELL if read else UNKNOWN, EVERYTHING)


def _ended(instance: DagsterInstance, record: RunRecord, slugs: Sequence[str]) -> _Ended:
    run = record.dagster_run
    logged = instance.get_records_for_run(run.run_id, of_type=EVENTS).records
    events = [event for one in logged if (event := one.event_log_entry.dagster_event)]
    by_organization = unread(events)
    attributed = {event.step_key for event in events if unread([event])}
    reading, rest = list[str](), list[str]()
    for event in events:
        if event.event_type is DagsterEventType.STEP_FAILURE and event.step_key not in attributed:
            (reading if event.step_key in _READING_STEPS else rest).extend(failures([event], only_ours=True))
    if not slugs:
        reading = [*(line for lines in by_organization.values() for line in lines), *reading]
        by_organization = {}
    selection = run.asset_selection
    reads = not selection or any(is_raw(key) for key in selection)
    builds = not selection or not all(is_raw(key) for key in selection)
    is_built = any(is_not_read(event) and event.step_key not in _READING_STEPS for event in events)
    is_success = run.status is DagsterRunStatus.SUCCESS
    if not is_success and not (by_organization or reading or rest):
        # How far it came is not known.
        reading, rest = list(_NO_REASON if reads else ()), list(_NO_REASON if builds else ())
    return _Ended(
        at=record.end_time or 0.0,
        organizations=organizations_of(run, slugs),
        reads=reads,
        came_to_the_rest=builds and (is_success or is_built or bool(rest)),
        unread=by_organization,
        reading=reading,
        rest=rest,
    )
