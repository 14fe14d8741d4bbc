"""§4.2: amounts of both sides in one currency, and the costs that donors cover."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from tests.oracle.contract.contacts import Contacts
from tests.oracle.contract.values import COVERED_COSTS, cents, folded, is_reversing, money, near
from tests.oracle.organization import Row


class Compared(NamedTuple):
    """A match in one currency."""

    amount: Decimal
    net: Decimal
    allocated_costs: Decimal
    designated_costs: Decimal
    standing: list[tuple[Decimal, Decimal]]
    """Amount and designated costs of each CRM+ gift that is no reversal."""
    surplus_costs: Decimal
    """What CRM+ has beyond the amount, where it is one designation that may be taken for the cost."""

    @property
    def costs(self) -> set[Decimal]:
        return {self.allocated_costs, self.designated_costs, self.surplus_costs} - {Decimal(0)}


class Amounts(Contacts):
    @staticmethod
    def _base(crm_gift: Row) -> Decimal | None:
        """A CRM+ gift in its base currency."""
        if folded(crm_gift.get("currency_code")) == folded(crm_gift.get("base_currency_code")):
            return crm_gift["amount"]
        rate = crm_gift.get("exchange_rate")
        return None if rate is None or crm_gift["amount"] is None else crm_gift["amount"] * rate

    def net(self, crm_gifts: list[Row]) -> Decimal | None:
        """Net of the CRM+ gifts: in their currency, or in the base currency where they have several."""
        several = len({folded(g.get("currency_code")) for g in crm_gifts} - {None}) > 1
        amounts = [self._base(g) if several else g["amount"] for g in crm_gifts]
        known = [amount for amount in amounts if amount is not None]
        return cents(sum(known, Decimal(0))) if known and len(known) == len(amounts) else None

    def comparable(self, gift: Row, crm_gifts: list[Row]) -> Compared | None:
        """Both sides in one currency, that of the gift or the base currency; None where there is none."""
        currency = folded(gift.get("currency"))
        currencies = {folded(g.get("currency_code")) for g in crm_gifts} - {None}
        base = not (len(currencies) <= 1 and (currency is None or not currencies or currencies == {currency}))
        amount, allocated = gift.get("amount"), self._raise_costs(gift, base=False)
        if base:
            bases = {folded(g.get("base_currency_code")) for g in crm_gifts}
            if len(bases) != 1 or None in bases:
                return None
            if {currency} != bases:
                amount, allocated = self._raise_base(gift, bases), self._raise_costs(gift, base=True)
        singles = [self._base(g) if base else g.get("amount") for g in crm_gifts]
        if amount is None or None in singles:
            return None
        own = [self._crm_costs([g], base=base) for g in crm_gifts]
        standing = [(s, c) for g, s, c in zip(crm_gifts, singles, own, strict=True) if not is_reversing(g)]
        net = cents(sum(singles))
        surplus = self._surplus_costs(gift, net - amount, crm_gifts, base=base)
        return Compared(amount, net, allocated, cents(sum(own)), standing, surplus)

    def _raise_base(self, gift: Row, bases: set[str | None]) -> Decimal | None:
        """The Raise amount in the base currency, where the allocations make up the gift, with or without costs."""
        allocations = json.loads(gift.get("projects") or "[]")
        exchanges = [a.get("currencyExchange") or {} for a in allocations]
        if {folded(e.get("baseCurrencyCode")) for e in exchanges} != bases:
            return None
        listed = sum((money(a["amount"]) for a in allocations), Decimal(0))
        worth = sum((money(e["baseAmount"]) for e in exchanges), Decimal(0))
        if listed == gift["amount"]:
            return worth
        if listed - self._named_costs(gift, base=False) == gift["amount"]:
            return worth - self._named_costs(gift, base=True)
        return None

    @cached_property
    def _cost_projects(self) -> set[int]:
        """Ids of the projects of Raise that hold the costs that donors cover."""
        projects = self.o.of("raise", "projects")
        return {row["id"] for row in projects if {folded(row.get("name")), folded(row.get("code"))} & COVERED_COSTS}

    def _cost_allocations(self, gift: Row) -> list[Row]:
        return [
            allocation
            for allocation in json.loads(gift.get("projects") or "[]")
            if folded(allocation["name"]) in COVERED_COSTS or allocation.get("projectId") in self._cost_projects
        ]

    def _named_costs(self, gift: Row, *, base: bool) -> Decimal:
        return sum(
            (
                money((a["currencyExchange"] or {}).get("baseAmount", "0") if base else a["amount"])
                for a in self._cost_allocations(gift)
            ),
            Decimal(0),
        )

    def _raise_costs(self, gift: Row, *, base: bool) -> Decimal:
        return self._named_costs(gift, base=base) if gift.get("donor_paid_costs") else Decimal(0)

    @staticmethod
    def _rate(crm_gift: Row) -> Decimal:
        same = folded(crm_gift.get("currency_code")) == folded(crm_gift.get("base_currency_code"))
        return Decimal(1) if same else crm_gift.get("exchange_rate") or Decimal(0)

    def _designations(self, crm_gift: Row, *, base: bool) -> list[tuple[bool, Decimal]]:
        """Whether each is of covered costs, and its amount, which a reversal takes away."""
        rate = self._rate(crm_gift) if base else Decimal(1)
        return [
            (
                bool({folded(d.get("project")), folded(d.get("projectCode"))} & COVERED_COSTS),
                (-abs(amount) if crm_gift["id"] in self.unsigned else amount) * rate,
            )
            for d in json.loads(crm_gift.get("gift_designations") or "[]")
            for amount in [Decimal(str(d["amountDesignated"]))]
        ]

    def _crm_costs(self, crm_gifts: list[Row], *, base: bool) -> Decimal:
        parts = (part for gift in crm_gifts for part in self._designations(gift, base=base))
        return sum((amount for is_costs, amount in parts if is_costs), Decimal(0))

    def left_on_contacts(self, crm_gifts: list[Row]) -> list[Row]:
        """The CRM+ gifts that count: those on a contact, or on contacts, where the match does not net to zero.

        A reversal may name the passthrough givers of its gift, or not.
        """

        def legal(crm_gift: Row) -> int | None:
            contact = crm_gift.get("contact_id")
            return self.survivor(contact) or contact

        def is_taken_back(crm_gift: Row) -> bool:
            of_contact = [g for g in crm_gifts if legal(g) == legal(crm_gift)]
            all_of = self._all_contacts(crm_gift)
            of_contacts = [g for g in of_contact if self._all_contacts(g) == all_of]
            nets = [self.net(of_contact), self.net(of_contacts)]
            return any(net is not None and near(net, Decimal(0)) for net in nets)

        return [crm_gift for crm_gift in crm_gifts if not is_taken_back(crm_gift)]

    def _all_contacts(self, crm_gift: Row) -> set[int] | None:
        """The contacts of a gift that names passthrough givers; None where it names none, or none that is there."""
        is_passed = len(self.named_contacts(crm_gift)) > (crm_gift.get("contact_id") is not None)
        return self.contacts_of_gift(crm_gift) or None if is_passed else None

    def left_gifts(self, crm_gifts: list[Row]) -> list[Row]:
        """Those of them that are no reversals; where all was taken back, all that there was."""
        left = [g for g in self.left_on_contacts(crm_gifts) if not is_reversing(g)]
        return left or [g for g in crm_gifts if not is_reversing(g)]

    def _surplus_costs(self, gift: Row, surplus: Decimal, crm_gifts: list[Row], *, base: bool) -> Decimal:
        """The surplus, where the donor paid costs that no allocation names, and one designation is just that."""
        if not gift.get("donor_paid_costs") or self._cost_allocations(gift) or surplus <= 0:
            return Decimal(0)
        parts = [cents(amount) for g in self.left_gifts(crm_gifts) for _, amount in self._designations(g, base=base)]
        return surplus if sum(near(part, surplus) for part in parts) == 1 else Decimal(0)
