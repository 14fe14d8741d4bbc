"""§3: what was read, how old it is, and what could not be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property

from tests.oracle.contract.values import (
    CRM_PLUS_SIDE,
    DECIDING,
    LATE_AFTER,
    MISSING_AFTER,
    RAISE_SIDE,
    RAISE_SOURCES,
    REVERSED,
    SETTLED,
    STALE_AFTER,
    changed_at,
    folded,
    from_raise,
    integer,
    is_reversing,
)
from tests.oracle.organization import Organization, Row


class Reads:
    def __init__(self, organization: Organization) -> None:
        self.o = organization
        self.raise_donors = {row["id"]: row for row in organization.of("raise", "donors")}
        self.raise_gifts = {row["id"]: row for row in organization.of("raise", "gifts")}
        self.raise_schedules = {row["id"]: row for row in organization.of("raise", "recurring_gifts")}
        self.contacts = {row["id"]: row for row in organization.of("crm_plus", "contacts")}
        self.crm_gifts = {row["id"]: row for row in self._there("gifts")}
        self.unsigned = {id for id, row in self.crm_gifts.items() if self._takes_away_without_a_sign(row)}
        self.crm_gifts |= {id: (row := self.crm_gifts[id]) | {"amount": -row["amount"]} for id in self.unsigned}
        self.crm_schedules = {row["id"]: row for row in self._there("recurring_gifts")}

    def _there(self, resource: str) -> Iterator[Row]:
        return (row for row in self.o.of("crm_plus", resource) if row.get("_deleted_at") is None)

    def _takes_away_without_a_sign(self, gift: Row) -> bool:
        named = self.crm_gifts.get(gift.get("reversed_gift_id"))
        takes_back = named is not None and is_reversing(named)
        return is_reversing(gift) and (gift.get("amount") or 0) > 0 and not takes_back

    def is_believed(self, at: datetime) -> bool:
        return at <= self.o.clock

    @cached_property
    def read_at(self) -> dict[tuple[str, str], datetime]:
        """Start of the complete read of each resource that was recorded last: runs are counted, clocks may go back."""
        complete = [read for read in self.o.reads if read["is_complete"] and self.is_believed(read["started_at"])]
        return {
            (read["source"], read["resource"]): read["started_at"]
            for read in sorted(complete, key=lambda read: (read["run_number"] or 0, read["recorded_at"]))
        }

    def needed(self, entity: str) -> list[tuple[str, str]]:
        return RAISE_SIDE if self.o.runs_crm_plus is False else RAISE_SIDE + CRM_PLUS_SIDE[entity]

    def as_of(self, entity: str) -> datetime | None:
        reads = [self.read_at.get(resource) for resource in self.needed(entity)]
        return None if None in reads else min(read for read in reads if read is not None)

    def is_stale(self, resource: tuple[str, str]) -> bool:
        newest = max(self.read_at[needed] for needed in RAISE_SIDE)
        return self.read_at[resource] < newest - STALE_AFTER

    def is_empty(self, resource: tuple[str, str]) -> bool:
        """Whether a side shows nothing where the other says that there is something, or where something was."""
        rows = self.o.of(*resource)
        is_there = any(row.get("_deleted_at") is None for row in rows)
        if resource == ("raise", "donors"):
            others = [*self.raise_gifts.values(), *self.raise_schedules.values()]
            is_there = is_there or any(row.get("_deleted_at") is None for row in others)
            return not is_there and self._claims_raise()
        if resource == ("crm_plus", "contacts"):
            has_keys = any(
                integer(donor.get("crm_key")) is not None and self.counts(donor) and not donor.get("is_gdpr_deleted")
                for donor in self.raise_donors.values()
            )
            return not is_there and (bool(rows) or has_keys)
        if resource == ("crm_plus", "gifts"):
            settled = [g for g in self.raise_gifts.values() if self.group(g) == "settled" and self.counts(g)]
            is_old = any(self.read_at[resource] - self.created(gift) >= MISSING_AFTER for gift in settled)
            return not is_there and (bool(rows) or is_old)
        return False

    def _claims_raise(self) -> bool:
        references = [
            reference
            for contact in self.contacts.values()
            for reference in json.loads(contact.get("contact_references") or "[]")
        ]
        return any(map(from_raise, self.crm_gifts.values())) or any(
            folded(reference["source"]) in RAISE_SOURCES and integer(str(reference["id"])) for reference in references
        )

    def is_barred(self, resource: tuple[str, str]) -> bool:
        """Whether what was read last of a resource, however complete, accuses nobody."""
        return self.is_stale(resource) or self.is_empty(resource) or resource[0] in self.o.foreign

    def is_assessable(self, entity: str, *, without_contacts: bool = False) -> bool:
        """What the read of contacts lacks matters to gifts and schedules only where contacts decide."""
        if self.o.runs_crm_plus is None or self.as_of(entity) is None:
            return False
        return not any(
            self.is_barred(resource)
            for resource in self.needed(entity)
            if not (without_contacts and resource == ("crm_plus", "contacts"))
        )

    def quarantined(self, source: str, resource: str) -> set[int | None]:
        """Ids of the records whose present state is not known; None stands for those without an id."""
        return {
            integer(row["record_id"])
            for row in self.o.quarantine
            if (row["source"], row["resource"]) == (source, resource)
            and row.get("resolved_at") is None
            and (row["field"] is None or row["field"] in DECIDING[source, resource])
        }

    def may_be_unreadable(self, resource: str) -> bool:
        """Whether CRM+ has a record of which no version was ever read, so that it may be anybody's."""
        known = {row["id"] for row in self.o.of("crm_plus", resource)}
        return any(
            (row["source"], row["resource"], row["field"]) == ("crm_plus", resource, None)
            and row.get("resolved_at") is None
            and integer(row["record_id"]) not in known
            for row in self.o.quarantine
        )

    def by_age(self, entity: str, since: datetime) -> str:
        as_of = self.as_of(entity)
        assert as_of is not None
        age = as_of - since
        return "pending" if age < LATE_AFTER else "late" if age < MISSING_AFTER else "missing"

    def is_newer_than_crm_plus(self, row: Row, raise_side: str, *crm_plus_sides: str) -> bool:
        """Whether Raise changed the record after CRM+ was read, or a day before where only Raise was read since."""
        ours, theirs = self.read_at["raise", raise_side], min(self.read_at["crm_plus", side] for side in crm_plus_sides)
        since = theirs - LATE_AFTER if ours > theirs else theirs
        return changed_at(row, "created_date", "modified_date") > since

    @staticmethod
    def created(row: Row) -> datetime:
        return row.get("created_date") or row["_first_extracted_at"]

    @staticmethod
    def counts(row: Row) -> bool:
        return not row.get("is_test_mode") and row.get("_deleted_at") is None

    @staticmethod
    def group(gift: Row) -> str | None:
        status = folded(gift.get("status_text"))
        return "settled" if status in SETTLED else "reversed" if status in REVERSED else None
