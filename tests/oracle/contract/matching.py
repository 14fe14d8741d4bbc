"""§4.2: which CRM+ gifts belong to which Raise gift."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from tests.oracle.contract.amounts import Amounts
from tests.oracle.contract.values import (
    AMOUNT_TOLERANCE,
    DATE_TOLERANCE,
    RAISE_SOURCES,
    folded,
    from_raise,
    is_reversing,
    near,
    transaction_raise_id,
)
from tests.oracle.organization import Row


@dataclass
class Match:
    """The CRM+ gifts of one Raise gift."""

    gifts: list[int] = field(default_factory=list)
    evidence: str = "none"
    reversed_by_amount: bool = False
    is_moved: bool = False
    candidates: set[int] = field(default_factory=set)
    """Gifts of which some may belong to the match, and which of them cannot be said."""

    def add(self, evidence: str, gifts: Iterable[int]) -> None:
        self.gifts += gifts
        if self.evidence == "none":
            self.evidence = evidence


class Target(NamedTuple):
    """What a reversal may take back: gifts of a match of one amount, or all that are not taken back yet."""

    amount: Decimal | None
    currency: str | None
    day: date | None
    is_day_known: bool
    gifts: int
    is_sum: bool


Matches = defaultdict[int, Match]
Edge = tuple[int, tuple[int, ...]]
"""A Raise gift, and the CRM+ gifts that may be its own."""


class Matching(Amounts):
    def usable_pair(self, gift: Row) -> int | None:
        """The Raise gift that the transaction pair names, where it can name one and the back-pointer is trusted."""
        return transaction_raise_id(gift.get("transaction_id")) if from_raise(gift) and self.is_key_trusted else None

    @cached_property
    def is_key_trusted(self) -> bool:
        claiming = [gift for gift in self.crm_gifts.values() if from_raise(gift)]
        finding = [g for g in claiming if transaction_raise_id(g.get("transaction_id")) in self.raise_gifts]
        return len(claiming) < 20 or 2 * len(finding) >= len(claiming)

    @cached_property
    def families(self) -> dict[int, list[int]]:
        """CRM+ gifts by the gift that they belong to: itself, or for a reversal what it reverses in the end."""
        root: dict[int, int] = {}
        for id, gift in self.crm_gifts.items():
            seen, at = [id], gift
            while is_reversing(at) and at.get("reversed_gift_id") in self.crm_gifts:
                if at["reversed_gift_id"] in seen:
                    seen = [id]
                    break
                seen.append(at["reversed_gift_id"])
                at = self.crm_gifts[seen[-1]]
            root[id] = seen[-1]
        for id, gift in self.crm_gifts.items():
            if root[id] == id and is_reversing(gift) and len(same := self._gifts_of_pair(gift)) == 1:
                root[id] = same[0]
        for id in root:
            while root[root[id]] != root[id]:
                root[id] = root[root[id]]
        families: dict[int, list[int]] = defaultdict(list)
        for id, of in sorted(root.items()):
            families[of].append(id)
        return families

    @staticmethod
    def _pair(gift: Row) -> tuple[str, str] | None:
        """Source and id of the transaction as they are compared with each other; the sources of Raise are one."""
        source, id = folded(gift.get("transaction_source")), folded(gift.get("transaction_id"))
        bare = re.sub(r"^(rd2-|rd-|raise-)", "", id or "")
        return None if source is None or not bare else ("raise" if source in RAISE_SOURCES else source, bare)

    def _gifts_of_pair(self, reversal: Row) -> list[int]:
        pair = self._pair(reversal)
        gifts = self.crm_gifts.items()
        return [id for id, gift in gifts if pair is not None and self._pair(gift) == pair and not is_reversing(gift)]

    def family_pair(self, root: int) -> int | None:
        """The pair of the gift itself, else of a reversal that names a Raise gift: reversals have ids of their own."""
        own = self.usable_pair(self.crm_gifts[root])
        pairs = [self.usable_pair(self.crm_gifts[id]) for id in self.families[root]]
        return own or next((pair for pair in pairs if pair in self.raise_gifts), None)

    @cached_property
    def matches(self) -> Matches:
        """By Raise gift. Each step takes what those before it have left over."""
        matches: Matches = defaultdict(Match)
        self._match_by_decision_and_pair(matches)
        self._match_by_amount_and_date(matches)
        self._match_by_sum_and_date(matches)
        self._join_reversals(matches)
        self._join_moved_gifts(matches)
        return matches

    def _match_by_decision_and_pair(self, matches: Matches) -> None:
        for root, members in self.families.items():
            # A pair that no Raise gift has makes an orphan; only a decision makes something else of it.
            says = self._own_raise_gift if self.usable_pair(self.crm_gifts[root]) is None else self._decision
            told = [self._own_raise_gift(root), *sorted(filter(None, map(says, members)))]
            target = next((gift for gift in told if gift is not None), None)
            for member in members:
                decided = self._decision(member)
                if decided is not None:
                    matches[decided].gifts.append(member)
                    matches[decided].evidence = "override"
                elif target is not None:
                    matches[target].add("transaction", [member])
            if target is not None and self._decision(root) is not None:
                matches[target].evidence = "override"

    def _match_by_amount_and_date(self, matches: Matches) -> None:
        candidates = self.left_over(matches)
        edges: list[Edge] = [
            (id, (root,))
            for id in self._without_gift(matches)
            for root in candidates
            if self._alike(self.raise_gifts[id], [self.crm_gifts[root]])
        ]
        for id, roots in self._unique(edges):
            matches[id].add("donor_amount_date", self._with_reversals(*roots))

    def _match_by_sum_and_date(self, matches: Matches) -> None:
        """All that is left over from Raise without an id, of one contact and one day."""
        groups: dict[tuple[int, date], list[int]] = defaultdict(list)
        for root in self.left_over(matches):
            gift = self.crm_gifts[root]
            if self.may_be_part(gift) and gift.get("gift_date") is not None:
                for contact in self.contacts_of_gift(gift):
                    groups[contact, gift["gift_date"]].append(root)
        edges: list[Edge] = [
            (id, tuple(roots))
            for id in self._without_gift(matches)
            for (contact, _), roots in groups.items()
            if len(roots) > 1 and contact == self.donor_contact(self.raise_gifts[id]["donor_id"])
            if self._alike(self.raise_gifts[id], [self.crm_gifts[root] for root in roots])
        ]
        for id, roots in self._unique(edges):
            matches[id].add("donor_sum_date", self._with_reversals(*roots))

    def _join_reversals(self, matches: Matches) -> None:
        """Unnamed reversals join what Raise calls reversed and CRM+ has not reversed yet."""
        unnamed = self._unnamed_reversals(matches)
        taken_back = {
            (id, reversal): target
            for id, match in matches.items()
            if self._wants(id, "reversed") and match.gifts and not self._nets_to_zero(match)
            for reversal in unnamed
            if (target := self._taken_back(reversal, match)) is not None
        }
        edges = self._live_first([(id, (reversal,)) for id, reversal in taken_back])
        of_reversal = Counter(reversal for _, (reversal,) in edges)
        for id, match in matches.items():
            found = [reversal for of, (reversal,) in edges if of == id]
            of_target = Counter(taken_back[id, reversal] for reversal in found)
            # Of several gifts of one match, one reversal each.
            is_fit = all(
                number <= target.gifts and (not target.is_sum or len(found) == 1)
                for target, number in of_target.items()
            ) and all(of_reversal[reversal] == 1 and self._surely_takes_back(reversal, match) for reversal in found)
            if not is_fit:
                match.candidates |= set(found)
            elif found:
                match.gifts += self._with_reversals(*found)
                match.reversed_by_amount = True

    def _join_moved_gifts(self, matches: Matches) -> None:
        """What was reversed on one contact, though Raise calls it settled, may have been entered again on another."""
        left = self.left_over(matches)
        edges: list[Edge] = [
            (id, (root,))
            for id, match in matches.items()
            if self._wants(id, "settled") and self.counts(self.raise_gifts[id]) and self._nets_to_zero(match)
            if {is_reversing(self.crm_gifts[gift]) for gift in match.gifts} == {True, False}
            for root in left
            if self._alike(self.raise_gifts[id], [self.crm_gifts[root]])
        ]
        unique = self._unique(edges)
        for id, (root,) in edges:
            if (id, (root,)) in unique:
                matches[id].gifts += self._with_reversals(root)
                matches[id].is_moved = True
            else:
                matches[id].candidates.add(root)

    # --- what the steps ask ----------------------------------------------------------------------------------------

    @staticmethod
    def placed(matches: Matches) -> set[int]:
        return {gift for match in matches.values() for gift in match.gifts}

    def has_foreign_pair(self, root: int) -> bool:
        """A pair of another system is that system's."""
        source, id = (folded(self.crm_gifts[root].get(f"transaction_{part}")) for part in ("source", "id"))
        return source is not None and source not in RAISE_SOURCES and id is not None

    @staticmethod
    def may_be_part(gift: Row) -> bool:
        """From Raise without an id, as the older integration writes one gift for each project."""
        return from_raise(gift) and folded(gift.get("transaction_id")) is None

    def left_over(self, matches: Matches) -> list[int]:
        """CRM+ gifts without a match that no pair ties to a gift, of Raise or of another system."""
        placed = self.placed(matches)
        return [
            root
            for root in self.families
            if root not in placed and not is_reversing(self.crm_gifts[root])
            if self.family_pair(root) is None and not self.has_foreign_pair(root)
        ]

    def _without_gift(self, matches: Matches) -> list[int]:
        """Settled and reversed Raise gifts that have no CRM+ gift, or only reversals of one."""
        return [
            id
            for id, gift in self.raise_gifts.items()
            if self.group(gift) and not gift.get("is_test_mode")
            if all(is_reversing(self.crm_gifts[member]) for member in matches[id].gifts)
        ]

    def _wants(self, id: int, group: str) -> bool:
        gift = self.raise_gifts[id]
        return self.group(gift) == group and not gift.get("is_test_mode")

    def _nets_to_zero(self, match: Match) -> bool:
        net = self.net([self.crm_gifts[gift] for gift in match.gifts])
        return net is not None and near(net, Decimal(0))

    def _with_reversals(self, *roots: int) -> list[int]:
        return [member for root in roots for member in self.families[root]]

    def _live_first(self, edges: list[Edge]) -> list[Edge]:
        """Deleted Raise gifts give way to live ones."""
        live = {gift for id, gifts in edges if self.counts(self.raise_gifts[id]) for gift in gifts}
        return [(id, gifts) for id, gifts in edges if self.counts(self.raise_gifts[id]) or not live & set(gifts)]

    def _unique(self, edges: list[Edge]) -> list[Edge]:
        """Edges that share neither their Raise gift nor a CRM+ gift with another one."""
        edges = self._live_first(edges)
        of_gift = Counter(id for id, _ in edges)
        of_crm_gift = Counter(gift for _, gifts in edges for gift in gifts)
        return [(id, gifts) for id, gifts in edges if of_gift[id] == 1 and all(of_crm_gift[g] == 1 for g in gifts)]

    def _unnamed_reversals(self, matches: Matches) -> list[int]:
        """Reversals that name no gift that is there, neither by `reversedGiftId` nor by their pair."""
        placed = self.placed(matches)
        return [
            root
            for root in self.families
            if root not in placed and is_reversing(gift := self.crm_gifts[root])
            if gift.get("reversed_gift_id") not in self.crm_gifts and not self._gifts_of_pair(gift)
        ]

    def _targets(self, match: Match) -> Iterator[Target]:
        def target(gifts: list[Row], amount: Decimal | None, day: date | None, *, is_sum: bool) -> Target:
            is_day_known = all(g.get("gift_date") is not None for g in gifts)
            currency = folded(gifts[0].get("currency_code"))
            return Target(amount, currency, day, is_day_known, 1 if is_sum else len(gifts), is_sum)

        left = [self.crm_gifts[g] for g in match.gifts if not self._is_taken_back(g, match)]
        left = [gift for gift in left if not is_reversing(gift)]
        alike: dict[tuple[Decimal | None, str | None], list[Row]] = defaultdict(list)
        for gift in left:
            alike[gift.get("amount"), folded(gift.get("currency_code"))].append(gift)
        for (amount, _), gifts in alike.items():
            days = [g["gift_date"] for g in gifts if g.get("gift_date") is not None]
            yield target(gifts, amount, min(days, default=None), is_sum=False)
        amounts = [g.get("amount") for g in left]
        if len(left) > 1 and None not in amounts and len({currency for _, currency in alike} - {None}) <= 1:
            days = [g["gift_date"] for g in left if g.get("gift_date") is not None]
            yield target(left, sum(filter(None, amounts), Decimal(0)), max(days, default=None), is_sum=True)

    def _is_taken_back(self, gift: int, match: Match) -> bool:
        of_gift = [self.crm_gifts[member] for member in self.families.get(gift, [gift]) if member in match.gifts]
        net = self.net(of_gift)
        return net is not None and near(net, Decimal(0))

    def _taken_back(self, reversal: int, match: Match) -> Target | None:
        """What a reversal takes back, as far as both could be read."""
        taking, takes = self.crm_gifts[reversal], self._net_of_family(reversal)
        shares = self._shares_contact(reversal, match)
        is_contact_unknown = any(self.has_unknown_contact(self.crm_gifts[g]) for g in [reversal, *match.gifts])
        for target in self._targets(match):
            amounts, currencies = (target.amount, takes), {target.currency, folded(taking.get("currency_code"))}
            days = (target.day, taking.get("gift_date"))
            is_equal = None not in amounts and target.amount == -takes
            if (
                (is_equal or None in amounts)
                and len(currencies - {None}) <= 1
                and (None in days or days[1] >= days[0] - DATE_TOLERANCE)
                and (shares or (is_equal and is_contact_unknown))
            ):
                return target
        return None

    def _surely_takes_back(self, reversal: int, match: Match) -> bool:
        target, day = self._taken_back(reversal, match), self.crm_gifts[reversal].get("gift_date")
        is_known = target is not None and None not in (target.amount, self._net_of_family(reversal), day)
        return is_known and target.is_day_known and self._shares_contact(reversal, match)

    def _net_of_family(self, root: int) -> Decimal | None:
        """What takes a reversal back counts against it."""
        return self.net([self.crm_gifts[member] for member in self.families[root]])

    def _shares_contact(self, reversal: int, match: Match) -> bool:
        """Whether a reversal sits on a contact of the match; one that is nowhere is still the same for both."""
        contacts = {contact for gift in match.gifts for contact in self._sits_on(gift)}
        return bool(contacts & self._sits_on(reversal))

    def _sits_on(self, gift: int) -> set[int | None]:
        row = self.crm_gifts[gift]
        return {*self.contacts_of_gift(row)} or {row.get("contact_id")}

    @cached_property
    def of_other_systems(self) -> list[int]:
        """Gifts of another system that no decision gives to a Raise gift."""
        placed = self.placed(self.matches)
        left = [root for root in self.families if root not in placed and self.has_foreign_pair(root)]
        return [root for root in left if not is_reversing(self.crm_gifts[root])]

    def likes(self, id: int, of: list[int]) -> list[int]:
        """Those of some CRM+ gifts that have the contact, amount and date of a Raise gift."""
        return [root for root in of if self._alike(self.raise_gifts[id], [self.crm_gifts[root]])]

    def _decision(self, crm_gift: int) -> int | None:
        decided = self.o.overrides.get(crm_gift)
        return decided if decided in self.raise_gifts else None

    def _own_raise_gift(self, crm_gift: int) -> int | None:
        """The Raise gift of a CRM+ gift by decision, else by its own pair."""
        pair = self.usable_pair(self.crm_gifts[crm_gift])
        return self._decision(crm_gift) or (pair if pair in self.raise_gifts else None)

    def _alike(self, gift: Row, crm_gifts: list[Row]) -> bool:
        """Whether all sit on the donor's contact, on the day of the gift, and make up its amount."""
        contact = self.donor_contact(gift["donor_id"])
        if contact is None or not all(contact in self.contacts_of_gift(crm_gift) for crm_gift in crm_gifts):
            return False
        days = [crm_gift.get("gift_date") for crm_gift in crm_gifts]
        if gift.get("date") is None or any(d is None or abs(gift["date"] - d) > DATE_TOLERANCE for d in days):
            return False
        amounts = self.comparable(gift, crm_gifts)
        return amounts is not None and amounts.amount > 0 and abs(amounts.amount - amounts.net) <= AMOUNT_TOLERANCE
