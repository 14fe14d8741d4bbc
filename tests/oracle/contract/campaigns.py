"""§3: when a record is expected in CRM+: how the switch of its campaign stood when it was made."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from tests.oracle.contract.reads import Reads
from tests.oracle.contract.values import CAMPAIGN_EVENTS, DECIDING, EVER, NEVER, folded, integer
from tests.oracle.organization import Row


class Observation(NamedTuple):
    """How the switch of a campaign stood, by a read or by an event of the delivery log."""

    at: datetime
    is_event: bool
    state: bool


class Campaigns(Reads):
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
            # A name that cannot be read hides no switch.
            if row["field"] is None or row["field"] in DECIDING["raise", "campaigns"]
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
                        and self.is_believed(read["started_at"])
                        and read["started_at"] >= since
                        and (following is None or read["finished_at"] < following)
                        and (unseen_since is None or read["started_at"] < unseen_since)
                    ):
                        yield id, Observation(read["started_at"], False, state)

    @cached_property
    def _campaign_entries(self) -> list[tuple[Row, Row | None]]:
        """Entries of the delivery log about campaigns, each with the campaign that its payload shows.

        None: the payload was not read, or no object in it is the campaign.
        """
        payloads = {
            row["id"]: row["pay_load"] for row in self.o.of("raise", "webhook_log_payloads") if row["outcome"] == "read"
        }
        return [
            (log, _record(payloads.get(log["id"]), log["context_id"]))
            for log in self.o.of("raise", "webhook_logs")
            if log["event_type"] in CAMPAIGN_EVENTS
        ]

    def _events_of_switches(self) -> Iterator[tuple[int, Observation]]:
        """States that payloads of campaign events place in time; of two with one modification, what was told later."""
        told: dict[tuple[int, datetime], dict[bool, tuple[datetime, int]]] = defaultdict(dict)
        for log, campaign in self._campaign_entries:
            if campaign is None or campaign.get("canSync") is None or campaign.get("modifiedDateTime") is None:
                continue
            at = datetime.fromisoformat(campaign["modifiedDateTime"])
            if self.is_believed(at):
                state, first = campaign["canSync"], (log["created_date"], log["id"])
                of_modification = told[int(log["context_id"]), at]
                of_modification[state] = min(of_modification.get(state, first), first)
        for (id, at), states in told.items():
            yield id, Observation(at, True, max(states, key=lambda state: states[state]))

    def _has_unread_evidence(self, campaign: int, since: datetime, until: datetime) -> bool:
        return any(
            log["context_id"] == str(campaign) and since <= log["created_date"] <= until
            for log, shown in self._campaign_entries
            if shown is None
        )

    def can_sync(self, campaign: int, at: datetime) -> bool | None:
        """What was seen last holds to the next modification that is told; else the nearest counts, of two the later.

        None: nothing was ever seen, or the nearest would be taken for true while evidence lies unread.
        """
        observations = self.sync_observations.get(campaign, [])
        before = max((o for o in observations if o.at <= at), default=None)
        after = min((o for o in observations if o.at > at), default=None)
        if before is not None and after is not None and (before.state is after.state or after.is_event):
            return before.state
        if self._has_unread_evidence(campaign, before.at if before else EVER, after.at if after else NEVER):
            return None
        if before is None or after is None:
            return before.state if before else after.state if after else None
        return before.state if at - before.at < after.at - at else after.state

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


def _record(text: str | None, id: str) -> Row | None:
    """The outermost object of a payload that has the id."""

    def opened(value: Any) -> Any:
        try:
            while isinstance(value, str):
                value = json.loads(value)
        except ValueError:
            return None
        return value

    layer = [opened(text)]
    while layer:
        objects = [value for value in layer if isinstance(value, dict)]
        for value in objects:
            if str(value.get("id")) == id:
                return value
        layer = [opened(member) for value in objects for member in value.values()]
    return None
