"""What a webhook sends: the record of an event in one of the envelopes that documentation and receivers know."""

from __future__ import annotations

from typing import Any

import orjson

from ingestion.sandbox.clock import varied

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

_NAMES = {1: ("gift", "donation"), 2: ("recurringGift",), 3: ("donor", "contact"), 4: ("campaign",), 5: ("page",)}
"""The member that holds the record, by the tens of the event type."""
_VERBS = ("Create", "Update", "Delete")


def payload(event_type: int, count: int, at: int, resource: dict[str, Any] | None) -> str | None:
    """The body of the event that is `count`th of its type; now and then something broken or hostile."""
    body = resource or {"id": None}
    if event_type == PING:
        return _text({"eventType": event_type, "filler": "x" * 1_000_000 if count == 0 else ""})
    if count % 40 == 13:
        return _text({"eventType": event_type, "payload": body})[:90]
    if count % 40 == 26:
        return (None, "", "<html><body>Bad gateway</body></html>")[count // 40 % 3]
    if count % 40 == 33:
        return _HOSTILE[count // 40 % len(_HOSTILE)]
    stamp = {"eventType": event_type, "timestamp": varied(at, count)}
    names = _NAMES.get(event_type // 10, ("record",))
    envelopes: tuple[dict[str, Any], ...] = (
        {"eventType": event_type, **body},
        body,
        {"event": {"type": event_type, "payload": body}},
        {**stamp, "payload": body},
        {**stamp, "data": body},
        {**stamp, "data": {"object": body}},
        {
            "event": f"{names[0][0].upper()}{names[0][1:]}{_VERBS[event_type % 10 % 3]}",
            names[count // 8 % len(names)]: body,
        },
        {**stamp, "payload": _text(body)},
    )
    return _text(envelopes[count % len(envelopes)])


def _text(body: Any) -> str:
    return orjson.dumps(body).decode()
