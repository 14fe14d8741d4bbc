"""The state of a world: its tables, its clock and its agenda, and the few ways to make records."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from ingestion.sandbox.clock import DAY, HOUR, MINUTE, START, local_day
from ingestion.sandbox.crm_plus_gift_rows import crm_gift_row
from ingestion.sandbox.crm_plus_rows import (
    contact_row,
    crm_campaign_row,
    crm_project_row,
    crm_schedule_row,
)
from ingestion.sandbox.raise_gift_rows import gift_json
from ingestion.sandbox.raise_rows import (
    campaign_row,
    delivery_row,
    donor_row,
    encode,
    project_row,
    schedule_row,
    segment_row,
    webhook_row,
)
from ingestion.sandbox.table import EncodedBytes, Table

from .names import FIRST_NAMES, LAST_NAMES
from .records import (
    Campaign,
    Contact,
    CrmCampaign,
    CrmGift,
    CrmSchedule,
    Delivery,
    Donor,
    Gift,
    Project,
    Schedule,
    Segment,
    Tenant,
    Webhook,
)

REFERENCE_SOURCES = ("RaiseDonors",) * 12 + ("Raise", " virtuous raise ", "Legacy RaiseDonors", "raisedonors")
"""How often each spelling of the back-reference's source is used."""

FREQUENCIES = {
    52: "Weekly",
    26: "Bimonthly",
    12: "Monthly",
    4: "Quarterly",
    2: "Semiannually",
    1: "Annually",
}
"""CRM+ names of Raise's payments per year; that of every two weeks may mean every two months as well."""


@dataclass(frozen=True)
class Scale:
    """How large an organization is."""

    donors: int
    gifts: int
    schedules: int
    bare: bool = False
    """Only Raise gifts (and the few donors they need), for benchmarks."""


SCALES = {
    "small": Scale(300, 1_500, 80),
    "medium": Scale(20_000, 100_000, 4_000),
    "large": Scale(300_000, 1_000_000, 50_000),
}


