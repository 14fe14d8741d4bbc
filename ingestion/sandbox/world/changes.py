"""What happens while time passes: syncs arrive, people give, staff merge and refund, campaigns are switched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from ingestion.sandbox.clock import DAY, HOUR, MINUTE
from ingestion.sandbox.table import Table

from .arrivals import draw_arrival
from .donors import new_donor
from .events import EventLog
from .gifts import gift_arrives, ordinary_gift
from .organization import GENERAL_PROJECT, TURNS_OFF, TURNS_ON
from .records import (
    BY_AGE,
    BY_CAMPAIGN,
    BY_IDS,
    CANCELLED,
    DECLINED,
    REFUNDED,
    CrmGift,
    CrmSchedule,
    Donor,
    Gift,
    Schedule,
)
from .reversals import reverse_unnamed, stands_alone
from .schedules import cancel, end, new_schedule
from .situations import put_under
from .state import World
from .sync import arrive, lag, merge_contacts, reverse, transfer_schedule


class Changes:
    """Moves a world forward."""

    def __init__(self, world: World, log: EventLog) -> None:
        self._world = world
        self._log = log
        self._busy_donors: set[int] = set()
        self._has_erased = False
        self._wavering: list[Callable[[], None]] = []

    def advance(self, to: int) -> None:
        """Play out everything between now and an instant that is not earlier."""
        world = self._world
        if to < world.now:
            raise ValueError("the sandbox clock does not run backwards")
        if to > world.now:
            if world.scale.bare:
                world.later(to, self._correct_gifts)
            else:
                self._plan(to)
        world.play_until(to)
        self._log.write()
        self._log.forget()
        for campaign in world.campaigns:
            world.campaigns.touch(campaign.id)

    def move_rows(self) -> None:
        """On each side one gift appears and another vanishes, as may happen between two pages of a read."""
        world = self._world
        donor = None if world.scale.bare else self._quiet_donor()
        gone = self._quiet_gift()
        if donor is None or gone is None:
            return
        self._busy_donors.discard(donor.id)
        gift = ordinary_gift(world, donor, world.now)
        gift.situation, gift.status = "appeared_while_reading", BY_AGE
        gift.id = world.next_id("gift")
        world.add_gift(gift)
        world.remove_gift(gone.id)
        world.vanished.unsettled_gifts.add(gone.id)
        world.vanished.unsettled_crm_gifts.update(gone.crm_ids)
        stranger = world.new_contact(created=world.now)
        world.new_crm_gift(stranger.id, 5_137, None, created=world.now).project_id = GENERAL_PROJECT
        crm_gone = self._strangers_gift()
        if crm_gone is not None:
            world.crm_gifts.remove(crm_gone.id)

    # Planning

    def _plan(self, to: int) -> None:
        world = self._world
        days = (to - world.now) / DAY
        if not world.toggles:
            self._toggle(world.now + (to - world.now) // 5)
        elif self._toggle_was_seen():
            self._at_any_time(to, 2, self._give_under_toggled)
        self._at_any_time(to, self._count(4, 0.0006, days), self._new_donor)
        self._at_any_time(to, self._count(12, 0.001, days), self._new_gift)
        self._at_any_time(to, self._count(2, 0.0002, days), self._new_schedule)
        self._at_any_time(to, self._count(2, 0.0002, days), self._refund)
        self._at_any_time(to, self._count(1, 0.0001, days), self._refund_without_reversal)
        self._at_any_time(to, self._count(1, 0.0001, days), self._merge)
        self._at_any_time(to, 1, self._archive)
        self._at_any_time(to, 1, self._delete_donor)
        self._at_any_time(to, 1, self._delete_gift)
        self._at_any_time(to, 1, self._delete_schedule)
        self._at_any_time(to, 1, self._cancel_schedule)
        self._at_any_time(to, 3, self._touch_donor)
        self._at_any_time(to, 1, self._waver)
        self._erase_one(to)

    def _count(self, at_least: int, share: float, days: float) -> int:
        return round(max(at_least, share * self._world.scale.donors) * max(days, 1.0))

    def _at_any_time(self, to: int, count: int, action: Callable[[], None]) -> None:
        world = self._world
        for _ in range(count):
            world.later(world.now + 1 + int(world.random.random() * (to - world.now - 1)), action)

    def _toggle_was_seen(self) -> bool:
        toggled = max(self._world.toggles.values())
        return any(observation.at >= toggled for observation in self._world.observations)

    # Choosing records about which nothing is odd, each at most once

    def _quiet_donor(self, situation: str = "linked") -> Donor | None:
        donors = self._world.donors
        for _ in range(500):
            donor = donors[donors.ids[int(self._world.random.random() * len(donors))]]
            if donor.situation == situation and donor.status == "linked" and donor.id not in self._busy_donors:
                self._busy_donors.add(donor.id)
                return donor
        return None

    def _quiet_gift(self) -> Gift | None:
        gifts, donors = self._world.gifts, self._world.donors
        for _ in range(500):
            gift = gifts[gifts.ids[int(self._world.random.random() * len(gifts))]]
            donor = donors[gift.donor_id]
            if gift.situation == gift.status == "matched" and donor.situation == donor.status == "linked":
                return gift
        return None

    def _strangers_gift(self) -> CrmGift | None:
        """A CRM+ gift that has nothing to do with Raise."""
        gifts = self._world.crm_gifts
        for _ in range(500):
            gift = gifts[gifts.ids[int(self._world.random.random() * len(gifts))]]
            if gift.kind == "Check" and gift.source is None:
                return gift
        return None

    def _quiet_schedule(self) -> Schedule | None:
        schedules = [row for row in self._world.schedules if row.situation == row.status == "linked"]
        return schedules[int(self._world.random.random() * len(schedules))] if schedules else None

    # What happens

    def _toggle(self, at: int) -> None:
        world = self._world

        def flip(campaign_id: int) -> None:
            campaign = world.campaigns[campaign_id]
            campaign.can_sync = not campaign.can_sync
            campaign.modified = world.now
            self._log.campaign(41, campaign_id, world.now)

        for campaign_id in (TURNS_OFF, TURNS_ON):
            world.toggles[campaign_id] = at
            world.later(at, partial(flip, campaign_id))

    def _register(self, gift: Gift) -> Gift:
        world = self._world
        gift.id = world.next_id("gift")
        world.add_gift(gift)
        self._log.gift(10, gift, gift.created)
        return gift

    def _correct_gifts(self) -> None:
        """One in a hundred of a benchmark's gifts becomes larger by a cent."""
        world = self._world
        for gift in [world.gifts[id] for id in world.gifts.ids[::100]]:
            gift.cents += 1
            gift.modified = world.now
            world.gifts.touch(gift.id)
            world.gifts.encoded(gift.id)

    def _new_donor(self) -> None:
        world = self._world
        donor = new_donor(world, world.now)
        donor.situation, donor.status, donor.expected_since = "new_donor", BY_AGE, world.now
        world.donors.add(donor)
        gift = ordinary_gift(world, donor, world.now)
        gift.situation, gift.status = "first_gift", BY_AGE
        self._register(gift)
        self._log.donor(30, donor, world.now)
        draw = world.random.random()
        if draw < 0.15:
            donor.situation = gift.situation = "new_donor_never_synced"
        else:
            world.later(world.now + lag(world), lambda: arrive(world, donor, gift))

    def _new_gift(self) -> None:
        world = self._world
        donor = self._quiet_donor()
        if donor is None:
            return
        self._busy_donors.discard(donor.id)
        gift = ordinary_gift(world, donor, world.now)
        gift.situation, gift.status = "new_gift", BY_AGE
        draw = world.random.random()
        if draw < 0.1:
            gift.situation, gift.status, gift.state = "new_gift_declined", "not_expected", DECLINED
        elif draw < 0.2:
            gift.situation = "new_gift_never_synced"
        elif draw < 0.4:
            draw_arrival(world, gift)
        else:
            world.later(world.now + lag(world), lambda: gift_arrives(world, gift))
        self._register(gift)

    def _give_under_toggled(self) -> None:
        """Gifts whose answer hinges on a toggle are made only once a complete read has seen the toggle."""
        world = self._world
        for campaign_id in (TURNS_OFF, TURNS_ON):
            donor = self._quiet_donor()
            if donor is None:
                return
            self._busy_donors.discard(donor.id)
            gift = ordinary_gift(world, donor, world.now)
            put_under(gift, campaign_id, BY_IDS)
            gift.situation = "after_toggle"
            if campaign_id == TURNS_OFF:
                gift.status = BY_CAMPAIGN
            else:
                gift.status = BY_AGE
                world.later(world.now + MINUTE, partial(gift_arrives, world, gift))
            self._register(gift)

    def _new_schedule(self) -> None:
        world = self._world
        donor = self._quiet_donor()
        if donor is None:
            return
        self._busy_donors.discard(donor.id)
        schedule = new_schedule(world, donor, world.now)
        schedule.id = world.next_id("schedule")
        schedule.situation, schedule.status = "new_schedule", BY_AGE
        world.add_schedule(schedule)
        self._log.schedule(20, schedule, world.now)

        def sync() -> None:
            transfer_schedule(world, schedule, world.now)
            schedule.status = "linked"
            schedule.modified = world.now - world.now % 1000
            world.schedules.touch(schedule.id)

        if world.random.random() < 0.8:
            world.later(world.now + lag(world), sync)
        else:
            schedule.situation = "new_schedule_never_synced"

    def _refund(self, reverses: bool = True) -> None:
        world = self._world
        gift = self._quiet_gift()
        if gift is None or not stands_alone(world, gift):
            return
        gift.state, gift.modified = REFUNDED, world.now
        gift.situation, gift.status = "refunded_now", "refund_not_reversed"
        world.gifts.touch(gift.id)
        self._log.gift(11, gift, world.now)
        if not reverses:
            return

        def arrives() -> None:
            if gift.id in world.gifts:
                names_it = world.random.random() < 0.6
                (reverse if names_it else reverse_unnamed)(world, gift, world.crm_gifts[gift.crm_ids[0]], world.now)
                gift.status = "matched"

        world.later(world.now + HOUR + lag(world), arrives)

    def _refund_without_reversal(self) -> None:
        self._refund(reverses=False)

    def _merge(self) -> None:
        world = self._world
        donor = self._quiet_donor()
        if donor is None or donor.crm_id is None:
            return
        survivor = world.new_contact(created=world.now - 30 * DAY)
        merge_contacts(world, world.contacts[donor.crm_id], survivor)
        donor.situation, donor.status, donor.crm_id = "merged_now", "merged", survivor.id

    def _archive(self) -> None:
        world = self._world
        donor = self._quiet_donor()
        if donor is None or donor.crm_id is None:
            return
        contact = world.contacts[donor.crm_id]
        contact.is_archived, contact.modified = True, world.now
        world.contacts.touch(contact.id)
        donor.situation, donor.status = "archived_now", "archived"

    def _delete_donor(self) -> None:
        """A donor is deleted without being merged: its gifts go too."""
        world = self._world
        donor = self._quiet_donor("linked_without_reference")
        if donor is None:
            return
        for id in list(world.gifts_of.get(donor.id, ())):
            self._vanish(id)
        world.donors.remove(donor.id)
        self._log.donor(32, donor, world.now)
        if world.was_seen(donor.created):
            world.vanished.donors[donor.id] = donor

    def _erase_one(self, to: int) -> None:
        """Once, a donor who never gave asks to be erased, and is, after a delivery has told of the donor.

        Nothing is drawn for it: the rest of the world is as it would be without.
        """
        world = self._world
        donor = next((donor for donor in world.donors if donor.situation == "no_activity"), None)
        if self._has_erased or donor is None:
            return
        self._has_erased = True
        third = (to - world.now) // 3
        arrives: list[tuple[int, int | None]] = [(1_000, 200)]

        def erase() -> None:
            donor.first, donor.last, donor.email = "Deleted", "Donor", f"deleted.{donor.id}@example.org"
            donor.is_gdpr_deleted, donor.modified = True, world.now
            donor.situation, donor.status = "erased_now", "deleted"
            world.touch_donor(donor.id)
            self._log.donor(31, donor, world.now, arrives)

        world.later(world.now + third, lambda: self._log.donor(31, donor, world.now, arrives))
        world.later(world.now + 2 * third, erase)

    def _delete_gift(self) -> None:
        gift = self._quiet_gift()
        if gift is not None:
            self._vanish(gift.id)

    def _vanish(self, gift_id: int) -> None:
        world = self._world
        gift = world.gifts[gift_id]
        self._log.gift(12, gift, world.now)
        world.remove_gift(gift_id)
        if world.was_seen(gift.created):
            world.vanished.gifts[gift_id] = gift
        else:
            world.vanished.unsettled_gifts.add(gift_id)
            world.vanished.unsettled_crm_gifts.update(gift.crm_ids)

    def _delete_schedule(self) -> None:
        world = self._world
        schedule = self._quiet_schedule()
        if schedule is not None and world.was_seen(schedule.created):
            world.vanished.schedules[schedule.id] = world.schedules.remove(schedule.id)

    def _cancel_schedule(self) -> None:
        world = self._world
        schedule = self._quiet_schedule()
        if schedule is None or schedule.crm_id is None:
            return
        end(schedule, CANCELLED, world.now)
        schedule.situation = "cancelled_now"
        world.schedules.touch(schedule.id)
        cancel(world.crm_schedules[schedule.crm_id], world.now)
        world.crm_schedules.touch(schedule.crm_id)
        self._log.schedule(22, schedule, world.now)

    def _waver(self) -> None:
        """In CRM+ somebody spoils a gift, a schedule and a contact, the next time mends them, and so on."""
        if not self._wavering:
            self._wavering = [*self._wavering_gift(), *self._wavering_schedule(), *self._wavering_contact()]
        for turn in self._wavering:
            turn()

    def _wavering_gift(self) -> Iterator[Callable[[], None]]:
        gift = self._quiet_gift()
        if gift is not None:
            yield self._wavering_amount(gift, self._world.crm_gifts, gift.crm_ids[0])

    def _wavering_schedule(self) -> Iterator[Callable[[], None]]:
        schedule = self._quiet_schedule()
        if schedule is not None and schedule.crm_id is not None:
            yield self._wavering_amount(schedule, self._world.crm_schedules, schedule.crm_id)

    def _wavering_amount(
        self, record: Gift | Schedule, rows: Table[CrmGift] | Table[CrmSchedule], id: int
    ) -> Callable[[], None]:
        sound, row = record.status, rows[id]
        record.situation = "wavering_in_crm_plus"

        def turn() -> None:
            is_sound = record.status == sound
            record.status = "amount_mismatch" if is_sound else sound
            row.cents += 500 if is_sound else -500
            row.modified = self._world.now
            rows.touch(id)

        return turn

    def _wavering_contact(self) -> Iterator[Callable[[], None]]:
        world, donor = self._world, self._quiet_donor()
        if donor is None or donor.crm_id is None:
            return
        donor.situation, contact = "wavering_in_crm_plus", world.contacts[donor.crm_id]

        def turn() -> None:
            contact.is_archived = not contact.is_archived
            contact.modified = world.now
            world.contacts.touch(contact.id)
            donor.status = "archived" if contact.is_archived else "linked"

        yield turn

    def _touch_donor(self) -> None:
        """An address changes: nothing but the modification stamp tells."""
        donor = self._quiet_donor()
        if donor is not None:
            donor.modified = self._world.now
            self._world.touch_donor(donor.id)
            self._log.donor(31, donor, self._world.now)
