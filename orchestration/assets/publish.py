"""The readers' file as the last asset."""

from collections.abc import Iterator, Sequence

import dagster as dg

from ingestion import erasure, warehouse
from ingestion.compaction import compact_after_erasure
from ingestion.settings import load_settings
from orchestration.assets.common import guarded
from orchestration.assets.ingest import not_read
from orchestration.failures import EVENTS, failures
from orchestration.instance import WAREHOUSE_POOL
from orchestration.progress import listener
from orchestration.publishing import SCHEMA, publish
from orchestration.resources import Turn
from orchestration.rules import freshness_policy

PUBLISHED = dg.AssetKey("published")


def published_asset(transform: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """Written only when everything before it is good: a failed run leaves the last good file.

    What could not be read keeps nothing from being published, and fails the run at its very end.
    """
    marts: Sequence[dg.AssetKey] = sorted(key for key in transform.keys if key.path[0] == SCHEMA)

    @dg.asset(
        key=PUBLISHED,
        deps=marts,
        pool=WAREHOUSE_POOL,
        group_name="published",
        kinds={"duckdb"},
        freshness_policy=freshness_policy(),
        description="The file that people and BI tools open: the marts alone, replaced whole at the end of a good run.",
    )
    def published(context: dg.AssetExecutionContext, turn: Turn) -> Iterator[dg.MaterializeResult[None]]:
        with guarded():
            listener().publishing()
            settings = load_settings()
            warehouse.check(settings.warehouse_path)
            erasure.erase_deliveries(settings.warehouse_path, settings.now())
            compact_after_erasure(settings.warehouse_path, settings.state_path / "dlt")
            rows = publish(settings.warehouse_path, settings.published_path, settings.published_mode)
        yield dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(settings.published_path),
                "tables": len(rows),
                "dagster/row_count": sum(rows.values()),
                # Numbers of their own, which Dagster plots; dbt would have to ask for each.
                **{f"rows_of_{name}": n for name, n in rows.items()},
            }
        )
        told = context.instance.get_records_for_run(context.run.run_id, of_type=EVENTS).records
        if errors := failures(event for one in told if (event := one.event_log_entry.dagster_event)):
            raise not_read(errors)

    return published
