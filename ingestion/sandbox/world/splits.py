"""One Raise gift as several CRM+ gifts, one for each project."""

from __future__ import annotations

from .organization import crm_project
from .records import BY_AGE, CrmGift, Gift
from .situations import Situation, both, odd_cents, two_projects
from .state import World
from .sync import transfer


def split(world: World, gift: Gift, *, pair: bool = True) -> list[CrmGift]:
    """A CRM+ gift for each of the two projects of a gift."""
    first, rows = gift.cents // 3, []
    parts = ((first, gift.project_id), (gift.cents - first, gift.second_project_id))
    for number, (cents, project) in enumerate(parts, start=1):
        row = transfer(world, gift, cents, suffix=f"-{number}", pair=pair)
        row.project_id, row.second_project_id = crm_project(project), 0
        rows.append(row)
    return rows


def split_without_ids(world: World, gift: Gift) -> None:
    """As the older integration writes them: from Raise, and without the id."""
    for row in split(world, gift, pair=False):
        row.source, row.transaction_id = world.reference_source(), ("", None)[gift.id % 2]


def _with_ids(world: World, gift: Gift) -> None:
    split(world, gift)


def _by_hand(world: World, gift: Gift) -> None:
    """Nothing says that these are Raise's."""
    split(world, gift, pair=False)
    gift.crm_ids = ()


_UNIQUE = both(odd_cents, two_projects)

SITUATIONS = (
    Situation("split_by_project", "matched_split", 3, 0.012, two_projects, _with_ids),
    Situation("split_without_ids", "matched_split", 3, 0.003, _UNIQUE, split_without_ids),
    Situation("split_by_hand", BY_AGE, 1, 0.0002, _UNIQUE, _by_hand),
)
