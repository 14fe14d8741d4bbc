"""Gifts whose contact is a fund or an employer: the donor is the one who gave through it."""

from __future__ import annotations

from .records import Gift
from .situations import Situation, as_it_is, odd_cents
from .state import World
from .sync import merge_contacts, transfer


def _donors_contact(world: World, gift: Gift) -> int:
    return world.donors[gift.donor_id].gift_contacts[0]


def through_a_fund(world: World, gift: Gift, giver: int | None = None, *, pair: bool = True) -> None:
    """The whole gift through a fund, as older or as younger gifts show it."""
    giver = _donors_contact(world, gift) if giver is None else giver
    row = transfer(world, gift, pair=pair)
    row.contact_id = world.new_contact(created=row.created).id
    if gift.id % 2:
        row.passthrough_id = giver
    else:
        row.passthroughs = ((giver, gift.cents),)


def _in_part(world: World, gift: Gift) -> None:
    """Somebody else gave a part of it."""
    row = transfer(world, gift)
    row.contact_id = world.new_contact().id
    part = gift.cents // 4
    row.passthroughs = (
        (world.new_contact().id, part),
        (_donors_contact(world, gift), gift.cents - part),
    )


def without_pair(world: World, gift: Gift) -> None:
    """Nothing but the giver, the amount and the day tells whose gift it is."""
    through_a_fund(world, gift, pair=False)


def _of_somebody_else(world: World, gift: Gift) -> None:
    through_a_fund(world, gift, world.new_contact().id)


def _merged_into_the_donors(world: World, gift: Gift) -> None:
    """The giver was merged into the donor's contact."""
    loser = world.new_contact()
    merge_contacts(world, loser, world.contacts[_donors_contact(world, gift)])
    through_a_fund(world, gift, loser.id)


SITUATIONS = (
    Situation("passthrough", "matched", 4, 0.004, as_it_is, through_a_fund),
    Situation("passthrough_in_part", "matched", 2, 0.002, as_it_is, _in_part),
    Situation("passthrough_without_pair", "matched", 2, 0.002, odd_cents, without_pair),
    Situation("passthrough_merged", "matched", 1, 0.0002, as_it_is, _merged_into_the_donors),
    Situation("passthrough_of_somebody_else", "contact_mismatch", 1, 0.0002, as_it_is, _of_somebody_else),
)
