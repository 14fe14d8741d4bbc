"""Everything that Dagster is to know. Loads without settings or credentials."""

import dagster as dg

from ingestion.plain_text import clean_logs
from ingestion.sources import SOURCES
from orchestration import dbt
from orchestration.assets.ingest import api_spec, ingest_assets
from orchestration.assets.publish import published_asset
from orchestration.assets.transform import transform_assets
from orchestration.assets.verdict import verdict_checks
from orchestration.jobs import reconcile
from orchestration.private_files import keep_files_private
from orchestration.resources import Loader, RunOptions, Transformer, Turn, settled
from orchestration.rules import MART_RULES
from orchestration.schedules import timetable
from orchestration.sensors import alerts

# Dagster's code servers and runs load this module first, and write files by it.
keep_files_private()

# Every process of Dagster loads this module.
clean_logs()
_manifest = dbt.prepared_manifest()
_described = dbt.described_sources(_manifest)
_dbt = dbt.command()
_transform = transform_assets(_manifest)

defs = dg.Definitions(
    assets=[
        *(api_spec(source) for source in SOURCES),
        *(ingest_assets(source, _described) for source in SOURCES),
        _transform,
        published_asset(_transform),
    ],
    asset_checks=[verdict_checks(MART_RULES)],
    jobs=[reconcile],
    schedules=timetable().schedules,
    sensors=[alerts],
    resources={
        "loader": settled(Loader()),
        "options": RunOptions(),
        "transformer": settled(
            Transformer(project_dir=str(dbt.project_path()), dbt_executable=_dbt[0], global_config_flags=_dbt[1:])
        ),
        "turn": Turn(),
    },
    executor=dg.in_process_executor,
)
