"""Donors and their contacts: every situation of the donor reconciliation, planted by name.

A situation says what is true of a donor from the moment it is planted. Nothing here looks at what the APIs serve.
"""

from __future__ import annotations

from ingestion.sandbox.clock import DAY, HOUR, MINUTE, START

from .organization import (
    CLEAN_WATER,
    CLEAN_WATER_TWIN,
    HARVEST_DRIVE,
    OLD_IMPORT,
    PEER_FUNDRAISERS,
    RIVER_WATCH,
    WINTER_BALL,
)
from .planting import LATE_AGE, MEANWHILE, MISSING_AGE, NO_CONTACT, PENDING_AGE, Planting, Situation
from .records import (
    BY_AGE,
    BY_NAME,
    BY_SEGMENT,
    DECLINED,
    NOT_SHOWN,
    REFUNDED,
    Donor,
    Gift,
)
from .state import World
from .sync import arrive

# Linked


def _linked(plant: Planting, donor: Donor) -> None:
    plant.link(donor, plant.world.new_contact(donor, refers=True))
    plant.plain.append(donor)


def _linked_without_reference(plant: Planting, donor: Donor) -> None:
    plant.link(donor, plant.world.new_contact(donor))


def _linked_odd_key(plant: Planting, donor: Donor) -> None:
    contact = plant.world.new_contact(donor, refers=True)
    plant.link(donor, contact)
    spellings = (f" {contact.id} ", f"+{contact.id}", f"00{contact.id}", f"{contact.id}.0")
    donor.crm_key = spellings[donor.id % 4]


def _linked_mixed_urls(plant: Planting, donor: Donor) -> None:
    plant.link(donor, plant.world.new_contact(donor, refers=True))
    donor.crm_types = ("Salesforce", "VirtuousCRM")


def _linked_no_urls(plant: Planting, donor: Donor) -> None:
    plant.link(donor, plant.world.new_contact(donor, refers=True))
    donor.crm_types = ()


def _linked_foreign_references(plant: Planting, donor: Donor) -> None:
    contact = plant.world.new_contact(donor, refers=True)
    contact.references.insert(0, ("Classy", str(donor.id + 1)))
    contact.references.append(("RaiseDonors", f"A-{donor.id}"))
    plant.link(donor, contact)


def _shared_contact(plant: Planting, donor: Donor) -> None:
    """Three donors in a row share a contact; the first two are named by its references, the third is not."""
    if len(plant.sharing) % 3 == 0:
        contact = plant.world.new_contact(donor, refers=True)
    else:
        contact = plant.sharing[-1]
        if len(plant.sharing) % 3 == 1:
            plant.world.refer(contact, donor)
    plant.sharing.append(contact)
    plant.link(donor, contact)


def _reference_on_archived(plant: Planting, donor: Donor) -> None:
    """Another contact names the donor too, but is archived: no conflict."""
    plant.world.new_contact(donor, refers=True).is_archived = True
    plant.link(donor, plant.world.new_contact(donor))


def _reference_merged_into_key(plant: Planting, donor: Donor) -> None:
    """The contact that names the donor was merged into the one that the key names: no conflict."""
    loser = plant.world.new_contact(donor, refers=True)
    contact = plant.world.new_contact(donor)
    plant.merge(loser, contact.id)
    plant.link(donor, contact)


# Keys that lead elsewhere


def _foreign_text(plant: Planting, donor: Donor) -> None:
    donor.crm_key = ("0031x00000AbCdE", "a3f1c2d4-0000-4000-8000-000000000001", "0", "-17", "12,345")[donor.id % 5]
    donor.crm_types = ("Salesforce",) if donor.id % 2 else ()
    donor.status = "foreign_key"
    plant.gift(donor, "sync_disabled", campaign=PEER_FUNDRAISERS)


def _foreign_url(plant: Planting, donor: Donor) -> None:
    donor.crm_key = str(plant.world.new_contact().id)
    donor.crm_types = ("Salesforce",)
    donor.status = "foreign_key"
    plant.gift(donor, "sync_disabled", campaign=PEER_FUNDRAISERS)


