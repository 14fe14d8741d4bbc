"""Random small organizations that love awkward neighbours: a cent more, a day later, a merge that goes in circles."""

from __future__ import annotations

import json
from decimal import Decimal
from random import Random
from typing import Any

from tests.oracle.dice import AGES, AMOUNTS, HOUR, NOW, SECOND, SOURCES
from tests.oracle.organization import Organization, Row
from tests.oracle.situations import Situations

RESOURCES = {
    "raise": ("donors", "gifts", "recurring_gifts", "campaigns", "segments"),
    "crm_plus": ("contacts", "gifts", "recurring_gifts"),
}


class World(Situations):
    """One random organization; `organization` is what came out."""

    def __init__(self, name: str, random: Random) -> None:
        super().__init__(Organization(name, random.choices([True, False, None], [90, 6, 4])[0]), random)
        self.is_calm = self.chance(0.5)
        self.reads()
        self.campaigns()
        self.contacts()
        self.donors()
        untrusted = self.chance(0.06)
        self.gifts(untrusted)
        if self.contact_ids and self.chance(0.85):
            self.situations()
        self.schedules()
        if not self.is_calm:
            self.vanish()
            self.quarantine()
        if self.chance(0.7):
            self.campaign_events()
        if self.chance(0.12):
            self.wrong_side()

    # --- reads -----------------------------------------------------------------------------------------------------

    def reads(self) -> None:
        runs = [NOW - hours * HOUR for hours in sorted({0, *self.r.sample([24, 47, 72, 400, 1000], 2)}, reverse=True)]
        first_counted = self.usually(0, 1, 3)
        for source, resources in RESOURCES.items():
            if source == "crm_plus" and not self.organization.runs_crm_plus:
                continue
            for resource in resources:
                fates = ("never", "stale", "edge", "before", "ahead", "ahead at last", "behind")
                fate = "good" if self.is_calm else self.usually("good", *fates, share=0.93)
                for number, at in enumerate(runs):
                    last = number == len(runs) - 1
                    if fate == "edge" and last:
                        at = NOW - self.one(48 * HOUR, 48 * HOUR + SECOND, 48 * HOUR - SECOND)
                    if fate == "before" and last:
                        at = NOW - self.one(HOUR, 25 * HOUR)
                    recorded = at
                    if (fate == "ahead" and not last) or (fate == "ahead at last" and last):
                        at = NOW + self.one(HOUR, HOUR + SECOND, 200 * HOUR, 90000 * HOUR)
                    if fate == "behind" and last:
                        at = NOW - self.one(30 * HOUR, 500 * HOUR)
                    good = fate != "never" and not (fate == "stale" and NOW - at < 60 * HOUR)
                    self.organization.reads.append(
                        {
                            "run_id": f"run {number}",
                            "run_number": number + 1 if number >= first_counted else None,
                            "source": source,
                            "resource": resource,
                            "mode": "full",
                            "started_at": at,
                            "finished_at": at + self.one(0, 0, 60) * SECOND,
                            "recorded_at": recorded if number < first_counted else at,
                            "is_complete": good and (last or self.chance(0.9)),
                        }
                    )
        self.runs = runs

    # --- campaigns -------------------------------------------------------------------------------------------------

    def campaigns(self) -> None:
        names = ["Spring", "spring ", "Autumn", "Wells", "  Spring  Appeal", "spring appeal"]
        self.campaign_ids = [801 + i for i in range(self.r.randint(1, 4))]
        for id in self.campaign_ids:
            states: list[bool | None] = [
                self.usually(True, False, None, share=0.6) if not self.is_calm else self.usually(True, False, share=0.6)
            ]
            since = [self.r.choice(self.runs)]
            for run in self.runs:
                if run > since[-1] and self.chance(0.35):
                    since.append(run)
                    states.append(self.usually(not states[-1], None, states[-1], share=0.8))
            row = self.row(
                "raise",
                "campaigns",
                {
                    "id": id,
                    "name": self.r.choice(names),
                    "can_sync": states[-1],
                    "created_date_time": self.usually(None, NOW - self.r.choice(AGES), share=0.7),
                    "_extracted_at": since[-1],
                },
            )
            for number, (at, state) in enumerate(zip(since, states, strict=True)):
                self.organization.campaign_versions.append(
                    {
                        "campaign_id": id,
                        "campaign_name": row["name"],
                        "can_sync": state,
                        "dbt_valid_from": at,
                        "dbt_valid_to": since[number + 1] if number + 1 < len(since) else None,
                    }
                )
        for number in range(self.r.randint(0, 3)):
            self.row(
                "raise",
                "segments",
                {
                    "id": 901 + number,
                    "campaign_id": self.one(*self.campaign_ids, 899),
                    "name": self.one("Mail", "mail", "Phone"),
                    "code": self.one("M1", "m1 ", "P1", None),
                },
            )

    def campaign_events(self) -> None:
        """What the delivery log tells of the campaigns: by two webhooks, late, out of order, in part."""
        for number in range(self.r.randint(1, 8)):
            id = self.one(*self.campaign_ids, 899)
            instants = [*self.runs, NOW - self.r.choice(AGES), NOW - self.r.choice(AGES), NOW - 1100 * HOUR]
            modified = self.r.choice(instants)
            campaign: Row = {
                "id": self.usually(id, 898, share=0.95),
                "canSync": self.usually(self.chance(0.5), None, share=0.9),
                "modifiedDateTime": self.usually(modified.isoformat(), None, share=0.9),
            }
            if self.chance(0.05):
                del campaign["canSync"]
            event_type = self.usually(41, 40, 42, 31)
            text = self.enveloped(event_type, campaign)
            for attempt in range(self.one(1, 1, 2)):
                log_id = 7000 + 10 * number + attempt
                self.row(
                    "raise",
                    "webhook_logs",
                    {
                        "id": log_id,
                        "webhook_id": 31 + attempt,
                        "event_type": event_type,
                        "context_id": str(id),
                        "success": "True",
                        "created_date": modified + self.one(0, 0, 1, 30) * HOUR + number * SECOND,
                    },
                )
                outcome = self.usually("read", "absent", "failed", "withheld", "refused", None, share=0.7)
                if outcome is not None:
                    payload = self.usually(text, text[:20], "", "[]", share=0.9)
                    self.row(
                        "raise",
                        "webhook_log_payloads",
                        {
                            "id": log_id,
                            "webhook_id": 31 + attempt,
                            "attempts": 1,
                            "outcome": outcome,
                            "pay_load": payload if outcome == "read" else None,
                        },
                    )

    def enveloped(self, event_type: int, campaign: Row) -> str:
        """The payload of an event: the campaign itself, or somewhere in what wraps it."""
        other = {"id": 5, "name": "not this one"}
        body: Row = self.one(
            campaign,
            {"eventType": event_type, **campaign},
            {"eventType": event_type, "payload": campaign},
            {"event": {"type": event_type, "payload": campaign}},
            {"eventType": event_type, "data": campaign},
            {"data": {"object": campaign}, "type": "campaign.updated"},
            {"event": "CampaignUpdated", "campaign": campaign},
            {"id": 12345678, "data": campaign},
            {"gift": other, "campaign": campaign},
            {"eventType": event_type, "data": json.dumps(campaign)},
            {"data": json.dumps({"campaign": campaign})},
        )
        text = json.dumps(body)
        return self.usually(text, json.dumps(text), share=0.93)

    # --- people ----------------------------------------------------------------------------------------------------

    def contacts(self) -> None:
        self.donor_ids = list(range(1, 2 + self.r.randint(1, 6)))
        self.contact_ids = [100 + i for i in range(self.r.randint(2, 9))] if self.organization.runs_crm_plus else []
        for id in self.contact_ids:
            merged = self.one(*self.contact_ids, 199, 0) if self.chance(0.25) else None
            references = [
                {
                    "source": self.usually(self.r.choice(SOURCES), "Mailchimp", "", share=0.9),
                    "id": self.usually(self.spelled(self.one(*self.donor_ids, 77)), "abc", "", "-1", share=0.93),
                }
                for _ in range(self.r.choices([0, 1, 2, 3], [45, 40, 10, 5])[0])
            ]
            created = NOW - self.usually(900 * HOUR, 500 * HOUR, HOUR, -HOUR, share=0.9)
            self.row(
                "crm_plus",
                "contacts",
                {
                    "id": id,
                    "name": f"Contact {id}",
                    "merged_into_contact_id": merged,
                    "is_archived": self.chance(0.7 if merged else 0.15),
                    "contact_references": json.dumps(references),
                    "create_date_time_utc": created,
                    "modified_date_time_utc": created,
                    "_deleted_at": NOW - HOUR if self.chance(0.05) else None,
                },
            )

    def donors(self) -> None:
        for id in self.donor_ids:
            key: str | None = None
            if self.chance(0.6) and self.contact_ids:
                key = self.spelled(self.r.choice(self.contact_ids))
            elif self.chance(0.35):
                key = self.one(
                    "",
                    "  ",
                    "0",
                    "-3",
                    "1e3",
                    "12.5",
                    "abc",
                    "1234567890123456789",
                    "9999999999999999999",
                    "198",
                    "00",
                    "12a",
                )
            urls: Any = self.usually({}, None, share=0.7)
            if self.chance(0.4):
                urls = self.one(
                    {"VirtuousCRM": {"url": "https://app.virtuoussoftware.com/Contact/1"}},
                    {"Salesforce": {"url": "https://example.org/1"}},
                    {"Salesforce": {"url": "https://example.org/1"}, "x": {"url": "https://APP.VIRTUOUS.example/1"}},
                    {"Blackbaud": {"url": None}},
                    {"virtuous": {"url": ""}},
                )
            created = self.created()
            self.row(
                "raise",
                "donors",
                {
                    "id": id,
                    "name": f"Donor {id}",
                    "crm_key": key,
                    "is_test_mode": self.chance(0.06),
                    "is_gdpr_deleted": self.chance(0.04),
                    "crm_key_urls": None if urls is None else json.dumps(urls),
                    "created_date": created,
                    "modified_date": self.modified(created),
                    "_deleted_at": NOW if self.chance(0.04) else None,
                },
            )

    # --- schedules -------------------------------------------------------------------------------------------------

    def schedules(self) -> None:
        crm_id = 300
        for id in range(30, 30 + self.r.randint(0, 5)):
            created = self.created()
            row = self.row(
                "raise",
                "recurring_gifts",
                {
                    "id": id,
                    "donor_id": self.usually(self.r.choice(self.donor_ids), 77, share=0.95),
                    "amount": self.r.choice(AMOUNTS),
                    "currency_code": self.usually("USD", "EUR", None, share=0.92),
                    "base_currency_code": self.usually("USD", None, share=0.95),
                    "frequency": self.usually(12, 1, 52, 100, 0, None, share=0.8),
                    "status_text": self.usually(
                        "Active",
                        "active ",
                        "Paused",
                        "Failing",
                        "Cancelled",
                        "canceled",
                        "Completed",
                        "Awaiting Setup",
                        None,
                        share=0.5,
                    ),
                    "is_test_mode": self.chance(0.06),
                    "created_date": created,
                    "modified_date": self.modified(created),
                    "_deleted_at": NOW if self.chance(0.05) else None,
                    **self.campaign_of(),
                },
            )
            if created is not None and self.chance(0.2):
                row["modified_date"] = created + self.one(24 * HOUR, 24 * HOUR + SECOND, HOUR)
            if self.chance(0.12):
                row["crm_key"] = self.one("0", "abc", "-3", "299", " ", "99999999999999999999")
            if not self.organization.runs_crm_plus or not self.contact_ids or self.chance(0.25):
                continue
            crm_id += 1
            if self.chance(0.65):
                row["crm_key"] = self.spelled(crm_id)
            for _ in range(self.usually(1, 2, share=0.93)):
                self.crm_schedule(crm_id, row)
                crm_id += 1 if self.chance(0.7) else 0
                if self.organization.of("crm_plus", "recurring_gifts")[-1]["id"] == crm_id:
                    break
        schedules = self.organization.of("raise", "recurring_gifts")
        if len(schedules) > 1 and self.chance(0.3):
            schedules[0]["crm_key"] = schedules[1].get("crm_key")
        if self.organization.runs_crm_plus and self.contact_ids and self.chance(0.3):
            self.crm_schedule(crm_id + 1, {"id": self.one(39, 38), "donor_id": 1, "amount": Decimal(10)})

    def crm_schedule(self, id: int, schedule: Row) -> None:
        created = NOW - 400 * HOUR
        self.row(
            "crm_plus",
            "recurring_gifts",
            {
                "id": id,
                "contact_id": self.contact_of(schedule["donor_id"]),
                "amount": schedule["amount"]
                + self.usually(Decimal(0), Decimal("0.01"), Decimal("0.02"), Decimal(-5), share=0.8),
                "frequency": self.usually(
                    "Monthly", " monthly", "Annually", "Semi-Annually", "Bimonthly", None, share=0.85
                ),
                "status": self.usually(
                    "Active", "UpToDate", "Paused", "Cancelled", "completed", "Unheard of", None, share=0.6
                ),
                "cancel_date_time_utc": NOW - 100 * HOUR if self.chance(0.06) else None,
                "create_date_time_utc": created,
                "modified_date_time_utc": self.usually(created, NOW - HOUR, NOW + HOUR, share=0.93),
                "_deleted_at": NOW if self.chance(0.04) else None,
                **(self.pair(schedule["id"]) if self.chance(0.75) else self.no_pair()),
            },
        )

    def wrong_side(self) -> None:
        """A side that is empty, or of another organization."""
        fate = self.one("empty", "emptied", "foreign", "foreign", "no Raise")
        if fate == "foreign":
            self.organization.foreign.add(self.one("raise", "crm_plus"))
        elif fate == "no Raise":
            for name in ("donors", "gifts", "recurring_gifts"):
                self.organization.rows["raise", name] = []
        elif self.organization.runs_crm_plus:
            resource = self.one("contacts", "gifts")
            if fate == "empty":
                self.organization.rows[("crm_plus", resource)] = []
            for row in self.organization.of("crm_plus", resource):
                row["_deleted_at"] = NOW

    # --- what could not be read ------------------------------------------------------------------------------------

    def vanish(self) -> None:
        if self.chance(0.05):
            for row in self.organization.of("raise", "campaigns"):
                if self.chance(0.5):
                    row["_deleted_at"] = self.one(NOW, NOW - 60 * HOUR)

    def quarantine(self) -> None:
        fields = {
            ("raise", "donors"): [None, "crmKey", "isTestMode", "email", "createdDate"],
            ("raise", "gifts"): [None, "amount", "comment", "createdDate", "date", "campaignId"],
            ("raise", "recurring_gifts"): [None, "crmKey", "amount", "profileNumber", "segmentId"],
            ("raise", "campaigns"): [None, "canSync", "name"],
            ("raise", "segments"): [None, "campaignId", "name"],
            ("crm_plus", "contacts"): [None, "mergedIntoContactId", "contactReferences", "website"],
            ("crm_plus", "gifts"): [None, "amount", "transactionId", "reversedGiftId", "notes", "giftDate"],
            ("crm_plus", "recurring_gifts"): [None, "amount", "status", "isPrivate"],
        }
        for (source, resource), names in fields.items():
            if not self.chance(0.12) or (source == "crm_plus" and not self.organization.runs_crm_plus):
                continue
            rows = self.organization.of(source, resource)
            known = [str(row["id"]) for row in rows]
            field = self.r.choice(names)
            if field is not None and not known:
                continue
            record_id = self.r.choice(known) if known and self.chance(0.7) else self.one("77", "198", None)
            if field is not None and record_id not in known:
                record_id = self.r.choice(known)
            self.organization.quarantine.append(
                {
                    "source": source,
                    "resource": resource,
                    "record_id": record_id,
                    "field": field,
                    "error": "unreadable",
                    "raw_text": None,
                    "first_seen_at": self.one(NOW, NOW - 80 * HOUR),
                    "last_seen_at": NOW,
                    "attempts": 1,
                    "resolved_at": NOW if self.chance(0.15) else None,
                }
            )


def organizations(seed: int, count: int) -> list[Organization]:
    return [World(f"org-{number:04d}", Random(f"{seed}/{number}")).organization for number in range(count)]
