"""What random organizations are made of: dice, rows, and the edges that they love."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TypeVar

from tests.oracle.organization import Organization, Row

T = TypeVar("T")

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
LONG_AGO = NOW - 60 * 24 * HOUR

# Around every edge of the ages, with respect to a read at NOW.
AGES = [
    -2 * HOUR,
    -SECOND,
    0 * HOUR,
    SECOND,
    5 * HOUR,
    24 * HOUR - SECOND,
    24 * HOUR,
    24 * HOUR + SECOND,
    50 * HOUR,
    72 * HOUR - SECOND,
    72 * HOUR,
    72 * HOUR + SECOND,
    200 * HOUR,
    500 * HOUR,
    900 * HOUR,
    1200 * HOUR,
]
AMOUNTS = [Decimal(text) for text in ("10.00", "10.00", "10.01", "10.02", "25.00", "50.00", "100.00")]
SOURCES = ["RaiseDonors", "Raise", "raise ", " VIRTUOUS raise", "Legacy RaiseDonors"]
FOREIGN_SOURCES = ["Stripe", "Raise2", "", None]


class Dice:
    """What the parts of a world throw; they fill `organization`."""

    def __init__(self, organization: Organization, random: Random) -> None:
        self.r = random
        self.organization = organization
        self.donor_ids: list[int] = []
        self.contact_ids: list[int] = []
        self.campaign_ids: list[int] = []

    def chance(self, share: float) -> bool:
        return self.r.random() < share

    def one(self, *values: T) -> T:
        return self.r.choice(values)

    def usually(self, value: T, *others: T, share: float = 0.8) -> T:
        return value if self.chance(share) else self.r.choice(others)

    def spelled(self, key: int) -> str:
        return self.usually(str(key), f"+{key}", f"00{key}", f"{key}.0", f" {key} ", f" +0{key}.0\n")

    def row(self, source: str, resource: str, row: Row) -> Row:
        extracted = self.usually(NOW, NOW - 30 * HOUR, NOW - 100 * HOUR)
        row = {"_extracted_at": extracted, "_first_extracted_at": extracted - self.one(0, 1, 26, 80) * HOUR} | row
        self.organization.of(source, resource).append(row)
        return row

    def created(self) -> datetime | None:
        return None if self.chance(0.03) else NOW - self.r.choice(AGES)

    def modified(self, created: datetime | None) -> datetime | None:
        return self.usually(created, NOW - self.r.choice(AGES), None, share=0.85)

    def campaign_of(self) -> Row:
        """How a gift or schedule names its campaign: by id, by segment, by name, in vain or not at all."""
        row: Row = {}
        if self.chance(0.3):
            row["campaign_id"] = self.one(*self.campaign_ids, 898)
        if self.chance(0.3):
            row["segment_id"] = self.one(901, 902, 997)
        if self.chance(0.2):
            row["segment_code"] = self.one("M1", " p1", "none such")
        if self.chance(0.3):
            row["segment_name"] = self.one("Mail", " PHONE", "none such")
        if self.chance(0.4):
            row["campaign_name"] = self.one("SPRING", " spring", "Autumn", "Wells", "Spring Appeal", "None such", " ")
        return row

    def contact_of(self, donor: int) -> int | None:
        """A contact that a record of the donor may well sit on."""
        row = next((d for d in self.organization.of("raise", "donors") if d["id"] == donor), None)
        digits = (row["crm_key"] or "").strip().lstrip("+0").removesuffix(".0") if row else ""
        if digits.isdigit() and int(digits) in self.contact_ids and self.chance(0.85):
            return int(digits)
        return self.r.choice([*self.contact_ids, 198])
