"""Random small organizations that love awkward neighbours: a cent more, a day later, a merge that goes in circles."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

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
RESOURCES = {
    "raise": ("donors", "gifts", "recurring_gifts", "campaigns", "segments"),
    "crm_plus": ("contacts", "gifts", "recurring_gifts"),
}


class World:
    """One random organization; `organization` is what came out."""

    def __init__(self, name: str, random: Random) -> None:
        self.r = random
        runs = self.r.choices([True, False, None], [90, 6, 4])[0]
        self.organization = Organization(name, runs)
        self.is_calm = self.chance(0.5)
        self.reads()
        self.campaigns()
        self.contacts()
        self.donors()
        untrusted = self.chance(0.06)
        self.gifts(untrusted)
        self.schedules()
        if not self.is_calm:
            self.vanish()
            self.quarantine()
        if self.chance(0.6):
            self.campaign_events()

    # --- dice ------------------------------------------------------------------------------------------------------

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

    # --- reads -----------------------------------------------------------------------------------------------------

    def reads(self) -> None:
        runs = [NOW - hours * HOUR for hours in sorted({0, *self.r.sample([24, 47, 72, 400, 1000], 2)}, reverse=True)]
        for source, resources in RESOURCES.items():
            if source == "crm_plus" and not self.organization.runs_crm_plus:
                continue
            for resource in resources:
                fate = "good" if self.is_calm else self.usually("good", "never", "stale", "edge", "before", share=0.93)
                for number, at in enumerate(runs):
                    last = number == len(runs) - 1
                    if fate == "edge" and last:
                        at = NOW - self.one(48 * HOUR, 48 * HOUR + SECOND, 48 * HOUR - SECOND)
                    if fate == "before" and last:
                        at = NOW - self.one(HOUR, 25 * HOUR)
                    good = fate != "never" and not (fate == "stale" and NOW - at < 60 * HOUR)
                    self.organization.reads.append(
                        {
                            "run_id": f"run {number}",
                            "source": source,
                            "resource": resource,
                            "mode": "full",
                            "started_at": at,
                            "finished_at": at + self.one(0, 0, 60) * SECOND,
                            "recorded_at": at,
                            "is_complete": good and (last or self.chance(0.9)),
                        }
                    )
        self.runs = runs

    # --- campaigns -------------------------------------------------------------------------------------------------

    def campaigns(self) -> None:
        names = ["Spring", "spring ", "Autumn", "Wells", "  Spring  Appeal", "spring appeal"]
        self.campaign_ids = [801 + i for i in range(self.r.randint(1, 4))]
        for id in self.campaign_ids:
            states: list[bool | None] = [
                self.usually(True, False, None, share=0.6) if not self.is_calm else self.usually(True, False, share=0.6)
            ]
            since = [self.r.choice(self.runs)]
            for run in self.runs:
                if run > since[-1] and self.chance(0.35):
                    since.append(run)
                    states.append(self.usually(not states[-1], None, states[-1], share=0.8))
            row = self.row(
                "raise",
                "campaigns",
                {
                    "id": id,
                    "name": self.r.choice(names),
                    "can_sync": states[-1],
                    "created_date_time": self.usually(None, NOW - self.r.choice(AGES), share=0.7),
                    "_extracted_at": since[-1],
                },
            )
            for number, (at, state) in enumerate(zip(since, states, strict=True)):
                self.organization.campaign_versions.append(
                    {
                        "campaign_id": id,
                        "campaign_name": row["name"],
                        "can_sync": state,
                        "dbt_valid_from": at,
                        "dbt_valid_to": since[number + 1] if number + 1 < len(since) else None,
                    }
                )
        for number in range(self.r.randint(0, 3)):
            self.row(
                "raise",
                "segments",
                {
                    "id": 901 + number,
                    "campaign_id": self.one(*self.campaign_ids, 899),
                    "name": self.one("Mail", "mail", "Phone"),
                    "code": self.one("M1", "m1 ", "P1", None),
                },
            )

    def campaign_events(self) -> None:
        """What the delivery log tells of the campaigns: by two webhooks, late, out of order, in part."""
        for number in range(self.r.randint(1, 8)):
            id = self.one(*self.campaign_ids, 899)
            instants = [*self.runs, NOW - self.r.choice(AGES), NOW - self.r.choice(AGES), NOW - 1100 * HOUR]
            modified = self.r.choice(instants)
            resource: Row = {
                "id": self.usually(id, 898, share=0.95),
                "canSync": self.usually(self.chance(0.5), None, share=0.9),
                "modifiedDateTime": self.usually(modified.isoformat(), None, share=0.9),
            }
            if self.chance(0.05):
                del resource["canSync"]
            event_type = self.usually(41, 40, 42, 31)
            body = self.one(
                resource,
                {"eventType": event_type, **resource},
                {"eventType": event_type, "payload": resource},
                {"event": {"type": event_type, "payload": resource}},
            )
            for attempt in range(self.one(1, 1, 2)):
                log_id = 7000 + 10 * number + attempt
                self.row(
                    "raise",
                    "webhook_logs",
                    {
                        "id": log_id,
                        "webhook_id": 31 + attempt,
                        "event_type": event_type,
                        "context_id": str(id),
                        "success": "True",
                        "created_date": modified + self.one(0, 0, 1, 30) * HOUR + number * SECOND,
                    },
                )
                if self.chance(0.9):
                    payload = self.usually(json.dumps(body), json.dumps(body)[:20], share=0.9)
                    outcome = self.usually("read", "absent", share=0.9)
                    self.row(
                        "raise",
                        "webhook_log_payloads",
                        {
                            "id": log_id,
                            "webhook_id": 31 + attempt,
                            "attempts": 1,
                            "outcome": outcome,
                            "pay_load": payload if outcome == "read" else None,
                        },
                    )

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

    # --- people ----------------------------------------------------------------------------------------------------

    def contacts(self) -> None:
        self.donor_ids = list(range(1, 2 + self.r.randint(1, 6)))
        self.contact_ids = [100 + i for i in range(self.r.randint(2, 9))] if self.organization.runs_crm_plus else []
        for id in self.contact_ids:
            merged = self.one(*self.contact_ids, 199, 0) if self.chance(0.25) else None
            references = [
                {
                    "source": self.usually(self.r.choice(SOURCES), "Mailchimp", "", share=0.9),
                    "id": self.usually(self.spelled(self.one(*self.donor_ids, 77)), "abc", "", "-1", share=0.93),
                }
                for _ in range(self.r.choices([0, 1, 2, 3], [45, 40, 10, 5])[0])
            ]
            created = NOW - self.usually(900 * HOUR, 500 * HOUR, HOUR, -HOUR, share=0.9)
            self.row(
                "crm_plus",
                "contacts",
                {
                    "id": id,
                    "name": f"Contact {id}",
                    "merged_into_contact_id": merged,
                    "is_archived": self.chance(0.7 if merged else 0.15),
                    "contact_references": json.dumps(references),
                    "create_date_time_utc": created,
                    "modified_date_time_utc": created,
                    "_deleted_at": NOW - HOUR if self.chance(0.05) else None,
                },
            )

    def donors(self) -> None:
        for id in self.donor_ids:
            key: str | None = None
            if self.chance(0.6) and self.contact_ids:
                key = self.spelled(self.r.choice(self.contact_ids))
            elif self.chance(0.35):
                key = self.one(
                    "",
                    "  ",
                    "0",
                    "-3",
                    "1e3",
                    "12.5",
                    "abc",
                    "1234567890123456789",
                    "9999999999999999999",
                    "198",
                    "00",
                    "12a",
                )
            urls: Any = self.usually({}, None, share=0.7)
            if self.chance(0.4):
                urls = self.one(
                    {"VirtuousCRM": {"url": "https://app.virtuoussoftware.com/Contact/1"}},
                    {"Salesforce": {"url": "https://example.org/1"}},
                    {"Salesforce": {"url": "https://example.org/1"}, "x": {"url": "https://APP.VIRTUOUS.example/1"}},
                    {"Blackbaud": {"url": None}},
                    {"virtuous": {"url": ""}},
                )
            created = self.created()
            self.row(
                "raise",
                "donors",
                {
                    "id": id,
                    "name": f"Donor {id}",
                    "crm_key": key,
                    "is_test_mode": self.chance(0.06),
                    "is_gdpr_deleted": self.chance(0.04),
                    "crm_key_urls": None if urls is None else json.dumps(urls),
                    "created_date": created,
                    "modified_date": self.modified(created),
                    "_deleted_at": NOW if self.chance(0.04) else None,
                },
            )

    def contact_of(self, donor: int) -> int | None:
        """A contact that a record of the donor may well sit on."""
        row = next((d for d in self.organization.of("raise", "donors") if d["id"] == donor), None)
        digits = (row["crm_key"] or "").strip().lstrip("+0").removesuffix(".0") if row else ""
        if digits.isdigit() and int(digits) in self.contact_ids and self.chance(0.85):
            return int(digits)
        return self.r.choice([*self.contact_ids, 198])

    # --- gifts -----------------------------------------------------------------------------------------------------

    def gifts(self, untrusted: bool) -> None:
        self.next_crm_gift = 5000
        count = self.r.randint(22, 30) if untrusted else self.r.randint(0, 14)
        for id in range(1000, 1000 + count):
            gift = self.gift(id)
            if self.organization.runs_crm_plus and self.contact_ids and self.chance(0.75):
                self.mirror(gift, untrusted)
        if self.organization.runs_crm_plus and self.contact_ids:
            for _ in range(self.r.randint(0, 3)):
                self.crm_gift(
                    self.r.choice(self.contact_ids),
                    self.r.choice(AMOUNTS),
                    date(2026, 2, 2),
                    self.pair(1000 + count + self.r.randint(0, 2)),
                )
            self.reversals()
            ids = [g["id"] for g in self.organization.of("crm_plus", "gifts")]
            for crm_id in ids:
                if self.chance(0.02):
                    self.organization.overrides[crm_id] = 1000 + self.r.randint(0, count + 1)

    def gift(self, id: int) -> Row:
        amount = self.r.choice(AMOUNTS)
        created = self.created()
        allocated, costs = amount, Decimal(0)
        paid = self.chance(0.2)
        if paid and self.chance(0.7):
            costs = self.one(Decimal("0.55"), Decimal("0.01"), Decimal("1.00"))
            if self.chance(0.3):
                allocated -= costs
        currency = self.usually("USD", "usd", "EUR", None, share=0.9)
        rate = Decimal("1.10") if currency == "EUR" else Decimal(1)
        projects = [("Wells", allocated)] + ([("Covers Processing Fees", costs)] if costs else [])
        if self.chance(0.05):
            projects[0] = ("Wells", allocated - 5)
        return self.row(
            "raise",
            "gifts",
            {
                "id": id,
                "donor_id": self.usually(self.r.choice(self.donor_ids), 77, None, share=0.96),
                "amount": amount,
                "currency": currency,
                "donor_paid_costs": paid,
                "status_text": self.usually(
                    "Approved",
                    "approved ",
                    "Refunded",
                    "refunded",
                    "ChargeBack",
                    "Declined",
                    "Pending",
                    None,
                    share=0.7,
                ),
                "is_test_mode": self.chance(0.05),
                "created_date": created,
                "modified_date": self.modified(created),
                "date": None if self.chance(0.03) else date(2026, 2, 2) + timedelta(days=self.one(0, 0, 0, 1, 2)),
                "recurring_gift_id": self.one(None, None, 301),
                "projects": None
                if self.chance(0.1)
                else json.dumps(
                    [
                        {
                            "name": name,
                            "amount": f"${value}",
                            "currencyExchange": {
                                "baseAmount": f"${(value * rate).quantize(Decimal('0.01'))}",
                                "baseCurrencyCode": "USD",
                            }
                            if currency != "EUR" or self.chance(0.9)
                            else None,
                        }
                        for name, value in projects
                    ]
                ),
                "_deleted_at": NOW if self.chance(0.05) else None,
                **self.campaign_of(),
            },
        )

    def pair(self, raise_id: int, part: int | None = None) -> Row:
        text = self.usually(
            str(raise_id),
            f"rd2-{raise_id}",
            f"RD-{raise_id}",
            f"raise-{raise_id}",
            f" 0{raise_id} ",
            f"{raise_id}.0",
            share=0.6,
        )
        if part is not None or self.chance(0.05):
            text = f"{text.strip()}-{part or 1}"
        return {"transaction_source": self.r.choice(SOURCES), "transaction_id": text}

    def no_pair(self) -> Row:
        return self.one(
            {},
            {"transaction_source": None, "transaction_id": "1000"},
            {"transaction_source": "Stripe", "transaction_id": "1000"},
            {"transaction_source": "Raise", "transaction_id": "abc"},
            {"transaction_source": "Raise", "transaction_id": ""},
            {"transaction_source": "Raise", "transaction_id": None},
        )

    def mirror(self, gift: Row, untrusted: bool) -> None:
        """What the sync may have made of a gift."""
        contact = self.contact_of(gift["donor_id"])
        day = (gift["date"] or date(2026, 2, 2)) + timedelta(days=self.usually(0, 1, -1, 2, -2, share=0.7))
        amount = gift["amount"] + self.usually(
            Decimal(0),
            Decimal("0.01"),
            Decimal("-0.01"),
            Decimal("0.02"),
            Decimal("-0.02"),
            Decimal("0.55"),
            Decimal(7),
            share=0.7,
        )
        id = gift["id"] + (7000 if untrusted and self.chance(0.8) else 0)
        shape = self.r.choices(["plain", "by contact", "split", "twice", "thrice"], [55, 25, 10, 7, 3])[0]
        if shape == "plain":
            self.crm_gift(contact, amount, day, self.pair(id), gift)
        elif shape == "by contact":
            self.crm_gift(contact, amount, day, self.no_pair(), gift)
            if self.chance(0.2):
                self.crm_gift(contact, amount, day, self.no_pair(), gift)
        elif shape == "split":
            part = self.one(Decimal(3), Decimal(5), Decimal("9.99"))
            self.crm_gift(contact, part, day, self.pair(id, 1), gift)
            self.crm_gift(contact, amount - part, day, self.pair(id, 2), gift)
        else:
            for part in range(2 if shape == "twice" else 3):
                self.crm_gift(contact, amount, day, self.pair(id, self.one(None, part + 1)), gift)

    def crm_gift(self, contact: int | None, amount: Decimal, day: date, pair: Row, gift: Row | None = None) -> Row:
        self.next_crm_gift += self.r.randint(1, 2)
        costs = Decimal(0)
        if self.chance(0.12):
            costs = self.one(Decimal("0.55"), Decimal("0.01"), Decimal("1.00"))
            if self.chance(0.8):
                amount += costs
        currency = self.usually((gift or {}).get("currency") or "USD", "USD", "EUR", "", None, share=0.93)
        created = ((gift or {}).get("created_date") or LONG_AGO) + HOUR
        if self.chance(0.9):
            created = min(created, NOW - HOUR)
        return self.row(
            "crm_plus",
            "gifts",
            {
                "id": self.next_crm_gift,
                "contact_id": self.usually(contact, self.r.choice(self.contact_ids), share=0.93),
                "amount": amount,
                "gift_type": self.usually("Credit", "Cash", "Check", share=0.9),
                "gift_date": None if self.chance(0.02) else day,
                "currency_code": currency,
                "base_currency_code": "USD",
                "exchange_rate": None if self.chance(0.05) else Decimal("1.10") if currency == "EUR" else Decimal(1),
                "gift_designations": json.dumps(
                    [{"projectCode": "WELLS", "amountDesignated": float(amount - costs)}]
                    + ([{"projectCode": "CREDITCARDCOSTS", "amountDesignated": float(costs)}] if costs else [])
                ),
                "create_date_time_utc": created,
                "modified_date_time_utc": self.usually(created, NOW - 2 * HOUR, NOW + HOUR, share=0.93),
                "_deleted_at": NOW if self.chance(0.04) else None,
                **pair,
            },
        )

    def reversals(self) -> None:
        """Some gifts are taken back: by name, by pair, by type or by sign, halfway, or the reversal itself."""
        for gift in list(self.organization.of("crm_plus", "gifts")):
            if not self.chance(0.2):
                continue
            amount = self.usually(-gift["amount"], -gift["amount"] / 2, gift["amount"], share=0.85)
            by = self.r.choices(["name", "pair", "both", "neither"], [50, 25, 20, 5])[0]
            pair = {k: gift.get(k) for k in ("transaction_source", "transaction_id")} if by in ("pair", "both") else {}
            reversal = self.crm_gift(
                gift["contact_id"], amount.quantize(Decimal("0.01")), gift["gift_date"] or date(2026, 2, 2), pair
            )
            reversal |= {
                "amount": amount.quantize(Decimal("0.01")),
                "gift_designations": json.dumps(
                    [
                        part | {"amountDesignated": -part["amountDesignated"]}
                        for part in json.loads(gift["gift_designations"])
                    ]
                ),
                "gift_type": self.usually("Reversing Transaction", "Credit", share=0.8),
                "reversed_gift_id": self.usually(gift["id"], 4999, share=0.93) if by in ("name", "both") else None,
                "currency_code": gift["currency_code"],
                "exchange_rate": gift["exchange_rate"],
            }
            if self.chance(0.1):
                again = self.crm_gift(gift["contact_id"], gift["amount"], gift["gift_date"] or date(2026, 2, 2), {})
                again |= {"reversed_gift_id": reversal["id"], "gift_type": self.one("Reversing Transaction", "Credit")}

    # --- schedules -------------------------------------------------------------------------------------------------

    def schedules(self) -> None:
        crm_id = 300
        for id in range(30, 30 + self.r.randint(0, 5)):
            created = self.created()
            row = self.row(
                "raise",
                "recurring_gifts",
                {
                    "id": id,
                    "donor_id": self.usually(self.r.choice(self.donor_ids), 77, share=0.95),
                    "amount": self.r.choice(AMOUNTS),
                    "currency_code": self.usually("USD", "EUR", None, share=0.92),
                    "base_currency_code": self.usually("USD", None, share=0.95),
                    "frequency": self.usually(12, 1, 52, 100, 0, None, share=0.8),
                    "status_text": self.usually(
                        "Active",
                        "active ",
                        "Paused",
                        "Failing",
                        "Cancelled",
                        "canceled",
                        "Completed",
                        "Awaiting Setup",
                        None,
                        share=0.5,
                    ),
                    "is_test_mode": self.chance(0.06),
                    "created_date": created,
                    "modified_date": self.modified(created),
                    "_deleted_at": NOW if self.chance(0.05) else None,
                    **self.campaign_of(),
                },
            )
            if created is not None and self.chance(0.2):
                row["modified_date"] = created + self.one(24 * HOUR, 24 * HOUR + SECOND, HOUR)
            if self.chance(0.12):
                row["crm_key"] = self.one("0", "abc", "-3", "299", " ", "99999999999999999999")
            if not self.organization.runs_crm_plus or not self.contact_ids or self.chance(0.25):
                continue
            crm_id += 1
            if self.chance(0.65):
                row["crm_key"] = self.spelled(crm_id)
            for _ in range(self.usually(1, 2, share=0.93)):
                self.crm_schedule(crm_id, row)
                crm_id += 1 if self.chance(0.7) else 0
                if self.organization.of("crm_plus", "recurring_gifts")[-1]["id"] == crm_id:
                    break
        schedules = self.organization.of("raise", "recurring_gifts")
        if len(schedules) > 1 and self.chance(0.3):
            schedules[0]["crm_key"] = schedules[1].get("crm_key")
        if self.organization.runs_crm_plus and self.contact_ids and self.chance(0.3):
            self.crm_schedule(crm_id + 1, {"id": self.one(39, 38), "donor_id": 1, "amount": Decimal(10)})

    def crm_schedule(self, id: int, schedule: Row) -> None:
        created = NOW - 400 * HOUR
        self.row(
            "crm_plus",
            "recurring_gifts",
            {
                "id": id,
                "contact_id": self.contact_of(schedule["donor_id"]),
                "amount": schedule["amount"]
                + self.usually(Decimal(0), Decimal("0.01"), Decimal("0.02"), Decimal(-5), share=0.8),
                "frequency": self.usually(
                    "Monthly", " monthly", "Annually", "Semi-Annually", "Bimonthly", None, share=0.85
                ),
                "status": self.usually(
                    "Active", "UpToDate", "Paused", "Cancelled", "completed", "Unheard of", None, share=0.6
                ),
                "cancel_date_time_utc": NOW - 100 * HOUR if self.chance(0.06) else None,
                "create_date_time_utc": created,
                "modified_date_time_utc": self.usually(created, NOW - HOUR, NOW + HOUR, share=0.93),
                "_deleted_at": NOW if self.chance(0.04) else None,
                **(self.pair(schedule["id"]) if self.chance(0.75) else self.no_pair()),
            },
        )

    # --- what could not be read ------------------------------------------------------------------------------------

    def vanish(self) -> None:
        if self.chance(0.05):
            for row in self.organization.of("raise", "campaigns"):
                if self.chance(0.5):
                    row["_deleted_at"] = self.one(NOW, NOW - 60 * HOUR)

    def quarantine(self) -> None:
        fields = {
            ("raise", "donors"): [None, "crmKey", "isTestMode", "email", "createdDate"],
            ("raise", "gifts"): [None, "amount", "comment", "createdDate", "date", "campaignId"],
            ("raise", "recurring_gifts"): [None, "crmKey", "amount", "profileNumber", "segmentId"],
            ("raise", "campaigns"): [None, "canSync", "name"],
            ("raise", "segments"): [None, "campaignId", "name"],
            ("crm_plus", "contacts"): [None, "mergedIntoContactId", "contactReferences", "website"],
            ("crm_plus", "gifts"): [None, "amount", "transactionId", "reversedGiftId", "notes", "giftDate"],
            ("crm_plus", "recurring_gifts"): [None, "amount", "status", "isPrivate"],
        }
        for (source, resource), names in fields.items():
            if not self.chance(0.12) or (source == "crm_plus" and not self.organization.runs_crm_plus):
                continue
            rows = self.organization.of(source, resource)
            known = [str(row["id"]) for row in rows]
            field = self.r.choice(names)
            if field is not None and not known:
                continue
            record_id = self.r.choice(known) if known and self.chance(0.7) else self.one("77", "198", None)
            if field is not None and record_id not in known:
                record_id = self.r.choice(known)
            self.organization.quarantine.append(
                {
                    "source": source,
                    "resource": resource,
                    "record_id": record_id,
                    "field": field,
                    "error": "unreadable",
                    "raw_text": None,
                    "first_seen_at": self.one(NOW, NOW - 80 * HOUR),
                    "last_seen_at": NOW,
                    "attempts": 1,
                    "resolved_at": NOW if self.chance(0.15) else None,
                }
            )


def organizations(seed: int, count: int) -> list[Organization]:
    return [World(f"org-{number:04d}", Random(f"{seed}/{number}")).organization for number in range(count)]
