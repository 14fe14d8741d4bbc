"""§4.1: donors."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from tests.oracle.contract.contacts import Contacts
from tests.oracle.contract.values import Key, changed_at, integer
from tests.oracle.organization import Row


class Donors(Contacts):
    def activity(self, donor: int) -> list[Row]:
        return [
            *(g for g in self.raise_gifts.values() if g["donor_id"] == donor and self.counts(g) and self.group(g)),
            *(s for s in self.raise_schedules.values() if s["donor_id"] == donor and self.counts(s)),
        ]

    def donors(self) -> dict[Key, Row]:
        rows: dict[Key, Row] = {}
        for id, donor in self.raise_donors.items():
            row = self._donor(donor)
            gifts = [gift for gift in self.activity(id) if gift is self.raise_gifts.get(gift["id"])]
            row |= {"gift_count": len(gifts), "gift_amount": sum((g["amount"] for g in gifts), Decimal(0))}
            rows[id, None] = row
        for contact in self._orphan_contacts():
            rows[None, contact] = {"status": self._orphan_contact_status(contact), "crm_id": contact}
        return rows

    def _donor(self, donor: Row) -> Row:
        id = donor["id"]
        text = (donor.get("crm_key") or "").strip()
        key = integer(text)
        contact = self.survivor(key)
        referring = self.referring(id)
        answer: Row = {"crm_id": self.donor_contact(id)}
        usable = bool(text) and key is not None and not self.is_linked_elsewhere(donor)
        if usable and contact is not None and contact in referring:
            answer |= {"evidence": "crm_key+reference", "confidence": "exact"}
        elif usable and contact is not None:
            answer |= {"evidence": "crm_key", "confidence": "high"}
        elif not usable and len(referring) == 1:
            answer |= {"evidence": "reference", "confidence": "medium"}
        else:
            answer |= {"evidence": "none", "confidence": None}

        def status() -> str:
            if donor.get("is_test_mode"):
                return "test_mode"
            if donor.get("is_gdpr_deleted") or donor.get("_deleted_at") is not None:
                return "deleted"
            if self.o.runs_crm_plus is False:
                return "not_applicable"
            if not self.is_assessable("donor") or id in self.quarantined("raise", "donors"):
                return "not_assessable"
            if (text and key is None) or self.is_linked_elsewhere(donor):
                return "foreign_key"
            unreadable = self.quarantined("crm_plus", "contacts")
            if key is not None:
                assert text
                if unreadable & set(self.chain(key)):
                    return "not_assessable"
                if contact is None and None in unreadable:
                    return "not_assessable"
                is_newer = self.is_newer_than_crm_plus(donor, "donors", "contacts")
                if key not in self.contacts and is_newer:
                    return "not_assessable"
                if contact is not None:
                    others = [
                        c for c in referring if c != contact and self.survivor(c) == c and not self.is_archived(c)
                    ]
                    if contact not in referring and others:
                        is_unread = is_newer or self.named_at(id) > self.read_at["raise", "donors"]
                        return "not_assessable" if is_unread or self.has_unknown_reference(id) else "conflict"
                    if self.is_archived(contact):
                        return "archived"
                    return "merged" if contact != key else "linked"
                return "dangling"
            if referring and (self.has_unknown_reference(id) or self.named_at(id) > self.read_at["raise", "donors"]):
                if len(referring) > 1:
                    answer.update(evidence="none", confidence=None)
                return "not_assessable"
            if len(referring) == 1:
                return "linked_by_reference"
            if referring:
                answer.update(evidence="reference", confidence="medium")
                return "ambiguous_reference"
            activity = self.activity(id)
            if not activity:
                return "no_activity"
            expected = [row for row in activity if self.is_expected(row)]
            if not expected:
                return "not_assessable" if any(self.is_expected(r) is None for r in activity) else "sync_disabled"
            if self.may_be_unreadable("contacts"):
                return "not_assessable"
            since = max(self.created(donor), min(self.created(row) for row in expected))
            answer["expected_since"] = since
            by_age = self.by_age("donor", since)
            changed = min(
                self.created(row)
                if row is self.raise_schedules.get(row["id"])
                else changed_at(row, "created_date", "modified_date")
                for row in expected
            )
            is_too_new = by_age != "pending" and changed > self.read_at["crm_plus", "contacts"]
            return "not_assessable" if is_too_new else by_age

        answer["status"] = status()
        return answer

    def _orphan_contacts(self) -> list[int]:
        """Live contacts that name a donor that Raise never showed, and that no donor accounts for."""
        if self.o.runs_crm_plus is False:
            return []
        claims: dict[int, set[int]] = defaultdict(set)
        for donor, carriers in self.references.items():
            for carrier in carriers:
                claims[carrier].add(donor)
        accounted = {
            self.survivor(integer(donor.get("crm_key")))
            for donor in self.raise_donors.values()
            if not self.is_linked_elsewhere(donor)
        }
        return [
            contact
            for contact, donors in claims.items()
            if self.survivor(contact) == contact
            and not self.is_archived(contact)
            and contact not in accounted
            and not any(contact in self.referring(donor) for donor in self.raise_donors)
        ]

    def _orphan_contact_status(self, contact: int) -> str:
        if not self.is_assessable("donor") or contact in self.quarantined("crm_plus", "contacts"):
            return "not_assessable"
        unreadable = self.quarantined("raise", "donors")
        claimed = {d for d, carriers in self.references.items() if contact in {self.survivor(c) for c in carriers}}
        if None in unreadable or claimed & unreadable:
            return "not_assessable"
        as_of = self.as_of("donor")
        assert as_of is not None
        since = changed_at(self.contacts[contact], "create_date_time_utc", "modified_date_time_utc")
        return "pending" if since > as_of else "orphan"
