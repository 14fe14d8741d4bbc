"""When the job runs by itself: through the day, every night, and once a week everything again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import dagster as dg
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

from ingestion.environment import variable
from ingestion.errors import SettingsError
from ingestion.settings import (
    SCHEDULE,
    SCHEDULE_HOURLY,
    SCHEDULE_NIGHTLY,
    SCHEDULE_TIME_ZONE,
    SCHEDULE_WEEKLY,
    load_settings,
)
from orchestration.jobs import QUIET, reconcile

OCCASION_TAG = "tieout/occasion"
"""Which schedule started a run."""

_UNFINISHED = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Occasion:
    """Why a run is due: what it does, and which variable says when."""

    name: str
    variables: tuple[str, ...]
    """Where its cron expression stands: the first that is set counts."""
    usual: str
    """When it runs if it is switched on in the UI and no variable is set."""
    does: str
    options: Mapping[str, bool]
    """What its runs are told, as `RunOptions`."""


OCCASIONS = (
    Occasion(
        "hourly",
        (SCHEDULE_HOURLY,),
        "0 * * * *",
        "A whole run; of the payloads of webhook deliveries only those about campaigns. The read plan makes it small.",
        {"payloads": False},
    ),
    Occasion("nightly", (SCHEDULE_NIGHTLY, SCHEDULE), "0 6 * * *", "A whole run.", {}),
    Occasion("weekly", (SCHEDULE_WEEKLY,), "0 3 * * 0", "A whole run that reads every row again.", {"full": True}),
)
"""Each does all that the ones before it do."""


@dataclass(frozen=True)
class Timetable:
    """The schedules, and what is wrong with the settings about them, one line each."""

    schedules: Sequence[dg.ScheduleDefinition]
    problems: Sequence[str]
    time_zone: str


def timetable() -> Timetable:
    """The schedules as the settings are now. What is wrong there switches a schedule off and stops nothing else."""
    time_zone, wrong_zone = _time_zone()
    problems = [wrong_zone] if wrong_zone else []
    schedules = []
    for occasion in OCCASIONS:
        name = next((name for name in occasion.variables if variable(name)), None)
        cron = variable(name) if name else None
        off = "" if cron else f" Off until switched on here, or by a cron expression in {occasion.variables[0]}."
        # In another zone than the one that was meant it would run at the wrong hour.
        if cron and wrong_zone:
            cron, off = None, f" Off: {wrong_zone}"
        try:
            schedules.append(_schedule(occasion, cron, time_zone, off))
        except dg.DagsterInvalidDefinitionError:
            wrong = f"{name} {cron!r} is no cron expression: write it like '{occasion.usual}'."
            problems.append(wrong)
            schedules.append(_schedule(occasion, None, time_zone, f" Off: {wrong}"))
    return Timetable(schedules, problems, time_zone)


def _schedule(occasion: Occasion, cron: str | None, time_zone: str, off: str) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=occasion.name,
        job=reconcile,
        cron_schedule=cron or occasion.usual,
        execution_timezone=time_zone,
        execution_fn=lambda context: due(context.instance, occasion),
        default_status=dg.DefaultScheduleStatus.RUNNING if cron else dg.DefaultScheduleStatus.STOPPED,
        description=f"{occasion.does}{off}",
    )


def _time_zone() -> tuple[str, str | None]:
    """The zone that is set, else that of the one organization; and what is wrong with it."""
    if chosen := variable(SCHEDULE_TIME_ZONE):
        try:
            ZoneInfo(chosen)
        except (ValueError, OSError, KeyError):
            return "UTC", f"{SCHEDULE_TIME_ZONE} {chosen!r} is no time zone: write it like 'America/Chicago'."
        return chosen, None
    try:
        settings = load_settings()
        zones = {o.raise_time_zone for o in settings.organizations}
    except SettingsError:
        # Whoever looks after the settings says so; without them no run comes far.
        return "UTC", None
    return (zones.pop() if len(zones) == 1 else "UTC"), None


def due(instance: DagsterInstance, occasion: Occasion) -> dg.RunRequest | dg.SkipReason:
    """The run that is due; none where one that does as much waits or works already."""
    unfinished = instance.get_runs(RunsFilter(job_name=reconcile.name, statuses=_UNFINISHED))
    for run in unfinished:
        if _rank(run) >= OCCASIONS.index(occasion):
            state = "queued" if run.status is DagsterRunStatus.QUEUED else "in progress"
            return dg.SkipReason(f"Run {run.run_id[:8]} is {state} and does the same: the next tick is early enough.")
    return dg.RunRequest(
        run_config={**QUIET, "resources": {"options": {"config": dict(occasion.options)}}},
        tags={OCCASION_TAG: occasion.name},
    )


def _rank(run: DagsterRun) -> int:
    """How much a run does. One that somebody started may be about a part: it only stands in for an hourly one."""
    names = [occasion.name for occasion in OCCASIONS]
    return names.index(run.tags[OCCASION_TAG]) if run.tags.get(OCCASION_TAG) in names else 0
