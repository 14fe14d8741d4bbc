"""When the job runs by itself."""

import dagster as dg

from ingestion.settings import SCHEDULE, variable
from orchestration.jobs import reconcile

_DAILY = "0 6 * * *"

_cron = variable(SCHEDULE)

daily = dg.ScheduleDefinition(
    name="daily",
    job=reconcile,
    cron_schedule=_cron or _DAILY,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING if _cron else dg.DefaultScheduleStatus.STOPPED,
    description=f"Off until switched on here, or by a cron expression (UTC) in {SCHEDULE}.",
)
