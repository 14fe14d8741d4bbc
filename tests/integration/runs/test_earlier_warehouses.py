"""A warehouse that an earlier version made is gone on with: what was declared since is added before it is asked for."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.integration.conftest import Workplace

SINCE = {
    "load_audit": ("run_number", "recorded_at", "throttled_seconds"),
    "connections": ("foreign_organization",),
    "read_progress": ("vanished", "fields", "is_in_key_order"),
}
"""Columns of operations tables that were declared after the first version."""
SHAPE = """
    select schema_name, table_name, column_name, data_type from duckdb_columns()
    where schema_name in ('raw_raise', 'raw_crm_plus') and not starts_with(table_name, '_dlt') order by all
"""


def make_older(warehouse: Path) -> None:
    """As a version left it that knew less, and dlt's memory of it in the warehouse."""
    with duckdb.connect(str(warehouse)) as connection:
        for schema in ("raw_raise", "raw_crm_plus"):
            for table, columns in SINCE.items():
                for column in columns:
                    connection.execute(f"alter table {schema}.{table} drop column {column}")
            connection.execute(f"drop table {schema}.quarantined_records")
            connection.execute(f"delete from {schema}._dlt_version")
        connection.execute("alter table raw_crm_plus.gifts drop column coin_amount")


def test_models_are_built_before_anything_is_read_again(place: Workplace) -> None:
    shape = place.query(SHAPE)
    make_older(place.warehouse)
    before = place.raw()
    done = place.tieout("run", "--only", "transform")
    assert done.returncode == 0, done.stderr
    assert place.query(SHAPE) == shape
    assert place.query("select count(*) > 0 from marts.recon_gifts", published=True) == [(True,)]
    del before["raw_crm_plus.gifts"]
    after = place.raw()
    assert {table: after[table] for table in before} == before
