"""The webhook delivery log: labels of every evidence status, retries, parallel subscriptions and disorder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from ingestion.sandbox.clock import DAY, HOUR, MINUTE, START, varied
from ingestion.sandbox.raise_gift_rows import gift_row
from ingestion.sandbox.raise_rows import campaign_row, donor_row, schedule_row
from ingestion.sandbox.table import Row, Table

from .records import CANCELLED, Delivery, Donor, Gift, Schedule, Webhook
from .state import World

LABELS: dict[int, tuple[str, ...]] = {
    10: ("Gift Created", "Gift Created", "Gift Created", "gift created", " Gift  Created"),
    11: ("Gift Updated",),
    12: ("Gift Deleted",),
    20: ("Recurring Gift Created",),
    21: ("RecurringGift Updated",),
    22: ("Recurring Gift Cancelled",),
    30: ("Donor Added",),
    31: ("Donor Updated", "Donor Updated", "Donor Merged", "Donor Updated", "Donor Updated"),
    32: ("Donor Archived",),
    40: ("Campaign Goal Reached",),
    41: ("Campaign Changed",),
    50: ("Page Published",),
    51: ("Page Updated", "Page Updated", "Page Unpublished", *("Page Updated",) * 6),
    60: ("Event Registration Created",),
    99: ("Test Ping", "Test Ping", "Ping", *("Test Ping",) * 6),
}
"""The labels of each event type in the log, each as often as it stands here. 42 and 52 never fire."""

EVIDENCE = {
    10: "confirmed",
    11: "confirmed",
    12: "confirmed",
    20: "confirmed",
    21: "confirmed",
    22: "confirmed",
    30: "confirmed",
    31: "ambiguous",
    32: "ambiguous",
    40: "contradicted",
    41: "confirmed",
    42: "unobserved",
    50: "contradicted",
    51: "ambiguous",
    52: "unobserved",
    60: "undocumented",
    99: "undocumented",
}
"""What a log with all of LABELS proves about each event type."""

CONTRADICTING = {"Donor Merged", "Page Unpublished"}
"""Labels of an ambiguous event type that would contradict the hypothesis, were they the only one in the log."""

RENAMED = {32: (START - 87 * HOUR - HOUR // 2, "Donor Deleted"), 60: (START - 36 * HOUR, "Registration Created")}
"""Event types that have another label from an instant on."""

PING = 99

_HOSTILE = (
    "'; drop table gifts; -- \u0000 \u202e",
    "[" * 5_000,
    '[{"id": 1, "modifiedDate": "2026-01-01T00:00:00Z"}]',
    '{"id": {"id": 1}, "modifiedDate": "9999-99-99"}',
    '"a text"',
    "12",
)
"""Payloads that mean nothing, or harm."""

HISTORY = 14 * DAY
"""How far back the log reaches when a world begins,"""

RETAINED = 4_000
"""and of how many gifts, donors and schedules, at the most."""


@dataclass(frozen=True)
class _Attempt:
    at: int
    webhook_id: int
    event_type: int
    label: str
    context_id: int
    status: int | None
    payload: str | None


class EventLog:
    """Writes events into the delivery log of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._fired: dict[int, int] = {}
        self._attempts: list[_Attempt] = []

    def fire(self, event_type: int, context_id: int, at: int, resource: dict[str, Any] | None) -> None:
        """Deliver an event to every active webhook that subscribes to it, with the retries that takes."""
        count = self._fired.get(event_type, 0)
        self._fired[event_type] = count + 1
        labels = LABELS[event_type]
        renamed_at, new_label = RENAMED.get(event_type, (None, ""))
        label = new_label if renamed_at is not None and at >= renamed_at else labels[count % len(labels)]
        payload = self._payload(event_type, count, at, resource)
        for webhook in self.world.webhooks:
            if self._wants(webhook, event_type):
                for delay, status in self._outcomes():
                    attempt = _Attempt(at + delay, webhook.id, event_type, label, context_id, status, payload)
                    self._attempts.append(attempt)

    def _wants(self, webhook: Webhook, event_type: int) -> bool:
        undocumented_but_sent = event_type > 52 and webhook.id == 32
        return webhook.status == 1 and (event_type in webhook.events or undocumented_but_sent)

    def _outcomes(self) -> list[tuple[int, int | None]]:
        draw = self.world.random.random()
        first = 1_000 + int(draw * 4_000)
        if draw < 0.9:
            return [(first, 200 if draw < 0.7 else 204)]
        if draw < 0.95:
            return [(first, 500), (first + MINUTE, 200)]
        if draw < 0.985:
            return [(first, None), (first + MINUTE, 503), (first + 6 * MINUTE, 200)]
        return [(first, 401), (first + MINUTE, 401), (first + 6 * MINUTE, 401)]

    @staticmethod
    def _payload(event_type: int, count: int, at: int, resource: dict[str, Any] | None) -> str | None:
        """One of the envelopes that the documentation suggests, and now and then something broken or hostile."""
        body = resource or {"id": None}
        if event_type == PING:
            return orjson.dumps({"eventType": event_type, "filler": "x" * 1_000_000 if count == 0 else ""}).decode()
        if count % 40 == 13:
            return orjson.dumps({"eventType": event_type, "payload": body}).decode()[:90]
        if count % 40 == 26:
            return (None, "", "<html><body>Bad gateway</body></html>")[count // 40 % 3]
        if count % 40 == 33:
            return _HOSTILE[count // 40 % len(_HOSTILE)]
        if count % 4 == 0:
            return orjson.dumps({"eventType": event_type, **body}).decode()
        if count % 4 == 1:
            return orjson.dumps(body).decode()
        if count % 4 == 2:
            return orjson.dumps({"event": {"type": event_type, "payload": body}}).decode()
        return orjson.dumps({"eventType": event_type, "timestamp": varied(at, count), "payload": body}).decode()

    def forget(self) -> None:
        """Drop what is older than the log retains."""
        world = self.world
        if world.options.log_retention_days is None:
            return
        until = world.now - world.options.log_retention_days * DAY
        for row in [row for row in world.deliveries if row.created < until]:
            world.deliveries.remove(row.id)
            if world.was_seen(row.created):
                world.vanished.deliveries.append(row)

    def write(self) -> None:
        """Append what was fired, in the order of its instants, up to now; what comes later stays for another time."""
        now = self.world.now
        self._attempts.sort(key=lambda attempt: attempt.at)
        due = [attempt for attempt in self._attempts if attempt.at <= now]
        self._attempts = self._attempts[len(due) :]
        for attempt in due:
            self.world.deliveries.add(
                Delivery(
                    self.world.next_id("delivery"),
                    attempt.webhook_id,
                    attempt.event_type,
                    attempt.label,
                    attempt.context_id,
                    attempt.at,
                    attempt.status,
                    attempt.payload,
                )
            )

    # What resources look like at an event

    def gift(self, event_type: int, gift: Gift, at: int, modified: int | None = None) -> None:
        """An event of a gift, with the gift as it was modified then."""
        row = gift_row(self.world, gift)
        row["modifiedDate"] = varied(at if modified is None else modified, gift.id)
        self.fire(event_type, gift.id, at, row)

    def schedule(self, event_type: int, schedule: Schedule, at: int) -> None:
        """An event of a recurring gift."""
        self.fire(event_type, schedule.id, at, schedule_row(self.world, schedule))

    def donor(self, event_type: int, donor: Donor, at: int) -> None:
        """An event of a donor."""
        row = donor_row(donor)
        row["modifiedDate"] = varied(at, donor.id)
        self.fire(event_type, donor.id, at, row)

    def campaign(self, event_type: int, campaign_id: int, at: int) -> None:
        """An event of a campaign."""
        self.fire(event_type, campaign_id, at, campaign_row(self.world, self.world.campaigns[campaign_id]))


def log_history(log: EventLog) -> None:
    """Fill the log with what happened before the world begins."""
    world = log.world
    since = START - HISTORY
    gifts = [gift for gift in _latest(world.gifts) if gift.created >= since]
    for number, gift in enumerate(gifts):
        if gift.is_test:
            continue
        if number % 17 == 3:
            # the update overtakes the creation
            log.gift(11, gift, gift.created + MINUTE)
            log.gift(10, gift, gift.created + 2 * MINUTE, modified=gift.created)
        elif number % 17 == 9:
            # an update whose creation was never delivered
            log.gift(11, gift, gift.created + MINUTE)
        elif number % 17 == 12:
            # nothing tells which of the two was later but the log
            log.gift(10, gift, gift.created, modified=gift.created)
            log.gift(11, gift, gift.created + MINUTE, modified=gift.created)
        else:
            log.gift(10, gift, gift.created, modified=gift.created)
        if number % 11 == 5:
            # two updates, logged in the wrong order
            log.gift(11, gift, gift.created + 9 * MINUTE, modified=gift.created + 8 * MINUTE)
            log.gift(11, gift, gift.created + 10 * MINUTE, modified=gift.created + 7 * MINUTE)
    for donor in _latest(world.donors):
        if donor.created >= since:
            log.donor(30, donor, donor.created)
    living = [donor for donor in world.donors if donor.situation == "linked"][:60:2]
    for number, donor in enumerate(living):
        log.donor(31, donor, START - (40 + number * 5) * HOUR)
    for schedule in _latest(world.schedules):
        if schedule.created >= since:
            log.schedule(20, schedule, schedule.created)
        if schedule.state == CANCELLED and schedule.modified >= since:
            log.schedule(22, schedule, schedule.modified)
    _log_staples(log)
    log.write()


def _latest(table: Table[Row]) -> list[Row]:
    return [table[id] for id in table.ids[-RETAINED:]]


def _log_staples(log: EventLog) -> None:
    """Events that every log has, so that each label is there at every scale."""
    world = log.world
    schedules = [schedule for schedule in world.schedules if schedule.situation == "linked"][:6]
    for number, schedule in enumerate(schedules):
        log.schedule(20, schedule, START - (300 - number) * HOUR)
        log.schedule(21, schedule, START - (200 - number) * HOUR)
    for number, schedule in enumerate([schedule for schedule in world.schedules if schedule.state == CANCELLED][:3]):
        log.schedule(22, schedule, START - (100 - number) * HOUR)
    for number, donor in enumerate([donor for donor in world.donors if donor.is_archived][:4]):
        log.donor(32, donor, START - (90 - number) * HOUR)
    for number, campaign_id in enumerate(world.campaigns.ids[:4]):
        log.campaign(40, campaign_id, START - (80 - number) * HOUR)
        log.campaign(41, campaign_id, START - (70 - number) * HOUR)
    for number in range(9):
        page = 600 + number
        resource = {"id": page, "name": f"Donation Page {number}", "modifiedDate": varied(START - 60 * HOUR, number)}
        log.fire(50, page, START - (60 - number) * HOUR, resource)
        log.fire(51, page, START - (50 - number) * HOUR, resource)
        log.fire(60, 700 + number, START - (40 - number) * HOUR, {"id": 700 + number})
        log.fire(PING, number, START - (30 - number) * HOUR, None)
    # a gift that came and went before anyone could have read it
    gone = world.gifts.ids[len(world.gifts) // 2] + 1
    while gone in world.gifts:
        gone += 1
    log.fire(10, gone, START - 26 * HOUR, {"id": gone, "modifiedDate": varied(START - 26 * HOUR, 0)})
    log.fire(12, gone, START - 25 * HOUR, {"id": gone, "modifiedDate": varied(START - 25 * HOUR, 0)})
    log.fire(12, gone + 1_000_000, START - 24 * HOUR, {"id": gone + 1_000_000})