def scale_named(name: str) -> Scale:
    """`small`, `medium`, `large`, or `gifts:<N>` for a benchmark with N bare gifts."""
    kind, _, count = name.partition(":")
    if kind == "gifts" and count.isdecimal() and int(count) > 0:
        return Scale(max(1, int(count) // 100), int(count), 0, bare=True)
    if name not in SCALES:
        raise ValueError(f"unknown scale {name!r}: use {', '.join(SCALES)} or gifts:<number>")
    return SCALES[name]


@dataclass(frozen=True)
class Options:
    """What can be chosen about a world beside seed and scale."""

    contacts_show_archived: bool = True
    """Contacts carry `isArchived`; without it only `includeArchived` tells."""
    raise_take_cap: int = 500
    crm_plus_hourly_limit: int = 50_000
    crm_plus_window_seconds: float = 3600.0
    has_webhooks: bool = True
    log_retention_days: int | None = None
    """How long the delivery log keeps its entries; for ever when nothing is said."""
    forbidden_logs: tuple[int, ...] = ()
    """Webhooks whose own log the token may not read."""
    withholds_payloads: bool = False
    """Single entries of the log come without their payload."""
    stall_seconds: float = 30.0
    """How long the `timeouts` fault keeps a request waiting."""
    first_id: int = 0
    """Beyond this the ids of its records begin, so that records of several organizations can be told apart."""


@dataclass(frozen=True)
class Observation:
    """A complete read: when, and which campaigns were syncing then."""

    at: int
    syncing: dict[int, bool]


@dataclass
class Vanished:
    """Records that the APIs no longer show. Only those that a complete read saw before can be called deleted."""

    donors: dict[int, Donor] = field(default_factory=dict)
    gifts: dict[int, Gift] = field(default_factory=dict)
    schedules: dict[int, Schedule] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    unsettled_gifts: set[int] = field(default_factory=set)
    unsettled_crm_gifts: set[int] = field(default_factory=set)


class World:
    """One simulated organization on both products."""

    def __init__(self, seed: int, scale: Scale, options: Options) -> None:
        self.seed = seed
        self.tenant = Tenant.of(seed)
        self.scale = scale
        self.options = options
        self.random = Random(seed)
        self.now = START
        budget = EncodedBytes()
        self.campaigns: Table[Campaign] = Table(lambda row: encode(campaign_row(self, row)), budget)
        self.segments: Table[Segment] = Table(lambda row: encode(segment_row(self, row)), budget)
        self.projects: Table[Project] = Table(lambda row: encode(project_row(row)), budget)
        self.webhooks: Table[Webhook] = Table(lambda row: encode(webhook_row(row)), budget)
        self.deliveries: Table[Delivery] = Table(lambda row: encode(delivery_row(row)), budget)
        self.donors: Table[Donor] = Table(lambda row: encode(donor_row(row)), budget)
        self.gifts: Table[Gift] = Table(lambda row: gift_json(self, row), budget)
        self.schedules: Table[Schedule] = Table(lambda row: encode(schedule_row(self, row)), budget)
        self.contacts: Table[Contact] = Table(lambda row: contact_row(self, row), budget)
        self.crm_gifts: Table[CrmGift] = Table(lambda row: crm_gift_row(self, row), budget)
        self.crm_schedules: Table[CrmSchedule] = Table(lambda row: encode(crm_schedule_row(self, row)), budget)
        self.crm_projects: Table[Project] = Table(lambda row: encode(crm_project_row(row)), budget)
        self.crm_campaigns: Table[CrmCampaign] = Table(lambda row: encode(crm_campaign_row(row)), budget)
        self.gifts_of: dict[int, list[int]] = {}
        self.schedules_of: dict[int, list[int]] = {}
        self.observations: list[Observation] = []
        self.vanished = Vanished()
        self.toggles: dict[int, int] = {}
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._promises = 0
        first_ids = {
            "donor": 20_000,
            "gift": 100_000,
            "schedule": 3_000,
            "delivery": 70_000,
            "contact": 1_000,
            "crm_gift": 500_000,
            "crm_schedule": 8_000,
        }
        self._next = {kind: options.first_id + id for kind, id in first_ids.items()}

    def next_id(self, kind: str, gap: int = 3) -> int:
        """A new id, larger than all before; ids have gaps, as real ones do."""
        self._next[kind] += 1 + int(self.random.random() * gap)
        return self._next[kind]

    # Making records

    def person(self) -> tuple[str, str]:
        """A first and a last name."""
        draw = int(self.random.random() * len(FIRST_NAMES) * len(LAST_NAMES))
        return FIRST_NAMES[draw % len(FIRST_NAMES)], LAST_NAMES[draw // len(FIRST_NAMES)]

    def reference_source(self) -> str:
        """One spelling of the source that marks a contact as Raise's."""
        return REFERENCE_SOURCES[int(self.random.random() * len(REFERENCE_SOURCES))]

    def new_contact(self, donor: Donor | None = None, *, refers: bool = False, created: int | None = None) -> Contact:
        """A contact: of a donor (with or without the reference to it) or of someone Raise does not know."""
        id = self.next_id("contact", 2)
        if donor is None:
            first, last = self.person()
            email = f"{first}.{last}.c{id}@example.org".lower()
            made = created if created is not None else self.now - int(self.random.random() * 1400 * DAY) - 4 * DAY
        else:
            first, last, email = donor.first, donor.last, donor.email
            if donor.id % 31 == 0:
                email = f"{first}.{last}.home@example.org".lower()
            made = created if created is not None else min(self.now, donor.created + 5 * MINUTE)
        contact = Contact(id, made, min(self.now, made + id % 900 * HOUR), first, last, email)
        if donor is not None and refers:
            self.refer(contact, donor)
        self.contacts.add(contact)
        return contact

    def refer(self, contact: Contact, donor: Donor) -> None:
        """Give a contact a back-reference to a donor."""
        reference = f" {donor.id} " if donor.id % 37 == 0 else str(donor.id)
        contact.references.append((self.reference_source(), reference))

    def new_crm_gift(
        self, contact_id: int, cents: int, gift: Gift | None, *, created: int, suffix: str = "", pair: bool = True
    ) -> CrmGift:
        """A CRM+ gift, with the transaction pair of a Raise gift or without."""
        row = CrmGift(
            self.next_id("crm_gift", 2),
            created,
            created,
            contact_id,
            cents,
            local_day(gift.created if gift else created),
        )
        if gift is not None:
            row.project_id, row.second_project_id = gift.project_id, gift.second_project_id
            if gift.currency != "USD":
                row.currency, row.rate = gift.currency, gift.rate
            if pair:
                row.source = self.reference_source()
                prefix = "rd2-" if gift.id % 10 == 0 else ""
                row.transaction_id = f"{prefix}{gift.id}{suffix}"
        self.crm_gifts.add(row)
        return row

    def add_gift(self, gift: Gift) -> None:
        """Let Raise show a gift that has its id."""
        self.gifts.add(gift)
        self.gifts_of.setdefault(gift.donor_id, []).append(gift.id)

    def remove_gift(self, id: int) -> Gift:
        """Let a gift vanish from Raise."""
        gift = self.gifts.remove(id)
        self.gifts_of[gift.donor_id].remove(id)
        return gift

    def add_schedule(self, schedule: Schedule) -> None:
        """Let Raise show a schedule that has its id."""
        self.schedules.add(schedule)
        self.schedules_of.setdefault(schedule.donor_id, []).append(schedule.id)

    def touch_donor(self, id: int) -> None:
        """Say that a donor changed; schedules show their whole donor."""
        self.donors.touch(id)
        for schedule_id in self.schedules_of.get(id, ()):
            self.schedules.touch(schedule_id)

    # Time

    def later(self, at: int, action: Callable[[], None]) -> None:
        """Note what is to happen at an instant."""
        self._promises += 1
        heapq.heappush(self._agenda, (at, self._promises, action))

    def play_until(self, end: int) -> None:
        """Let everything on the agenda up to an instant happen, in order, and stand there."""
        while self._agenda and self._agenda[0][0] <= end:
            at, _, action = heapq.heappop(self._agenda)
            self.now = max(self.now, at)
            action()
        self.now = end

    def observe(self) -> None:
        """Note that a complete read was made now."""
        self.observations.append(Observation(self.now, {row.id: row.can_sync for row in self.campaigns}))

    def was_seen(self, created: int) -> bool:
        """Whether any complete read so far can have seen a record of this age."""
        return any(observation.at >= created for observation in self.observations)
