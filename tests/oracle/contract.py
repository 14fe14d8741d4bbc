"""A second reading of the warehouse contract: what the reconciliation says of one organization, in plain Python.

It shares nothing with the dbt models but the contract and the decisions on it, so that a misreading of either shows as
a difference. Rules stand in the order of the contract. Amounts are Decimals, instants are aware datetimes.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Any, NamedTuple

from tests.oracle.organization import Organization, Row

LATE_AFTER = timedelta(hours=24)
MISSING_AFTER = timedelta(hours=72)
STALE_AFTER = timedelta(hours=48)
EVER, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
AMOUNT_TOLERANCE = Decimal("0.01")
DATE_TOLERANCE = timedelta(days=1)
RAISE_SOURCES = {"raisedonors", "raise", "virtuous raise", "legacy raisedonors"}
SETTLED = {"approved"}
REVERSED = {"refunded", "chargeback"}

RAISE_SIDE = [("raise", name) for name in ("donors", "gifts", "recurring_gifts", "campaigns")]
CRM_PLUS_SIDE = {
    "donor": [("crm_plus", "contacts")],
    "gift": [("crm_plus", "contacts"), ("crm_plus", "gifts")],
    "recurring_gift": [("crm_plus", "contacts"), ("crm_plus", "recurring_gifts")],
}

RAISE_STATES = {"active": 0, "paused": 0, "failing": 0, "cancelled": 1, "canceled": 1, "completed": 1}
CRM_PLUS_STATES = RAISE_STATES | {"uptodate": 0, "failed": 0}
RAISE_FREQUENCIES = {1, 2, 4, 12, 26, 52}
CRM_PLUS_FREQUENCIES = {
    "daily": Decimal(365), "weekly": Decimal(52), "biweekly": Decimal(26), "semimonthly": Decimal(24),
    "monthly": Decimal(12), "quarterly": Decimal(4), "semiannually": Decimal(2), "annually": Decimal(1),
    "biennially": Decimal("0.5"),
}  # fmt: skip

# Fields of a quarantined record that decide a status; a record without a field is unreadable as a whole.
DECIDING = {
    ("raise", "donors"): {"isTestMode", "isGDPRDeleted", "crmKey", "crmKeyUrls"},
    ("crm_plus", "contacts"): {"mergedIntoContactId", "isArchived", "contactReferences"},
    ("raise", "gifts"): {"amount", "statusText", "isTestMode"},
    ("crm_plus", "gifts"): {"amount", "transactionId", "contactId", "reversedGiftId"},
    ("raise", "recurring_gifts"): {"amount", "crmKey", "statusText"},
    ("crm_plus", "recurring_gifts"): {"amount", "status", "transactionId"},
    ("raise", "campaigns"): {"canSync"},
    ("raise", "segments"): {"campaignId"},
}


def folded(text: str | None) -> str | None:
    return (text or "").strip().lower() or None


def integer(text: str | None) -> int | None:
    """The positive integer that a key stands for."""
    found = re.fullmatch(r"\+?0*([1-9]\d*)(\.0+)?", (text or "").strip())
    if found is None or int(found[1]) >= 2**63:
        return None
    return int(found[1])


def transaction_raise_id(text: str | None) -> int | None:
    """The Raise id that a CRM+ transaction id stands for."""
    bare = re.sub(r"^(rd2-|rd-|raise-)", "", folded(text) or "")
    return integer(re.sub(r"-\d+$", "", bare))


def from_raise(row: Row) -> bool:
    return folded(row.get("transaction_source")) in RAISE_SOURCES


def changed_at(row: Row, created: str, modified: str) -> datetime:
    stamps = [stamp for stamp in (row.get(created), row.get(modified)) if stamp is not None]
    return max(stamps, default=row["_extracted_at"])


def made_at(crm_row: Row) -> datetime:
    return crm_row.get("create_date_time_utc") or crm_row["_first_extracted_at"]


class Compared(NamedTuple):
    """A match in one currency."""

    amount: Decimal
    net: Decimal
    allocated_costs: Decimal
    designated_costs: Decimal
    standing: list[tuple[Decimal, Decimal]]
    """Amount and designated costs of each CRM+ gift that is no reversal."""


class Observation(NamedTuple):
    """How the switch of a campaign stood, by a read or by an event of the delivery log."""

    at: datetime
    is_event: bool
    state: bool


class Oracle:
    """What the marts say of one organization: `donors`, `gifts` and `recurring_gifts`, each by (`raise_id`, `crm_id`
    where `raise_id` is null)."""

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

    # --- §3: reads, ages, quarantine -------------------------------------------------------------------------------

    @cached_property
    def read_at(self) -> dict[tuple[str, str], datetime]:
        """Start of the latest complete read of each resource."""
        latest: dict[tuple[str, str], datetime] = {}
        for read in self.o.reads:
            if read["is_complete"]:
                key = read["source"], read["resource"]
                latest[key] = max(latest.get(key, read["started_at"]), read["started_at"])
        return latest

    def needed(self, entity: str) -> list[tuple[str, str]]:
        return RAISE_SIDE if self.o.runs_crm_plus is False else RAISE_SIDE + CRM_PLUS_SIDE[entity]

    def as_of(self, entity: str) -> datetime | None:
        reads = [self.read_at.get(resource) for resource in self.needed(entity)]
        return None if None in reads else min(read for read in reads if read is not None)

    def is_stale(self, resource: tuple[str, str]) -> bool:
        newest = max(self.read_at[needed] for needed in RAISE_SIDE)
        return self.read_at[resource] < newest - STALE_AFTER

    def is_assessable(self, entity: str, *, without_contacts: bool = False) -> bool:
        """A stale read of contacts matters to gifts and schedules only where contacts decide."""
        if self.o.runs_crm_plus is None or self.as_of(entity) is None:
            return False
        return not any(
            self.is_stale(resource)
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
            other.get("contact_id") is None or (self.survivor(other["contact_id"]) or other["contact_id"]) == contact
            for other in self.unplaced_gifts
            # A reversal is the rest of something, never a gift itself.
            if crm_gifts or not self.is_reversing(other)
        )

    def _contact_of_match(self, crm_gifts: list[Row]) -> int | None:
        standing = [g for g in crm_gifts if not self.is_reversing(g)]
        sat_on = [g["contact_id"] for g in standing + crm_gifts if g.get("contact_id") is not None]
        return next((self.survivor(contact) or contact for contact in sat_on), None)

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

    # --- §3: when a record is expected -----------------------------------------------------------------------------

    @cached_property
    def sync_observations(self) -> dict[int, list[Observation]]:
        """Per campaign, in order, when its switch was seen and how it stood; of one instant the event is later."""
        observations: dict[int, list[Observation]] = defaultdict(list)
        for id, observation in [*self._reads_of_switches(), *self._events_of_switches()]:
            observations[id].append(observation)
        return {id: sorted(of_campaign) for id, of_campaign in observations.items()}

    def _reads_of_switches(self) -> Iterator[tuple[int, Observation]]:
        campaigns = {row["id"]: row for row in self.o.of("raise", "campaigns")}
        versions: dict[int, list[Row]] = defaultdict(list)
        for version in sorted(self.o.campaign_versions, key=lambda v: v["dbt_valid_from"]):
            versions[version["campaign_id"]].append(version)
        unreadable_since = {
            integer(row["record_id"]): row["first_seen_at"]
            for row in self.o.quarantine
            if (row["source"], row["resource"]) == ("raise", "campaigns") and row.get("resolved_at") is None
        }
        for id, of_campaign in versions.items():
            states: list[tuple[datetime, bool | None]] = []
            for version in of_campaign:
                if not states or states[-1][1] is not version["can_sync"]:
                    states.append((version["dbt_valid_from"], version["can_sync"]))
            unseen = [campaigns[id].get("_deleted_at"), unreadable_since.get(id)]
            unseen_since = min((at for at in unseen if at is not None), default=None)
            for position, (since, state) in enumerate(states):
                if state is None:
                    continue
                following = states[position + 1][0] if position + 1 < len(states) else None
                yield id, Observation(since, False, state)
                for read in self.o.reads:
                    if (
                        (read["source"], read["resource"]) == ("raise", "campaigns")
                        and read["is_complete"]
                        and read["started_at"] >= since
                        and (following is None or read["finished_at"] < following)
                        and (unseen_since is None or read["started_at"] < unseen_since)
                    ):
                        yield id, Observation(read["started_at"], False, state)

    def _events_of_switches(self) -> Iterator[tuple[int, Observation]]:
        """States that payloads of campaign events place in time; of two with one modification, what was told later."""
        payloads = {row["id"]: row for row in self.o.of("raise", "webhook_log_payloads")}
        told: dict[tuple[int, datetime], dict[bool, tuple[datetime, int]]] = defaultdict(dict)
        for log in self.o.of("raise", "webhook_logs"):
            payload = payloads.get(log["id"], {"outcome": None})
            if log["event_type"] not in (40, 41, 42) or payload["outcome"] != "read":
                continue
            try:
                body = json.loads(payload["pay_load"])
            except ValueError:
                continue
            resource = (body.get("event") or body).get("payload") or body
            stamp = resource.get("modifiedDateTime")
            state, first = resource.get("canSync"), (log["created_date"], log["id"])
            if stamp is None or state is None or str(resource["id"]) != log["context_id"]:
                continue
            of_modification = told[resource["id"], datetime.fromisoformat(stamp)]
            of_modification[state] = min(of_modification.get(state, first), first)
        for (id, at), states in told.items():
            yield id, Observation(at, True, max(states, key=lambda state: states[state]))

    def can_sync(self, campaign: int, at: datetime) -> bool | None:
        """What was seen last holds to the next modification that is told; else the nearest counts, of two the later."""
        observations = self.sync_observations.get(campaign, [])
        before = [observation for observation in observations if observation.at <= at]
        after = [observation for observation in observations if observation.at > at]
        if not before or not after:
            return before[-1].state if before else after[0].state if after else None
        holds = before[-1].state is after[0].state or after[0].is_event
        return before[-1].state if holds or at - before[-1].at < after[0].at - at else after[0].state

    def campaigns_of(self, row: Row) -> list[int]:
        """Campaigns that a gift or schedule may belong to."""
        campaigns = {c["id"]: c for c in self.o.of("raise", "campaigns")}
        segments = self.o.of("raise", "segments")
        if row.get("campaign_id") in campaigns:
            return [row["campaign_id"]]
        name = folded(row.get("campaign_name"))
        by_name = [id for id, c in campaigns.items() if name and folded(c["name"]) == name]
        by_id = [s for s in segments if row.get("segment_id") is not None and s["id"] == row["segment_id"]]
        by_code = [
            s for s in segments if folded(row.get("segment_code")) and folded(s["code"]) == folded(row["segment_code"])
        ]
        by_text = by_code + [
            s for s in segments if folded(row.get("segment_name")) and folded(s["name"]) == folded(row["segment_name"])
        ]
        # A name that stands in several campaigns is narrowed by that of the campaign; of the rest the code is surer.
        for ways in (by_id, [s for s in by_text if s["campaign_id"] in by_name], by_code, by_text):
            found = sorted({s["campaign_id"] for s in ways if s["campaign_id"] in campaigns})
            if found:
                return found
        return by_name

    def may_have_an_unreadable_campaign(self, row: Row, found: list[int]) -> bool:
        """Whether a campaign that the record names, or the way to it, is among what could not be read."""
        resource = "gifts" if row is self.raise_gifts.get(row["id"]) else "recurring_gifts"
        unreadable = {
            (entry["resource"], integer(entry["record_id"]))
            for entry in self.o.quarantine
            if entry["source"] == "raise" and entry.get("resolved_at") is None
            if entry["field"] in ("campaignId", "segmentId")
        }
        if (resource, row["id"]) in unreadable and found != [row.get("campaign_id")]:
            return True
        texts = map(folded, (row.get("segment_code"), row.get("segment_name")))
        names_segment = row.get("segment_id") is not None or any(texts)
        known = {campaign["id"] for campaign in self.o.of("raise", "campaigns")}
        if found or not (names_segment or row.get("campaign_id") is not None or folded(row.get("campaign_name"))):
            return False
        hidden = self.quarantined("raise", "campaigns") - known
        return bool(hidden or (names_segment and self.quarantined("raise", "segments")))

    def is_expected(self, row: Row) -> bool | None:
        """Whether a campaign of the record was syncing when it was created; None when nobody knows."""
        campaigns = self.campaigns_of(row)
        there = {
            c["id"]
            for c in self.o.of("raise", "campaigns")
            if (c.get("created_date_time") or EVER) <= self.created(row) < (c.get("_deleted_at") or NEVER)
        }
        # A campaign that was not there when the record was made is not one that syncs, where another may be meant.
        campaigns = [campaign for campaign in campaigns if campaign in there] or campaigns
        if self.may_have_an_unreadable_campaign(row, campaigns):
            return None
        if not campaigns:
            return True
        states = [self.can_sync(campaign, self.created(row)) for campaign in campaigns]
        return True if True in states else None if None in states else False

    # --- §4.1: donors ----------------------------------------------------------------------------------------------

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

    def activity(self, donor: int) -> list[Row]:
        return [
            *(g for g in self.raise_gifts.values() if g["donor_id"] == donor and self._counts(g) and self.group(g)),
            *(s for s in self.raise_schedules.values() if s["donor_id"] == donor and self._counts(s)),
        ]

    @staticmethod
    def _counts(row: Row) -> bool:
        return not row.get("is_test_mode") and row.get("_deleted_at") is None

    @staticmethod
    def group(gift: Row) -> str | None:
        status = folded(gift.get("status_text"))
        return "settled" if status in SETTLED else "reversed" if status in REVERSED else None

    def donors(self) -> dict[tuple[int | None, int | None], Row]:
        rows: dict[tuple[int | None, int | None], Row] = {}
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

    # --- §4.2: gifts -----------------------------------------------------------------------------------------------

    def _takes_away_without_a_sign(self, gift: Row) -> bool:
        named = self.crm_gifts.get(gift.get("reversed_gift_id"))
        takes_back = named is not None and self.is_reversing(named)
        return self.is_reversing(gift) and (gift.get("amount") or 0) > 0 and not takes_back

    @staticmethod
    def is_reversing(gift: Row) -> bool:
        return folded(gift.get("gift_type")) == "reversing transaction" or (gift.get("amount") or 0) < 0

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
            while self.is_reversing(at) and at.get("reversed_gift_id") in self.crm_gifts:
                if at["reversed_gift_id"] in seen:
                    seen = [id]
                    break
                seen.append(at["reversed_gift_id"])
                at = self.crm_gifts[seen[-1]]
            root[id] = seen[-1]
        for id, gift in self.crm_gifts.items():
            pair = self._pair(gift)
            if root[id] == id and self.is_reversing(gift) and pair is not None:
                same = [i for i, g in self.crm_gifts.items() if self._pair(g) == pair and not self.is_reversing(g)]
                if len(same) == 1:
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

    def family_pair(self, root: int) -> int | None:
        pairs = [self.usable_pair(self.crm_gifts[id]) for id in [root, *self.families[root]]]
        return next((pair for pair in pairs if pair is not None), None)

    @cached_property
    def gift_matches(self) -> tuple[dict[int, list[int]], dict[int, str]]:
        """CRM+ gifts by Raise gift, and the evidence of each match."""
        by_raise: dict[int, list[int]] = defaultdict(list)
        evidence: dict[int, str] = {}
        left = []
        for root, members in self.families.items():
            # A pair that no Raise gift has makes an orphan; only a decision makes something else of it.
            says = self._own_raise_gift if self.usable_pair(self.crm_gifts[root]) is None else self._decision
            told = [self._own_raise_gift(root), *sorted(filter(None, map(says, members)))]
            target = next((gift for gift in told if gift is not None), None)
            for member in members:
                decided = self._decision(member)
                if decided is not None:
                    by_raise[decided].append(member)
                    evidence[decided] = "override"
                elif target is not None:
                    by_raise[target].append(member)
                    evidence.setdefault(target, "transaction")
            if target is not None and self._decision(root) is not None:
                evidence[target] = "override"
            if target is None and self.family_pair(root) is None:
                left.append(root)
        candidates = [r for r in left if not self.is_reversing(self.crm_gifts[r])]
        unmatched = [
            gift
            for id, gift in self.raise_gifts.items()
            if all(self.is_reversing(self.crm_gifts[member]) for member in by_raise.get(id, []))
        ]
        edges = [
            (gift["id"], root)
            for gift in unmatched
            for root in candidates
            if not gift.get("is_test_mode") and self.group(gift) and self._alike(gift, self.crm_gifts[root])
        ]
        live = {root for id, root in edges if self.raise_gifts[id].get("_deleted_at") is None}
        edges = [(i, r) for i, r in edges if self.raise_gifts[i].get("_deleted_at") is None or r not in live]
        for id, root in edges:
            if sum(1 for i, _ in edges if i == id) == 1 and sum(1 for _, r in edges if r == root) == 1:
                by_raise[id] += self.families[root]
                evidence.setdefault(id, "donor_amount_date")
        return by_raise, evidence

    def _decision(self, crm_gift: int) -> int | None:
        decided = self.o.overrides.get(crm_gift)
        return decided if decided in self.raise_gifts else None

    def _own_raise_gift(self, crm_gift: int) -> int | None:
        """The Raise gift of a CRM+ gift by decision, else by its own pair."""
        pair = self.usable_pair(self.crm_gifts[crm_gift])
        return self._decision(crm_gift) or (pair if pair in self.raise_gifts else None)

    def _alike(self, gift: Row, crm_gift: Row) -> bool:
        contact = self.donor_contact(gift["donor_id"])
        if contact is None or contact != self.survivor(crm_gift.get("contact_id")):
            return False
        if gift.get("date") is None or crm_gift.get("gift_date") is None:
            return False
        if abs(gift["date"] - crm_gift["gift_date"]) > DATE_TOLERANCE:
            return False
        amounts = self.comparable(gift, [crm_gift])
        return amounts is not None and amounts.amount > 0 and abs(amounts.amount - amounts.net) <= AMOUNT_TOLERANCE

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
        return _cents(sum(known, Decimal(0))) if known and len(known) == len(amounts) else None

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
        standing = [(s, c) for g, s, c in zip(crm_gifts, singles, own, strict=True) if not self.is_reversing(g)]
        return Compared(amount, _cents(sum(singles)), allocated, _cents(sum(own)), standing)

    def _raise_base(self, gift: Row, bases: set[str | None]) -> Decimal | None:
        """The Raise amount in the base currency, where the allocations make up the gift, with or without costs."""
        allocations = json.loads(gift.get("projects") or "[]")
        exchanges = [a.get("currencyExchange") or {} for a in allocations]
        if {folded(e.get("baseCurrencyCode")) for e in exchanges} != bases:
            return None
        listed = sum((_money(a["amount"]) for a in allocations), Decimal(0))
        worth = sum((_money(e["baseAmount"]) for e in exchanges), Decimal(0))
        if listed == gift["amount"]:
            return worth
        if listed - self._named_costs(gift, base=False) == gift["amount"]:
            return worth - self._named_costs(gift, base=True)
        return None

    @staticmethod
    def _named_costs(gift: Row, *, base: bool) -> Decimal:
        return sum(
            (
                _money((a["currencyExchange"] or {}).get("baseAmount", "0") if base else a["amount"])
                for a in json.loads(gift.get("projects") or "[]")
                if folded(a["name"]) == "covers processing fees"
            ),
            Decimal(0),
        )

    def _raise_costs(self, gift: Row, *, base: bool) -> Decimal:
        return self._named_costs(gift, base=base) if gift.get("donor_paid_costs") else Decimal(0)

    @staticmethod
    def _rate(crm_gift: Row) -> Decimal:
        same = folded(crm_gift.get("currency_code")) == folded(crm_gift.get("base_currency_code"))
        return Decimal(1) if same else crm_gift.get("exchange_rate") or Decimal(0)

    def _crm_costs(self, crm_gifts: list[Row], *, base: bool) -> Decimal:
        total = Decimal(0)
        for gift in crm_gifts:
            costs = sum(
                Decimal(str(d["amountDesignated"]))
                for d in json.loads(gift.get("gift_designations") or "[]")
                if folded(d["projectCode"]) == "creditcardcosts"
            )
            total += (-abs(costs) if gift["id"] in self.unsigned else costs) * (self._rate(gift) if base else 1)
        return total

    def gifts(self) -> dict[tuple[int | None, int | None], Row]:
        rows: dict[tuple[int | None, int | None], Row] = {}
        by_raise, evidence = self.gift_matches
        for id, gift in self.raise_gifts.items():
            members = [self.crm_gifts[m] for m in sorted(by_raise.get(id, []))]
            row = self._gift(gift, members, evidence.get(id, "none"))
            row["crm_gift_ids"] = [m["id"] for m in members]
            rows[id, None] = row
        matched = {m for members in by_raise.values() for m in members}
        claims: dict[int, list[int]] = defaultdict(list)
        if self.o.runs_crm_plus is not False:
            for root in self.families:
                pair = self.family_pair(root)
                if root not in matched and pair is not None:
                    claims[pair].append(root)
        for pair, roots in claims.items():
            # A reversal that names no gift belongs to the gift of the same pair.
            gifts = [r for r in roots if not self.is_reversing(self.crm_gifts[r])] or roots[:1]
            for root in gifts:
                stray = [r for r in roots if r not in gifts and root == gifts[0]]
                members = sorted(m for r in [root, *stray] for m in self.families[r])
                rows[None, root] = {
                    "status": self._orphan_gift(root, pair, members),
                    "crm_id": root,
                    "crm_gift_ids": members,
                }
        return rows

    def _orphan_gift(self, root: int, pair: int, members: list[int]) -> str:
        unreadable = self.quarantined("raise", "gifts")
        if not self.is_assessable("gift", without_contacts=True) or unreadable & {pair, None}:
            return "not_assessable"
        if self.quarantined("crm_plus", "gifts") & set(members):
            return "not_assessable"
        as_of = self.as_of("gift")
        assert as_of is not None
        return "pending" if made_at(self.crm_gifts[root]) > as_of else "orphan"

    def _gift(self, gift: Row, crm_gifts: list[Row], evidence: str) -> Row:
        id = gift["id"]
        expected_contact = self.donor_contact(gift["donor_id"])
        answer: Row = {"evidence": evidence, "raise_amount": gift["amount"], "contact_id": expected_contact}
        answer["crm_amount"] = self.net(crm_gifts)
        standing = [g for g in crm_gifts if not self.is_reversing(g)]
        answer["crm_id"] = min((g["id"] for g in standing or crm_gifts), default=None)

        def status() -> str:
            if gift.get("is_test_mode"):
                return "test_mode"
            if gift.get("_deleted_at") is not None:
                return "deleted"
            if self.o.runs_crm_plus is False:
                return "not_applicable"
            by_contact = evidence in ("none", "donor_amount_date")
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
            return self._compare(gift, group, crm_gifts, amounts, expected_contact)

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
        if by_age != "pending" and not self.is_key_trusted and (contact is None or self._has_unexplained(contact)):
            return "not_assessable"
        return by_age

    def _is_in_doubt(self, gift: Row) -> bool:
        """Whether a CRM+ gift that is left over may be this one, as far as either could be read."""
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
        taken = {member for members in self.gift_matches[0].values() for member in members}
        for root in self.families:
            other = self.crm_gifts[root]
            if root in taken or self.family_pair(root) is not None or self.is_reversing(other):
                continue
            days, amounts = (gift.get("date"), other.get("gift_date")), (gift.get("amount"), other.get("amount"))
            currencies = {folded(gift.get("currency")), folded(other.get("currency_code"))} - {None}
            if len(currencies) > 1 or (None not in days and abs(days[0] - days[1]) > DATE_TOLERANCE):
                continue
            found = self.survivor(other.get("contact_id"))
            named = other.get("contact_id")
            is_unknown = self.is_end_unknown(named) or (
                found is None and (named is None or bool({named, None} & unreadable))
            )
            if (is_nobody_known or is_unknown) and None not in amounts and amounts[0] == amounts[1]:
                return True
            near = None in amounts or abs(amounts[0] - amounts[1]) <= AMOUNT_TOLERANCE
            if contact is not None and found == contact and near and None in (*days, other.get("amount")):
                return True
        return False

    def _has_unexplained(self, contact: int | None) -> bool:
        """Where the key is not the key: whether the contact has gifts from Raise that belong to no Raise gift yet."""
        matched = {member for members in self.gift_matches[0].values() for member in members}
        return (
            not self.is_key_trusted
            and contact is not None
            and contact
            in {
                self.survivor(gift.get("contact_id"))
                for id, gift in self.crm_gifts.items()
                if from_raise(gift) and id not in matched
            }
        )

    def _compare(
        self,
        gift: Row,
        group: str | None,
        crm_gifts: list[Row],
        amounts: Compared,
        expected_contact: int | None,
    ) -> str:
        amount, net = amounts.amount, amounts.net
        costs = {amounts.allocated_costs, amounts.designated_costs} - {Decimal(0)}
        standing = [g for g in crm_gifts if not self.is_reversing(g)]
        expected = Decimal(0) if group == "reversed" else amount
        changed_since = (
            self.is_newer_than_crm_plus(gift, "gifts", "gifts")
            or max(changed_at(g, "create_date_time_utc", "modified_date_time_utc") for g in crm_gifts)
            > self.read_at["raise", "gifts"]
        )

        def near(left: Decimal, right: Decimal) -> bool:
            return abs(left - right) <= AMOUNT_TOLERANCE

        def difference() -> str | None:
            if group == "reversed" and not near(net, Decimal(0)):
                contact = self._contact_of_match(crm_gifts) if expected_contact is None else expected_contact
                return "not_assessable" if self._has_unexplained(contact) else "refund_not_reversed"
            if group == "settled" and len(standing) < len(crm_gifts) and near(net, Decimal(0)):
                return "reversal_without_refund"
            full = [
                single
                for single, own in amounts.standing
                if near(single, amount) or near(single, amount + amounts.allocated_costs) or near(single - own, amount)
            ]
            if len(full) >= 2 and net > expected + AMOUNT_TOLERANCE:
                return "duplicate"
            agreeing = [expected, *(expected + cost for cost in costs)]
            if not any(near(net, value) for value in agreeing) and not (group is None and near(net, Decimal(0))):
                return "amount_mismatch"
            contacts = self._known_contacts(gift["donor_id"])
            is_unknown = gift["donor_id"] in self.quarantined("raise", "donors") or expected_contact is None
            if not is_unknown and any(
                (found := self.survivor(g.get("contact_id"))) is not None and found not in contacts for g in crm_gifts
            ):
                return "contact_mismatch"
            dates = [g["gift_date"] for g in standing if g.get("gift_date") is not None]
            if gift.get("date") is not None and any(abs(gift["date"] - day) > DATE_TOLERANCE for day in dates):
                return "date_mismatch"
            return None

        found = difference()
        if found is not None:
            uncertain_contacts = found == "contact_mismatch" and (
                not self.is_assessable("gift")
                or self.may_sit_on_one_contact(gift["donor_id"], [g.get("contact_id") for g in crm_gifts])
                or self.may_have_moved(gift["donor_id"], crm_gifts, "gifts")
            )
            # What was reversed to nothing, or booked twice, is not right in its amount either, unless costs explain it.
            is_amount_wrong = found in ("reversal_without_refund", "duplicate") and not any(
                near(net, expected + cost) for cost in {Decimal(0), *costs}
            )
            may_lack_a_part = (found in ("refund_not_reversed", "amount_mismatch") or is_amount_wrong) and (
                self.may_be_unreadable("gifts") or self.may_be_unplaced(gift, crm_gifts)
            )
            return "not_assessable" if changed_since or uncertain_contacts or may_lack_a_part else found
        if len(standing) >= 2:
            return "matched_split"
        if not near(net, expected) and costs:
            return "matched_with_costs" if not (group is None and near(net, Decimal(0))) else "matched"
        return "matched"

    def _known_contacts(self, donor: int | None) -> set[int]:
        """Contacts that a gift of the donor may sit on: where key and back-reference disagree, on either."""
        contact = self.donor_contact(donor)
        if donor is None or contact is None:
            return set()
        referring = self.referring(donor)
        if contact in referring:
            return {contact}
        return {contact} | {c for c in referring if self.survivor(c) is not None and not self.is_archived(c)}

    # --- §4.3: recurring gifts -------------------------------------------------------------------------------------

    def recurring_gifts(self) -> dict[tuple[int | None, int | None], Row]:
        rows: dict[tuple[int | None, int | None], Row] = {}
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
        return _state(RAISE_STATES, schedule.get("status_text"))

    def is_crm_ended(self, schedule: Row) -> bool | None:
        if schedule.get("cancel_date_time_utc") is not None:
            return True
        return _state(CRM_PLUS_STATES, schedule.get("status"))

    def is_live(self, schedule: Row) -> bool:
        return not self.is_ended(schedule) and self._counts(schedule)

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
            known = self._known_contacts(schedule["donor_id"])
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


def _state(states: dict[str, int], label: str | None) -> bool | None:
    state = states.get(re.sub(r"\s", "", folded(label) or ""))
    return None if state is None else bool(state)


def _money(text: str) -> Decimal:
    return Decimal(re.sub(r"[^0-9.-]", "", str(text)))


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def differences(
    organization: Organization, marts: dict[str, dict[tuple[int | None, int | None], Row]]
) -> Iterable[tuple[str, tuple[int | None, int | None], str, Any, Any]]:
    """(entity, key, column, expected, found) where the marts say something else than the contract."""
    oracle = Oracle(organization)
    for entity in ("donors", "gifts", "recurring_gifts"):
        expected, found = getattr(oracle, entity)(), marts[entity]
        for key in sorted(expected.keys() | found.keys(), key=str):
            if key not in expected or key not in found:
                ours = expected.get(key, {}).get("status", "no row")
                yield entity, key, "status", ours, found.get(key, {}).get("status", "no row")
                continue
            for column, value in expected[key].items():
                if column != "status" and expected[key]["status"] != found[key]["status"]:
                    continue
                if found[key][column] != value:
                    yield entity, key, column, value, found[key][column]
