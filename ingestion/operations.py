"""The operations tables that each source keeps beside its resources: what was read, what could not be, what changed.

They are loaded with the rows they speak of, in the same load package, into the same dataset.
"""

from __future__ import annotations

from ingestion.columns import Column, declare

# One row per run and resource. `run_number` counts the runs of an organization: clocks may go back, it does not.
# `recorded_at` is the wall clock.
LOAD_AUDIT = declare(
    text="run_id source resource mode mode_reason error watermark",
    instant="started_at finished_at recorded_at",
    boolean="is_complete",
    integer="run_number rows_read api_total rows_new rows_changed rows_deleted rows_quarantined requests retries",
    rate="throttled_seconds",
)

# One row per field or record that could not be read or typed.
QUARANTINED_RECORDS = declare(
    text="source resource record_id field error raw_text",
    instant="first_seen_at last_seen_at resolved_at",
    integer="attempts",
)

# One row per field that appeared, vanished or changed its type.
SCHEMA_DRIFT = declare(text="source resource field kind example", instant="first_seen_at last_seen_at")

# One row per organization: whether it uses this product at all, how its times are to be read, when it is stale, and
# which other organization its credential showed instead of the one that the warehouse holds. `pii_rules` is by which
# rules `pii_mode` hid what was loaded, null where it kept everything.
CONNECTIONS = declare(
    boolean="is_connected",
    text="time_zone pii_mode foreign_organization",
    integer="stale_after_hours pii_rules",
    instant="recorded_at",
)

# One row per resource: how far its reading has come, so that a later run goes on there. See coverage.py for `coverage`.
READ_PROGRESS = declare(
    text="source resource watermark",
    json="coverage vanished due fields",
    instant="sweep_started_at swept_at ran_at",
    boolean="is_in_key_order",
)

# Columns and key, which `organization` precedes.
TABLES: dict[str, tuple[tuple[Column, ...], tuple[str, ...]]] = {
    "load_audit": (LOAD_AUDIT, ("run_id", "resource")),
    "quarantined_records": (QUARANTINED_RECORDS, ("resource", "record_id", "field")),
    "schema_drift": (SCHEMA_DRIFT, ("resource", "field", "kind")),
    "connections": (CONNECTIONS, ()),
    "read_progress": (READ_PROGRESS, ("resource",)),
}
