"""Gifts: every situation of the gift reconciliation, planted by name on donors about whom nothing else is odd."""

from __future__ import annotations

from ingestion.sandbox.clock import DAY, HOUR, MINUTE, START
from ingestion.sandbox.crm_plus_gift_rows import REVERSING

from . import costs, moves, passthroughs, reversals, splits, switches
from .organization import (
    ALWAYS_ON,
    CLEAN_WATER,
    CLEAN_WATER_TWIN,
    EMERGENCY_RELIEF,
    GENERAL_PROJECT,
    OLD_IMPORT,
    OUTAGE,
    PEER_FUNDRAISERS,
    RAISE_PROJECTS,
    TURNS_OFF,
    TURNS_ON,
    segment_of,
)
from .planting import LATE_AGE, PENDING_AGE, Planting
from .records import (
    BY_AGE,
    BY_CAMPAIGN,
    BY_IDS,
    BY_NAME,
    BY_SEGMENT,
    DECLINED,
    NOT_SHOWN,
    PENDING,
    VOIDED,
    Donor,
    Gift,
)
from .schedules import attach_payments
from .situations import Situation, Step, as_it_is, nothing, odd_cents, put_under, reversed_in_raise, two_projects
from .state import World
from .sync import in_the_past, reverse, sync_gift, transfer

# Preparations


def _unsettled(world: World, gift: Gift) -> None:
    gift.state = (DECLINED, DECLINED, VOIDED, PENDING)[int(world.random.random() * 4)]


def _test(_world: World, gift: Gift) -> None:
    gift.is_test = True


def _foreign(_world: World, gift: Gift) -> None:
    gift.currency, gift.rate = ("CAD", 0.73) if gift.cents % 1000 else ("EUR", 1.08)
    gift.second_project_id = 0


def _foreign_without_base(world: World, gift: Gift) -> None:
    _foreign(world, gift)
    gift.shows_base = False


