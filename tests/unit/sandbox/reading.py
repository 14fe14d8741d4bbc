"""A plain reading of the warehouse contract over what the sandbox serves: slow, short, and independent of the truth."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from ingestion.sandbox import Sandbox

from .gift_reading import GiftReading

Row = dict[str, Any]

SOURCES = {"raisedonors", "raise", "virtuous raise", "legacy raisedonors"}
PER_YEAR = {"Weekly": 52, "Monthly": 12, "Quarterly": 4, "Semiannually": 2, "Annually": 1}
ENDED = {"Cancelled", "Completed"}


class Reader:
    """Reads a sandbox in this process, without a socket."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        info = self.send("GET", "/_sandbox/info").json()
        self.raise_headers = {"Authorization": f"Bearer {info['raise_token']}"}
        self.crm_headers = {"Authorization": f"Bearer {info['crm_plus_key']}"}
        self.known_states: list[tuple[datetime, dict[int, bool]]] = []

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def answer() -> httpx.Response:
            transport = httpx.ASGITransport(self.sandbox.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return await client.request(method, path, **options)

        return asyncio.run(answer())

    def control(self, path: str, body: Row | None = None) -> Any:
        if body is None:
            return self.send("GET", f"/_sandbox/{path}").json()
        return self.send("POST", f"/_sandbox/{path}", json=body).json()

    def raise_get(self, path: str, **params: Any) -> httpx.Response:
        return self.send("GET", f"/raise/api/{path}", params=params, headers=self.raise_headers)

    def raise_post(self, path: str, body: Row) -> httpx.Response:
        return self.send("POST", f"/raise/api/{path}", json=body, headers=self.raise_headers)

    def crm_get(self, path: str, **params: Any) -> httpx.Response:
        return self.send("GET", f"/crm-plus/api/{path}", params=params, headers=self.crm_headers)

    def crm_post(self, path: str, body: Row | None = None, **params: Any) -> httpx.Response:
        return self.send("POST", f"/crm-plus/api/{path}", params=params, json=body or {}, headers=self.crm_headers)

    def raise_all(self, resource: str, sort_by: str = "id") -> list[Row]:
        rows: list[Row] = []
        while True:
            page = self.raise_get(f"{resource}/list", Skip=len(rows), Take=1000, SortBy=sort_by).json()
            rows += page["items"]
            if not page["items"]:
                assert len(rows) == page["total"]
                return rows

    def crm_all(self, path: str, parameter: str, key: str = "id", archived: bool = True) -> list[Row]:
        rows: list[Row] = []
        while True:
            last = str(rows[-1][key]) if rows else "0"
            condition = {"parameter": parameter, "operator": "GreaterThan", "value": last}
            body = {"sortBy": parameter, "groups": [{"conditions": [condition]}], "includeArchived": archived}
            page = self.crm_post(path, body, take=1000).json()["list"]
            if not page:
                return rows
            rows += page


def instant(text: str) -> datetime:
    if "/" in text:
        return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=UTC)
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def key_of(text: str | None) -> int | str | None:
    """An integer, None for no key, or the text of something else."""
    text = (text or "").strip()
    if not text:
        return None
    digits = text.removeprefix("+").removesuffix(".0")
    return int(digits) if digits.isdecimal() and int(digits) > 0 else text


