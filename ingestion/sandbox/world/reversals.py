"""Refunds: how the reversing CRM+ gift says which gift it reverses, or does not say it."""

from __future__ import annotations

from ingestion.sandbox.clock import DAY, HOUR, START
from ingestion.sandbox.crm_plus_gift_rows import REVERSING

from .organization import GENERAL_PROJECT
from .planting import Planting
from .records import BY_IDS, REFUNDED, CrmGift, Gift
from .situations import Situation, Step, both, odd_cents, put_under, reversed_in_raise, two_projects
from .splits import split
from .state import World
from .sync import in_the_past, reverse, transfer

OWN_IDS = 990_000_000
"""Reversals with an id of their own are numbered from here; no gift of Raise has such an id."""


def disguise(world: World, gift: Gift, row: CrmGift, style: int) -> None:
    """Let a reversal name nothing: it has an id of its own, or none."""
    source, id = (
        (world.reference_source(), f"{gift.id}-R"),
        (world.reference_source(), f"rf_{row.id}"),
        (world.reference_source(), str(OWN_IDS + row.id)),
        (None, None),
        (world.reference_source(), ""),
    )[style % 5]
    row.kind, row.reversed_id, row.source, row.transaction_id = REVERSING, None, source, id


def reverse_unnamed(world: World, gift: Gift, original: CrmGift, created: int) -> CrmGift:
    """The reversal of an original, which it does not name."""
    row = reverse(world, gift, original, created)
    disguise(world, gift, row, row.id)
    return row


def stands_alone(world: World, gift: Gift) -> bool:
    """Whether no other gift of the donor was reversed that could be the one whose reversal names nothing."""
    gifts = (world.gifts[id] for id in world.gifts_of.get(gift.donor_id, ()))
    return not any(other.id != gift.id and other.cents == gift.cents and _was_reversed(world, other) for other in gifts)


def _was_reversed(world: World, gift: Gift) -> bool:
    return gift.state >= REFUNDED or any(world.crm_gifts[id].cents < 0 for id in gift.crm_ids)


def _and_reversal(world: World, gift: Gift) -> None:
    original = transfer(world, gift)
    reverse(world, gift, original, in_the_past(world, original.created, 3.1))


def _and_unnamed_reversal(world: World, gift: Gift) -> None:
    original = transfer(world, gift)
    reverse_unnamed(world, gift, original, in_the_past(world, original.created, 3.1))


def _and_named_reversal_with_an_id(world: World, gift: Gift) -> None:
    original = transfer(world, gift)
    row = reverse(world, gift, original, in_the_past(world, original.created, 3.1))
    disguise(world, gift, row, row.id)
    row.reversed_id = original.id


def _split_and_reversed_one_by_one(world: World, gift: Gift) -> None:
    for original in split(world, gift):
        reverse_unnamed(world, gift, original, in_the_past(world, original.created, 3.1))


def _split_and_reversed_at_once(world: World, gift: Gift) -> None:
    original, *_ = split(world, gift)
    row = reverse_unnamed(world, gift, original, in_the_past(world, original.created, 3.1))
    row.cents = -gift.cents


def _and_too_small_a_reversal(world: World, gift: Gift) -> None:
    """A reversal of another amount belongs to nobody."""
    original = transfer(world, gift)
    row = reverse_unnamed(world, gift, original, in_the_past(world, original.created, 3.1))
    row.source, row.transaction_id, row.cents = None, None, row.cents + 100
    gift.crm_ids = (original.id,)


def _and_a_reversal_elsewhere(world: World, gift: Gift) -> None:
    """A reversal on somebody else's contact is somebody else's."""
    original = transfer(world, gift)
    row = reverse_unnamed(world, gift, original, in_the_past(world, original.created, 3.1))
    row.source, row.transaction_id, row.contact_id = None, None, world.new_contact().id
    gift.crm_ids = (original.id,)


_UNIQUE = both(odd_cents, reversed_in_raise)
_UNIQUE_SPLIT = both(_UNIQUE, two_projects)

SITUATIONS = (
    Situation("reversed_on_both_sides", "matched", 6, 0.01, reversed_in_raise, _and_reversal),
    Situation("reversed_unnamed", "matched", 6, 0.005, _UNIQUE, _and_unnamed_reversal),
    Situation("reversed_named_with_own_id", "matched", 2, 0.001, reversed_in_raise, _and_named_reversal_with_an_id),
    Situation("reversed_per_project", "matched_split", 2, 0.001, _UNIQUE_SPLIT, _split_and_reversed_one_by_one),
    Situation("reversed_at_once", "matched_split", 1, 0.0005, _UNIQUE_SPLIT, _split_and_reversed_at_once),
    Situation("reversed_too_small", "refund_not_reversed", 1, 0.0002, _UNIQUE, _and_too_small_a_reversal),
    Situation("reversed_elsewhere", "refund_not_reversed", 1, 0.0002, _UNIQUE, _and_a_reversal_elsewhere),
)


def plant_twins(plant: Planting) -> list[tuple[Gift, Step]]:
    """Pairs of refunded gifts that nothing tells apart: for each pair two reversals without a name, or only one."""
    world = plant.world
    twins: list[tuple[Gift, Step]] = []
    count = max(2, round(world.scale.gifts * 0.0002))
    for number, donor in enumerate(world.random.sample(plant.plain, count)):
        created = max(donor.created, START - int((5 + world.random.random() * 60) * DAY))
        for each in range(2):
            gift = Gift(0, created + each * HOUR, 0, donor.id, 100 * (1_000 + number) + 13, "reversed_like_its_twin")
            gift.status, gift.project_id = "not_assessable", 1
            put_under(gift, 801, BY_IDS)
            reversed_in_raise(world, gift)
            twins.append((gift, _with_a_reversal_for_either(is_reversed=each == 0 or number % 2 == 0)))
            plant.gifts.append(gift)
    return twins


def _with_a_reversal_for_either(is_reversed: bool) -> Step:
    def step(world: World, gift: Gift) -> None:
        original = transfer(world, gift)
        if is_reversed:
            reverse_unnamed(world, gift, original, in_the_past(world, original.created, 3.1))
            gift.crm_ids = (original.id,)

    return step


def plant_reversals_of_nothing(world: World) -> None:
    """Reversals with a usable id of Raise's, of gifts that nobody knows."""
    for _ in range(max(2, round(world.scale.gifts * 0.0002))):
        contact = world.new_contact()
        row = world.new_crm_gift(contact.id, -6_613, None, created=contact.created + DAY)
        row.kind, row.source, row.transaction_id = REVERSING, world.reference_source(), str(OWN_IDS + row.id)
        row.project_id, row.situation = GENERAL_PROJECT, "orphan"
