"""Out of the ordinary: how single gifts get to CRM+ while time passes, and what staff do to them there."""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.sandbox.clock import HOUR

from .costs import costs, with_any_designation
from .moves import enter_again, misplace
from .passthroughs import through_a_fund, without_pair
from .records import BY_AGE, Gift
from .situations import Step, as_it_is, both, odd_cents, two_projects
from .splits import split_without_ids
from .state import World
from .sync import lag, reverse

NOTICED = 26 * HOUR
"""After how long staff see to a gift."""


@dataclass(frozen=True)
class Arrival:
    """What becomes of a new gift: how it is made in Raise, and what CRM+ gets of it in the end."""

    situation: str
    status: str
    prepare: Step
    arrive: Step


def _misplaced(world: World, gift: Gift) -> None:
    """It gets to a wrong contact; staff reverse it there, and enter it again."""
    misplace(world, gift)
    world.later(world.now + NOTICED + lag(world), lambda: _taken_back(world, gift))


def _taken_back(world: World, gift: Gift) -> None:
    if gift.id in world.gifts:
        reverse(world, gift, world.crm_gifts[gift.crm_ids[0]], world.now)
        gift.status = "reversal_without_refund"
        world.later(world.now + NOTICED + lag(world), lambda: _entered_again(world, gift))


def _entered_again(world: World, gift: Gift) -> None:
    if gift.id in world.gifts:
        enter_again(world, gift, world.crm_gifts[gift.crm_ids[0]], world.now, pair=gift.id % 4 == 0)
        gift.status = "matched"


ARRIVALS = (
    Arrival("new_gift_split_without_ids", "matched_split", both(odd_cents, two_projects), split_without_ids),
    Arrival("new_gift_through_a_fund", "matched", as_it_is, through_a_fund),
    Arrival("new_gift_through_a_fund_without_pair", "matched", odd_cents, without_pair),
    Arrival("new_gift_with_costs", "matched_with_costs", costs, with_any_designation),
    Arrival("new_gift_misplaced", "contact_mismatch", odd_cents, _misplaced),
)


def draw_arrival(world: World, gift: Gift) -> None:
    """Prepare a gift that has no id yet for one of these, and note when it arrives."""
    arrival = ARRIVALS[int(world.random.random() * len(ARRIVALS))]
    arrival.prepare(world, gift)
    gift.situation, gift.status = arrival.situation, BY_AGE

    def arrives() -> None:
        if gift.id in world.gifts:
            arrival.arrive(world, gift)
            gift.status = arrival.status

    world.later(world.now + lag(world), arrives)
