"""What the daemon does between the runs."""

import dagster as dg

from ingestion.errors import TieoutError
from ingestion.settings import load_settings
from orchestration.alerts.channels import channels
from orchestration.alerts.observing import observe
from orchestration.alerts.telling import folder, tell
from orchestration.instance import bury_dead_runs

_SECONDS_BETWEEN_LOOKS = 60


@dg.sensor(
    name="alerts",
    minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fails the runs whose process is gone, and sends the alerts that are due, where their address is set.",
)
def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Sees what no run can tell: that it never came, or died."""
    instance, repository = context.instance, context.repository_def
    assert repository
    bury_dead_runs(instance)
    try:
        settings = load_settings()
    except TieoutError as error:
        return dg.SkipReason(f"No alerts: {error}")
    ways = channels(settings)
    problems = tell(
        folder(settings), ways, lambda: observe(settings, instance, repository.asset_graph.asset_check_keys)
    )
    for problem in problems:
        context.log.warning(problem)
    return dg.SkipReason(" ".join(problems) or ("Everything is told." if ways else "No address for alerts is set."))
