"""Many organizations, day after day, against what their sandboxes planted: `make days`.

Every day each of them is read and the warehouse is built. On some days an organization cannot be read, or not wholly:
then nothing healthy may be accused, and the exceptions of what cannot be assessed stand still. At the end everything is
built anew and has to say the same. All organizations stand in one warehouse.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from ingestion.http import Patience
from ingestion.sandbox import Handle, running_several
from ingestion.settings import Organization, Settings, load_settings
from ingestion.sources import SOURCES, open_reading
from tests.building import BUILD, Dbt, marts, query
from tests.organizations import write_settings

ENTITIES = {"donors": "donor", "gifts": "gift", "recurring_gifts": "recurring_gift"}
ORPHANS = {"donors": "orphan_contacts", "gifts": "orphan_gifts", "recurring_gifts": "orphan_recurring_gifts"}
UNSETTLED = {"raise": "unsettled_gifts", "crm_plus": "unsettled_crm_gifts"}
_HASTE = Patience(attempts=2, initial=0.01, longest=0.05)

HALF = "half"
"""What is read of an organization on a day of many faults."""
_FAULTS = {"html_200": 0.3, "raise_5xx": 0.3, "crm_plus_5xx": 0.3}

_SHOWN_A_DAY = 20

Key = tuple[str, int]
"""A record: the product that has it, and its id there."""
Statuses = dict[Key, str]


@dataclass
class Entry:
    """What the register of exceptions should say of a record and a code."""

    is_open: bool = True
    reopened: int = 0


@dataclass
class Days:
    """What was compared, and what was found otherwise."""

    compared: int = 0
    failed_readings: int = 0
    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    agreed: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)
    register: dict[tuple[str, str], dict[tuple[Key, str], Entry]] = field(default_factory=lambda: defaultdict(dict))
    truths: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    """What was true of an organization when a product was last read completely."""


def statuses(warehouse: Path, organization: str, mart: str) -> Statuses:
    found = query(
        warehouse, f"select raise_id, crm_id, status from marts.recon_{mart} where organization = $1", organization
    )
    return {("crm_plus", crm) if key is None else ("raise", key): status for key, crm, status in found}


def exceptions(warehouse: Path, organization: str, entity: str) -> dict[tuple[Key, str], tuple[bool, int]]:
    """By record and code: whether it is open, and how often it was opened again."""
    found = query(
        warehouse,
        "select raise_id, crm_id, code, resolved_at is null, reopened_count from marts.recon_exceptions"
        " where organization = $1 and entity = $2",
        organization,
        entity,
    )
    return {
        (("crm_plus", crm) if key is None else ("raise", key), code): (is_open, reopened)
        for key, crm, code, is_open, reopened in found
    }


def severities(warehouse: Path) -> dict[tuple[str, str], str]:
    """Of the codes that are exceptions."""
    found = query(warehouse, "select entity, code, severity from marts.recon_statuses where is_exception")
    return {(entity, code): severity for entity, code, severity in found}


def all_marts(warehouse: Path) -> dict[str, list[tuple[Any, ...]]]:
    names = query(warehouse, "select table_name from duckdb_tables() where schema_name = 'marts' order by all")
    return marts(warehouse, [name for (name,) in names])


def cannot_be_assessed(warehouse: Path, organization: str) -> set[str]:
    """The entities of which nothing can be said after this build."""
    found = query(
        warehouse,
        "select entity from intermediate.int_recon__assessability where organization = $1 and not is_assessable",
        organization,
    )
    return {entity for (entity,) in found}


def planted(truth: dict[str, Any], mart: str) -> tuple[Statuses, set[Key]]:
    """What the sandbox says of a kind of record; and of which records it says nothing yet."""
    statuses: Statuses = {("raise", int(key)): record["status"] for key, record in truth[mart].items()}
    statuses |= {("crm_plus", int(key)): record["status"] for key, record in truth[ORPHANS[mart]].items()}
    if mart != "gifts":
        return statuses, set()
    return statuses, {(product, key) for product, name in UNSETTLED.items() for key in truth[name]}


def read(organization: Organization, settings: Settings, sandbox: Handle, trouble: str | None) -> dict[str, bool]:
    """Whether each product was read completely."""
    complete = {}
    if trouble in SOURCES:
        wrong = {"raise": "raise_api_token", "crm_plus": "crm_plus_api_key"}[trouble]
        organization = organization.model_copy(update={wrong: SecretStr("wrong")})
    sandbox.set_faults(_FAULTS if trouble == HALF else dict.fromkeys(_FAULTS, False))
    for source in SOURCES:
        run_id = settings.now().isoformat()
        with open_reading(source, organization, settings, run_id=run_id, patience=_HASTE) as reading:
            complete[source] = all(outcome.is_complete for outcome in reading.run().values())
    return complete


def compare(days: Days, day: int, organization: str, warehouse: Path, truth: dict[str, Any]) -> None:
    """After a day on which everything could be read."""
    severity = severities(warehouse)
    for mart, entity in ENTITIES.items():
        expected, unsettled = planted(truth, mart)
        found = statuses(warehouse, organization, mart)
        for key in (expected.keys() | found.keys()) - unsettled:
            ours, theirs = expected.get(key), found.get(key)
            days.compared += 1
            days.planted[f"{entity} {ours}"] += 1
            days.found[f"{entity} {theirs}"] += 1
            if ours == theirs:
                days.agreed[f"{entity} {ours}"] += 1
            else:
                days.differences.append(f"day {day} {organization} {mart} {key}: planted {ours}, found {theirs}")
        register = days.register[organization, entity]
        _follow(register, {(key, status) for key, status in expected.items() if (entity, status) in severity})
        told = exceptions(warehouse, organization, entity)
        for record in {record for record in register.keys() | told.keys() if record[0] not in unsettled}:
            entry = register.get(record)
            wanted = (entry.is_open, entry.reopened) if entry else None
            if told.get(record) != wanted:
                days.differences.append(
                    f"day {day} {organization} register {entity} {record}: {wanted}, found {told.get(record)}"
                )


def _follow(register: dict[tuple[Key, str], Entry], now: set[tuple[Key, str]]) -> None:
    for record, entry in register.items():
        if not entry.is_open and record in now:
            entry.reopened += 1
        entry.is_open = record in now
    for record in now - register.keys():
        register[record] = Entry()


def accused(days: Days, organization: str, warehouse: Path, truth: dict[str, Any]) -> Iterator[str]:
    """Healthy records of which the warehouse says that something is wrong.

    Not those of which it said so rightly when both sides were read, or which were so when either of them was last
    read: that they were mended since, it cannot know.
    """
    severity = severities(warehouse)
    for mart, entity in ENTITIES.items():
        expected, unsettled = planted(truth, mart)
        last_seen = [planted(told, mart)[0] for told in days.truths[organization].values()]
        for key, status in statuses(warehouse, organization, mart).items():
            is_healthy = key not in unsettled and (entity, expected.get(key)) not in severity
            entry = days.register[organization, entity].get((key, status))
            was_right = (entry and entry.is_open) or any(seen.get(key) == status for seen in last_seen)
            if is_healthy and not was_right and severity.get((entity, status)) == "error":
                yield f"{organization} {mart} {key}: planted {expected.get(key)}, accused of {status}"


def follow_in_part(days: Days, day: int, organization: str, warehouse: Path, truth: dict[str, Any]) -> None:
    """After a day on which not everything could be read."""
    days.failed_readings += 1
    days.differences += [f"day {day} {line}" for line in accused(days, organization, warehouse, truth)]
    mute = cannot_be_assessed(warehouse, organization)
    before = {entity: days.register[organization, entity] for entity in mute}
    adopt(days, organization, warehouse)
    for entity in mute:
        if days.register[organization, entity] != before[entity]:
            days.differences.append(f"day {day} {organization}: the register of {entity} moved with nothing to go by")


def adopt(days: Days, organization: str, warehouse: Path) -> None:
    """Takes the register as it is: a newer read of one side alone may open exceptions, or close them."""
    for entity in ENTITIES.values():
        told = exceptions(warehouse, organization, entity)
        days.register[organization, entity] = {record: Entry(*found) for record, found in told.items()}


def live(folder: Path, organizations: dict[str, Handle], count: int, seed: int) -> Days:
    """So many days of them all."""
    os.environ |= {
        **write_settings(organizations, folder),
        "WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
        "DLT_DATA_DIR": str(folder / "dlt"),
    }
    os.chdir(folder)
    dbt, days, chance = Dbt(folder), Days(), Random(seed)
    warehouse = folder / "warehouse.duckdb"
    for day in range(count):
        known = len(days.differences)
        hours = chance.randint(18, 30) if day else 0
        troubles = {
            slug: chance.choice((*SOURCES, HALF)) if day and chance.random() < 0.2 else None for slug in organizations
        }
        for sandbox in organizations.values():
            sandbox.advance(hours=hours)
            os.environ["TIEOUT_NOW"] = sandbox.env()["TIEOUT_NOW"]
        settings, is_complete = load_settings(), {}
        for organization in settings.organizations:
            slug = organization.slug
            is_complete[slug] = complete = read(organization, settings, organizations[slug], troubles[slug])
            assert all(complete.values()) or troubles[slug], complete
            if complete["raise"]:
                organizations[slug].observed()
        dbt(warehouse, *BUILD)
        for slug, sandbox in organizations.items():
            truth = sandbox.truth()
            days.truths[slug] |= {source: truth for source in SOURCES if is_complete[slug][source]}
            if all(is_complete[slug].values()):
                compare(days, day, slug, warehouse, truth)
                continue
            follow_in_part(days, day, slug, warehouse, truth)
        print(f"day {day}: {days.compared:,} records compared, {len(days.differences)} differences", flush=True)
        for difference in days.differences[known : known + _SHOWN_A_DAY]:
            print(difference, flush=True)
    by_increments = all_marts(warehouse)
    dbt(warehouse, *BUILD, "--full-refresh")
    for name, rows in all_marts(warehouse).items():
        if rows != by_increments[name]:
            days.differences.append(f"{name} says something else when it is built anew")
    for slug, sandbox in organizations.items():
        if undocumented := sandbox.requests()["undocumented"]["count"]:
            days.differences.append(f"{slug}: {undocumented} requests that are no documented reads")
    return days


def show(days: Days, console: Console) -> None:
    table = Table("status", "planted", "found", "recall", "precision")
    for code in sorted((days.planted | days.found).keys()):
        agreed, planted, found = days.agreed[code], days.planted[code], days.found[code]
        recall = f"{agreed / planted:.4f}" if planted else "-"
        precision = f"{agreed / found:.4f}" if found else "-"
        table.add_row(code, f"{planted:,}", f"{found:,}", recall, precision)
    console.print(table)
    entries = [entry for register in days.register.values() for entry in register.values()]
    console.print(
        f"{days.compared:,} statuses compared; {len(entries):,} exceptions, {sum(not e.is_open for e in entries):,} of"
        f" them resolved, {sum(e.reopened for e in entries):,} times reopened; {days.failed_readings} readings failed"
    )
    for difference in days.differences[:20]:
        console.print(difference)
    console.print(f"{len(days.differences)} differences")


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """As by Ctrl-C: sandboxes end, and folders are removed. dbt makes an error of its own of what it is stopped by."""
    asked = []

    def stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except BaseException:
        if asked:
            raise typer.Exit(128 + asked[0]) from None
        raise


def main(
    organizations: Annotated[int, typer.Option(help="How many, each by a seed of its own.")] = 20,
    days: Annotated[int, typer.Option(help="How many days.")] = 30,
    scale: Annotated[str, typer.Option(help="How large each of them is.")] = "small",
    seed: Annotated[int, typer.Option(help="Another seed, other days on which something fails.")] = 1,
) -> None:
    """Live through days, and compare each of them."""
    names = [f"org-{number:02}" for number in range(1, organizations + 1)]
    with _ended_by_sigterm(), tempfile.TemporaryDirectory() as folder, running_several(names, scale) as handles:
        lived = live(Path(folder), handles, days, seed)
    show(lived, Console(width=120))
    raise typer.Exit(1 if lived.differences else 0)


if __name__ == "__main__":
    typer.run(main)
