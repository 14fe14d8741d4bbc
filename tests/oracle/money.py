"""Gifts of random organizations, and what a sync and people make of them in CRM+."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

from tests.oracle.dice import AMOUNTS, HOUR, LONG_AGO, NOW, SOURCES, Dice
from tests.oracle.organization import Row


class Money(Dice):
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
        projects = [("Wells", 51, allocated)]
        if costs:
            projects.append((self.cost_name(), self.one(51, 52, 59, None), costs))
        if self.chance(0.05):
            projects[0] = ("Wells", 51, allocated - 5)
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
                            "projectId": project,
                            "name": name,
                            "amount": f"${value}",
                            "currencyExchange": {
                                "baseAmount": f"${(value * rate).quantize(Decimal('0.01'))}",
                                "baseCurrencyCode": "USD",
                            }
                            if currency != "EUR" or self.chance(0.9)
                            else None,
                        }
                        for name, project, value in projects
                    ]
                ),
                "_deleted_at": NOW if self.chance(0.05) else None,
                **self.campaign_of(),
            },
        )

    def cost_name(self) -> str:
        """A name or a code under which covered costs are booked, or one that is none of those."""
        listed = (
            "Covers Processing Fees",
            "covers processing FEES ",
            "Donor Paid Cost",
            " donor paid cost",
            "Processing Fee",
            "PROCESSING FEES",
            "ProcessingFee",
            "creditcardcosts",
            "CREDITCARDCOSTS",
        )
        return self.usually(self.r.choice(listed), "Costs", "Processing", "Donor Paid Costs", share=0.85)

    def designations(self, amount: Decimal, costs: Decimal) -> str:
        """Where the money of a CRM+ gift goes, the covered costs by the name or by the code of their project."""
        parts = [{"project": "Wells", "projectCode": "WELLS", "amountDesignated": float(amount - costs)}]
        if costs:
            name = self.one({"project": self.cost_name()}, {"projectCode": self.cost_name()})
            parts.append({"project": "Other", "projectCode": "OTHER", "amountDesignated": float(costs)} | name)
        return json.dumps(parts)

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
                "contact_passthrough_id": self.one(*self.contact_ids, 198) if self.chance(0.05) else None,
                "amount": amount,
                "gift_type": self.usually("Credit", "Cash", "Check", share=0.9),
                "gift_date": None if self.chance(0.02) else day,
                "currency_code": currency,
                "base_currency_code": "USD",
                "exchange_rate": None if self.chance(0.05) else Decimal("1.10") if currency == "EUR" else Decimal(1),
                "gift_designations": self.designations(amount, costs),
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
