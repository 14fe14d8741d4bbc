"""Reads the sandbox with every fault at once, and then looks for what was lost: `make soak`.

A world is read while the network, the servers and the rows misbehave, until so many faults were injected; then once
more in peace. Waits are leapt over.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer
from rich.console import Console
from rich.table import Table

from ingestion.http import Patience
from ingestion.resource_reading import Outcome
from ingestion.sandbox import Handle, running
from ingestion.settings import Settings
from ingestion.sources import SOURCES, open_reading
from tests.clocks import clock_of

FAULTS: dict[str, float] = {
    "raise_5xx": 0.3,
    "crm_plus_5xx": 0.3,
    "raise_429": 0.04,
    "crm_plus_429": 0.04,
    "raise_storm": 0.003,
    "crm_plus_storm": 0.003,
    "dropped_connections": 0.2,
    "timeouts": 0.002,
    "cut_bodies": 0.04,
    "html_200": 0.03,
    "wrong_envelopes": 0.03,
    "redirects": 0.03,
    "short_pages": 0.1,
    "repeated_rows": 0.2,
    "moving_rows": 0.02,
    "moving_total": 0.02,
    "poisoned_rows": 0.0005,
    "odd_values": 0.002,
    "new_fields": 0.1,
}
KEYS = {("crm_plus", "campaigns"): "campaign_id"}
Ids = dict[str, dict[str, set[int]]]


@dataclass
class Soaked:
    """What came of it: per source and resource, how many rows."""

    faults: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    seconds: float = 0.0
    readings: int = 0
    unread: dict[str, int] = field(default_factory=dict)
    """Rows that were there all the time, and after a reading that calls itself complete neither in the warehouse nor in
    quarantine."""
    wrongly_deleted: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    """Rows that are not in the warehouse after one more reading, in peace."""
    unresolved: int = 0
    """Open quarantine after it."""
    outcomes: list[tuple[str, Outcome]] = field(default_factory=list)


def soak(folder: Path, *, scale: str, faults: int, take: int, seed: int = 1) -> Soaked:
    """Reads a world again and again until so many faults were injected, then once in peace."""
    soaked = Soaked()
    with running(
        seed=seed, scale=scale, raise_take_cap=take, stall_seconds=4.0, crm_plus_hourly_limit=10**9
    ) as sandbox:
        stayed = ids(sandbox)
        sandbox.set_faults(FAULTS)
        began = time.monotonic()
        while sum(sandbox.struck().values()) < faults:
            sandbox.advance(hours=1)
            settings = settings_of(sandbox, folder)
            last = read(sandbox, settings, f"soak {soaked.readings}", full=True)
            soaked.outcomes += last
            soaked.readings += 1
        soaked.seconds = time.monotonic() - began
        soaked.faults.update(sandbox.struck())
        asked = sandbox.requests()
        soaked.requests = asked["raise"]["total"] + asked["crm_plus"]["total"]
        assert asked["undocumented"]["count"] == 0
        now = ids(sandbox)
        complete = {f"{source}.{outcome.resource}" for source, outcome in last if outcome.is_complete}
        for name, (live, deleted, holes) in held(settings).items():
            source, resource = name.split(".")
            there = now[source].get(resource, set()) & stayed[source].get(resource, set())
            # A reading that says that it is not complete has told what it lacks.
            if name in complete:
                soaked.unread[name] = max(len(there - live) - holes, 0)
            soaked.wrongly_deleted[name] = len(deleted & now[source].get(resource, set()))

        sandbox.set_faults(dict.fromkeys(FAULTS, False))
        sandbox.advance(hours=1)
        settings = settings_of(sandbox, folder)
        outcomes = read(sandbox, settings, "peace", full=True)
        if any(outcome.mode_reason.startswith("goes on") for _, outcome in outcomes):
            outcomes = read(sandbox, settings, "peace again", full=True)
        assert all(outcome.is_complete for _, outcome in outcomes), outcomes
        now = ids(sandbox)
        for name, (live, deleted, _) in held(settings).items():
            source, resource = name.split(".")
            soaked.lost[name] = len(now[source].get(resource, set()) - live)
            soaked.wrongly_deleted[name] += len(deleted & now[source].get(resource, set()))
        soaked.unresolved = open_quarantine(settings)
    return soaked


def settings_of(sandbox: Handle, folder: Path) -> Settings:
    named: dict[str, Any] = {name.lower(): value for name, value in sandbox.env().items()}
    return Settings(
        **named, warehouse_path=folder / "warehouse.duckdb", published_path=folder / "p.duckdb", _env_file=None
    )


def read(sandbox: Handle, settings: Settings, run_id: str, *, full: bool = False) -> list[tuple[str, Outcome]]:
    """One reading of both products."""
    (organization,) = settings.organizations
    patience = Patience(initial=0.001, longest=0.01, answer=3.0, throttle=math.inf, clock=clock_of(sandbox))
    outcomes: list[tuple[str, Outcome]] = []
    for source in SOURCES:
        with open_reading(source, organization, settings, run_id=run_id, full=full, patience=patience) as reading:
            outcomes += [(source, outcome) for outcome in reading.run().values()]
    return outcomes


def ids(sandbox: Handle) -> Ids:
    return {
        source: {resource: set(found) for resource, found in resources.items()}
        for source, resources in sandbox.ids().items()
    }


def held(settings: Settings) -> dict[str, tuple[set[int], set[int], int]]:
    """Per source and resource: the ids that are live, those that are marked as deleted, and the holes in quarantine."""
    made: dict[str, tuple[set[int], set[int], int]] = {}
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        found = connection.execute(
            "select schema_name, table_name from duckdb_tables() where schema_name in ('raw_raise', 'raw_crm_plus')"
            " and list_contains((select array_agg(distinct resource) from raw_raise.load_audit)"
            " || (select array_agg(distinct resource) from raw_crm_plus.load_audit), table_name)"
        ).fetchall()
        for schema, resource in found:
            source = schema.removeprefix("raw_")
            if resource == "organization":
                continue
            key = KEYS.get((source, resource), "id")
            rows = connection.execute(f"select {key}, _deleted_at is null from {schema}.{resource}").fetchall()
            holes = connection.execute(
                f"select count(*) from {schema}.quarantined_records"
                " where resource = $1 and field = '' and resolved_at is null",
                [resource],
            ).fetchone()
            assert holes
            made[f"{source}.{resource}"] = (
                {key for key, is_live in rows if is_live},
                {key for key, is_live in rows if not is_live},
                holes[0],
            )
    return made


def open_quarantine(settings: Settings) -> int:
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        found = connection.execute(
            "select count(*) from (from raw_raise.quarantined_records union all by name"
            " from raw_crm_plus.quarantined_records) where resolved_at is null"
        ).fetchone()
    assert found
    return int(found[0])


def show(soaked: Soaked, console: Console) -> None:
    table = Table("fault", "injected", title=f"{sum(soaked.faults.values()):,} faults")
    for name, count in soaked.faults.most_common():
        table.add_row(name, f"{count:,}")
    console.print(table)
    for source, outcome in soaked.outcomes:
        if not outcome.is_complete:
            console.print(f"not complete: {source} {outcome.resource}: {outcome.error}")
    console.print(
        f"{soaked.readings} readings in {soaked.seconds:.0f} s, {soaked.requests:,} requests;"
        f" complete: {sum(o.is_complete for _, o in soaked.outcomes)} of {len(soaked.outcomes)};"
        f" quarantined: {sum(o.rows_quarantined for _, o in soaked.outcomes)}\n"
        f"unread and untold: {sum(soaked.unread.values())}; wrongly deleted: {sum(soaked.wrongly_deleted.values())};"
        f" lost: {sum(soaked.lost.values())}; quarantine still open: {soaked.unresolved}"
    )


def main(
    faults: Annotated[int, typer.Option(help="How many faults to inject.")] = 10_000,
    scale: Annotated[str, typer.Option(help="How large a world.")] = "small",
    take: Annotated[int, typer.Option(help="Rows per page of Raise at the most.")] = 5,
    seed: Annotated[int, typer.Option(help="The same seed makes the same world.")] = 1,
) -> None:
    """Soak."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DLT_DATA_DIR"] = f"{folder}/dlt"
        soaked = soak(Path(folder), scale=scale, faults=faults, take=take, seed=seed)
    show(soaked, Console())
    nothing_lost = not any((*soaked.unread.values(), *soaked.wrongly_deleted.values(), *soaked.lost.values()))
    raise typer.Exit(0 if nothing_lost and not soaked.unresolved else 1)


if __name__ == "__main__":
    typer.run(main)
