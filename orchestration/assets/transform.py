"""The dbt project as assets, its tests as their checks."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliInvocation, DbtProject, dbt_assets
from dagster_dbt.asset_utils import default_description_fn
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from ingestion import erasure, warehouse
from ingestion.settings import load_settings
from ingestion.sources import SOURCES, complete_tables, finish_pending
from orchestration import dbt, rules
from orchestration.assets.common import guarded
from orchestration.instance import WAREHOUSE_POOL
from orchestration.progress import listener
from orchestration.publishing import SCHEMA
from orchestration.resources import Transformer, Turn

# dbt's unit tests try the code on made-up rows; they say nothing of these.
_BUILD = ["build", "--exclude-resource-type", "unit_test"]


_MEANINGS = {
    "primary_key": "Every row has {columns}, and no two rows share them.",
    "unique_combination": "No two rows share {columns}.",
    "unique": "No two rows share {column_name}.",
    "not_null": "Every row has {column_name}.",
    "accepted_values": "{column_name} is one of {values}.",
    "relationships": "Every {column_name} is a {field} of {to}.",
    "row_count_is": "As many rows as {counted_in} tells: nothing was lost or doubled on the way.",
    "ties_out": "The rows add up to those of {gifts}, to the cent.",
    "is_true": "In every row: {expression}.",
}
"""What the generic tests of the project say, with their arguments."""


class Models(DagsterDbtTranslator):
    """Leaves the keys as they are, schema and table, and tells groups and what a test says."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))
        self._freshness = rules.freshness_policy()

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        if unique_id.startswith("source."):
            return spec
        schema = spec.key.path[0]
        return spec.replace_attributes(
            group_name=schema,
            freshness_policy=self._freshness if schema == SCHEMA else None,
        )

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        # Without the SQL, which would fill the page before anything that explains it.
        return str(default_description_fn(dbt_resource_props, display_raw_sql=False))

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetCheckSpec | None:
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and dg.AssetCheckSpec(
            spec.name,
            asset=spec.asset_key,
            description=_meaning(manifest["nodes"][unique_id]),
            additional_deps=spec.additional_deps,
            blocking=spec.blocking,
            metadata=spec.metadata,
        )


def _meaning(test: Mapping[str, Any]) -> str | None:
    """What is written of a test, or what its kind says; nothing of a kind that somebody else has added."""
    if said := test["description"]:
        return str(said)
    generic = test.get("test_metadata")
    if not generic or generic["name"] not in _MEANINGS:
        return None
    told = {name: ", ".join(value) if isinstance(value, list) else value for name, value in generic["kwargs"].items()}
    rows = test["config"].get("where")
    said = _MEANINGS[generic["name"]].format(**told) + (f" Only rows where {rows}." if rows else "")
    return re.sub(r"ref\('(\w+)'\)", r"\1", said)


def transform_assets(manifest: Path) -> dg.AssetsDefinition:
    """Every seed, snapshot and model of the dbt project."""

    @dbt_assets(manifest=manifest, name="transform", dagster_dbt_translator=Models(), pool=WAREHOUSE_POOL)
    def transform(context: dg.AssetExecutionContext, transformer: Transformer, turn: Turn) -> Iterator[Any]:
        with guarded():
            settings = load_settings()
            warehouse.claim(settings.warehouse_path)
            # The account of a load that was killed may stand before its rows do.
            for source in SOURCES:
                finish_pending(source, settings)
                complete_tables(source, settings)
            erasure.erase_records(settings.warehouse_path)
            command = [*_BUILD, "--full-refresh"] if dbt.rows_stand_twice(settings) else _BUILD
            with dbt.environment(settings):
                invocation = transformer.cli(command, context=context, target_path=dbt.fresh_target(settings))
            expected = len(context.selected_asset_keys) + len(context.selected_asset_check_keys)
            yield from _events(invocation, expected)

    return transform


def _events(invocation: DbtCliInvocation, expected: int) -> Iterator[Any]:
    try:
        for done, event in enumerate(invocation.stream(), start=1):
            listener().transforming(min(done, expected), expected)
            yield event
    except DagsterDbtCliRuntimeError as error:
        raise dbt.failure(invocation.target_path, str(error)) from None
