"""Faults that can be switched on, by name and rate, to see what a reader makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    "raise_401": "Raise accepts no token",
    "crm_plus_401": "CRM+ accepts no key",
    "timeouts": "some requests get no answer until the reader gives up",
    "cut_bodies": "some answers end in the middle, with and without a matching Content-Length",
    "html_200": "some answers are a maintenance page with status 200",
    "poisoned_rows": "a few rows make every page that holds them fail with 500",
    "new_fields": "rows carry a field that nobody announced",
    "odd_values": "a few rows carry a modification date that cannot be read",
    "moving_rows": "rows appear and vanish between two pages",
    **{f"raise_403_{name}": f"the Raise token may not read {path}" for name, path in RAISE_RESOURCES.items()},
    **{f"crm_plus_403_{name}": f"the CRM+ key may not read {path}" for name, path in CRM_PLUS_RESOURCES.items()},
}
"""Every fault and what it does."""

_RATES = {"poisoned_rows": 0.002, "odd_values": 0.01, "new_fields": 1.0, "moving_rows": 0.3, "timeouts": 0.02}
_USUAL_RATE = 0.05


def usual_rate(name: str) -> float:
    """How often a fault strikes when nothing else is said: refusals always, the others now and then."""
    if "_401" in name or "_403" in name:
        return 1.0
    return _RATES.get(name, _USUAL_RATE)


class Faults:
    """The faults that are on. Which request they strike follows from the seed."""

    def __init__(self, seed: int, names: Iterable[str] = ()) -> None:
        self.rates: dict[str, float] = {}
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
        return rate is not None and self._random.random() < rate

    def one_of(self, *choices: int) -> int:
        """A seeded choice."""
        return choices[int(self._random.random() * len(choices))]

    def poisoned(self, product: str, id: int) -> bool:
        """Whether a row makes its page fail."""
        return self._picks("poisoned_rows", product, id)

    def dress(self, product: str, id: int, row: bytes) -> bytes:
        """An encoded row as the faults of content leave it."""
        if self._picks("new_fields", product, id):
            row = row[:-1] + b',"sandboxNovelty":{"since":"2026"}}'
        if self._picks("odd_values", product, id):
            fields = orjson.loads(row)
            for key in {"modifiedDate", "modifiedDateTime", "modifiedDateTimeUtc"} & fields.keys():
                fields[key] = f"around {fields[key]}"
            row = orjson.dumps(fields)
        return row

    def _picks(self, name: str, product: str, id: int) -> bool:
        """Whether a fault picks a row: the same rows every time."""
        rate = self.rates.get(name, 0.0)
        return rate > 0 and Random(f"{self._seed}/{name}/{product}/{id}").random() < rate
