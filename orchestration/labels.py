"""What the readers' file knows of the labels of webhook event types. The marts judge; this only words the next step."""

from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from orchestration.published import reading, rows

_NEXT_STEPS = {
    "confirmed": "None.",
    "contradicted": "Trust the log: handle {type} as “{observed}”, not as “{hypothesis}”.",
    "ambiguous": "Look at its events in marts.webhook_events before you rely on it: it has {count} labels.",
    "unobserved": "{produce}, while a webhook carries {type}; then run again.",
    "undocumented": "Tolerate it: nothing documents it.",
}


@dataclass(frozen=True)
class Label:
    """One label that the log shows, and when."""

    label: str
    observations: int
    first_observed_at: datetime | None
    last_observed_at: datetime | None


@dataclass(frozen=True)
class EventTypeLabels:
    """What is known of one event type. The hypothesis is never an observation."""

    organization: str
    event_type: int
    status: str
    hypothesis_label: str | None
    observed_label: str | None
    observations: int
    first_observed_at: datetime | None
    last_observed_at: datetime | None
    labels: tuple[Label, ...]
    active_webhooks: int | None
    is_gap: bool | None
    next_step: str


FIELDS = tuple(field.name for field in fields(EventTypeLabels))


def event_type_labels(published: Path) -> list[EventTypeLabels]:
    """Every event type of every organization. Raises `NothingPublished`."""
    with reading(published) as connection:
        found = rows(
            connection,
            """
            SELECT
                labels.organization, labels.event_type, labels.status, labels.hypothesis_label, labels.observed_label,
                labels.observations, labels.first_observed_at, labels.last_observed_at, labels.labels,
                labels.produced_by, coverage.active_webhooks, coverage.is_gap, coverage.cause
            FROM marts.event_type_labels AS labels
            LEFT JOIN marts.webhook_subscription_coverage AS coverage USING (organization, event_type)
            ORDER BY labels.organization, labels.event_type
            """,
        )
    return [_labels(*row) for row in found]


def _labels(
    organization: str,
    event_type: int,
    status: str,
    hypothesis: str | None,
    observed: str | None,
    observations: int,
    first: datetime | None,
    last: datetime | None,
    labels: list[dict[str, object]] | None,
    produced_by: str | None,
    active_webhooks: int | None,
    is_gap: bool | None,
    cause: str | None,
) -> EventTypeLabels:
    each = tuple(Label(**label) for label in labels or ())  # type: ignore[arg-type]
    step = _NEXT_STEPS[status].format(
        type=event_type, observed=observed, hypothesis=hypothesis, count=len(each), produce=produced_by
    )
    if is_gap and cause:
        step = cause if status == "confirmed" else f"{cause} {step}"
    return EventTypeLabels(
        organization,
        event_type,
        status,
        hypothesis,
        observed,
        observations,
        first,
        last,
        each,
        active_webhooks,
        is_gap,
        step,
    )
