"""The one job, which the schedule, the UI and `tieout run` execute."""

import dagster as dg

QUIET = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}
"""Run configuration: Dagster keeps every event itself, the console needs only what somebody may want to read."""

reconcile = dg.define_asset_job(
    "reconcile",
    selection=dg.AssetSelection.all(),
    # The steps wait for one another at the warehouse anyway; a process for each would only cost its imports.
    executor_def=dg.in_process_executor,
    config=QUIET,
    description="Reads both APIs, transforms, checks and publishes.",
)