def _conflict(plant: Planting, donor: Donor) -> None:
    plant.link(donor, plant.world.new_contact(), status="conflict")
    plant.world.new_contact(donor, refers=True)


def _conflict_after_merge(plant: Planting, donor: Donor) -> None:
    """Key and reference both name contacts that were merged, into two different survivors."""
    loser, survivor = plant.world.new_contact(), plant.world.new_contact()
    plant.merge(loser, survivor.id)
    plant.link(donor, loser, status="conflict", crm_id=survivor.id)
    named, other = plant.world.new_contact(donor, refers=True), plant.world.new_contact(donor)
    plant.merge(named, other.id)


def _gifts_elsewhere(plant: Planting, donor: Donor) -> None:
    """The donor's own contact is unknown, yet its gifts are in CRM+."""
    donor.gift_contacts = (plant.world.new_contact().id,)
    plant.givers.append(donor)


def _dangling(plant: Planting, donor: Donor) -> None:
    donor.crm_key, donor.crm_types, donor.status = str(NO_CONTACT + donor.id), ("VirtuousCRM",), "dangling"
    _gifts_elsewhere(plant, donor)


def _dangling_but_referenced(plant: Planting, donor: Donor) -> None:
    """The key names nothing although a living contact names the donor: the key's trouble comes first."""
    donor.crm_key, donor.crm_types, donor.status = str(NO_CONTACT + donor.id), ("VirtuousCRM",), "dangling"
    donor.gift_contacts = (plant.world.new_contact(donor, refers=True).id,)
    plant.givers.append(donor)


def _dangling_cycle(plant: Planting, donor: Donor) -> None:
    one, two = plant.world.new_contact(donor), plant.world.new_contact(donor)
    plant.merge(one, two.id)
    plant.merge(two, one.id)
    donor.crm_key, donor.crm_types, donor.status = str(one.id), ("VirtuousCRM",), "dangling"
    _gifts_elsewhere(plant, donor)


def _dangling_survivor(plant: Planting, donor: Donor) -> None:
    loser = plant.world.new_contact(donor)
    plant.merge(loser, NO_CONTACT + donor.id)
    donor.crm_key, donor.crm_types, donor.status = str(loser.id), ("VirtuousCRM",), "dangling"
    _gifts_elsewhere(plant, donor)


def _archived(plant: Planting, donor: Donor) -> None:
    contact = plant.world.new_contact(donor, refers=True)
    contact.is_archived = True
    plant.link(donor, contact, status="archived")


def _archived_survivor(plant: Planting, donor: Donor) -> None:
    loser, survivor = plant.world.new_contact(donor), plant.world.new_contact(donor, refers=True)
    plant.merge(loser, survivor.id)
    survivor.is_archived = True
    plant.link(donor, loser, status="archived", crm_id=survivor.id)


def _merged(plant: Planting, donor: Donor) -> None:
    """A chain of one to four merges; the reference stays on the loser or moved to the survivor."""
    chain = [plant.world.new_contact(donor, refers=donor.id % 2 == 0)]
    for _ in range(1 + donor.id % 4):
        chain.append(plant.world.new_contact(donor))
        plant.merge(chain[-2], chain[-1].id)
    if not chain[0].references:
        plant.world.refer(chain[-1], donor)
    donor.gift_contacts = (chain[0].id, chain[-1].id)
    plant.link(donor, chain[0], status="merged", crm_id=chain[-1].id)


# No key


def _without_key(donor: Donor, status: str) -> None:
    donor.crm_key = (None, None, None, "", "  ")[donor.id % 5]
    donor.status = status


def _by_reference(plant: Planting, donor: Donor) -> None:
    _without_key(donor, "linked_by_reference")
    contact = plant.world.new_contact(donor, refers=True)
    donor.crm_id, donor.gift_contacts = contact.id, (contact.id,)
    plant.givers.append(donor)


