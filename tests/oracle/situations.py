"""What happens to money between two systems: it is taken back, moved, passed through, split, and bears costs."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal

from tests.oracle.dice import HOUR, LONG_AGO, NOW, SOURCES
from tests.oracle.money import Money
from tests.oracle.organization import Row

CENT = Decimal("0.01")
DAY = date(2026, 2, 2)


class Situations(Money):
    def situations(self) -> None:
        self.next_raise_gift = 2000
        self.cost_projects()
        tell = (
            self.refund,
            self.refund,
            self.refund,
            self.move,
            self.move,
            self.move,
            self.pass_through,
            self.cover_costs,
            self.split_without_ids,
            self.split_without_ids,
            self.split_without_ids,
            self.other_system,
        )
        for _ in range(self.r.randint(2, 7)):
            self.r.choice(tell)()

    # --- pieces ----------------------------------------------------------------------------------------------------

    def known_donor(self) -> tuple[int, int]:
        """A donor and the contact that its key names: mostly two of their own."""
        if self.chance(0.7):
            return self.new_donor()
        keyed = [
            (row["id"], int(digits))
            for row in self.organization.of("raise", "donors")
            if (digits := (row["crm_key"] or "").strip().lstrip("+0").removesuffix(".0")).isdigit()
            if int(digits) in self.contact_ids
        ]
        return self.r.choice(keyed) if keyed else self.new_donor()

    def new_donor(self) -> tuple[int, int]:
        donor, contact = max(60, *self.donor_ids) + 1, max(160, *self.contact_ids) + 1
        ids = [contact, contact + 1] if self.chance(0.4) else [contact]
        for id in ids:
            self.row(
                "crm_plus",
                "contacts",
                {
                    "id": id,
                    "merged_into_contact_id": None if id == contact else contact,
                    "is_archived": id != contact,
                    "create_date_time_utc": LONG_AGO,
                    "modified_date_time_utc": LONG_AGO,
                },
            )
        key = {"crm_key": str(ids[-1]), "crm_key_urls": "{}"}
        self.row("raise", "donors", {"id": donor, "created_date": LONG_AGO, "modified_date": LONG_AGO} | key)
        self.donor_ids.append(donor)
        self.contact_ids += ids
        return donor, contact

    def alias(self, contact: int) -> int:
        """The contact under its own id, or under one that was merged into it."""
        contacts = self.organization.of("crm_plus", "contacts")
        merged = [row["id"] for row in contacts if row["merged_into_contact_id"] == contact]
        return self.r.choice(merged) if merged and self.chance(0.4) else contact

    def other_contact(self, contact: int) -> int:
        return self.r.choice([c for c in self.contact_ids if c != contact] or [198])

    def money(self, donor: int, status: str, amount: Decimal | None = None) -> Row:
        """A Raise gift that CRM+ should have had for long."""
        gift = self.gift(self.next_raise_gift)
        self.next_raise_gift += 1
        created = NOW - self.usually(500, 30, 72, 1200, share=0.8) * HOUR
        gift |= {
            "donor_id": donor,
            "amount": amount or gift["amount"],
            "status_text": self.usually(status, "Approved", "Refunded", "Declined", share=0.93),
            "created_date": created,
            "modified_date": created,
            "date": DAY + timedelta(days=self.one(0, 0, 1)),
            "currency": self.usually("USD", "EUR", share=0.95),
            "donor_paid_costs": False,
            "projects": None,
            "is_test_mode": self.chance(0.02),
            "_deleted_at": NOW if self.chance(0.04) else None,
        }
        if self.chance(0.7):
            gift |= dict.fromkeys(("campaign_id", "segment_id", "segment_code", "segment_name", "campaign_name"))
        return gift

    def booked(self, gift: Row, contact: int, amount: Decimal, pair: Row, day: date | None = None) -> Row:
        """A CRM+ gift, just as it is meant."""
        row = self.crm_gift(contact, amount, day or gift["date"], pair, gift)
        created = self.usually(gift["created_date"] + HOUR, NOW - 2 * HOUR, share=0.95)
        return self.set(
            row,
            contact_id=contact,
            amount=amount,
            gift_date=day or gift["date"],
            gift_designations=self.designations(amount, Decimal(0)),
            currency_code=gift["currency"],
            exchange_rate=Decimal("1.10") if gift["currency"] == "EUR" else Decimal(1),
            contact_passthrough_id=None,
            create_date_time_utc=created,
            modified_date_time_utc=created,
            _deleted_at=NOW if self.chance(0.02) else None,
        )

    @staticmethod
    def set(row: Row, **values: object) -> Row:
        row |= values
        return row

    def of_another_system(self) -> Row:
        return {"transaction_source": self.one("Stripe", "stripe ", "PayPal"), "transaction_id": self.one("ch_1", "77")}

    def without_id(self) -> Row:
        return {"transaction_source": self.r.choice(SOURCES), "transaction_id": self.one(None, "", " ")}

    def by_hand(self) -> Row:
        """The pair of what a person entered."""
        return self.usually(
            {}, self.without_id(), {"transaction_source": "Raise", "transaction_id": "abc"}, self.of_another_system()
        )

    def about(self, amount: Decimal) -> Decimal:
        return amount + self.usually(Decimal(0), CENT, -CENT, 2 * CENT, -2 * CENT, Decimal(1), share=0.8)

    def about_day(self, day: date) -> date:
        return day + timedelta(days=self.usually(0, 1, -1, 2, -2, share=0.75))

    # --- what happens ----------------------------------------------------------------------------------------------

    def refund(self) -> None:
        """Refunds whose reversals name nothing: one for each gift, for some, for the sum, or too many."""
        donor, contact = self.known_donor()
        amount = self.one(Decimal("10.00"), Decimal("60.00"), Decimal("100.00"))
        for _ in range(self.usually(1, 2, share=0.8)):
            gift = self.money(donor, self.one("Refunded", "ChargeBack", "refunded "), amount)
            parts = self.one([amount], [amount], [amount], [amount - 4, Decimal(4)], [amount / 2, amount / 2])
            whole = len(parts) == 1
            own = self.chance(0.8) or not whole
            booked = [
                self.booked(gift, contact, part, self.pair(gift["id"], None if whole else n + 1) if own else {})
                for n, part in enumerate(parts)
            ]
            if self.chance(0.15):
                self.pass_on(booked[0], contact)
            taken = self.usually(
                self.one(parts, [amount]), parts[:1], [], [*parts, *parts], [*parts, amount], [self.about(amount)],
                share=0.7,
            )  # fmt: skip
            for part in taken:
                self.unnamed_reversal(gift, booked[0], part)
            if self.chance(0.08):
                named = self.unnamed_reversal(gift, booked[0], parts[0])
                named["reversed_gift_id"] = booked[0]["id"]

    def unnamed_reversal(self, gift: Row, reversed_gift: Row, amount: Decimal) -> Row:
        raise_id = gift["id"]
        pair = self.one(
            {},
            {"transaction_source": None, "transaction_id": f"{raise_id}-R"},
            {"transaction_source": self.r.choice(SOURCES), "transaction_id": f"{raise_id}-R"},
            {"transaction_source": self.r.choice(SOURCES), "transaction_id": "rf_1"},
            {"transaction_source": self.r.choice(SOURCES), "transaction_id": str(990000 + self.next_crm_gift)},
            self.without_id(),
        )
        if self.chance(0.05):
            pair = self.of_another_system()
        contact = reversed_gift["contact_id"]
        days = self.usually(self.one(0, 3, 30), -1, -2, share=0.85)
        row = self.booked(
            gift,
            self.usually(self.alias(contact), self.other_contact(contact), share=0.92),
            self.usually(-amount, amount, share=0.9),
            pair,
            reversed_gift["gift_date"] + timedelta(days=days),
        )
        row["gift_type"] = self.usually("Reversing Transaction", "Credit", share=0.85)
        if self.chance(0.05):
            row["reversed_gift_id"] = 4999
        return row

    def move(self) -> None:
        """Reversed on one contact and entered again on another."""
        donor, contact = self.known_donor()
        amount = self.one(Decimal("10.00"), Decimal("60.00"))
        gift = self.money(donor, "Approved", amount)
        elsewhere = self.usually(self.other_contact(contact), contact, share=0.85)
        first = self.booked(gift, elsewhere, amount, self.pair(gift["id"]))
        back = self.booked(gift, elsewhere, -amount, {})
        back |= {"gift_type": "Reversing Transaction", "reversed_gift_id": first["id"]}
        if self.chance(0.25):
            back |= {"reversed_gift_id": None, **{k: first[k] for k in ("transaction_source", "transaction_id")}}
        for _ in range(self.usually(1, 0, 2, share=0.75)):
            pair = self.usually(self.by_hand(), self.pair(gift["id"]), share=0.7)
            where = self.usually(self.alias(contact), elsewhere, share=0.9)
            again = self.booked(gift, where, self.about(amount), pair, self.about_day(gift["date"]))
            if self.chance(0.15):
                self.pass_on(again, contact)
        if self.chance(0.2):
            self.money(donor, "Approved", amount)

    def pass_on(self, row: Row, giver: int) -> None:
        """Lets a gift come from another contact, through which the giver gave all or a part of it."""
        legal = self.other_contact(giver)
        giver = self.usually(self.alias(giver), self.other_contact(giver), 198, share=0.85)
        part = float(self.usually(row["amount"], row["amount"] / 2, share=0.7))
        row["contact_id"] = self.usually(legal, None, share=0.97)
        passthroughs = [{"contactId": giver, "amount": part, "passthroughContact": {"id": giver}}]
        if self.chance(0.3):
            passthroughs.insert(self.one(0, 1), {"contactId": self.one(*self.contact_ids, None), "amount": 1.0})
        way = self.one("one", "list", "both")
        row["contact_passthrough_id"] = giver if way != "list" else None
        row["gift_passthroughs"] = json.dumps(passthroughs if way != "one" else [])

    def pass_through(self) -> None:
        donor, contact = self.known_donor()
        for _ in range(self.usually(1, 2, share=0.85)):
            gift = self.money(donor, "Approved")
            pair = self.one(self.pair(gift["id"]), self.by_hand())
            row = self.booked(gift, contact, self.about(gift["amount"]), pair, self.about_day(gift["date"]))
            self.pass_on(row, contact)

    def cover_costs(self) -> None:
        """The donor pays the costs on top; each side may book them under a name of its own, or under none."""
        donor, contact = self.known_donor()
        gift = self.money(donor, "Approved")
        amount, costs = gift["amount"], self.one(Decimal("0.55"), Decimal("1.00"), Decimal("0.02"))
        gift["donor_paid_costs"] = self.chance(0.85)
        if self.chance(0.5):
            allocations = [
                ("Wells", 51, amount),
                (self.one(self.cost_name(), "Wells"), self.one(51, 52, 53, 59), costs),
            ]
            gift["projects"] = json.dumps(
                [
                    {"name": name, "projectId": project, "amount": f"${value}", "currencyExchange": None}
                    for name, project, value in allocations
                ]
            )
        pair = self.pair(gift["id"])
        if self.chance(0.2):
            self.booked(gift, contact, amount, pair)
            row = self.booked(gift, contact, costs, pair)
            row["gift_designations"] = self.designations(costs, costs)
            return
        row = self.booked(gift, contact, amount + costs, pair)
        surplus = self.usually(costs, costs + CENT, costs / 2, share=0.8)
        row["gift_designations"] = self.designations(amount + costs, surplus)
        if self.chance(0.25):
            parts = json.loads(row["gift_designations"])
            parts[0]["amountDesignated"] = float(amount - costs)
            row["gift_designations"] = json.dumps([*parts, parts[1] | {"project": "Third", "projectCode": "THIRD"}])

    def cost_projects(self) -> None:
        """Projects of Raise: of costs by their name, by their code, or by neither."""
        names = [("Wells", "WELLS"), (self.cost_name(), "P52"), ("Any", self.cost_name())]
        for id, (name, code) in enumerate(names, 51):
            self.row("raise", "projects", {"id": id, "name": name, "code": code})

    def split_without_ids(self) -> None:
        """One CRM+ gift for each project, from Raise and without an id."""
        donor, contact = self.known_donor()
        gift = self.money(donor, self.usually("Approved", "Refunded"), Decimal("100.00"))
        parts = [Decimal(part) for part in self.one(("60", "40"), ("60", "30", "10"), ("50", "50"), ("100",))]
        parts[0] = self.about(parts[0])
        day = self.about_day(gift["date"])
        rows = [self.booked(gift, self.alias(contact), part, self.without_id(), day) for part in parts]
        if self.chance(0.2):
            self.pass_on(self.r.choice(rows), contact)
        if self.chance(0.1):
            rows[-1]["gift_date"] += timedelta(days=1)
        if self.chance(0.1):
            rows[-1] |= self.by_hand()
        if self.chance(0.1):
            self.booked(gift, contact, Decimal(5), self.usually(self.without_id(), self.by_hand()), day)
        if self.chance(0.15):
            self.money(donor, "Approved", Decimal("100.00"))
        if self.chance(0.1):
            for part in parts:
                self.booked(gift, contact, part, self.without_id(), day + timedelta(days=self.one(0, 1, 3)))

    def other_system(self) -> None:
        """Gifts of another system that look like those of Raise."""
        donor, contact = self.known_donor()
        for _ in range(self.usually(1, 2, share=0.8)):
            gift = self.money(donor, self.usually("Approved", "Refunded", share=0.9))
            where = self.usually(self.alias(contact), self.other_contact(contact))
            pair = self.usually(self.of_another_system(), {"transaction_source": "Stripe", "transaction_id": None})
            row = self.booked(gift, where, self.about(gift["amount"]), pair, self.about_day(gift["date"]))
            if self.chance(0.2):
                self.pass_on(row, contact)
