"""Two organizations whose credentials were swapped: what they open is another's, and nothing of it is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from ingestion.sandbox import Handle, running_several
from tests.integration.conftest import Workplace
from tests.organizations import write_settings

NORTH, SOUTH = "north", "south"


@pytest.fixture(scope="module")
def both() -> Iterator[dict[str, Handle]]:
    with running_several((NORTH, SOUTH)) as organizations:
        yield organizations


def owners(place: Workplace) -> list[tuple[str, str, int]]:
    """Whose rows stand under which organization, by the ids that the products give their organizations."""
    return place.query(
        """
        select distinct 'raise', organization, organization_id from raw_raise.recurring_gifts
        union all
        select 'crm_plus', organization, organization_user_id from raw_crm_plus.organization where _deleted_at is null
        order by all
        """
    )


def test_nothing_is_loaded_with_swapped_credentials_until_they_are_accepted(
    workplace_for: Callable[[Handle], Workplace], both: dict[str, Handle]
) -> None:
    place = workplace_for(both[NORTH])
    # What opens the one's account opens the other's, wherever both are served from.
    right = write_settings(both, place.folder)
    done = place.tieout("run", "--only", "ingest", **right)
    assert done.returncode == 0, done.stderr
    before, whose = place.raw(), owners(place)
    assert len({owner for _, _, owner in whose}) == len(whose) == 4

    swapped = write_settings({NORTH: both[SOUTH], SOUTH: both[NORTH]}, place.folder)
    done = place.tieout("run", "--only", "ingest", **swapped)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    names = {"434": "Tieout Sandbox Relief 2 (Sandbox) (77002", "417": "Tieout Sandbox Relief 1 (Sandbox) (77001"}
    for slug, live, held in ((NORTH, "434", "417"), (SOUTH, "417", "434")):
        for credential, is_of, holds in (
            (f"{slug.upper()}_TOKEN", f"organization {live}", f"organization {held}"),
            (f"{slug.upper()}_KEY", names[live], names[held]),
        ):
            said = rf"{credential} belongs to {re.escape(is_of)}[^;]* holds {re.escape(holds)}[^;]* the slug {slug}:"
            assert re.search(said, line), (said, line)
    assert place.raw() == before

    done = place.tieout(
        "run", "--only", "ingest", "--accept-organization", "raise", "--accept-organization", "crm_plus", **swapped
    )
    assert "belongs to" not in done.stderr
    # What is gone with the old account is taken as deleted only when that is accepted, too.
    assert "--accept-deletions raise.donors accepts that" in done.stderr
    assert {("raise", NORTH, 434), ("raise", SOUTH, 417)} <= set(owners(place))
    assert {row for row in owners(place) if row[0] == "crm_plus"} == {
        ("crm_plus", NORTH, 77_002),
        ("crm_plus", SOUTH, 77_001),
    }
