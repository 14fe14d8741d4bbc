"""What `tieout erase` does beside a run: who is to be erased, and what still holds their data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from ingestion import erasure, machine, warehouse
from ingestion.errors import TieoutError
from ingestion.settings import Settings
from orchestration import turn
from orchestration.publishing import SCHEMA

Person = tuple[str, str, int]
"""Organization, source and id."""

ELSEWHERE = (
    "Copies of backups and of the published file elsewhere: delete them, or restore and erase there too.",
    "Exports, reports, mails and closed months that name them: delete what you need not keep by law.",
    "transform/seeds/waivers.csv and match_overrides.csv: their reasons may name somebody.",
)


class ErasureImpossible(TieoutError):
    """There is nothing to erase from."""


def name(
    settings: Settings, organization: str, asked: Mapping[str, Sequence[int]], on_wait: Callable[[], None]
) -> None:
    """Takes down whom somebody has asked for, by source. Raises `ErasureImpossible` where there is no warehouse."""
    if not settings.warehouse_path.is_file():
        raise ErasureImpossible(f"There is no warehouse {settings.warehouse_path} yet: there is nothing to erase.")
    with turn.taken(settings, on_wait=on_wait):
        warehouse.claim(settings.warehouse_path)
        for source, keys in asked.items():
            erasure.name(settings.warehouse_path, organization, source, keys)


def erased(settings: Settings) -> set[Person]:
    """Whose data is erased in the warehouse."""
    return set(erasure.persons(settings.warehouse_path)) if settings.warehouse_path.is_file() else set()


def remains(settings: Settings) -> Iterator[str]:
    """What may still hold data of those who are erased, and what to do about it, a line each."""
    persons = erased(settings)
    if not persons:
        return
    for organization, contacts in _contacts(settings.warehouse_path).items():
        told = ", ".join(map(str, contacts[:10])) + (", …" if len(contacts) > 10 else "")
        yield (
            f"CRM+ of {organization} still has {len(contacts):,} of them as contacts ({told}): delete them there, then"
            " `tieout erase --contact ID`."
        )
    for copy in _copies(settings):
        if not persons <= _erased_in(copy):
            yield f"{copy.parent} was made before: delete it; `tieout backup` makes a new one."
    yield from ELSEWHERE


def _copies(settings: Settings) -> list[Path]:
    """The warehouses of backups in their usual place, and those that a restore moved aside."""
    folder, name = settings.warehouse_path.parent, settings.warehouse_path.name
    return sorted([*folder.glob("backups/*/warehouse.duckdb"), *folder.glob(f"{name}.before-*/{name}")])


def _erased_in(copy: Path) -> set[Person]:
    try:
        return set(erasure.persons(copy))
    except (duckdb.Error, OSError):
        return set()


def _contacts(path: Path) -> dict[str, list[int]]:
    """The contacts that erased donors resolve to and that are not erased themselves."""
    with machine.connect(path, read_only=True) as connection:
        built = connection.execute(
            "select 1 from duckdb_tables() where schema_name = $1 and table_name = 'recon_donors'", [SCHEMA]
        ).fetchone()
        if not built:
            return {}
        found = connection.execute(
            f"""
            select donors.organization, list(distinct donors.crm_id order by donors.crm_id)
            from {SCHEMA}.recon_donors as donors
            semi join {erasure.PERSONS} as erased
                on erased.organization = donors.organization
                and erased.source = 'raise' and erased.record_id = donors.raise_id
            anti join {erasure.PERSONS} as erased
                on erased.organization = donors.organization
                and erased.source = 'crm_plus' and erased.record_id = donors.crm_id
            where donors.crm_id is not null
            group by donors.organization order by all
            """
        ).fetchall()
    return dict(found)
