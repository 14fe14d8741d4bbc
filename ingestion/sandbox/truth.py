"""What a correct warehouse says, once it has made a complete read at the sandbox's now."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection
from math import inf
from typing import Any

from .clock import HOUR, iso_z, local_day
from .webhook_truth import coverage, events, health, logged, switches, unread_campaign_events
from .world.organization import ALL_EVENTS
from .world.records import APPROVED, BY_AGE, BY_CAMPAIGN, CrmGift, Gift, Schedule
from .world.state import World
from .world.words import CONTRADICTING, evidence

LATE_AFTER_HOURS = 24
MISSING_AFTER_HOURS = 72

_NOT_JUDGED = ("test_mode", "deleted")
"""Statuses of donors whose CRM+ record is of no consequence."""

_UNEXPLAINED = ("missing", "refund_not_reversed", "reversal_without_refund", "duplicate", "amount_mismatch", "orphan")
"""Statuses of gifts whose two sides differ for no reason."""


def by_age(since: int, now: int) -> str:
    """The status of a record that should be in CRM+ and is not."""
    hours = (now - since) / HOUR
    if hours < LATE_AFTER_HOURS:
        return "pending"
    return "late" if hours < MISSING_AFTER_HOURS else "missing"


class Switches:
    """What a pipeline can know of the campaigns' sync switches: from its complete reads and from campaign events."""

    def __init__(self, world: World) -> None:
        self._seen: dict[int, list[tuple[int, bool, bool]]] = defaultdict(list)
        now = {row.id: row.can_sync for row in world.campaigns}
        for at, states in [*((seen.at, seen.syncing) for seen in world.observations), (world.now, now)]:
            for id, state in states.items():
                self._seen[id].append((at, False, state))
        for (id, at), state in switches(world).items():
            self._seen[id].append((at, True, state))
        for seen in self._seen.values():
            seen.sort()
        self._unread = unread_campaign_events(world)

    def known_to_sync(self, campaign_id: int, at: int) -> bool:
        """What was seen last holds to the next modification that an event tells; else what was seen nearest counts."""
        seen = self._seen[campaign_id]
        following = bisect_right(seen, at, key=lambda each: each[0])
        if following in (0, len(seen)):
            return seen[min(following, len(seen) - 1)][2]
        (before, _, was_syncing), (after, is_event, is_syncing) = seen[following - 1], seen[following]
        return was_syncing if is_event or at - before < after - at else is_syncing

    def is_assumed(self, campaign_id: int, at: int) -> bool:
        """Whether nothing covers an instant, so that the nearest evidence has to do."""
        seen = self._seen[campaign_id]
        following = bisect_right(seen, at, key=lambda each: each[0])
        if following in (0, len(seen)):
            return True
        (_, _, was_syncing), (_, is_event, is_syncing) = seen[following - 1], seen[following]
        return not is_event and was_syncing != is_syncing

    def lies_unread(self, campaign_id: int, at: int) -> bool:
        """Whether an entry that nobody understands lies between the evidence before an instant and that after it."""
        seen = self._seen[campaign_id]
        following = bisect_right(seen, at, key=lambda each: each[0])
        after = seen[following - 1][0] if following else -inf
        before = seen[following][0] if following < len(seen) else inf
        return any(campaign == campaign_id and after < logged < before for campaign, logged in self._unread)


def truth(world: World) -> dict[str, Any]:
    """Everything that was planted or has happened, as statuses of the warehouse contract."""
    known = Switches(world)
    return {
        "now": iso_z(world.now),
        "donors": _donors(world),
        "orphan_contacts": {
            str(row.id): {"status": "orphan", "situation": row.situation}
            for row in world.contacts
            if row.situation == "orphan"
        },
        "gifts": _gifts(world, known),
        "orphan_gifts": {
            str(row.id): {"status": "orphan", "situation": row.situation}
            for row in world.crm_gifts
            if row.situation == "orphan"
        },
        "unsettled_gifts": sorted(world.vanished.unsettled_gifts),
        "unsettled_crm_gifts": sorted(world.vanished.unsettled_crm_gifts),
        "daily_totals": _daily_totals(world, known),
        "recurring_gifts": _schedules(world, known),
        "orphan_recurring_gifts": {
            str(row.id): {"status": "orphan", "situation": row.situation}
            for row in world.crm_schedules
            if row.situation == "orphan"
        },
        "event_types": _event_types(world),
        "webhook_events": events(world),
        "webhook_health": health(world),
        "webhook_coverage": coverage(world),
    }


def _donors(world: World) -> dict[str, dict[str, Any]]:
    donors: dict[str, dict[str, Any]] = {}
    for donor in world.donors:
        status = donor.status
        if status == BY_AGE:
            assert donor.expected_since is not None
            status = by_age(donor.expected_since, world.now)
        answer: dict[str, Any] = {"status": status, "situation": donor.situation}
        if status not in _NOT_JUDGED:
            answer["crm_id"] = donor.crm_id
        if donor.status == BY_AGE and donor.expected_since is not None:
            answer["expected_since"] = iso_z(donor.expected_since)
        donors[str(donor.id)] = answer
    for id in world.vanished.donors:
        donors[str(id)] = {"status": "deleted", "situation": "vanished"}
    return donors


