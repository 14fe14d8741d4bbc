"""What the simulated organization is made of. A record carries the situation it was planted in, and so its truth.

`status` of a donor, gift or schedule is the reconciliation status that a correct warehouse must give it. Two values
are not statuses but ask for the clock: `BY_AGE` (expected in CRM+ and not there yet) and `BY_CAMPAIGN` (the same,
unless the campaign was known not to sync).
"""

from __future__ import annotations

from dataclasses import dataclass, field

BY_AGE = "by_age"
BY_CAMPAIGN = "by_campaign"

APPROVED, DECLINED, REFUNDED, CHARGED_BACK, PENDING, VOIDED = 1, 2, 3, 4, 5, 6
GIFT_STATES = {
    APPROVED: "Approved",
    DECLINED: "Declined",
    REFUNDED: "Refunded",
    CHARGED_BACK: "ChargeBack",
    PENDING: "Pending",
    VOIDED: "Voided",
}

ACTIVE, PAUSED, FAILING, CANCELLED, COMPLETED, AWAITING = 1, 2, 3, 4, 5, 6
SCHEDULE_STATES = {
    ACTIVE: "Active",
    PAUSED: "Paused",
    FAILING: "Failing",
    CANCELLED: "Cancelled",
    COMPLETED: "Completed",
    AWAITING: "Awaiting Setup",
}

BY_IDS, BY_SEGMENT, BY_NAME, NOT_SHOWN = 0, 1, 2, 3
"""How a gift or schedule shows its campaign."""


@dataclass(frozen=True)
class Tenant:
    """By what each product knows the organization."""

    raise_id: int
    crm_plus_id: int
    name: str

    @classmethod
    def of(cls, seed: int) -> Tenant:
        """Every seed has its own."""
        return cls(400 + 17 * seed, 77_000 + seed, f"Tieout Sandbox Relief {seed} (Sandbox)")


@dataclass(slots=True)
class Campaign:
    """A Raise campaign."""

    id: int
    name: str
    can_sync: bool
    created: int
    modified: int


@dataclass(slots=True)
class Segment:
    """A Raise segment of a campaign."""

    id: int
    campaign_id: int
    name: str
    code: str
    created: int


@dataclass(slots=True)
class Project:
    """What a gift is for; both products have it, joined by its code."""

    id: int
    name: str
    code: str
    created: int


@dataclass(slots=True)
class Webhook:
    """A Raise webhook subscription."""

    id: int
    name: str
    events: tuple[int, ...]
    status: int
    created: int


@dataclass(slots=True)
class Delivery:
    """One attempt to deliver one event to one webhook."""

    id: int
    webhook_id: int
    event_type: int
    label: str
    context_id: int
    created: int
    http_status: int | None
    payload: str | None


@dataclass(slots=True)
class Donor:
    """A Raise donor."""

    id: int
    created: int
    modified: int
    first: str
    last: str
    email: str
    crm_key: str | None = None
    crm_types: tuple[str, ...] = ()
    is_test: bool = False
    is_gdpr_deleted: bool = False
    is_archived: bool = False
    situation: str = ""
    status: str = ""
    crm_id: int | None = None
    expected_since: int | None = None
    gift_contacts: tuple[int, ...] = ()
    """The CRM+ contacts its gifts go to; none when nothing of this donor reaches CRM+."""


@dataclass(slots=True)
class Gift:
    """A Raise gift."""

    id: int
    created: int
    modified: int
    donor_id: int
    cents: int
    situation: str = "matched"
    status: str = "matched"
    state: int = APPROVED
    is_test: bool = False
    recurring_id: int | None = None
    campaign_id: int | None = None
    segment_id: int | None = None
    shown: int = BY_IDS
    project_id: int = 0
    second_project_id: int = 0
    currency: str = "USD"
    rate: float = 1.0
    shows_base: bool = True
    costs: int = 0
    costs_project_id: int = 0
    """The project that an allocation gives the costs to, where one does."""
    crm_ids: tuple[int, ...] = ()


@dataclass(slots=True)
class Schedule:
    """A Raise recurring gift."""

    id: int
    created: int
    modified: int
    donor_id: int
    cents: int
    frequency: int
    situation: str = "linked"
    status: str = "linked"
    state: int = ACTIVE
    is_test: bool = False
    crm_key: str | None = None
    campaign_id: int | None = None
    segment_id: int | None = None
    shown: int = BY_IDS
    project_id: int = 0
    has_payment_failed: bool = False
    crm_id: int | None = None


@dataclass(slots=True)
class Contact:
    """A CRM+ contact."""

    id: int
    created: int
    modified: int
    first: str
    last: str
    email: str
    references: list[tuple[str, str]] = field(default_factory=list)
    is_archived: bool = False
    merged_into: int | None = None
    situation: str = ""


@dataclass(slots=True)
class CrmGift:
    """A CRM+ gift."""

    id: int
    created: int
    modified: int
    contact_id: int
    cents: int
    day: int
    source: str | None = None
    transaction_id: str | None = None
    kind: str = "Credit"
    reversed_id: int | None = None
    currency: str = "USD"
    rate: float = 1.0
    project_id: int = 0
    second_project_id: int = 0
    costs: int = 0
    costs_project_id: int = 0
    passthrough_id: int | None = None
    """The contact who gave through `contact_id`, as older gifts show it;"""
    passthroughs: tuple[tuple[int, int], ...] = ()
    """as younger ones do: contacts, each with the cents it gave."""
    situation: str = ""


@dataclass(slots=True)
class CrmSchedule:
    """A CRM+ recurring gift."""

    id: int
    created: int
    modified: int
    contact_id: int
    cents: int
    frequency: str
    status: str = "Active"
    source: str | None = None
    transaction_id: str | None = None
    cancelled: int | None = None
    project_id: int = 0
    situation: str = ""


@dataclass(slots=True)
class CrmCampaign:
    """A CRM+ campaign, keyed by `campaignId` on the wire."""

    id: int
    name: str
    created: int
    is_archived: bool