def _by_reference_merged(plant: Planting, donor: Donor) -> None:
    """Loser and survivor of a merge both name the donor: that is one contact."""
    _without_key(donor, "linked_by_reference")
    loser, survivor = plant.world.new_contact(donor, refers=True), plant.world.new_contact(donor, refers=True)
    plant.merge(loser, survivor.id)
    donor.crm_id, donor.gift_contacts = survivor.id, (survivor.id,)
    plant.givers.append(donor)


def _ambiguous_reference(plant: Planting, donor: Donor) -> None:
    _without_key(donor, "ambiguous_reference")
    contacts = [plant.world.new_contact(donor, refers=True) for _ in range(2 + donor.id % 2)]
    donor.gift_contacts = (contacts[0].id,)
    plant.givers.append(donor)


def _sync_disabled(plant: Planting, donor: Donor) -> None:
    _without_key(donor, "sync_disabled")
    plant.gift(donor, "sync_disabled", campaign=PEER_FUNDRAISERS)
    plant.gift(donor, "sync_disabled", campaign=OLD_IMPORT)


def _sync_disabled_by_segment(plant: Planting, donor: Donor) -> None:
    """The record shows only its segment; its campaign's name belongs to two campaigns, of which this one is off."""
    _without_key(donor, "sync_disabled")
    plant.gift(donor, "sync_disabled", campaign=CLEAN_WATER_TWIN, shown=BY_SEGMENT)


def _sync_disabled_by_name(plant: Planting, donor: Donor) -> None:
    _without_key(donor, "sync_disabled")
    plant.gift(donor, "sync_disabled", campaign=PEER_FUNDRAISERS, shown=BY_NAME)


def _sync_disabled_schedule(plant: Planting, donor: Donor) -> None:
    _without_key(donor, "sync_disabled")
    plant.schedule(donor, "sync_disabled", campaign=OLD_IMPORT)


def _before_it_synced_again(plant: Planting, donor: Donor) -> None:
    """The campaign syncs now; that it did not then, only the oldest entries of the log tell."""
    _without_key(donor, "sync_disabled")
    plant.gift(donor, "sync_disabled", campaign=HARVEST_DRIVE)


def _while_it_still_synced(plant: Planting, donor: Donor) -> None:
    """The other way round."""
    _expected(plant, donor, plant.gift(donor, BY_AGE, campaign=WINTER_BALL))


def _while_nobody_knows(plant: Planting, donor: Donor) -> None:
    """An entry of the log that nobody understands may tell of a switch."""
    _without_key(donor, "not_assessable")
    plant.gift(donor, "not_assessable", campaign=RIVER_WATCH)


def _no_activity(plant: Planting, donor: Donor) -> None:
    _without_key(donor, "no_activity")


def _only_test_records(plant: Planting, donor: Donor) -> None:
    _without_key(donor, "no_activity")
    plant.gift(donor, "test_mode", is_test=True)
    plant.schedule(donor, "test_mode", is_test=True)


def _only_declined_gifts(plant: Planting, donor: Donor) -> None:
    _without_key(donor, "no_activity")
    plant.gift(donor, "not_expected", state=DECLINED)


def _expected(plant: Planting, donor: Donor, gift: Gift | None = None) -> None:
    _without_key(donor, BY_AGE)
    gift = gift or plant.gift(donor, BY_AGE)
    donor.expected_since = max(donor.created, gift.created)


def _expected_and_coming(plant: Planting, donor: Donor) -> None:
    """Not there yet, but it will arrive within a day."""
    _expected(plant, donor)
    gift = plant.gifts[-1]
    at = START + 2 * HOUR + int(plant.world.random.random() * 18 * HOUR)
    plant.world.later(at, lambda: arrive(plant.world, donor, gift))


