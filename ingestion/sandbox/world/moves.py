"""Gifts that staff moved to another contact, the only way CRM+ has: reversed there, and entered again by hand."""

from __future__ import annotations

from .records import CrmGift, Gift
from .situations import Situation, as_it_is, odd_cents
from .state import World
from .sync import in_the_past, reverse, transfer


def misplace(world: World, gift: Gift) -> CrmGift:
    """A gift gets to a contact that is not its donor's."""
    row = transfer(world, gift)
    row.contact_id = world.new_contact(created=row.created).id
    return row


def enter_again(world: World, gift: Gift, original: CrmGift, created: int, *, pair: bool) -> CrmGift:
    """What staff type on the donor's contact: the same amount and day, with the pair or without."""
    row = transfer(world, gift, pair=pair)
    row.created = row.modified = created
    row.day, row.project_id, row.second_project_id = original.day, original.project_id, original.second_project_id
    return row


def _moved(world: World, gift: Gift, *, pair: bool) -> None:
    original = misplace(world, gift)
    at = in_the_past(world, original.created, 3.1)
    reverse(world, gift, original, at)
    enter_again(world, gift, original, at, pair=pair)


def _without_pair(world: World, gift: Gift) -> None:
    _moved(world, gift, pair=False)


def _with_pair(world: World, gift: Gift) -> None:
    _moved(world, gift, pair=True)


def _entered_twice(world: World, gift: Gift) -> None:
    """Which of the two is the one that was moved, nobody knows."""
    _moved(world, gift, pair=False)
    original, back, again = gift.crm_ids
    row = world.crm_gifts[again]
    enter_again(world, gift, world.crm_gifts[original], row.created, pair=False)
    gift.crm_ids = (original, back)


def _to_the_wrong_contact(world: World, gift: Gift) -> None:
    """It was right, and was moved away."""
    original = transfer(world, gift)
    at = in_the_past(world, original.created, 3.1)
    reverse(world, gift, original, at)
    enter_again(world, gift, original, at, pair=True).contact_id = world.new_contact().id


SITUATIONS = (
    Situation("moved_without_pair", "matched", 3, 0.002, odd_cents, _without_pair),
    Situation("moved_with_pair", "matched", 2, 0.001, as_it_is, _with_pair),
    Situation("moved_and_entered_twice", "not_assessable", 1, 0.0002, odd_cents, _entered_twice),
    Situation("moved_away", "contact_mismatch", 1, 0.0002, as_it_is, _to_the_wrong_contact),
)
