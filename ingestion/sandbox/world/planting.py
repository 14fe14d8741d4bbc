"""What a planted situation of a donor is, and what collects the gifts and schedules that situations ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingestion.sandbox.clock import DAY

from .organization import (
    ALWAYS_ON,
    RAISE_PROJECTS,
    segment_of,
)
from .records import (
    BY_IDS,
    Contact,
    Donor,
    Gift,
    Schedule,
)
from .state import World

OLD = (80.0, 1_300 * 24.0)
PENDING_AGE = (1.0, 20.0)
LATE_AGE = (28.0, 66.0)
MISSING_AGE = (80.0, 200 * 24.0)
MEANWHILE = (12 * 24.0, 18 * 24.0)
"""Between two switches of a campaign."""

NO_CONTACT = 990_000_000
"""Contact ids from here on are never given out."""

Builder = Callable[["Planting", Donor], None]


@dataclass(frozen=True)
class Situation:
    """A named situation: how often, how old its donors are (hours), and how it comes about."""

    name: str
    minimum: int
    share: float
    build: Builder
    age: tuple[float, float] = OLD


class Planting:
    """A world while it is planted: collects the gifts and schedules that situations ask for."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.gifts: list[Gift] = []
        self.schedules: list[Schedule] = []
        self.givers: list[Donor] = []
        """Donors whose gifts sync as they should."""
        self.plain: list[Donor] = []
        """Those of them about whom nothing is odd at all: later situations are planted on them."""
        self.sharing: list[Contact] = []

    def gift(
        self,
        donor: Donor,
        status: str,
        *,
        at: int | None = None,
        campaign: int | None = ALWAYS_ON[0],
        shown: int = BY_IDS,
        state: int = 1,
        situation: str = "",
        is_test: bool = False,
    ) -> Gift:
        """A gift of a donor whose truth is known from the donor's situation."""
        draw = self.world.random.random
        created = at if at is not None else donor.created + int(draw() * 20_000)
        gift = Gift(
            0,
            created,
            created,
            donor.id,
            500 * (1 + int(draw() * 40)),
            situation or donor.situation,
            status,
            state,
            is_test,
            campaign_id=campaign,
            segment_id=segment_of(campaign, int(draw() * 2)) if campaign is not None else None,
            shown=shown,
            project_id=RAISE_PROJECTS[int(draw() * len(RAISE_PROJECTS))],
        )
        self.gifts.append(gift)
        return gift

    def schedule(
        self,
        donor: Donor,
        status: str,
        *,
        campaign: int | None = ALWAYS_ON[0],
        at: int | None = None,
        is_test: bool = False,
    ) -> Schedule:
        """A schedule of a donor that did not reach CRM+."""
        created = at if at is not None else donor.created + 30_000
        created -= created % 1000
        schedule = Schedule(
            0, created, created, donor.id, 2_500, 12, donor.situation, status, is_test=is_test, campaign_id=campaign
        )
        schedule.segment_id = segment_of(campaign, 0) if campaign is not None else None
        schedule.project_id = RAISE_PROJECTS[0]
        self.schedules.append(schedule)
        return schedule

    def link(self, donor: Donor, contact: Contact, *, status: str = "linked", crm_id: int | None = None) -> None:
        """Let the donor's key name a contact, and its gifts go there."""
        donor.crm_key = str(contact.id)
        donor.crm_types = ("VirtuousCRM",)
        donor.status = status
        donor.crm_id = contact.id if crm_id is None else crm_id
        donor.gift_contacts = donor.gift_contacts or (contact.id,)
        self.givers.append(donor)

    def merge(self, loser: Contact, survivor_id: int) -> None:
        """Merge a contact away; the loser is archived, as CRM+ does."""
        loser.merged_into = survivor_id
        loser.is_archived = True
        loser.modified = min(self.world.now, max(loser.modified, loser.created) + DAY)
