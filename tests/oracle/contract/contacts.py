"""Contacts: where they end after merges, and which is a donor's."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property

from tests.oracle.contract.campaigns import Campaigns
from tests.oracle.contract.values import EVER, RAISE_SOURCES, changed_at, folded, integer
from tests.oracle.organization import Row


class Contacts(Campaigns):
    def chain(self, contact: int) -> list[int]:
        """Ids from a contact along its merges; the last one stands twice at a cycle."""
        seen = [contact]
        while (row := self.contacts.get(seen[-1])) is not None and (row.get("merged_into_contact_id") or 0) > 0:
            seen.append(row["merged_into_contact_id"])
            if seen[-1] in seen[:-1]:
                break
        return seen

    def survivor(self, contact: int | None) -> int | None:
        """The contact in the end; None for a cycle, a missing survivor, or a contact that is not there."""
        if contact is None or contact not in self.contacts:
            return None
        chain = self.chain(contact)
        end = self.contacts.get(chain[-1])
        if chain[-1] in chain[:-1] or end is None or end.get("_deleted_at") is not None:
            return None
        return chain[-1]

    def is_archived(self, contact: int) -> bool:
        return bool(self.contacts[contact].get("is_archived"))

    @cached_property
    def references(self) -> dict[int, set[int]]:
        """Per donor id, the contacts that carry a back-reference to it."""
        carriers: dict[int, set[int]] = defaultdict(set)
        for contact, row in self.contacts.items():
            if row.get("_deleted_at") is not None and not row.get("merged_into_contact_id"):
                continue
            for reference in json.loads(row.get("contact_references") or "[]"):
                donor = integer(str(reference["id"]))
                if folded(reference["source"]) in RAISE_SOURCES and donor is not None:
                    carriers[donor].add(contact)
        return carriers

    def referring(self, donor: int) -> set[int]:
        """The contacts that refer back to a donor, after merges; the carrier itself where its merges end nowhere."""
        carriers = self.references.get(donor, set())
        there = {c for c in carriers if self.contacts[c].get("_deleted_at") is None}
        return {s for c in carriers if (s := self.survivor(c)) is not None} | {
            c for c in there if self.survivor(c) is None
        }

    @staticmethod
    def is_linked_elsewhere(donor: Row) -> bool:
        urls = json.loads(donor.get("crm_key_urls") or "{}") or {}
        return (
            any(link is not None for link in urls.values())
            and "virtuous"
            not in json.dumps(
                [[type_, link.get("url") if isinstance(link, dict) else link] for type_, link in urls.items()]
            ).lower()
        )

    def is_end_unknown(self, contact: int | None) -> bool:
        """Whether a contact is there, and it or another one of its merges could not be read."""
        if contact is None or contact not in self.contacts:
            return False
        return bool(set(self.chain(contact)) & self.quarantined("crm_plus", "contacts"))

    def has_unknown_reference(self, donor: int) -> bool:
        """Whether a contact that refers back to the donor could not be read."""
        return any(
            self.is_end_unknown(carrier)
            for carrier in self.references.get(donor, set())
            if self.survivor(carrier) is not None or self.contacts[carrier].get("_deleted_at") is None
        )

    def may_sit_on_one_contact(self, donor: int, found: Iterable[int | None]) -> bool:
        """Whether contacts that differ may be one, as far as their merges could be read."""
        if any(self.is_end_unknown(contact) for contact in found):
            return True
        row = self.raise_donors[donor]
        key = None if self.is_linked_elsewhere(row) else integer(row.get("crm_key"))
        if self.is_end_unknown(key):
            return True
        return self.survivor(key) not in self.referring(donor) and self.has_unknown_reference(donor)

    def may_have_moved(self, donor: int, crm_rows: list[Row], resource: str) -> bool:
        """Whether a donor and what sits on a contact in CRM+ were read before one of them changed."""
        moved_at = max(changed_at(row, "create_date_time_utc", "modified_date_time_utc") for row in crm_rows)
        named_at = EVER if (self.raise_donors[donor].get("crm_key") or "").strip() else self.named_at(donor)
        donors, contacts = self.read_at["raise", "donors"], self.read_at["crm_plus", "contacts"]
        return (
            self.is_newer_than_crm_plus(self.raise_donors[donor], "donors", "contacts", resource)
            or moved_at > min(donors, contacts)
            or named_at > min(donors, self.read_at["crm_plus", resource])
        )

    def named_at(self, donor: int) -> datetime:
        """Last known change of the contacts that refer back to the donor."""
        stamps = [
            self.contacts[carrier].get(stamp)
            for carrier in self.references.get(donor, set())
            for stamp in ("create_date_time_utc", "modified_date_time_utc")
        ]
        return max((stamp for stamp in stamps if stamp is not None), default=EVER)

    def donor_contact(self, donor: int | None) -> int | None:
        """The contact of a donor in the end: by its key, else by the one back-reference."""
        row = self.raise_donors.get(donor) if donor is not None else None
        if row is None:
            return None
        key = integer(row.get("crm_key"))
        if key is not None and not self.is_linked_elsewhere(row):
            return self.survivor(key)
        referring = self.referring(row["id"])
        return referring.pop() if len(referring) == 1 else None

    @staticmethod
    def named_contacts(crm_gift: Row) -> list[int]:
        """Contacts that a CRM+ gift names: the legal donor, and the persons who gave through it."""
        parts = json.loads(crm_gift.get("gift_passthroughs") or "[]")
        named = [crm_gift.get("contact_id"), crm_gift.get("contact_passthrough_id")]
        return [contact for contact in [*named, *(part.get("contactId") for part in parts)] if contact is not None]

    def contacts_of_gift(self, crm_gift: Row) -> set[int]:
        """The same after merges, as far as these end."""
        return {end for contact in self.named_contacts(crm_gift) if (end := self.survivor(contact)) is not None}

    @staticmethod
    def has_nameless_giver(crm_gift: Row) -> bool:
        """Whether somebody gave through a CRM+ gift of whom it names no contact."""
        parts = json.loads(crm_gift.get("gift_passthroughs") or "[]")
        return any(part.get("contactId") is None for part in parts)

    def has_unknown_contact(self, crm_gift: Row) -> bool:
        """Whether a CRM+ gift may sit on another contact than on those that could be read."""
        if crm_gift.get("contact_id") is None or self.has_nameless_giver(crm_gift):
            return True
        unreadable = self.quarantined("crm_plus", "contacts")
        return any(
            self.is_end_unknown(named) or (self.survivor(named) is None and bool({named, None} & unreadable))
            for named in self.named_contacts(crm_gift)
        )

    def known_contacts(self, donor: int | None) -> set[int]:
        """Contacts that a gift of the donor may sit on: where key and back-reference disagree, on either."""
        contact = self.donor_contact(donor)
        if donor is None or contact is None:
            return set()
        referring = self.referring(donor)
        if contact in referring:
            return {contact}
        return {contact} | {c for c in referring if self.survivor(c) is not None and not self.is_archived(c)}
