"""What the assets work with. The subclasses mend what the integrations get wrong."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version

import dagster as dg
from dagster_dbt import DbtCliResource
from dagster_dlt import DagsterDltResource
from dlt.common.schema import Schema
from packaging.version import Version
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError

from ingestion.http import PATIENCE
from ingestion.settings import Settings, load_settings
from orchestration import turn
from orchestration.instance import give_sign_of_life


class RunOptions(dg.ConfigurableResource):  # type: ignore[type-arg]
    """What one run may be told, also by whoever reaches the UI: nothing that deletes rows, or mixes organizations."""

    organizations: list[str] = Field(default=[])
    """Only these of the configured organizations; none named: all of them."""
    full: bool = False
    """Read everything again, whatever the read plan says."""
    wait_at_most: float = PATIENCE.throttle
    """Seconds that a 429 may keep a source waiting."""
    payloads: bool = True
    """Ask for all payloads of webhook deliveries, each of which costs a request; those about campaigns come always."""

    def settings(self) -> Settings:
        """The settings, as this run is to take them."""
        settings = load_settings()
        return settings if self.payloads else settings.model_copy(update={"webhook_payloads_per_run": 0})


def settled(resource: object) -> dg.ResourceDefinition:
    """A resource that no run configuration can change: one of dbt's says which program is executed."""
    return dg.ResourceDefinition(lambda _: resource, config_schema={})


class Turn(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Every asset needs it, so that a run has it from before its first step to after its last."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Turn"]:
        assert context.instance
        assert context.run
        assert context.log
        give_sign_of_life(context.instance, context.run.run_id)
        log = context.log
        with turn.taken(load_settings(), on_wait=lambda: log.info("Another run is in progress: waiting for its end.")):
            yield self
            _tidy(context.instance, log)


def _tidy(instance: dg.DagsterInstance, log: dg.DagsterLogManager) -> None:
    # What it knows of runs knows the assets, which know these resources.
    from orchestration import tidying

    settings = load_settings()
    try:
        if tidying.is_due(settings):
            tidying.tidy(settings, instance)
    except (OSError, SQLAlchemyError) as error:
        # The run has done its work, and the next one tries again.
        log.warning(f"What is old could not be deleted: {error}")


class Loader(DagsterDltResource):
    """Describing a table empties the pipeline's live schema, and the next run of the process dies of `KeyError: 'name'`
    (dagster-io/dagster#34052): describe a copy."""

    def _extract_table_schema_metadata(self, table_name: str, schema: Schema) -> dg.TableSchema:
        return super()._extract_table_schema_metadata(table_name, schema.clone())


class Transformer(DbtCliResource):
    """dbt as a process of its own, without the two detours of the original."""

    @cached_property
    def _cli_version(self) -> Version:
        # The original asks `dbt --version`, which asks PyPI.
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        # Only for metadata that is queried per model, at the price of loading dbt into this process as well.
        return None
