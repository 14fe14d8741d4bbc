"""A second reading of how exceptions live: a small register in plain Python, and random days to drive it through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import NamedTuple

BEGIN = datetime(2026, 3, 1, 6, tzinfo=UTC)
DAY = timedelta(days=1)
ORGANIZATIONS = ("alder", "birch", "cedar")
EXCEPTIONS = {
    "donor": ("missing", "late", "conflict", "merged"),
    "gift": ("missing", "late", "refund_not_reversed", "amount_mismatch"),
    "recurring_gift": ("missing", "late", "dangling", "amount_mismatch"),
}
HEALTHY = {"donor": "linked", "gift": "matched", "recurring_gift": "linked"}


class Side(NamedTuple):
    """One organization's records of one kind."""

    organization: str
    entity: str


class Record(NamedTuple):
    """A Raise record, or one that only CRM+ has."""

    source: str
    id: int


class Seen(NamedTuple):
    """What a run says of a record."""

    status: str
    is_exception: bool
    amount: Decimal
    cause: str


class Waiver(NamedTuple):
    """A line of waivers.csv."""

    side: Side
    id: int
    code: str
    until: date | None


@dataclass
class Day:
    """What one run finds."""

    as_of: dict[Side, datetime | None]
    is_assessable: dict[Side, bool]
    records: dict[Side, dict[Record, Seen]]
    waivers: list[Waiver]
    # CRM+ records in quarantine, and organizations whose transaction id counts as unknown
    unreadable: set[tuple[Side, int]]
    without_key: set[str]


@dataclass
class Entry:
    """An exception as the register holds it."""

    first_seen_at: datetime
    last_seen_at: datetime
    amount: Decimal
    cause: str
    resolved_at: datetime | None = None
    reopened_count: int = 0
    state: str = "open"
    age_days: int = 0


class Register:
    """Every (record, status) that was ever an exception."""

    def __init__(self) -> None:
        self.entries: dict[tuple[Side, Record, str], Entry] = {}

    def take(self, day: Day) -> None:
        """Enter what a run found."""
        for side, as_of in day.as_of.items():
            if as_of is not None:
                self._take_side(side, as_of, day)

    def _take_side(self, side: Side, as_of: datetime, day: Day) -> None:
        found = day.records[side]
        for record, seen in found.items():
            if not seen.is_exception:
                continue
            entry = self.entries.setdefault((side, record, seen.status), Entry(as_of, as_of, seen.amount, seen.cause))
            if entry.resolved_at is not None:
                entry.resolved_at, entry.reopened_count = None, entry.reopened_count + 1
            entry.last_seen_at, entry.amount, entry.cause = as_of, seen.amount, seen.cause
        for (of_side, record, code), entry in self.entries.items():
            if of_side != side:
                continue
            now = found.get(record)
            is_over = _is_known(day, side, record) and (now is None or now.status != code)
            if is_over and entry.resolved_at is None:
                entry.resolved_at = as_of
            entry.age_days = ((entry.resolved_at or as_of) - entry.first_seen_at).days
            entry.state = "resolved" if entry.resolved_at else "open"
            if entry.state == "open" and any(_waives(waiver, side, record, code, as_of) for waiver in day.waivers):
                entry.state = "waived"


def _is_known(day: Day, side: Side, record: Record) -> bool:
    """A record that is gone is over, unless it may be gone only because nobody could read what it is."""
    now = day.records[side].get(record)
    if now is not None:
        return now.status != "not_assessable"
    if record.source == "crm_plus" and (side, record.id) in day.unreadable:
        return False
    if record.source == "crm_plus" and side.entity == "gift" and side.organization in day.without_key:
        return False
    return day.is_assessable[side]


def _waives(waiver: Waiver, side: Side, record: Record, code: str, as_of: datetime) -> bool:
    """A waiver holds through its last day."""
    holds = waiver.until is None or as_of.date() <= waiver.until
    return holds and (waiver.side, waiver.id, waiver.code) == (side, record.id, code)


def days(seed: int, count: int) -> Iterator[Day]:
    """Runs in which exceptions come, go, come back, are waived, and cannot be assessed."""
    random = Random(seed)
    sides = [Side(organization, entity) for organization in ORGANIZATIONS for entity in EXCEPTIONS]
    read_at: dict[Side, datetime | None] = dict.fromkeys(sides)
    found: dict[Side, dict[Record, Seen]] = {side: {} for side in sides}
    waivers: list[Waiver] = []
    for number in range(count):
        today = BEGIN + number * DAY
        day = Day({}, {}, {}, [], set(), {name for name in ORGANIZATIONS if random.random() < 0.2})
        day.unreadable = {(side, random.randrange(11, 21)) for side in sides for _ in range(2)}
        for side in sides:
            is_read = random.random() < 0.85
            if is_read:
                read_at[side] = today - timedelta(seconds=random.randrange(3600))
            day.as_of[side] = read_at[side]
            day.is_assessable[side] = read_at[side] is not None and (is_read or random.random() < 0.3)
            found[side] = dict(_changed(random, side, found[side], number, day.is_assessable[side]))
            if read_at[side] is None:
                found[side] = {
                    record: Seen("not_assessable", False, seen.amount, seen.cause)
                    for record, seen in found[side].items()
                }
            day.records[side] = found[side]
        waivers = [waiver for waiver in waivers if random.random() < 0.9]
        waivers += [_waiver(random, side, today.date()) for side in sides for _ in range(3)]
        day.waivers = list({waiver[:3]: waiver for waiver in waivers}.values())
        yield day


def _changed(
    random: Random, side: Side, before: dict[Record, Seen], number: int, is_assessable: bool
) -> Iterable[tuple[Record, Seen]]:
    records = [Record("raise", id) for id in range(1, 16)]
    records += [Record("crm_plus", id) for id in range(11, 21)] if side.entity != "donor" else []
    for record in records:
        amount = Decimal(random.randrange(1, 9)).quantize(Decimal("0.01"))
        draw, last = random.random(), before.get(record)
        if draw < 0.1:
            continue  # vanished, or not there yet
        if draw < (0.2 if is_assessable else 0.8):
            yield record, Seen("not_assessable", False, amount, "Not enough was read.")
        elif record.source == "crm_plus":
            yield record, Seen("orphan", True, amount, f"Day {number}.")
        elif draw < 0.6 and last is not None:
            yield record, last._replace(amount=amount, cause=f"Day {number}.")
        elif draw < 0.75:
            yield record, Seen(HEALTHY[side.entity], False, amount, f"Day {number}.")
        else:
            yield record, Seen(random.choice(EXCEPTIONS[side.entity]), True, amount, f"Day {number}.")


def _waiver(random: Random, side: Side, today: date) -> Waiver:
    code = random.choice([*EXCEPTIONS[side.entity], "orphan"])
    until = random.choice([None, today - DAY, today, today + DAY, today + 3 * DAY])
    return Waiver(side, random.randrange(1, 21), code, until)