def _missing_name_twin(plant: Planting, donor: Donor) -> None:
    """Known by name only, and one of the two campaigns of that name syncs."""
    _expected(plant, donor, plant.gift(donor, BY_AGE, campaign=CLEAN_WATER, shown=BY_NAME))


def _missing_no_campaign(plant: Planting, donor: Donor) -> None:
    _expected(plant, donor, plant.gift(donor, BY_AGE, campaign=None, shown=NOT_SHOWN))


def _missing_refunded(plant: Planting, donor: Donor) -> None:
    """Reversed before it reached CRM+: the gift is not expected any more, but it counts as activity of the donor."""
    _expected(plant, donor, plant.gift(donor, "not_expected", state=REFUNDED))


def _missing_schedule(plant: Planting, donor: Donor) -> None:
    _without_key(donor, BY_AGE)
    donor.expected_since = plant.schedule(donor, BY_AGE).created


def _late_after_silence(plant: Planting, donor: Donor) -> None:
    """An old gift that was never to sync, and one of 30 hours ago that was: the donor is late, not missing."""
    plant.gift(donor, "sync_disabled", campaign=OLD_IMPORT)
    _expected(plant, donor, plant.gift(donor, BY_AGE, at=START - 30 * HOUR - donor.id % 60 * MINUTE))


# Not to be judged


def _test_mode(plant: Planting, donor: Donor) -> None:
    """Test mode wins over whatever else is wrong with the donor."""
    donor.is_test, donor.status = True, "test_mode"
    if donor.id % 3 == 0:
        donor.crm_key = str(NO_CONTACT + donor.id)
    if donor.id % 3 == 1:
        donor.is_gdpr_deleted = True
    plant.gift(donor, "test_mode", is_test=True)


def _gdpr_deleted(plant: Planting, donor: Donor) -> None:
    donor.is_gdpr_deleted, donor.status = True, "deleted"
    donor.first, donor.last, donor.email = "Deleted", "Donor", f"deleted.{donor.id}@example.org"
    if donor.id % 2:
        donor.crm_key = "gone-with-the-request"
    else:
        donor.crm_key = str(plant.world.new_contact(donor, refers=True).id)


SITUATIONS = (
    Situation("linked_without_reference", 20, 0.08, _linked_without_reference),
    Situation("linked_odd_key", 4, 0.005, _linked_odd_key),
    Situation("linked_mixed_urls", 2, 0.002, _linked_mixed_urls),
    Situation("linked_no_urls", 2, 0.02, _linked_no_urls),
    Situation("linked_foreign_references", 2, 0.004, _linked_foreign_references),
    Situation("shared_contact", 3, 0.006, _shared_contact),
    Situation("reference_on_archived", 1, 0.001, _reference_on_archived),
    Situation("reference_merged_into_key", 1, 0.002, _reference_merged_into_key),
    Situation("foreign_text", 2, 0.003, _foreign_text),
    Situation("foreign_url", 2, 0.002, _foreign_url),
    Situation("conflict", 2, 0.002, _conflict),
    Situation("conflict_after_merge", 1, 0.0005, _conflict_after_merge),
    Situation("dangling", 2, 0.001, _dangling),
    Situation("dangling_but_referenced", 1, 0.0005, _dangling_but_referenced),
    Situation("dangling_cycle", 1, 0.0003, _dangling_cycle),
    Situation("dangling_survivor", 1, 0.0003, _dangling_survivor),
    Situation("archived", 2, 0.006, _archived),
    Situation("archived_survivor", 1, 0.001, _archived_survivor),
    Situation("merged", 4, 0.012, _merged),
    Situation("linked_by_reference", 3, 0.005, _by_reference),
    Situation("by_reference_merged", 1, 0.0005, _by_reference_merged),
    Situation("ambiguous_reference", 2, 0.001, _ambiguous_reference),
    Situation("sync_disabled", 2, 0.004, _sync_disabled),
    Situation("sync_disabled_by_segment", 1, 0.001, _sync_disabled_by_segment),
    Situation("sync_disabled_by_name", 1, 0.001, _sync_disabled_by_name),
    Situation("sync_disabled_schedule", 1, 0.0005, _sync_disabled_schedule),
    Situation("before_it_synced_again", 1, 0.0002, _before_it_synced_again, MEANWHILE),
    Situation("while_it_still_synced", 1, 0.0002, _while_it_still_synced, MEANWHILE),
    Situation("while_nobody_knows", 2, 0.0002, _while_nobody_knows, MEANWHILE),
    Situation("no_activity", 2, 0.006, _no_activity),
    Situation("only_test_records", 1, 0.0005, _only_test_records),
    Situation("only_declined_gifts", 1, 0.002, _only_declined_gifts),
    Situation("pending", 2, 0.0002, _expected, PENDING_AGE),
    Situation("late", 2, 0.0002, _expected, LATE_AGE),
    Situation("missing", 2, 0.002, _expected, MISSING_AGE),
    Situation("pending_and_coming", 3, 0.0004, _expected_and_coming, PENDING_AGE),
    Situation("late_and_coming", 1, 0.0001, _expected_and_coming, LATE_AGE),
    Situation("missing_name_twin", 1, 0.0002, _missing_name_twin, MISSING_AGE),
    Situation("missing_no_campaign", 1, 0.0002, _missing_no_campaign, MISSING_AGE),
    Situation("missing_refunded", 1, 0.0001, _missing_refunded, MISSING_AGE),
    Situation("missing_schedule", 1, 0.0001, _missing_schedule, MISSING_AGE),
    Situation("late_after_silence", 1, 0.0001, _late_after_silence, MISSING_AGE),
    Situation("test_mode", 3, 0.004, _test_mode),
    Situation("gdpr_deleted", 2, 0.002, _gdpr_deleted),
)
"""Every situation but the ordinary one, `linked`, which all other donors get."""

