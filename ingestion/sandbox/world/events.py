"""The webhook delivery log: labels of every evidence status, retries, parallel subscriptions and disorder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ingestion.sandbox.clock import DAY, HOUR, MINUTE, START, varied
from ingestion.sandbox.raise_gift_rows import gift_row
from ingestion.sandbox.raise_rows import campaign_row, donor_row, schedule_row
from ingestion.sandbox.table import Row, Table

from .envelopes import PING, payload
from .records import CANCELLED, Delivery, Donor, Gift, Schedule, Webhook
from .state import World
from .words import RENAMED, labels

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
        self._labels = labels(world.seed)
        self._fired: dict[int, int] = {}
        self._attempts: list[_Attempt] = []

    def fire(
        self,
        event_type: int,
        context_id: int,
        at: int,
        resource: dict[str, Any] | None,
        outcomes: list[tuple[int, int | None]] | None = None,
    ) -> None:
        """Deliver an event to every active webhook that subscribes to it, with the retries that takes: drawn, unless
        they are given.
        """
        count = self._fired.get(event_type, 0)
        self._fired[event_type] = count + 1
        words = self._labels[event_type]
        renamed_at, new_label = RENAMED.get(event_type, (None, ""))
        label = new_label if renamed_at is not None and at >= renamed_at else words[count % len(words)]
        body = payload(event_type, count, at, resource)
        for webhook in self.world.webhooks:
            if self._wants(webhook, event_type):
                for delay, status in outcomes or self._outcomes():
                    attempt = _Attempt(at + delay, webhook.id, event_type, label, context_id, status, body)
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

    def donor(
        self, event_type: int, donor: Donor, at: int, outcomes: list[tuple[int, int | None]] | None = None
    ) -> None:
        """An event of a donor."""
        row = donor_row(donor)
        row["modifiedDate"] = varied(at, donor.id)
        self.fire(event_type, donor.id, at, row, outcomes)

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
