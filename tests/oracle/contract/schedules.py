"""§4.3: recurring gifts."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cached_property

from tests.oracle.contract.contacts import Contacts
from tests.oracle.contract.values import (
    AMOUNT_TOLERANCE,
    CRM_PLUS_FREQUENCIES,
    CRM_PLUS_STATES,
    LATE_AFTER,
    RAISE_FREQUENCIES,
    RAISE_STATES,
    Key,
    changed_at,
    folded,
    from_raise,
    integer,
    made_at,
    state,
    transaction_raise_id,
)
from tests.oracle.organization import Row


class Schedules(Contacts):
    def recurring_gifts(self) -> dict[Key, Row]:
        rows: dict[Key, Row] = {}
        matched = set()
        for id, schedule in self.raise_schedules.items():
            row = self._schedule(schedule)
            rows[id, None] = row
            if row["crm_id"] is not None:
                matched.add(row["crm_id"])
        if self.o.runs_crm_plus is False:
            return rows
        for crm_id, crm_schedule in self.crm_schedules.items():
            named = transaction_raise_id(crm_schedule.get("transaction_id"))
            if (
                not from_raise(crm_schedule)
                or crm_id in matched | self._keyed_schedules
                or named in self.raise_schedules
            ):
                continue
            rows[None, crm_id] = {"status": self._orphan_schedule(crm_schedule, named), "crm_id": crm_id}
        return rows

    def _orphan_schedule(self, schedule: Row, named: int | None) -> str:
        unreadable = self.quarantined("raise", "recurring_gifts")
        if not self.is_assessable("recurring_gift") or unreadable & {named, None}:
            return "not_assessable"
        if schedule["id"] in self.quarantined("crm_plus", "recurring_gifts"):
            return "not_assessable"
        as_of = self.as_of("recurring_gift")
        assert as_of is not None
        return "pending" if made_at(schedule) > as_of else "orphan"

    def _paired(self, schedule: int) -> list[int]:
        """CRM+ schedules that name the Raise schedule: those that run first."""
        return sorted(
            (
                id
                for id, row in self.crm_schedules.items()
                if from_raise(row) and transaction_raise_id(row.get("transaction_id")) == schedule
            ),
            key=lambda id: (bool(self.is_crm_ended(self.crm_schedules[id])), id),
        )

    @cached_property
    def _keyed_schedules(self) -> set[int | None]:
        return {integer(schedule.get("crm_key")) for schedule in self.raise_schedules.values()}

    def is_ended(self, schedule: Row) -> bool | None:
        return state(RAISE_STATES, schedule.get("status_text"))

    def is_crm_ended(self, schedule: Row) -> bool | None:
        if schedule.get("cancel_date_time_utc") is not None:
            return True
        return state(CRM_PLUS_STATES, schedule.get("status"))

    def is_live(self, schedule: Row) -> bool:
        return not self.is_ended(schedule) and self.counts(schedule)

    def _schedule(self, schedule: Row) -> Row:
        id = schedule["id"]
        text = (schedule.get("crm_key") or "").strip()
        key = integer(text)
        paired = self._paired(id)
        crm_id = None
        answer: Row = {"evidence": "none", "confidence": None}
        if key in self.crm_schedules:
            crm_id = key
            answer = {"evidence": "crm_key", "confidence": "exact" if key in paired else "high"}
        elif not text and paired:
            crm_id = paired[0]
            answer = {"evidence": "transaction", "confidence": "medium"}
        answer["crm_id"] = crm_id
        other = self.crm_schedules.get(crm_id) if crm_id is not None else None

        def status() -> str:
            if schedule.get("is_test_mode"):
                return "test_mode"
            if schedule.get("_deleted_at") is not None:
                return "deleted"
            if self.o.runs_crm_plus is False:
                return "not_applicable"
            if not self.is_assessable("recurring_gift"):
                return "not_assessable"
            if id in self.quarantined("raise", "recurring_gifts"):
                return "not_assessable"
            unreadable = self.quarantined("crm_plus", "recurring_gifts")
            if text and key is None:
                return "foreign_key"
            if key is not None and other is None:
                newer = self.is_newer_than_crm_plus(schedule, "recurring_gifts", "recurring_gifts")
                return (
                    "not_assessable"
                    if newer or key in unreadable or self.may_be_unreadable("recurring_gifts")
                    else "dangling"
                )
            if crm_id is not None and crm_id in unreadable:
                return "not_assessable"
            if key is not None and self.is_live(schedule):
                sharing = [
                    s for s in self.raise_schedules.values()
                    if s["id"] != id and self.is_live(s) and integer(s.get("crm_key")) == key
                ]  # fmt: skip
                if sharing:
                    return "duplicate"
            if other is None:
                ended_at = schedule.get("modified_date")
                if self.is_ended(schedule) and ended_at is not None and ended_at - self.created(schedule) <= LATE_AFTER:
                    return "not_expected"
                expected = self.is_expected(schedule)
                if expected is False:
                    return "sync_disabled"
                if expected is None or (self.is_ended(schedule) and ended_at is None):
                    return "not_assessable"
                if self.may_be_unreadable("recurring_gifts"):
                    return "not_assessable"
                answer["expected_since"] = self.created(schedule)
                return self.by_age("recurring_gift", self.created(schedule))
            return self._compare_schedules(schedule, other, key)

        answer["status"] = status()
        return answer

    def _compare_schedules(self, schedule: Row, other: Row, key: int | None) -> str:
        changed_since = (
            self.is_newer_than_crm_plus(schedule, "recurring_gifts", "recurring_gifts")
            or changed_at(other, "create_date_time_utc", "modified_date_time_utc")
            > self.read_at["raise", "recurring_gifts"]
        )

        def difference() -> str | None:
            ended, crm_ended = self.is_ended(schedule), self.is_crm_ended(other)
            if None not in (ended, crm_ended) and ended is not crm_ended:
                return "state_mismatch"
            currencies = {folded(schedule.get("currency_code")), folded(schedule.get("base_currency_code"))} - {None}
            foreign = len(currencies) > 1
            amounts = schedule["amount"], other["amount"]
            if None not in amounts and not foreign and abs(amounts[0] - amounts[1]) > AMOUNT_TOLERANCE:
                return "amount_mismatch"
            ours = schedule["frequency"] if schedule["frequency"] in RAISE_FREQUENCIES else None
            theirs = CRM_PLUS_FREQUENCIES.get(re.sub(r"[\s-]", "", folded(other.get("frequency")) or ""))
            if ours is not None and theirs is not None and Decimal(ours) != theirs:
                return "frequency_mismatch"
            found = self.survivor(other.get("contact_id"))
            known = self.known_contacts(schedule["donor_id"])
            is_unknown = schedule["donor_id"] in self.quarantined("raise", "donors")
            if known and not is_unknown and found is not None and found not in known:
                return "contact_mismatch"
            return None

        found = difference()
        if found is not None:
            uncertain_contacts = found == "contact_mismatch" and (
                self.may_sit_on_one_contact(schedule["donor_id"], [other.get("contact_id")])
                or self.may_have_moved(schedule["donor_id"], [other], "recurring_gifts")
            )
            return "not_assessable" if changed_since or uncertain_contacts else found
        return "linked" if key is not None else "linked_by_reference"
