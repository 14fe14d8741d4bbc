"""Random days through the register of exceptions, each compared with the second reading of its contract."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer

from tests.building import Dbt
from tests.oracle.register import ORGANIZATIONS, Day, Record, Register, Side, days

RESOURCES = {"donor": "contacts", "gift": "gifts", "recurring_gift": "recurring_gifts"}
ENTITIES = {"donors": "donor", "gifts": "gift", "recurring_gifts": "recurring_gift"}


def write(folder: Path, day: Day) -> None:
    """The tables from which the register is built, as a run would leave them."""
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute(
            "set timezone = 'UTC'; create schema if not exists intermediate; create schema if not exists staging"
        )
        connection.execute(
            """create table if not exists staging.stg_raise__connections
            (organization varchar, recorded_at timestamptz)"""
        )
        connection.execute(
            """create or replace table intermediate.int_recon__assessability
            (organization varchar, entity varchar, as_of timestamptz, is_assessable boolean)"""
        )
        connection.executemany(
            "insert into intermediate.int_recon__assessability values (?, ?, ?, ?)",
            [(*side, as_of, day.is_assessable[side]) for side, as_of in day.as_of.items()],
        )
        connection.execute(
            """create or replace table intermediate.int_seeds__waivers (organization varchar, entity varchar,
            record_id bigint, code varchar, reason varchar, waived_until date, problem varchar)"""
        )
        connection.executemany(
            "insert into intermediate.int_seeds__waivers values (?, ?, ?, ?, 'known', ?, null)",
            [(*waiver.side, waiver.id, waiver.code, waiver.until) for waiver in day.waivers],
        )
        connection.execute(
            """create or replace table intermediate.int_recon__open_quarantine
            (organization varchar, source varchar, resource varchar, record_key bigint)"""
        )
        connection.executemany(
            "insert into intermediate.int_recon__open_quarantine values (?, 'crm_plus', ?, ?)",
            [(side.organization, RESOURCES[side.entity], id) for side, id in day.unreadable],
        )
        connection.execute(
            """create or replace table intermediate.int_recon__gift_key_health
            (organization varchar, is_key_trusted boolean)"""
        )
        connection.executemany(
            "insert into intermediate.int_recon__gift_key_health values (?, ?)",
            [(organization, organization not in day.without_key) for organization in ORGANIZATIONS],
        )
        for mart, entity in ENTITIES.items():
            connection.execute(
                f"""create or replace table marts.recon_{mart} (organization varchar, raise_id bigint, crm_id bigint,
                status varchar, is_exception boolean, raise_amount decimal(18, 2), crm_amount decimal(18, 2),
                expected_net_amount decimal(18, 2), compared_net_amount decimal(18, 2), cause varchar, crm_url varchar,
                as_of timestamptz)"""
            )
            connection.executemany(
                f"insert into marts.recon_{mart} values (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, null, ?)",
                [
                    _mart_row(side, record, day.as_of[side], seen)
                    for side, records in day.records.items()
                    if side.entity == entity
                    for record, seen in records.items()
                ],
            )


def _mart_row(side: Side, record: Record, as_of: Any, seen: Any) -> tuple[Any, ...]:
    """The difference of amounts is the money at stake, whichever way it is asked for."""
    ids = (record.id, None) if record.source == "raise" else (None, record.id)
    raise_amount = 0 if seen.status in ("amount_mismatch", "refund_not_reversed") else seen.amount
    amounts = raise_amount, seen.amount, seen.amount
    return (side.organization, *ids, seen.status, seen.is_exception, *amounts, seen.cause, as_of)


def register(folder: Path) -> dict[Any, dict[str, Any]]:
    with duckdb.connect(str(folder / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        result = connection.execute("from marts.recon_exceptions")
        names = [column[0] for column in result.description]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return {
        (Side(row["organization"], row["entity"]), _record(row), row["code"]): {
            "first_seen_at": row["first_seen_at"],
            "last_seen_at": row["last_seen_at"],
            "amount": row["amount_at_stake"],
            "cause": row["cause"],
            "resolved_at": row["resolved_at"],
            "reopened_count": row["reopened_count"],
            "state": row["state"],
            "age_days": row["age_days"],
        }
        for row in rows
    }


def _record(row: dict[str, Any]) -> Record:
    return Record("crm_plus", row["crm_id"]) if row["raise_id"] is None else Record("raise", row["raise_id"])


def differences(folder: Path, seed: int, count: int) -> list[str]:
    """What the register says otherwise than the second reading, run by run."""
    dbt, expected, found = Dbt(folder), Register(), []
    warehouse = folder / "warehouse.duckdb"
    dbt(warehouse, "seed", "--select", "recon_statuses")
    for number, day in enumerate(days(seed, count)):
        expected.take(day)
        write(folder, day)
        # a full refresh keeps the history, and a run that is repeated adds nothing to it
        repeated: list[list[str]] = [["--full-refresh"]] if number % 6 == 5 else [[], []] if number % 6 == 3 else [[]]
        for arguments in repeated:
            dbt(warehouse, "run", "--select", "recon_exceptions", *arguments)
        rows = register(folder)
        entries = {key: vars(entry) for key, entry in expected.entries.items()}
        found += [
            f"run {number}: {key}: contract {entries.get(key)}, warehouse {rows.get(key)}"
            for key in entries.keys() | rows.keys()
            if entries.get(key) != rows.get(key)
        ]
    states = [entry.state for entry in expected.entries.values()]
    reopened = sum(entry.reopened_count > 0 for entry in expected.entries.values())
    print(f"{count} runs, {len(states)} exceptions, {reopened} reopened, {states.count('waived')} waived at the end")
    return found


def main(
    folder: Annotated[Path, typer.Argument(help="An empty folder to work in.")],
    count: Annotated[int, typer.Option(help="How many runs.")] = 30,
    seed: Annotated[int, typer.Option(help="Another seed, other days.")] = 1,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    found = differences(folder, seed, count)
    print("\n".join(found[:20]))
    raise typer.Exit(code=1 if found else 0)


if __name__ == "__main__":
    typer.run(main)
