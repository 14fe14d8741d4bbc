"""Faults that can be switched on, by name and rate, to see what a reader makes of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from email.utils import formatdate
from math import ceil
from random import Random

import orjson

RAISE_RESOURCES = {
    "gifts": "Gift",
    "donors": "Donor",
    "recurring_gifts": "RecurringGift",
    "campaigns": "Campaign",
    "segments": "Segment",
    "projects": "Project",
    "webhooks": "Webhook",
    "webhook_logs": "Webhook log",
}
CRM_PLUS_RESOURCES = {
    "contacts": "Contact",
    "gifts": "Gift",
    "recurring_gifts": "RecurringGift",
    "projects": "Project",
    "campaigns": "Campaign",
    "organization": "Organization",
}

FAULTS: dict[str, str] = {
    "raise_5xx": "Raise answers some requests with 500, 502 or 503",
    "crm_plus_5xx": "CRM+ answers some requests with 500, 502, 503 or 520",
    "raise_429": "Raise throttles some requests, every other time without saying for how long",
    "crm_plus_429": "CRM+ says that its hourly budget is spent, with a short Retry-After",
    "raise_storm": "Raise throttles everybody for a quarter of an hour at a time",
    "crm_plus_storm": "CRM+ throttles everybody for a quarter of an hour at a time",
    "raise_401": "Raise accepts no token",
    "crm_plus_401": "CRM+ accepts no key",
    "timeouts": "some requests get no answer until the reader gives up",
    "cut_bodies": "some answers end in the middle, with and without a matching Content-Length",
    "html_200": "some answers are a maintenance page with status 200",
    "dropped_connections": "some connections end without an answer",
    "redirects": "some answers lead to a login page elsewhere",
    "wrong_envelopes": "some answers are JSON with status 200, and something else than the records",
    "short_pages": "some pages hold fewer rows than were asked for, though more follow",
    "repeated_rows": "some pages hold a row twice",
    "moving_total": "some answers count a few rows too many or too few",
    "poisoned_rows": "a few rows make every page that holds them fail with 500",
    "raise_mass_deletion": "four in ten gifts are gone from Raise, as if somebody had deleted them",
    "new_fields": "rows carry a field that nobody announced",
    "wide_rows": "a few rows carry 600 fields that the organization made for itself",
    "lost_fields": "rows lack their modification date",
    "changed_types": "amounts arrive as formatted text",
    "odd_values": "a few rows carry a modification date that cannot be read",
    "moving_rows": "rows appear and vanish between two pages",
    **{f"raise_403_{name}": f"the Raise token may not read {path}" for name, path in RAISE_RESOURCES.items()},
    **{f"crm_plus_403_{name}": f"the CRM+ key may not read {path}" for name, path in CRM_PLUS_RESOURCES.items()},
}
"""Every fault and what it does."""

_RATES = {
    "poisoned_rows": 0.002,
    "raise_mass_deletion": 0.4,
    "wide_rows": 0.002,
    "odd_values": 0.01,
    "new_fields": 1.0,
    "lost_fields": 1.0,
    "changed_types": 1.0,
    "moving_rows": 0.3,
    "timeouts": 0.02,
}
_USUAL_RATE = 0.05
# Values are text, whatever they are of.
_OWN_FIELDS = b"".join(b',"ownField%d":"value %d"' % (number, number) for number in range(600))
_MODIFIED = {"modifiedDate", "modifiedDateTime", "modifiedDateTimeUtc"}


class WallClock:
    """The real clock, and what a reader leaped over instead of waiting."""

    def __init__(self) -> None:
        self._leaped = 0.0

    def now(self) -> float:
        """Unix seconds."""
        return time.time() + self._leaped

    def leap(self, seconds: float) -> None:
        """Let so many seconds have passed."""
        self._leaped += seconds


class Storm:
    """Refuses everything for a quarter of an hour at a time, and counts who asks all the same."""

    SECONDS = 900

    def __init__(self, clock: WallClock) -> None:
        self._clock = clock
        self._closed_until = 0.0
        self.windows = 0
        self.forbidden = 0

    def refuses(self, strikes: bool) -> bool:
        """Whether a request is refused: it falls into a forbidden window, or opens one because a storm strikes."""
        if self._clock.now() < self._closed_until:
            self.forbidden += 1
            return True
        if strikes:
            self.windows += 1
            self._closed_until = self._clock.now() + self.SECONDS
        return strikes

    def retry_after(self) -> str:
        """When to come again: every other window as a date."""
        if self.windows % 2:
            return str(ceil(self._closed_until - self._clock.now()))
        return formatdate(self._closed_until, usegmt=True)


def usual_rate(name: str) -> float:
    """How often a fault strikes when nothing else is said: refusals always, the others now and then."""
    if "_401" in name or "_403" in name:
        return 1.0
    return _RATES.get(name, _USUAL_RATE)


class Faults:
    """The faults that are on. Which request they strike follows from the seed."""

    def __init__(self, seed: int, names: Iterable[str] = ()) -> None:
        self.rates: dict[str, float] = {}
        self.struck: Counter[str] = Counter()
        self.clock = WallClock()
        self.storms = {product: Storm(self.clock) for product in ("raise", "crm_plus")}
        self._seed = seed
        self._random = Random(seed ^ 0x5EED)
        self.set(dict.fromkeys(names, True))

    def set(self, wanted: Mapping[str, bool | float]) -> None:
        """Switch faults on (True or a rate) and off (False or 0)."""
        for name in wanted:
            if name not in FAULTS:
                raise ValueError(f"unknown fault {name!r}: use one of {', '.join(FAULTS)}")
        for name, value in wanted.items():
            rate = usual_rate(name) if value is True else float(value)
            if rate:
                self.rates[name] = rate
            else:
                self.rates.pop(name, None)

    def strikes(self, name: str) -> bool:
        """Whether a fault strikes this request."""
        rate = self.rates.get(name)
        if rate is None or self._random.random() >= rate:
            return False
        self.struck[name] += 1
        return True

    def storm(self, product: str) -> Storm | None:
        """The storm over a product, if it refuses this request."""
        storm = self.storms[product]
        return storm if storm.refuses(self.strikes(f"{product}_storm")) else None

    def one_of(self, *choices: int) -> int:
        """A seeded choice."""
        return choices[int(self._random.random() * len(choices))]

    def poisoned(self, product: str, id: int) -> bool:
        """Whether a row makes its page fail."""
        if not self._picks("poisoned_rows", product, id):
            return False
        self.struck["poisoned_rows"] += 1
        return True

    def deleted(self, product: str, id: int) -> bool:
        """Whether a row is gone."""
        return product == "Gift" and self._picks("raise_mass_deletion", product, id)

    def page(self, rows: list[bytes], total: int) -> tuple[list[bytes], int]:
        """A page and its total as the faults of paging leave them."""
        if len(rows) > 1 and self.strikes("short_pages"):
            rows = rows[: 1 + int(self._random.random() * (len(rows) - 1))]
        if rows and self.strikes("repeated_rows"):
            at = int(self._random.random() * len(rows))
            rows = [*rows[:at], rows[at], *rows[at:]]
        if self.strikes("moving_total"):
            total = max(total + self.one_of(-2, -1, 1, 2), 0)
        return rows, total

    def dress(self, product: str, id: int, row: bytes) -> bytes:
        """An encoded row as the faults of content leave it."""
        if self._picks("new_fields", product, id):
            row = row[:-1] + b',"sandboxNovelty":{"since":"2026"}}'
        if self._picks("wide_rows", product, id):
            row = row[:-1] + _OWN_FIELDS + b"}"
        if self._picks("odd_values", product, id):
            fields = orjson.loads(row)
            for key in _MODIFIED & fields.keys():
                fields[key] = f"around {fields[key]}"
            row = orjson.dumps(fields)
        if self._picks("lost_fields", product, id):
            row = orjson.dumps({key: value for key, value in orjson.loads(row).items() if key not in _MODIFIED})
        if self._picks("changed_types", product, id):
            fields = orjson.loads(row)
            if isinstance(fields.get("amount"), int | float):
                fields["amount"] = f"${fields['amount']:,.2f}"
            row = orjson.dumps(fields)
        return row

    def _picks(self, name: str, product: str, id: int) -> bool:
        """Whether a fault picks a row: the same rows every time."""
        rate = self.rates.get(name, 0.0)
        return rate > 0 and Random(f"{self._seed}/{name}/{product}/{id}").random() < rate
