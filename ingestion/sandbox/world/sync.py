"""The sync from Raise to CRM+: what a correct transfer leaves there."""

from __future__ import annotations

from ingestion.sandbox.clock import DAY, HOUR, MINUTE, local_day
from ingestion.sandbox.crm_plus_gift_rows import REVERSING

from .organization import crm_project
from .records import Contact, CrmGift, CrmSchedule, Donor, Gift, Schedule
from .state import FREQUENCIES, World


def lag(world: World) -> int:
    """How long a transfer takes: minutes nearly always, hours now and then, seldom days."""
    draw = world.random.random()
    if draw < 0.9:
        return int(MINUTE + world.random.random() * 14 * MINUTE)
    if draw < 0.985:
        return int(world.random.random() * 10 * HOUR)
    return int(world.random.random() * 20 * HOUR)


def transfer(world: World, gift: Gift, cents: int | None = None, *, suffix: str = "", pair: bool = True) -> CrmGift:
    """Create the CRM+ gift of a Raise gift on a contact of its donor."""
    contacts = world.donors[gift.donor_id].gift_contacts
    created = world.now if gift.crm_ids else min(world.now, gift.created + lag(world))
    if gift.crm_ids:
        created = world.crm_gifts[gift.crm_ids[0]].created
    row = world.new_crm_gift(
        contacts[gift.id % len(contacts)],
        gift.cents if cents is None else cents,
        gift,
        created=created,
        suffix=suffix,
        pair=pair,
    )
    row.project_id, row.second_project_id = crm_project(gift.project_id), crm_project(gift.second_project_id)
    gift.crm_ids = (*gift.crm_ids, row.id)
    return row


def reverse(world: World, gift: Gift, original: CrmGift, created: int) -> CrmGift:
    """Create the reversing CRM+ gift; it names its original, or only carries the same pair, or is merely negative."""
    row = world.new_crm_gift(original.contact_id, -original.cents, None, created=created)
    row.project_id, row.day = original.project_id, local_day(created)
    row.currency, row.rate = original.currency, original.rate
    style = gift.id % 3
    row.kind = original.kind if style == 2 else REVERSING
    if style == 0:
        row.reversed_id = original.id
    else:
        row.source, row.transaction_id = original.source, original.transaction_id
    gift.crm_ids = (*gift.crm_ids, row.id)
    return row


def sync_gift(world: World, gift: Gift) -> None:
    """Let a gift arrive as it should."""
    transfer(world, gift)
    gift.status = "matched"


def arrive(world: World, donor: Donor, gift: Gift) -> None:
    """A donor and its first gift reach CRM+."""
    if donor.id not in world.donors or gift.id not in world.gifts or donor.crm_id is not None:
        return
    link_donor(world, donor)
    sync_gift(world, gift)


def link_donor(world: World, donor: Donor) -> Contact:
    """A donor becomes a contact, and Raise learns its id."""
    contact = world.new_contact(donor, refers=True, created=world.now)
    donor.crm_key, donor.crm_types = str(contact.id), ("VirtuousCRM",)
    donor.status, donor.crm_id, donor.gift_contacts = "linked", contact.id, (contact.id,)
    donor.modified = world.now
    world.touch_donor(donor.id)
    return contact


def transfer_schedule(world: World, schedule: Schedule, created: int, *, key: bool = True) -> CrmSchedule:
    """Create the CRM+ recurring gift of a schedule; Raise learns its id unless `key` is false."""
    row = CrmSchedule(
        world.next_id("crm_schedule"),
        created,
        created,
        world.donors[schedule.donor_id].gift_contacts[0],
        schedule.cents,
        FREQUENCIES.get(schedule.frequency, "Monthly"),
        "UpToDate" if schedule.id % 3 == 0 else "Active",
        world.reference_source(),
        f"rd2-{schedule.id}" if schedule.id % 2 else str(schedule.id),
        project_id=crm_project(schedule.project_id),
    )
    world.crm_schedules.add(row)
    schedule.crm_id = row.id
    if key:
        schedule.crm_key = str(row.id)
    return row


def merge_contacts(world: World, loser: Contact, survivor: Contact) -> None:
    """CRM+ staff merge two contacts; Raise is not told."""
    loser.merged_into, loser.is_archived = survivor.id, True
    loser.modified = survivor.modified = world.now
    world.contacts.touch(loser.id)
    world.contacts.touch(survivor.id)


def in_the_past(world: World, created: int, days: float) -> int:
    """An instant some days after another, but not in the future."""
    return min(world.now, created + int(days * DAY))