_LINKED = Situation("linked", 0, 0.0, _linked)


def plant_donors(plant: Planting) -> None:
    """Create all donors of the scale, oldest first, each in its situation, with the contacts that belong to it."""
    world = plant.world
    draw = world.random.random
    drawn: list[tuple[int, Situation]] = []
    for situation in () if world.scale.bare else SITUATIONS:
        count = max(situation.minimum, round(situation.share * world.scale.donors))
        low, high = situation.age
        drawn.extend((START - int((low + draw() * (high - low)) * HOUR), situation) for _ in range(count))
    while len(drawn) < world.scale.donors:
        recency = draw()
        drawn.append((START - int(2 * HOUR + recency**1.3 * 1_300 * DAY), _LINKED))
    drawn.sort(key=lambda item: item[0])
    for created, situation in drawn:
        donor = new_donor(world, created)
        donor.situation = situation.name
        if not world.scale.bare:
            situation.build(plant, donor)
            if draw() < 0.35:
                world.new_contact()
        world.donors.add(donor)


def new_donor(world: World, created: int) -> Donor:
    """A donor in no situation yet."""
    id = world.next_id("donor")
    first, last = world.person()
    modified = min(world.now, created + (id % 7) * 40 * HOUR)
    donor = Donor(id, created, modified, first, last, f"{first}.{last}.{id}@example.org".lower())
    donor.is_archived = id % 61 == 0
    return donor


def plant_orphans(world: World) -> None:
    """Contacts that name donors Raise never had, and the neighbours that only look like them."""
    number = 10_000
    for _ in range(max(3, round(world.scale.donors * 0.003))):
        number += 3
        contact = world.new_contact()
        contact.references.append((world.reference_source(), str(number)))
        contact.situation = "orphan"
    for source, reference, archived in (
        ("Classy", str(number + 3), False),
        ("RaiseDonors", f"A-{number}", False),
        ("RaiseDonors", "", False),
        ("RaiseDonors", str(number + 6), True),
    ):
        contact = world.new_contact()
        contact.references.append((source, reference))
        contact.is_archived = archived
        contact.situation = "looks_like_orphan"
