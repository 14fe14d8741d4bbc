"""What a correct warehouse says of the webhooks, once it has read the log with every payload that may be read.

A plain reading of the contract over the deliveries, attempt by attempt.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from .clock import DAY, iso_day, iso_z, varied
from .world.organization import ALL_EVENTS, CAMPAIGN_EVENTS, RECOMMENDED_EVENTS
from .world.records import Delivery
from .world.state import World

_ACTIONS = ("create", "update", "delete")
_CANCELLED = 22
_ENVELOPES = {
    "data", "object", "payload", "event", "gift", "donation", "recurringGift", "donor", "contact", "campaign", "page",
}  # fmt: skip
"""Members of a body that may hold the record, or another envelope."""
_DEEPEST = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Payload:
    """What a payload tells: when its resource was modified (milliseconds), and whether it names a schedule."""

    modified: int | None = None
    is_recurring: bool | None = None


@dataclass
class _Event:
    """Attempts that are one event."""

    event_type: int
    context_id: int
    modified: int | None
    attempts: list[Delivery]
    is_recurring: bool | None = None
    is_out_of_order: bool = False
    is_latest: bool = False
    effective_action: str | None = None

    @property
    def seen(self) -> tuple[int, int]:
        """When it came, ties by the order of the log."""
        return min(_logged_at(row) for row in self.attempts), min(row.id for row in self.attempts)

    @property
    def version(self) -> tuple[int, tuple[int, int]]:
        """What the last writer has most of."""
        return self.modified if self.modified is not None else self.seen[0], self.seen

    @property
    def record(self) -> tuple[int, int]:
        """Family and id of the record that it is about."""
        return self.event_type // 10 if self.event_type in ALL_EVENTS else self.event_type, self.context_id


def logged(world: World) -> list[Delivery]:
    """Every delivery that a complete read can have seen, in the order of the log."""
    return sorted([*world.deliveries, *world.vanished.deliveries], key=lambda row: row.id)


def events(world: World) -> list[dict[str, Any]]:
    """The rows of webhook_events."""
    found = _folded(world)
    by_record: dict[tuple[int, int], list[_Event]] = defaultdict(list)
    for event in found:
        by_record[event.record].append(event)
    for of_record in by_record.values():
        _place(of_record)
    return [_row(event) for event in found]


def _folded(world: World) -> list[_Event]:
    groups: dict[tuple[int, int, int | None, str | None], _Event] = {}
    unread: list[Delivery] = []
    for row in logged(world):
        if not _may_be_read(world, row):
            unread.append(row)
            continue
        payload = _payload(row)
        body = (row.payload or "") if payload.modified is None else None
        key = (row.event_type, row.context_id, payload.modified, body)
        event = groups.setdefault(key, _Event(row.event_type, row.context_id, payload.modified, []))
        event.attempts.append(row)
        event.is_recurring = payload.is_recurring if event.is_recurring is None else event.is_recurring
    dated = defaultdict(list)
    for (event_type, context_id, modified, _), event in groups.items():
        if modified is not None:
            dated[event_type, context_id].append((event.seen[0], modified, event))
    for row in unread:
        nearest = min(
            dated[row.event_type, row.context_id],
            key=lambda each: (abs(_logged_at(row) - each[0]), each[1]),
            default=None,
        )
        key = (row.event_type, row.context_id, None, None)
        event = nearest[2] if nearest else groups.setdefault(key, _Event(row.event_type, row.context_id, None, []))
        event.attempts.append(row)
    return list(groups.values())


def _place(of_record: list[_Event]) -> None:
    newest: int | None = None
    for place, event in enumerate(sorted(of_record, key=lambda event: event.seen)):
        event.is_out_of_order = None not in (event.modified, newest) and event.modified < newest  # type: ignore[operator]
        newest = max((each for each in (newest, event.modified) if each is not None), default=None)
        if event.event_type in ALL_EVENTS:
            action = "cancel" if event.event_type == _CANCELLED else _ACTIONS[event.event_type % 10]
            event.effective_action = "create" if action == "update" and place == 0 else action
    max(of_record, key=lambda event: event.version).is_latest = True


def _row(event: _Event) -> dict[str, Any]:
    delivered = [_logged_at(row) for row in event.attempts if _is_delivered(row)]
    kind = {True: "recurring", False: "one_time", None: None}[event.is_recurring]
    return {
        "event_type": event.event_type,
        "context_id": str(event.context_id),
        "modified_at": None if event.modified is None else iso_z(event.modified),
        "label": max(event.attempts, key=lambda row: row.id).label,
        "attempts": len(event.attempts),
        "first_attempt_at": iso_z(event.seen[0]),
        "delivered_at": iso_z(min(delivered)) if delivered else None,
        "is_delivered": bool(delivered),
        "is_out_of_order": event.is_out_of_order,
        "is_latest_for_record": event.is_latest,
        "effective_action": event.effective_action,
        "donation_kind": kind if event.event_type // 10 == 1 else None,
    }


def health(world: World) -> list[dict[str, Any]]:
    """The rows of webhook_delivery_health."""
    keys = {row.id: number for number, event in enumerate(_folded(world)) for row in event.attempts}
    by_day: dict[tuple[int, str], list[Delivery]] = defaultdict(list)
    for row in logged(world):
        by_day[row.webhook_id, iso_day(_logged_at(row) // DAY)].append(row)
    answer = []
    for (webhook_id, day), rows in sorted(by_day.items()):
        failures = Counter(str(row.http_status or "no answer") for row in rows if not _is_delivered(row))
        answer.append(
            {
                "webhook_id": webhook_id,
                "day": day,
                "attempts": len(rows),
                "events": len({keys[row.id] for row in rows}),
                "delivered_events": len({keys[row.id] for row in rows if _is_delivered(row)}),
                "failures_by_status": dict(failures) or None,
            }
        )
    return answer


def coverage(world: World) -> list[dict[str, Any]]:
    """The rows of webhook_subscription_coverage."""
    answer = []
    for event_type in ALL_EVENTS:
        carriers = [row.id for row in world.webhooks if row.status == 1 and event_type in row.events]
        is_recommended = event_type in RECOMMENDED_EVENTS
        answer.append(
            {
                "event_type": event_type,
                "active_webhooks": len(carriers),
                "is_recommended": is_recommended,
                "is_gap": is_recommended and not carriers,
            }
        )
    return answer


def switches(world: World) -> dict[tuple[int, int], bool]:
    """What campaign events tell: by campaign and modification, whether new gifts were synced from then on."""
    told: dict[tuple[int, int], bool] = {}
    seen: set[tuple[int, int | None, bool | None]] = set()
    for row in sorted(logged(world), key=lambda row: (_logged_at(row), row.id)):
        if row.event_type not in CAMPAIGN_EVENTS or not _may_be_read(world, row):
            continue
        record = _record(row) or {}
        modified, can_sync = _modified(record), record.get("canSync")
        state = row.context_id, modified, can_sync
        if modified is None or can_sync is None or state in seen:
            continue
        seen.add(state)
        told[row.context_id, modified] = can_sync
    return told


def unread_campaign_events(world: World) -> list[tuple[int, int]]:
    """Campaign, and when it was logged, of each entry whose payload nobody can read or understand."""
    return [
        (row.context_id, _logged_at(row))
        for row in logged(world)
        if row.event_type in CAMPAIGN_EVENTS and not (_may_be_read(world, row) and _record(row))
    ]


def _may_be_read(world: World, row: Delivery) -> bool:
    return not world.options.withholds_payloads and row.webhook_id not in world.options.forbidden_logs


def _logged_at(row: Delivery) -> int:
    """When an attempt was made, as exactly as the log tells."""
    shown = _milliseconds(varied(row.created, row.id))
    assert shown is not None
    return shown


def _is_delivered(row: Delivery) -> bool:
    return row.http_status is not None and 200 <= row.http_status < 300


def _payload(row: Delivery) -> _Payload:
    record = _record(row)
    if record is None:
        return _Payload()
    # what is left out of a record is not known
    is_recurring = bool(record["recurringGiftId"]) if "recurringGiftId" in record else None
    return _Payload(_modified(record), is_recurring)


def _record(row: Delivery) -> dict[str, Any] | None:
    """The object of the body whose id is the entry's: the body, or what one of its envelopes holds."""
    layer = [_object(row.payload)]
    for _ in range(_DEEPEST + 1):
        found = [each for each in layer if each is not None]
        for each in found:
            if str(each.get("id")) == str(row.context_id):
                return each
        layer = [_object(value) for each in found for name, value in each.items() if name in _ENVELOPES]
    return None


def _object(value: Any) -> dict[str, Any] | None:
    """An object, or the one that a text spells."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def _modified(resource: dict[str, Any]) -> int | None:
    return _milliseconds(resource.get("modifiedDate") or resource.get("modifiedDateTime"))


def _milliseconds(stamp: str | None) -> int | None:
    if stamp is None:
        return None
    try:
        instant = datetime.strptime(stamp, "%m/%d/%Y %I:%M:%S %p") if "/" in stamp else datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return ((instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - _EPOCH) // timedelta(milliseconds=1)
