"""§4.2: what is said of gifts."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from tests.oracle.contract.amounts import Compared
from tests.oracle.contract.matching import Match, Matching
from tests.oracle.contract.values import (
    AMOUNT_TOLERANCE,
    DATE_TOLERANCE,
    Key,
    changed_at,
    folded,
    from_raise,
    integer,
    is_reversing,
    made_at,
    near,
)
from tests.oracle.organization import Row


class Gifts(Matching):
    def gifts(self) -> dict[Key, Row]:
        rows: dict[Key, Row] = {}
        for id, gift in self.raise_gifts.items():
            rows[id, None] = self._gift(gift, self.matches[id])
        accounted = self.placed(self.matches) | self._may_reverse_a_match
        claims: dict[int, list[int]] = defaultdict(list)
        if self.o.runs_crm_plus is not False:
            for root in self.families:
                pair = self.family_pair(root)
                if root in accounted:
                    continue
                if pair is not None:
                    claims[pair].append(root)
                    continue
                for reversal in self.families[root]:
                    own = self.usable_pair(self.crm_gifts[reversal])
                    if own is not None:
                        claims[own].append(reversal)
        for pair, roots in claims.items():
            # A reversal that names no gift belongs to the gift of the same pair.
            gifts = [r for r in roots if not is_reversing(self.crm_gifts[r])] or roots[:1]
            for root in gifts:
                stray = [r for r in roots if r not in gifts and root == gifts[0]]
                members = sorted(m for r in [root, *stray] for m in self.families.get(r, [r]))
                rows[None, root] = {
                    "status": self._orphan_gift(root, pair, members),
                    "crm_id": root,
                    "crm_gift_ids": members,
                }
        return rows

    @property
    def _may_reverse_a_match(self) -> set[int]:
        """Reversals that may belong to a match which is not assessable for them."""
        return {gift for match in self.matches.values() for gift in match.candidates}

    def _orphan_gift(self, root: int, pair: int, members: list[int]) -> str:
        unreadable = self.quarantined("raise", "gifts")
        if not self.is_assessable("gift", without_contacts=True) or unreadable & {pair, None}:
            return "not_assessable"
        if self.quarantined("crm_plus", "gifts") & set(members):
            return "not_assessable"
        as_of = self.as_of("gift")
        assert as_of is not None
        return "pending" if made_at(self.crm_gifts[root]) > as_of else "orphan"

    def _gift(self, gift: Row, match: Match) -> Row:
        id = gift["id"]
        crm_gifts = [self.crm_gifts[m] for m in sorted(match.gifts)]
        expected_contact = self.donor_contact(gift["donor_id"])
        answer: Row = {"evidence": match.evidence, "raise_amount": gift["amount"], "contact_id": expected_contact}
        answer |= {"crm_gift_ids": sorted(match.gifts), "crm_amount": self.net(crm_gifts)}
        answer["reversal_evidence"] = self._reversal_evidence(match)
        standing = [g for g in crm_gifts if not is_reversing(g)]
        answer["crm_id"] = min((g["id"] for g in standing or crm_gifts), default=None)

        def status() -> str:
            if gift.get("is_test_mode"):
                return "test_mode"
            if gift.get("_deleted_at") is not None:
                return "deleted"
            if self.o.runs_crm_plus is False:
                return "not_applicable"
            by_contact = match.evidence in ("none", "donor_amount_date", "donor_sum_date")
            if not self.is_assessable("gift", without_contacts=not by_contact):
                return "not_assessable"
            if id in self.quarantined("raise", "gifts"):
                return "not_assessable"
            unreadable = self.quarantined("crm_plus", "gifts")
            if unreadable & {g["id"] for g in crm_gifts}:
                return "not_assessable"
            # What Raise says nothing about is neither settled nor anything else.
            if not folded(gift.get("status_text")):
                return "not_assessable"
            group = self.group(gift)
            if not crm_gifts:
                return self._without_match(gift, group, expected_contact, answer)
            amounts = self.comparable(gift, crm_gifts)
            if amounts is None:
                return "not_assessable"
            return self._compare(gift, group, crm_gifts, amounts, match)

        answer["status"] = status()
        return answer

    def _without_match(self, gift: Row, group: str | None, contact: int | None, answer: Row) -> str:
        if group is None or group == "reversed":
            return "not_expected"
        expected = self.is_expected(gift)
        if expected is None:
            return "not_assessable"
        if expected is False:
            return "sync_disabled"
        if self.may_be_unreadable("gifts") or self.may_be_unplaced(gift, []) or self._is_in_doubt(gift):
            return "not_assessable"
        answer["expected_since"] = self.created(gift)
        by_age = self.by_age("gift", self.created(gift))
        # Missing is what was looked for after it should have arrived.
        changed = changed_at(gift, "created_date", "modified_date")
        if by_age != "pending" and changed > self.read_at["crm_plus", "gifts"]:
            return "not_assessable"
        if by_age != "pending" and not self.is_key_trusted:
            # A part of a sum was left over, too, when single gifts were looked for.
            parts = [m for match in self.matches.values() if match.evidence == "donor_sum_date" for m in match.gifts]
            is_like_one = bool(self.likes(gift["id"], [*self.left_over(self.matches), *parts]))
            if contact is None or is_like_one or self._has_unexplained(contact):
                return "not_assessable"
        return "not_assessable" if by_age != "pending" and self.likes(gift["id"], self.of_other_systems) else by_age

    def _is_in_doubt(self, gift: Row) -> bool:
        """Whether CRM+ gifts that are left over may be this one, as far as either could be read."""
        donor = self.raise_donors.get(gift["donor_id"])
        key = integer(donor.get("crm_key")) if donor and not self.is_linked_elsewhere(donor) else None
        unreadable = self.quarantined("crm_plus", "contacts")
        is_nobody_known = gift["donor_id"] in self.quarantined("raise", "donors") or (
            key is not None
            and bool(unreadable & set(self.chain(key)) or (self.survivor(key) is None and None in unreadable))
        )
        if donor is not None:
            is_nobody_known |= self.is_newer_than_crm_plus(donor, "donors", "contacts", "gifts")
            is_nobody_known |= self.survivor(key) not in self.referring(donor["id"]) and self.has_unknown_reference(
                donor["id"]
            )
        contact = self.donor_contact(gift["donor_id"])
        for others in self._left_or_foreign:
            amounts = gift.get("amount"), self.net(others)
            days = gift.get("date"), others[0].get("gift_date")
            currencies = {folded(gift.get("currency")), *(folded(g.get("currency_code")) for g in others)} - {None}
            if len(currencies) > 1 or (None not in days and abs(days[0] - days[1]) > DATE_TOLERANCE):
                continue
            is_unknown = any(map(self.has_unknown_contact, others))
            if (is_nobody_known or is_unknown) and None not in amounts and amounts[0] == amounts[1]:
                return True
            is_near = None in amounts or near(amounts[0], amounts[1])
            if contact in self.contacts_of_gift(others[0]) and is_near and None in (*days, amounts[1]):
                return True
        return False

    @cached_property
    def _left_or_foreign(self) -> list[list[Row]]:
        """What may be a Raise gift: each CRM+ gift without a pair of Raise, and what may be parts of one together."""
        placed = self.placed(self.matches)
        left = [
            gift
            for root in self.families
            if root not in placed and self.family_pair(root) is None and not is_reversing(gift := self.crm_gifts[root])
        ]
        parts: dict[tuple[Any, Any], list[Row]] = defaultdict(list)
        for gift in left:
            if self.may_be_part(gift):
                parts[gift.get("contact_id"), gift.get("gift_date")].append(gift)
        return [*([gift] for gift in left), *(together for together in parts.values() if len(together) > 1)]

    def _has_unexplained(self, contact: int | None) -> bool:
        """Where the key is not the key: whether the contact has gifts from Raise that belong to no Raise gift yet."""
        matched = self.placed(self.matches)
        return not self.is_key_trusted and any(
            from_raise(gift) and id not in matched and contact in self.contacts_of_gift(gift)
            for id, gift in self.crm_gifts.items()
        )

    def _compare(self, gift: Row, group: str | None, crm_gifts: list[Row], amounts: Compared, match: Match) -> str:
        net, costs = amounts.net, amounts.costs
        expected = Decimal(0) if group == "reversed" else amounts.amount
        is_nothing = near(net, Decimal(0))
        found = self._difference(gift, group, crm_gifts, amounts, match)
        if found is not None:
            # What was reversed to nothing, or booked twice, is not right in its amount either, unless costs explain it.
            is_amount_wrong = found in ("reversal_without_refund", "duplicate") and not any(
                near(net, expected + cost) for cost in {Decimal(0), *costs}
            )
            may_lack_a_part = (found in ("refund_not_reversed", "amount_mismatch") or is_amount_wrong) and (
                self.may_be_unreadable("gifts") or self.may_be_unplaced(gift, crm_gifts)
            )
            is_uncertain = (
                self._changed_since(gift, crm_gifts)
                or may_lack_a_part
                or (found == "contact_mismatch" and self._may_be_on_the_contact(gift, crm_gifts))
            )
            return "not_assessable" if is_uncertain else found
        if len(self.left_gifts(crm_gifts)) >= 2 and not match.is_moved:
            return "matched_split"
        if not near(net, expected) and costs and not (group is None and is_nothing):
            return "matched_with_costs"
        return "matched"

    def _difference(
        self, gift: Row, group: str | None, crm_gifts: list[Row], amounts: Compared, match: Match
    ) -> str | None:
        amount, net = amounts.amount, amounts.net
        standing = [g for g in crm_gifts if not is_reversing(g)]
        expected = Decimal(0) if group == "reversed" else amount
        is_nothing = near(net, Decimal(0))
        if group == "reversed" and not is_nothing:
            contact = self.donor_contact(gift["donor_id"]) or self._contact_of_match(crm_gifts)
            is_unknown = match.candidates or self._has_unexplained(contact)
            return "not_assessable" if is_unknown else "refund_not_reversed"
        if group == "settled" and len(standing) < len(crm_gifts) and is_nothing:
            # What was entered again on another contact may be there, and is not known for it.
            return "not_assessable" if match.candidates or self._is_in_doubt(gift) else "reversal_without_refund"
        full = [
            single
            for single, own in amounts.standing
            if near(single, amount) or near(single, amount + amounts.allocated_costs) or near(single - own, amount)
        ]
        if len(full) >= 2 and net > expected + AMOUNT_TOLERANCE:
            return "duplicate"
        agreeing = [expected, *(expected + cost for cost in amounts.costs)]
        if not any(near(net, value) for value in agreeing) and not (group is None and is_nothing):
            return "amount_mismatch"
        if self._sits_elsewhere(gift, crm_gifts):
            return "contact_mismatch"
        left = self.left_gifts(crm_gifts)
        dates = [g["gift_date"] for g in left if g.get("gift_date") is not None]
        if gift.get("date") is not None and any(abs(gift["date"] - day) > DATE_TOLERANCE for day in dates):
            return "date_mismatch"
        return None

    def _changed_since(self, gift: Row, crm_gifts: list[Row]) -> bool:
        changed: datetime = max(changed_at(g, "create_date_time_utc", "modified_date_time_utc") for g in crm_gifts)
        return self.is_newer_than_crm_plus(gift, "gifts", "gifts") or changed > self.read_at["raise", "gifts"]

    def _sits_elsewhere(self, gift: Row, crm_gifts: list[Row]) -> bool:
        contacts = self.known_contacts(gift["donor_id"])
        if not contacts or gift["donor_id"] in self.quarantined("raise", "donors"):
            return False
        found = map(self.contacts_of_gift, self.left_on_contacts(crm_gifts))
        return any(of_gift and not of_gift & contacts for of_gift in found)

    def _may_be_on_the_contact(self, gift: Row, crm_gifts: list[Row]) -> bool:
        named = [contact for crm_gift in crm_gifts for contact in self.named_contacts(crm_gift)]
        return (
            not self.is_assessable("gift")
            or any(map(self.has_nameless_giver, crm_gifts))
            or self.may_sit_on_one_contact(gift["donor_id"], named)
            or self.may_have_moved(gift["donor_id"], crm_gifts, "gifts")
        )

    def _reversal_evidence(self, match: Match) -> str | None:
        """What ties the reversals to the match."""
        if match.reversed_by_amount:
            return "amount"
        reversals = [gift for id in match.gifts if is_reversing(gift := self.crm_gifts[id])]
        if any(gift.get("reversed_gift_id") in self.crm_gifts for gift in reversals):
            return "named"
        has_pair = any(self._gifts_of_pair(g) or self.usable_pair(g) in self.raise_gifts for g in reversals)
        return "pair" if has_pair else None

    @cached_property
    def unplaced_gifts(self) -> list[Row]:
        """CRM+ gifts that belong to no Raise gift, and what would tell where they belong could not be read."""
        unreadable = {
            integer(row["record_id"])
            for row in self.o.quarantine
            if (row["source"], row["resource"]) == ("crm_plus", "gifts")
            and row.get("resolved_at") is None
            and row["field"] in {"transactionId", "reversedGiftId"}
        }
        placed = {
            member
            for members in self.families.values()
            for member in members
            if any(self._own_raise_gift(of) is not None for of in members)
        }
        return [self.crm_gifts[id] for id in self.families if id in unreadable - placed]

    def may_be_unplaced(self, gift: Row, crm_gifts: list[Row]) -> bool:
        """Whether a CRM+ gift that nobody could place may be the gift or, of a match, the rest: one on its contact."""
        contact = self.donor_contact(gift["donor_id"]) or self._contact_of_match(crm_gifts)
        return any(
            not self.named_contacts(other)
            or contact in {self.survivor(named) or named for named in self.named_contacts(other)}
            for other in self.unplaced_gifts
            # A reversal is the rest of something, never a gift itself.
            if crm_gifts or not is_reversing(other)
        )

    def _contact_of_match(self, crm_gifts: list[Row]) -> int | None:
        standing = [g for g in crm_gifts if not is_reversing(g)]
        sat_on = [g["contact_id"] for g in standing + crm_gifts if g.get("contact_id") is not None]
        return next((self.survivor(contact) or contact for contact in sat_on), None)