def _settle(world: World, known: Switches, row: Gift | Schedule) -> str:
    if row.status == BY_CAMPAIGN:
        assert row.campaign_id is not None
        if known.is_assumed(row.campaign_id, row.created) and known.lies_unread(row.campaign_id, row.created):
            return "not_assessable"
        if not known.known_to_sync(row.campaign_id, row.created):
            return "sync_disabled"
    elif row.status != BY_AGE:
        return row.status
    return by_age(row.created, world.now)


def _gifts(world: World, known: Switches) -> dict[str, dict[str, Any]]:
    gifts: dict[str, dict[str, Any]] = {
        str(gift.id): {
            "status": _settle(world, known, gift),
            "situation": gift.situation,
            "crm_gift_ids": list(gift.crm_ids),
        }
        for gift in world.gifts
    }
    for id, gift in world.vanished.gifts.items():
        gifts[str(id)] = {"status": "deleted", "situation": "vanished", "crm_gift_ids": list(gift.crm_ids)}
    return gifts


def _daily_totals(world: World, known: Switches) -> dict[str, dict[str, int]]:
    """Cents by day since 1970 and currency: what Raise keeps, what CRM+ nets, what of the difference has no reason."""
    totals: dict[str, dict[str, int]] = {}

    def add(day: int, currency: str, name: str, cents: int) -> None:
        of_day = totals.setdefault(f"{day} {currency}", {"raise_net": 0, "crm_net": 0, "unexplained": 0})
        of_day[name] += cents

    for gift in (*world.gifts, *world.vanished.gifts.values()):
        is_there = gift.id not in world.vanished.gifts
        status = _settle(world, known, gift) if is_there else "deleted"
        day, rows = local_day(gift.created), [world.crm_gifts[id] for id in gift.crm_ids]
        currency, kept = _comparable(gift, rows)
        if not is_there or gift.is_test or gift.state != APPROVED:
            kept = 0
        add(day, currency, "raise_net", kept)
        for row in rows:
            add(day, row.currency, "crm_net", row.cents)
        if status in _UNEXPLAINED:
            add(day, currency, "unexplained", kept - sum(row.cents for row in rows))
    days_of_orphans = {row.id: row.day for row in world.crm_gifts if row.situation == "orphan"}
    for row in world.crm_gifts:
        day_of_orphan = days_of_orphans.get(row.reversed_id or row.id)
        if day_of_orphan is not None:
            add(day_of_orphan, row.currency, "crm_net", row.cents)
            add(day_of_orphan, row.currency, "unexplained", -row.cents)
    return totals


def _comparable(gift: Gift, rows: list[CrmGift]) -> tuple[str, int]:
    """A gift's amount in the currency of its CRM+ gifts, where it tells its amount there."""
    if gift.shows_base and any(row.currency != gift.currency for row in rows):
        return rows[0].currency, round(gift.cents * gift.rate)
    return gift.currency, gift.cents


def _schedules(world: World, known: Switches) -> dict[str, dict[str, Any]]:
    schedules = {
        str(row.id): {"status": _settle(world, known, row), "situation": row.situation, "crm_id": row.crm_id}
        for row in world.schedules
    }
    for id, row in world.vanished.schedules.items():
        schedules[str(id)] = {"status": "deleted", "situation": "vanished", "crm_id": row.crm_id}
    return schedules


def _event_types(world: World) -> dict[str, dict[str, Any]]:
    labels: dict[int, Counter[str]] = {event_type: Counter() for event_type in ALL_EVENTS}
    for delivery in logged(world):
        labels.setdefault(delivery.event_type, Counter())[delivery.label] += 1
    answer: dict[str, dict[str, Any]] = {}
    for event_type, seen in sorted(labels.items()):
        folded: Counter[str] = Counter()
        for label, count in seen.items():
            folded[_fold(label)] += count
        ranked = sorted(seen, key=lambda label: (-folded[_fold(label)], _fold(label), -seen[label], label))
        answer[str(event_type)] = {
            "status": _proven(evidence(world.seed)[event_type], folded.keys(), ranked),
            "observed_label": ranked[0].strip() if ranked else None,
            "observations": seen.total(),
            "label_count": len(folded),
        }
    return answer


def _proven(status: str, distinct: Collection[str], ranked: list[str]) -> str:
    if not distinct:
        return "unobserved"
    if status == "ambiguous" and len(distinct) == 1:
        return "contradicted" if ranked[0] in CONTRADICTING else "confirmed"
    return status


def _fold(label: str) -> str:
    return "".join(label.split()).lower()
