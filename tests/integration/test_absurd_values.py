"""Values at the ends of what their types hold: the marts are published, and nobody else's records change."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.integration.conftest import Workplace

_TEXTS = (
    "repeat('x', 100000)", "''", "'1e400'", "'[]'", "'{\"id\": '", "'00000012'", "repeat('9', 40)", "'-0.0'", "'XXX'",
    "'9999-12-31T23:59:59-05:00'", "chr(0) || chr(8239) || chr(127881)", "'-9223372036854775808'",
)  # fmt: skip
_LISTS = (
    "'null'", "'[]'", "'{}'", "'\"text\"'", "'[null, 1, \"a\", [], {}]'", "repeat('[', 400) || repeat(']', 400)",
    *(
        f"""'[{{"id": "007", "projectId": {number}, "amount": {number}, "baseAmount": {number}, "name": [],
        "amountDesignated": {number}, "contactId": {number}, "type": 1, "project": "Processing Fee"}}]'"""
        for number in ("1e400", "9999999999999999.99", "-9999999999999999.99", "null", '"1e30"', '"-0.0"', "9" * 40)
    ),
)  # fmt: skip
ABSURD = {
    "DECIMAL(18,2)": ("9999999999999999.99", "-9999999999999999.99", "-0.0", "null", "9999999999999999.99"),
    "DECIMAL(18,8)": ("9999999999.99999999", "-9999999999.99999999", "0", "null"),
    "BIGINT": ("9223372036854775807", "-9223372036854775808", "0", "null"),
    "DATE": ("date '9999-12-31'", "date '1000-01-01'", "null"),
    "TIMESTAMP WITH TIME ZONE": (
        "timestamptz '9999-12-30 23:59:59.999999+00'",
        "timestamptz '1000-01-01 00:00:00+00'",
        "null",
    ),
    "BOOLEAN": ("true", "false", "null"),
    "VARCHAR": _TEXTS,
    "JSON": _LISTS,
}
_CONTACTS = """
    select try_cast(crm_key as bigint) from raw_raise.donors
    where hash(id) % 6 = 0 and try_cast(crm_key as bigint) is not null"""
_OF_CONTACTS = f"contact_id in ({_CONTACTS})"
_OF_DONORS = "hash(donor_id) % 6 = 0"
VICTIMS = {
    "raw_raise.gifts": _OF_DONORS,
    "raw_raise.recurring_gifts": _OF_DONORS,
    "raw_crm_plus.gifts": _OF_CONTACTS,
    "raw_crm_plus.recurring_gifts": _OF_CONTACTS,
    "raw_crm_plus.contacts": f"id in ({_CONTACTS})",
    "raw_raise.donors": "hash(id) % 6 = 0",
    "raw_raise.projects": "true",
    "raw_raise.segments": "true",
    "raw_raise.campaigns": "true",
    "raw_crm_plus.projects": "true",
    "raw_crm_plus.campaigns": "true",
    "raw_raise.webhooks": "true",
    "raw_raise.webhook_logs": "id % 10 = 7",
    "raw_raise.webhook_log_payloads": "id % 10 = 7",
}
# What others are judged by stays as it is; so does whom a victim belongs to, so that it is known who is one.
_KEPT = (
    "id", "organization", "extra_fields", "donor_id", "contact_id", "campaign_id", "segment_id", "can_sync", "name",
    "webhook_id", "event_type", "context_id", "outcome", "attempts",
)  # fmt: skip


def plant(warehouse: Path) -> dict[str, list[int]]:
    """Gives the victims absurd values in their other columns, each its own; the keys of the victims by table."""
    victims = {}
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("begin")
        for table, condition in VICTIMS.items():
            schema, name = table.split(".")
            columns = connection.execute(
                "select column_name, data_type from duckdb_columns() where schema_name = $1 and table_name = $2"
                " and not starts_with(column_name, '_')",
                [schema, name],
            ).fetchall()
            key = "campaign_id" if table == "raw_crm_plus.campaigns" else "id"
            found = connection.execute(f"select {key} from {table} where {condition}").fetchall()
            victims[table] = [row for (row,) in found]
            is_shared = condition == "true"
            changed = [
                f'"{column}" = ([{", ".join(ABSURD[kind])}])[1 + (hash({key}, {number}) % {len(ABSURD[kind])})::int]'
                for number, (column, kind) in enumerate(columns)
                if column not in _KEPT and not (is_shared and kind in ("VARCHAR", "BOOLEAN"))
            ]
            connection.execute(f"update {table} set {', '.join(changed)} where {condition}")
        connection.execute("commit")
    # A schedule's donor may stand inside it alone.
    assert all(keys for table, keys in victims.items() if table != "raw_raise.recurring_gifts"), victims
    return victims


def test_absurd_values_keep_nobodys_marts_from_being_published(place: Workplace) -> None:
    before = _statuses(place)
    victims = plant(place.warehouse)
    published = place.published.stat().st_mtime_ns
    done = place.tieout("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.published.stat().st_mtime_ns > published
    after = _statuses(place)
    for entity in ("donors", "gifts", "recurring_gifts"):
        of_crm_plus = victims[f"raw_crm_plus.{'contacts' if entity == 'donors' else entity}"]
        others = {
            key: status
            for key, status in before[entity].items()
            if key[0] not in victims[f"raw_raise.{entity}"] and key[1] not in of_crm_plus
        }
        assert len(others) > len(before[entity]) / 2
        assert {key: after[entity].get(key) for key in others} == others


def _statuses(place: Workplace) -> dict[str, dict[tuple[int | None, int | None], str]]:
    return {
        entity: {
            (raise_id, crm_id): status
            for raise_id, crm_id, status in place.query(
                f"select raise_id, crm_id, status from marts.recon_{entity}", published=True
            )
        }
        for entity in ("donors", "gifts", "recurring_gifts")
    }
