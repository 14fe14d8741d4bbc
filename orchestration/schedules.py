"""When the job runs by itself."""

import os

import dagster as dg

from orchestration.jobs import reconcile

SETTING = "TIEOUT_SCHEDULE"
_DAILY = "0 6 * * *"

_cron = os.environ.get(SETTING)

daily = dg.ScheduleDefinition(
    name="daily",
    job=reconcile,
    cron_schedule=_cron or _DAILY,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING if _cron else dg.DefaultScheduleStatus.STOPPED,
    description=f"Off until switched on here, or by a cron expression (UTC) in {SETTING}.",
)