class Reading:
    """The statuses of one complete read."""

    def __init__(self, reader: Reader, now: datetime) -> None:
        self.now = now
        self.donors = {row["id"]: row for row in reader.raise_all("Donor")}
        self.gifts = {row["id"]: row for row in reader.raise_all("Gift")}
        self.schedules = {row["id"]: row for row in reader.raise_all("RecurringGift")}
        self.campaigns = reader.raise_all("Campaign")
        reader.known_states.append((now, {row["id"]: row["canSync"] for row in self.campaigns}))
        self.known_states = reader.known_states
        self.switches: dict[tuple[int, datetime], bool] = {}
        self.unread: list[tuple[int, datetime]] = []
        for entry in reader.raise_all("Webhook/log", "createddatetime"):
            if entry["eventType"] in (40, 41, 42):
                self._read_switch(reader, entry)
        self.segments = {row["id"]: row["campaignId"] for row in reader.raise_all("Segment")}
        self.contacts = {row["id"]: row for row in reader.crm_all("Contact/Query/FullContact", "Contact Id")}
        self.crm_gifts = {row["id"]: row for row in reader.crm_all("Gift/Query/FullGift", "Gift Id")}
        self.crm_schedules = {row["id"]: row for row in reader.crm_all("RecurringGift/Query", "Recurring Gift Id")}
        self.references: dict[int, set[int]] = defaultdict(set)
        for contact in self.contacts.values():
            for reference in contact["contactReferences"]:
                id = reference["id"].strip()
                if reference["source"].strip().lower() in SOURCES and id.isdecimal():
                    self.references[int(id)].add(contact["id"])

    def _read_switch(self, reader: Reader, entry: Row) -> None:
        path = f"Webhook/{entry['webhookId']}/log/{entry['id']}"
        record = record_of(reader.raise_get(path).json().get("payLoad"), entry["contextId"])
        if record is None:
            self.unread.append((entry["contextId"], instant(entry["createdDate"])))
        else:
            self.switches.setdefault((record["id"], instant(record["modifiedDateTime"])), record["canSync"])

    def resolve(self, contact_id: int) -> int | None:
        seen = set()
        while contact_id in self.contacts and contact_id not in seen:
            seen.add(contact_id)
            into = self.contacts[contact_id]["mergedIntoContactId"]
            if into is None:
                return contact_id
            contact_id = into
        return None

    def live(self, contact_id: int | None) -> bool:
        return contact_id is not None and not self.contacts[contact_id]["isArchived"]

    def by_age(self, since: datetime) -> str:
        age = self.now - since
        if age < timedelta(hours=24):
            return "pending"
        return "late" if age < timedelta(hours=72) else "missing"

    def campaigns_of(self, row: Row) -> list[Row]:
        if row["campaignId"] is not None:
            return [one for one in self.campaigns if one["id"] == row["campaignId"]]
        if row["segmentId"] is not None:
            return [one for one in self.campaigns if one["id"] == self.segments[row["segmentId"]]]
        name = row["campaignName"].strip().lower()
        return [one for one in self.campaigns if one["name"].strip().lower() == name]

    def syncs(self, row: Row) -> bool | None:
        """By the evidence about its campaign; None where some of it lies unread."""
        created = instant(row["createdDate"])
        found = [self.synced(one["id"], created) for one in self.campaigns_of(row)]
        if not found or any(found):
            return True
        return None if None in found else False

    def synced(self, campaign: int, at: datetime) -> bool | None:
        known = sorted(
            [(seen, False, states[campaign]) for seen, states in self.known_states]
            + [(seen, True, state) for (id, seen), state in self.switches.items() if id == campaign]
        )
        before = [each for each in known if each[0] <= at]
        after = [each for each in known if each[0] > at]
        if before and after and (after[0][1] or before[-1][2] == after[0][2]):
            return before[-1][2]
        low = before[-1][0] if before else datetime.min.replace(tzinfo=UTC)
        high = after[0][0] if after else datetime.max.replace(tzinfo=UTC)
        if any(id == campaign and low < logged < high for id, logged in self.unread):
            return None
        return min([*before[-1:], *after[:1]], key=lambda each: (abs(each[0] - at), each[0] <= at))[2]

    def without_match(self, row: Row) -> str:
        syncs = self.syncs(row)
        if syncs is None:
            return "not_assessable"
        return self.by_age(instant(row["createdDate"])) if syncs else "sync_disabled"

    def donor_status(self, donor: Row) -> str:
        key = key_of(donor["crmKey"])
        named = {self.resolve(id) for id in self.references[donor["id"]]}
        if donor["isTestMode"]:
            return "test_mode"
        if donor["isGDPRDeleted"]:
            return "deleted"
        if key is not None:
            links = donor["crmKeyUrls"]
            ours = any("virtuous" in f"{name} {link['url']}".lower() for name, link in links.items())
            if isinstance(key, str) or (links and not ours):
                return "foreign_key"
            contact = self.resolve(key)
            if contact is not None and contact not in named and any(self.live(other) for other in named):
                return "conflict"
            if contact is None:
                return "dangling"
            if not self.live(contact):
                return "archived"
            return "merged" if contact != key else "linked"
        if named:
            return "linked_by_reference" if len(named) == 1 else "ambiguous_reference"
        records = [
            row
            for row in (*self.gifts.values(), *self.schedules.values())
            if (row["donorId"] if "donorId" in row else row["donor"]["id"]) == donor["id"] and not row["isTestMode"]
            if "formattedFrequency" in row or row["statusText"].lower() in ("approved", "refunded", "chargeback")
        ]
        expected = [instant(row["createdDate"]) for row in records if self.syncs(row)]
        if records and not expected:
            return "not_assessable" if any(self.syncs(row) is None for row in records) else "sync_disabled"
        if not records:
            return "no_activity"
        return self.by_age(max(min(expected), instant(donor["createdDate"])))

    def donor_statuses(self) -> dict[str, str]:
        return {str(id): self.donor_status(donor) for id, donor in self.donors.items()}

    def orphan_contacts(self) -> set[str]:
        return {
            str(contact_id)
            for donor_id, contact_ids in self.references.items()
            if donor_id not in self.donors
            for contact_id in contact_ids
            if self.contacts[contact_id]["mergedIntoContactId"] is None and self.live(contact_id)
        }

    # Gifts

    def pair(self, row: Row) -> int | None:
        if str(row["transactionSource"] or "").strip().lower() not in SOURCES:
            return None
        id = str(row["transactionId"] or "")
        for prefix in ("rd2-", "rd-", "raise-"):
            id = id.removeprefix(prefix)
        head, dash, tail = id.rpartition("-")
        id = head if dash and tail.isdecimal() else id
        return int(id) if id.isdecimal() else None

    def contact_of(self, donor_id: int) -> int | None:
        donor = self.donors[donor_id]
        key = key_of(donor["crmKey"])
        if isinstance(key, int):
            return self.resolve(key)
        named = {self.resolve(id) for id in self.references[donor_id]}
        return named.pop() if key is None and len(named) == 1 else None

    def gift_statuses(self) -> tuple[dict[str, str], set[str]]:
        reading = GiftReading(self)
        return {str(id): reading.status(gift) for id, gift in self.gifts.items()}, reading.orphans

    # Recurring gifts

    def schedule_statuses(self) -> tuple[dict[str, str], set[str]]:
        by_pair = {id: row for row in self.crm_schedules.values() if (id := self.pair(row)) is not None}
        shared: dict[int | str, int] = defaultdict(int)
        for row in self.schedules.values():
            if row["statusText"] not in ENDED and not row["isTestMode"] and (key := key_of(row["crmKey"])) is not None:
                shared[key] += 1
        statuses = {str(id): self.schedule_status(row, by_pair.get(id), shared) for id, row in self.schedules.items()}
        return statuses, {str(row["id"]) for id, row in by_pair.items() if id not in self.schedules}

    def schedule_status(self, row: Row, paired: Row | None, shared: dict[int | str, int]) -> str:
        key = key_of(row["crmKey"])
        ended = row["statusText"] in ENDED
        if row["isTestMode"]:
            return "test_mode"
        if isinstance(key, str):
            return "foreign_key"
        if key is not None and key not in self.crm_schedules:
            return "dangling"
        if key is not None and shared[key] > 1 and not ended:
            return "duplicate"
        other = self.crm_schedules[key] if key is not None else paired
        created = instant(row["createdDate"])
        if other is None:
            if ended and instant(row["modifiedDate"]) - created <= timedelta(hours=24):
                return "not_expected"
            return self.without_match(row)
        known = row["statusText"] in ENDED | {"Active", "Paused", "Failing"}
        if known and ended != (other["cancelDateTimeUtc"] is not None):
            return "state_mismatch"
        if row["amount"] != other["amount"]:
            return "amount_mismatch"
        per_year = PER_YEAR.get(other["frequency"])
        if per_year is not None and row["frequency"] in {*PER_YEAR.values(), 26} and per_year != row["frequency"]:
            return "frequency_mismatch"
        if self.resolve(other["contactId"]) != self.contact_of(row["donor"]["id"]):
            return "contact_mismatch"
        return "linked" if key is not None else "linked_by_reference"


def record_of(value: Any, id: int) -> Row | None:
    """The object with an id, wherever in a body it stands."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, dict):
        return None
    if value.get("id") == id:
        return value
    return next((found for each in value.values() if (found := record_of(each, id)) is not None), None)
