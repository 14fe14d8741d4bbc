"""What a planted situation of a gift is, and what their families share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingestion.sandbox.clock import DAY, START

from .organization import segment_of
from .records import CHARGED_BACK, REFUNDED, Gift
from .state import World

Step = Callable[[World, Gift], None]


@dataclass(frozen=True)
class Situation:
    """A named situation of a gift: its truth, how often, how it is prepared in Raise and what CRM+ gets."""

    name: str
    status: str
    minimum: int
    share: float
    prepare: Step
    sync: Step
    age: tuple[float, float] | None = None
    """Hours; None leaves the gift as old as it happens to be (at least four days)."""


def as_it_is(_world: World, _gift: Gift) -> None:
    """Nothing to prepare."""


def nothing(_world: World, _gift: Gift) -> None:
    """Nothing reaches CRM+."""


def odd_cents(world: World, gift: Gift) -> None:
    """An amount that no other gift has, so that what is found by its amount is unique."""
    gift.cents = 100 * (7 + int(world.random.random() * 900)) + 13


def reversed_in_raise(_world: World, gift: Gift) -> None:
    """Refunded or charged back."""
    gift.state = CHARGED_BACK if gift.cents % 3 == 0 else REFUNDED
    gift.modified = min(START, gift.created + 3 * DAY)


def two_projects(_world: World, gift: Gift) -> None:
    """Given to two projects."""
    gift.second_project_id = 3 if gift.project_id != 3 else 4


def both(*steps: Step) -> Step:
    """One step after the other."""

    def step(world: World, gift: Gift) -> None:
        for each in steps:
            each(world, gift)

    return step


def put_under(gift: Gift, campaign_id: int, shown: int) -> None:
    """Give a gift its campaign."""
    gift.campaign_id, gift.shown = campaign_id, shown
    gift.segment_id = segment_of(campaign_id, gift.cents)
