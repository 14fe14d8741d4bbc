"""The two products, and how one of them is opened for a reading. The only place where dlt pipelines are made."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import dlt
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials
from dlt.extract import DltSource
from dlt.pipeline.pipeline import Pipeline

from ingestion import pending, virtuous_crm_plus, virtuous_raise, warehouse
from ingestion.errors import Throttled
from ingestion.http import PATIENCE, Patience
from ingestion.reading import Progress, Reading
from ingestion.resource_reading import Outcome
from ingestion.settings import Organization, Settings
from ingestion.workbench import Workbench

_PRODUCTS: dict[str, ModuleType] = {product.NAME: product for product in (virtuous_raise, virtuous_crm_plus)}
SOURCES: tuple[str, ...] = tuple(_PRODUCTS)
"""In the order in which they are read. What Raise names is made in CRM+ by the time that CRM+ is read."""

DELETABLE: tuple[str, ...] = tuple(
    resource.qualified(name)
    for name, product in _PRODUCTS.items()
    for resource in product.RESOURCES
    if not resource.keeps_vanished
)
"""The resources of which rows can be taken as deleted."""

_DLT_SETTINGS = {
    "runtime.dlthub_telemetry": False,
    # A resource is read to its end before the next one starts: they share one pace and one budget.
    "extract.next_item_mode": "fifo",
    "normalize.parquet_normalizer.add_dlt_load_id": True,
    "load.truncate_staging_dataset": True,
}

# Each thread of DuckDB keeps row groups of its own while it loads, and five of them until it writes them down: more
# than one of either takes memory and saves no time.
_LOADING = {"threads": 1, "write_buffer_row_group_count": 1}


def _is_news(record: logging.LogRecord) -> bool:
    # JSON travels as text in Arrow, so dlt tells of every table that the declared type is another one; that is meant.
    return "several column hints were different" not in record.getMessage()


logging.getLogger("dlt").addFilter(_is_news)


@dataclass(frozen=True)
class OpenReading:
    """The pipeline to run, and the account of how it went."""

    pipeline: Pipeline
    _product: ModuleType
    _reading: Reading

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """How it went, per resource."""
        return self._reading.outcomes

    @property
    def budget_left(self) -> int | None:
        """How many requests the product allows in what is left of its window; None where it tells no limit."""
        client = self._reading.client
        return client.http.budget_left if client else None

    @property
    def is_throttled(self) -> bool:
        """Whether it broke off because the API wants one to wait for longer than was allowed for."""
        return isinstance(self._reading.stopped_by, Throttled)

    @property
    def foreign_organization(self) -> str | None:
        """The organization that the credential opens, where the warehouse holds another one."""
        return self._reading.foreign_organization

    def packages(self) -> Iterator[DltSource]:
        """What is to be run in the pipeline, one after the other: each is committed before the next is read."""
        while self._reading.begin_package():
            yield self._product.source(self._reading)

    def run(self) -> dict[str, Outcome]:
        """Reads and loads everything."""
        for package in self.packages():
            self.pipeline.run(package)
        return self.outcomes


def definition(source: str) -> DltSource:
    """The raw tables of a product, to be looked at and not to be run. Needs no settings."""
    made: DltSource = _PRODUCTS[source].source()
    return made


def pipeline_for(source: str, slug: str, settings: Settings) -> Pipeline:
    """The dlt pipeline of one product and organization: its state stands beside the warehouse file."""
    for name, value in _DLT_SETTINGS.items():
        dlt.config[name] = value
    name = f"{source}_{slug}"
    pending.make_folders(_pipelines(settings) / name)
    return dlt.pipeline(
        pipeline_name=name,
        pipelines_dir=str(_pipelines(settings)),
        destination=dlt.destinations.duckdb(DuckDbCredentials(str(settings.warehouse_path), global_config=_LOADING)),
        dataset_name=_PRODUCTS[source].DATASET,
    )


def finish_pending(source: str, settings: Settings) -> None:
    """Finishes the load packages that killed runs left behind, of every organization that was ever read.

    Organizations share the tables in which dlt stages rows before it merges them: once another one is loaded, what was
    staged is gone, and the package would be merged without it. Raises `WarehouseLocked` before it begins.
    """
    # To ask dlt itself costs 50 ms for each organization.
    names = {
        package.parents[2].name
        for packages in (pending.EXTRACTED, pending.NORMALIZED)
        for package in _pipelines(settings).glob(f"{source}_*/{packages}/*")
    }
    if names:
        warehouse.claim(settings.warehouse_path)
    for name in sorted(names):
        pending.finish(pipeline_for(source, name.removeprefix(f"{source}_"), settings))


def complete_tables(source: str, settings: Settings) -> None:
    """Gives a warehouse of an older version the tables and columns that were declared since; a loading does it, too.

    Only where something was loaded before.
    """
    declared = definition(source)
    bench = Workbench(settings.warehouse_path, _PRODUCTS[source].DATASET)
    try:
        held = bench.columns()
    finally:
        bench.close()
    lacking = [
        name
        for name, resource in declared.resources.items()
        if not resource.compute_table_schema()["columns"].keys() <= held.get(name, frozenset())
    ]
    if lacking and "load_audit" in held:
        warehouse.claim(settings.warehouse_path)
        pipeline_for(source, settings.slugs[0], settings).run(declared.with_resources(*lacking))


def is_half_loaded(source: str, slug: str, settings: Settings) -> bool:
    """Whether a load of this organization broke off: nothing else may be loaded before it is finished."""
    return bool(pipeline_for(source, slug, settings).list_normalized_load_packages())


def _pipelines(settings: Settings) -> Path:
    return settings.state_path / "dlt"


@contextmanager
def open_reading(
    source: str,
    organization: Organization,
    settings: Settings,
    *,
    run_id: str,
    full: bool = False,
    accept_deletions: Collection[str] = (),
    accept_organization: Collection[str] = (),
    patience: Patience = PATIENCE,
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[OpenReading]:
    """A reading of one product, ready to be run.

    Load packages that a killed run left behind are finished first: dlt would otherwise load them in place of the new
    data. Raises `WarehouseLocked` before anything is fetched.
    """
    product = _PRODUCTS[source]
    warehouse.claim(settings.warehouse_path)
    pipeline = pipeline_for(source, organization.slug, settings)
    pending.finish(pipeline)
    client = product.client_for(organization, patience, quotes=not settings.hides_persons)
    reading = Reading(
        source=source,
        dataset=product.DATASET,
        organization=organization.slug,
        time_zone=product.time_zone_of(organization),
        settings=settings,
        run_id=run_id,
        client=client,
        rows_name=product.ROWS,
        resources=product.RESOURCES,
        stale_after_hours=organization.stale_after_hours,
        full=full,
        accept_deletions=accept_deletions,
        accept_organization=source in accept_organization,
        progress=progress,
    )
    try:
        reading.check_pii_mode()
        reading.check_organization(product.credential_of(organization))
        yield OpenReading(pipeline, product, reading)
    finally:
        reading.close()
