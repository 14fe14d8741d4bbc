"""From a reading to dlt: the source of a product, with a table per resource and the operations tables beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import dlt
import pyarrow as pa
from dlt.extract import DltResource, DltSource

from ingestion import masking, operations
from ingestion.columns import BOOKKEEPING, ORGANIZATION, Column, Resource, arrow_schema

if TYPE_CHECKING:
    from ingestion.reading import Reading

_UPSERT: Any = {"disposition": "merge", "strategy": "upsert"}
# Dearer than an upsert, which leaves a key that stands twice as it is: this makes one row of it.
_REPLACE: Any = {"disposition": "merge", "strategy": "delete-insert"}
_APPEND: Any = {"disposition": "append"}
# A new declared column may be added by a new version of the project; a type never changes by itself.
_CONTRACT: Any = {"tables": "evolve", "columns": "evolve", "data_type": "freeze"}


def dlt_source(dataset: str, resources: Sequence[Resource], reading: Reading | None = None) -> DltSource:
    """The source whose resources are the raw tables of `dataset`, in the order in which they are read.

    Without a `reading` it only tells what there is. The operations tables come last: they speak of the others.
    """

    @dlt.source(name=dataset, max_table_nesting=0, schema_contract=_CONTRACT)
    def source() -> Iterator[DltResource]:
        for resource in resources:
            rows = reading.rows(resource) if reading else ()
            columns = (*resource.columns, *BOOKKEEPING)
            yield _table(resource.name, columns, (resource.key_column.name,), rows, reading, _UPSERT)
        for name, (columns, key) in operations.TABLES.items():
            rows = reading.operations(name) if reading else ()
            yield _table(name, columns, key, rows, reading, _REPLACE)

    return source()


def _table(
    name: str,
    declared: Sequence[Column],
    key: Sequence[str],
    rows: Iterable[pa.Table],
    reading: Reading | None,
    disposition: Any,
) -> DltResource:
    columns = (ORGANIZATION, *declared)
    # What replaces nothing need not be staged and compared first.
    is_appended = reading is not None and reading.replaces_nothing(name)

    def tables() -> Iterator[Any]:
        # A table is made also when there is nothing to put into it; but each table of a package costs a merge.
        if not reading or not reading.has_columns(name, columns):
            yield arrow_schema(columns).empty_table()
        for table in map(masking.known().table, filter(len, rows)):
            if is_appended and reading and not reading.replaces_nothing(name):
                # dlt applies the disposition that came last to the whole package.
                yield dlt.mark.with_hints(table, dlt.mark.make_hints(write_disposition=disposition))
            else:
                yield table

    made: DltResource = dlt.resource(
        tables(),
        name=name,
        write_disposition=_APPEND if is_appended else disposition,
        primary_key=(ORGANIZATION.name, *key),
        columns=cast(Any, {column.name: column.dlt_hint for column in columns}),
        file_format="parquet",
    )
    return made
