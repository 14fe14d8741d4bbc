"""The constants of the contract, and how it compares keys, texts and instants."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from tests.oracle.organization import Row

Key = tuple[int | None, int | None]
"""Of a row: `raise_id`, and `crm_id` where there is no `raise_id`."""

LATE_AFTER = timedelta(hours=24)
MISSING_AFTER = timedelta(hours=72)
STALE_AFTER = timedelta(hours=48)
EVER, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
AMOUNT_TOLERANCE = Decimal("0.01")
DATE_TOLERANCE = timedelta(days=1)
RAISE_SOURCES = {"raisedonors", "raise", "virtuous raise", "legacy raisedonors"}
SETTLED = {"approved"}
REVERSED = {"refunded", "chargeback"}
COVERED_COSTS = {
    "covers processing fees",
    "donor paid cost",
    "processing fee",
    "processing fees",
    "processingfee",
    "creditcardcosts",
}
CAMPAIGN_EVENTS = {40, 41, 42}

RAISE_SIDE = [("raise", name) for name in ("donors", "gifts", "recurring_gifts", "campaigns")]
CRM_PLUS_SIDE = {
    "donor": [("crm_plus", "contacts")],
    "gift": [("crm_plus", "contacts"), ("crm_plus", "gifts")],
    "recurring_gift": [("crm_plus", "contacts"), ("crm_plus", "recurring_gifts")],
}

RAISE_STATES = {"active": 0, "paused": 0, "failing": 0, "cancelled": 1, "canceled": 1, "completed": 1}
CRM_PLUS_STATES = RAISE_STATES | {"uptodate": 0, "failed": 0}
RAISE_FREQUENCIES = {1, 2, 4, 12, 26, 52}
CRM_PLUS_FREQUENCIES = {
    "daily": Decimal(365), "weekly": Decimal(52), "biweekly": Decimal(26), "semimonthly": Decimal(24),
    "monthly": Decimal(12), "quarterly": Decimal(4), "semiannually": Decimal(2), "annually": Decimal(1),
    "biennially": Decimal("0.5"),
}  # fmt: skip

# Fields of a quarantined record that decide a status; a record without a field is unreadable as a whole.
DECIDING = {
    ("raise", "donors"): {"isTestMode", "isGDPRDeleted", "crmKey", "crmKeyUrls"},
    ("crm_plus", "contacts"): {"mergedIntoContactId", "isArchived", "contactReferences"},
    ("raise", "gifts"): {"amount", "statusText", "isTestMode"},
    ("crm_plus", "gifts"): {"amount", "transactionId", "contactId", "reversedGiftId"},
    ("raise", "recurring_gifts"): {"amount", "crmKey", "statusText"},
    ("crm_plus", "recurring_gifts"): {"amount", "status", "transactionId"},
    ("raise", "campaigns"): {"canSync"},
    ("raise", "segments"): {"campaignId"},
}


def folded(text: str | None) -> str | None:
    return (text or "").strip().lower() or None


def integer(text: str | None) -> int | None:
    """The positive integer that a key stands for."""
    found = re.fullmatch(r"\+?0*([1-9]\d*)(\.0+)?", (text or "").strip())
    if found is None or int(found[1]) >= 2**63:
        return None
    return int(found[1])


def transaction_raise_id(text: str | None) -> int | None:
    """The Raise id that a CRM+ transaction id stands for."""
    bare = re.sub(r"^(rd2-|rd-|raise-)", "", folded(text) or "")
    return integer(re.sub(r"-\d+$", "", bare))


def from_raise(row: Row) -> bool:
    return folded(row.get("transaction_source")) in RAISE_SOURCES


def changed_at(row: Row, created: str, modified: str) -> datetime:
    stamps = [stamp for stamp in (row.get(created), row.get(modified)) if stamp is not None]
    return max(stamps, default=row["_extracted_at"])


def is_reversing(crm_gift: Row) -> bool:
    return folded(crm_gift.get("gift_type")) == "reversing transaction" or (crm_gift.get("amount") or 0) < 0


def near(left: Decimal, right: Decimal) -> bool:
    return abs(left - right) <= AMOUNT_TOLERANCE


def made_at(crm_row: Row) -> datetime:
    return crm_row.get("create_date_time_utc") or crm_row["_first_extracted_at"]


def state(states: dict[str, int], label: str | None) -> bool | None:
    ended = states.get(re.sub(r"\s", "", folded(label) or ""))
    return None if ended is None else bool(ended)


def money(text: str) -> Decimal:
    return Decimal(re.sub(r"[^0-9.-]", "", str(text)))


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