def _campaign(campaign_id: int, *shown: int) -> Step:
    def prepare(_world: World, gift: Gift) -> None:
        put_under(gift, campaign_id, shown[gift.cents // 500 % len(shown)])

    return prepare


def _in_the_outage(world: World, gift: Gift) -> None:
    put_under(gift, EMERGENCY_RELIEF, BY_IDS)
    start, end = OUTAGE
    gift.created = gift.modified = start + int(world.random.random() * (end - start))


# What CRM+ gets


def _without_pair(world: World, gift: Gift) -> None:
    row = transfer(world, gift, pair=False)
    if gift.id % 3 == 0:
        row.source, row.transaction_id = "RaiseDonors", ""


def _in_base_currency(world: World, gift: Gift) -> None:
    row = transfer(world, gift, round(gift.cents * gift.rate))
    row.currency, row.rate = "USD", 1.0


def _and_reversal(world: World, gift: Gift) -> None:
    original = transfer(world, gift)
    reverse(world, gift, original, in_the_past(world, original.created, 3.1))


def _twice(world: World, gift: Gift) -> None:
    transfer(world, gift)
    transfer(world, gift).transaction_id = f"raise-{gift.id}"


def _wrong_amount(world: World, gift: Gift) -> None:
    transfer(world, gift, gift.cents + (1 if gift.id % 2 else -1) * (150 + gift.id % 300))


def _wrong_contact(world: World, gift: Gift) -> None:
    transfer(world, gift).contact_id = world.new_contact().id


def _wrong_date(world: World, gift: Gift) -> None:
    row = transfer(world, gift)
    row.day += (5, -4, 30)[gift.id % 3]


def _later(world: World, gift: Gift) -> None:
    at = START + HOUR + int(world.random.random() * 20 * HOUR)
    world.later(at, lambda: gift_arrives(world, gift))


def gift_arrives(world: World, gift: Gift) -> None:
    """A gift that CRM+ did not have yet gets there, unless it has vanished or its donor has no contact."""
    if gift.id in world.gifts and not gift.crm_ids and world.donors[gift.donor_id].gift_contacts:
        sync_gift(world, gift)


MISSING_GIFT_AGE = (80.0, 2_400.0)

SITUATIONS = (
    Situation("two_designations", "matched", 3, 0.03, two_projects, sync_gift),
    Situation("by_amount_and_date", "matched", 3, 0.005, odd_cents, _without_pair),
    Situation("foreign_currency", "matched", 3, 0.005, _foreign, sync_gift),
    Situation("foreign_in_base_currency", "matched", 2, 0.002, _foreign, _in_base_currency),
    Situation("foreign_without_base", "not_assessable", 2, 0.0003, _foreign_without_base, _in_base_currency),
    Situation("unsettled", "not_expected", 5, 0.02, _unsettled, nothing),
    Situation("reversed_before_sync", "not_expected", 2, 0.002, reversed_in_raise, nothing),
    Situation(
        "campaign_off", "sync_disabled", 6, 0.008, _campaign(PEER_FUNDRAISERS, BY_IDS, BY_SEGMENT, BY_NAME), nothing
    ),
    Situation("old_import_off", "sync_disabled", 2, 0.003, _campaign(OLD_IMPORT, BY_IDS, BY_NAME), nothing),
    Situation("name_twin_off", "sync_disabled", 2, 0.001, _campaign(CLEAN_WATER_TWIN, BY_IDS, BY_SEGMENT), nothing),
    Situation("name_twin_on", "matched", 3, 0.01, _campaign(CLEAN_WATER, BY_NAME, BY_IDS), sync_gift),
    Situation("off_until_toggled", BY_CAMPAIGN, 4, 0.004, _campaign(TURNS_ON, BY_IDS, BY_SEGMENT), nothing),
    Situation("past_outage", BY_AGE, 3, 0.001, _in_the_outage, nothing),
    Situation("pending", BY_AGE, 3, 0.0002, as_it_is, nothing, PENDING_AGE),
    Situation("pending_and_coming", BY_AGE, 3, 0.0005, as_it_is, _later, PENDING_AGE),
    Situation("late", BY_AGE, 3, 0.0002, as_it_is, nothing, LATE_AGE),
    Situation("missing", BY_AGE, 4, 0.002, as_it_is, nothing, MISSING_GIFT_AGE),
    Situation("refund_not_reversed", "refund_not_reversed", 2, 0.001, reversed_in_raise, sync_gift),
    Situation("reversal_without_refund", "reversal_without_refund", 2, 0.0005, as_it_is, _and_reversal),
    Situation("duplicate", "duplicate", 2, 0.001, as_it_is, _twice),
    Situation("amount_mismatch", "amount_mismatch", 2, 0.001, as_it_is, _wrong_amount),
    Situation("contact_mismatch", "contact_mismatch", 2, 0.001, as_it_is, _wrong_contact),
    Situation("date_mismatch", "date_mismatch", 2, 0.001, as_it_is, _wrong_date),
    Situation("test_gift", "test_mode", 3, 0.003, _test, nothing),
    *reversals.SITUATIONS,
    *moves.SITUATIONS,
    *passthroughs.SITUATIONS,
    *costs.SITUATIONS,
    *splits.SITUATIONS,
    *switches.SITUATIONS,
)
"""Every situation but the ordinary one, `matched`."""


def plant_gifts(plant: Planting) -> None:
    """Create all gifts of the scale, oldest first, and what CRM+ has of them."""
    world = plant.world
    twins = [] if world.scale.bare else reversals.plant_twins(plant)
    ordinary = _ordinary_gifts(plant)
    syncs: dict[int, Step] = {}
    if not world.scale.bare:
        syncs |= {id(gift): step for gift, step in twins}
        _plant_situations(plant, ordinary, syncs)
    gifts = [*plant.gifts, *ordinary]
    gifts.sort(key=lambda gift: gift.created)
    for gift in gifts:
        gift.id = world.next_id("gift")
        world.add_gift(gift)
    if world.scale.bare:
        return
    attach_payments(world, [gift for gift in ordinary if gift.situation == "matched"])
    for gift in gifts:
        if gift.status == "matched" and gift.situation == "matched":
            transfer(world, gift)
        elif (step := syncs.get(id(gift))) is not None:
            status = gift.status
            step(world, gift)
            gift.status = status
    _plant_orphans(world)
    reversals.plant_reversals_of_nothing(world)
    _plant_noise(plant)


def _ordinary_gifts(plant: Planting) -> list[Gift]:
    world = plant.world
    givers = list(world.donors) if world.scale.bare else plant.givers
    count = world.scale.gifts - len(plant.gifts)
    draw = world.random.random
    gifts = [ordinary_gift(world, donor, min(START - 40 * MINUTE, donor.created + 9_000)) for donor in givers[:count]]
    last = START - 40 * MINUTE
    while len(gifts) < count:
        donor = givers[int(draw() * len(givers))]
        gifts.append(ordinary_gift(world, donor, donor.created + int(draw() * max(last - donor.created, 1_000))))
    return gifts


def ordinary_gift(world: World, donor: Donor, created: int) -> Gift:
    """A gift as most are: approved, of a round amount, under a campaign that syncs. It has no id yet."""
    draw = world.random.random()
    cents = (2_500, 5_000, 1_000, 10_000, 3_500, 7_500, 25_000, 1_500)[int(draw * 8)]
    pick = int(draw * 1_000_000)
    if pick % 11 == 0:
        cents += 50
    campaigns = (*ALWAYS_ON, TURNS_OFF)
    campaign: int | None = campaigns[pick // 11 % len(campaigns)]
    shown = (BY_IDS, BY_IDS, BY_IDS, BY_SEGMENT, BY_NAME, BY_NAME, BY_IDS, NOT_SHOWN)[pick // 77 % 8]
    if campaign == TURNS_OFF and created >= START:
        campaign = ALWAYS_ON[0]
    gift = Gift(0, created, created, donor.id, cents)
    gift.campaign_id, gift.shown = campaign, shown
    gift.segment_id = segment_of(campaign, pick // 3) if campaign is not None else None
    gift.project_id = RAISE_PROJECTS[pick // 5 % len(RAISE_PROJECTS)]
    return gift


def _plant_situations(plant: Planting, ordinary: list[Gift], syncs: dict[int, Step]) -> None:
    world = plant.world
    draw = world.random.random
    plain = {donor.id: donor for donor in plant.plain}
    free = [gift for gift in ordinary if gift.donor_id in plain and gift.created < START - 4 * DAY]
    wanted = [
        situation
        for situation in SITUATIONS
        for _ in range(max(situation.minimum, round(situation.share * world.scale.gifts)))
    ]
    veterans = plant.plain[: max(5, len(plant.plain) // 20)]
    for gift, situation in zip(world.random.sample(free, len(wanted)), wanted, strict=True):
        gift.situation, gift.status = situation.name, situation.status
        if situation.age is not None:
            low, high = situation.age
            gift.created = gift.modified = START - int((low + draw() * (high - low)) * HOUR)
        if situation.status == BY_AGE and gift.campaign_id == TURNS_OFF:
            put_under(gift, ALWAYS_ON[0], BY_IDS)
        situation.prepare(world, gift)
        if gift.created < plain[gift.donor_id].created:
            gift.donor_id = veterans[int(draw() * len(veterans))].id
        syncs[id(gift)] = situation.sync


def _plant_orphans(world: World) -> None:
    """CRM+ gifts that name Raise gifts which never were; some with a reversal, and some whose id is of no use."""
    number = 40_000
    for count in range(max(3, round(world.scale.gifts * 0.0008))):
        number += 2
        contact = world.new_contact()
        row = world.new_crm_gift(contact.id, 4_200, None, created=contact.created + DAY)
        row.source, row.transaction_id, row.project_id = world.reference_source(), str(number), GENERAL_PROJECT
        row.situation = "orphan"
        if count % 3 == 0:
            back = world.new_crm_gift(contact.id, -4_200, None, created=contact.created + 2 * DAY)
            back.kind, back.reversed_id, back.project_id = REVERSING, row.id, GENERAL_PROJECT
    for source, transaction in (("RaiseDonors", "legacy-import"), ("Classy", "100002"), (None, "100003")):
        row = world.new_crm_gift(world.new_contact().id, 3_300, None, created=START - 90 * DAY)
        row.source, row.transaction_id, row.project_id, row.situation = (
            source,
            transaction,
            GENERAL_PROJECT,
            "looks_like_orphan",
        )


def _plant_noise(plant: Planting) -> None:
    """Gifts that have nothing to do with Raise: checks of other people, and a few of Raise donors."""
    world = plant.world
    draw = world.random.random
    strangers = [contact.id for contact in world.contacts if not contact.references and not contact.is_archived]
    known = [donor.gift_contacts[0] for donor in plant.plain]
    for _ in range(world.scale.gifts // 5):
        pool = known if draw() < 0.1 else strangers
        cents = 100 * (5 + int(draw() * 400)) + 37
        row = world.new_crm_gift(pool[int(draw() * len(pool))], cents, None, created=START - int(draw() * 1_200 * DAY))
        row.kind = ("Check", "Cash", "Stock", "Electronic Funds Transfer")[int(draw() * 4)]
        row.project_id = GENERAL_PROJECT
