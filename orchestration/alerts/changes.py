"""What is to be told: the difference between what was told and what is seen now. Knows neither files nor clocks."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ingestion.plain_text import paragraph

_LINES = 20


class Topic(StrEnum):
    """What is watched. Each has subjects: organizations, sources, checks, exceptions."""

    RUN = "run"
    PUBLISHING = "publishing"
    READING = "reading"
    CHECK = "check"
    EXCEPTION = "exception"
    LABEL = "label"


class Kind(StrEnum):
    """What a message is about. The runbook has an entry for each."""

    RUN_FAILED = "run_failed"
    RUN_RECOVERED = "run_recovered"
    PUBLISH_BLOCKED = "publish_blocked"
    PUBLISHED_AGAIN = "published_again"
    DATA_STALE = "data_stale"
    DATA_FRESH = "data_fresh"
    CHECK_FAILED = "check_failed"
    CHECK_RECOVERED = "check_recovered"
    NEW_EXCEPTIONS = "new_exceptions"
    LABELS_CHANGED = "labels_changed"


_TITLES = {
    Kind.RUN_FAILED: "A run failed",
    Kind.RUN_RECOVERED: "Runs succeed again",
    Kind.PUBLISH_BLOCKED: "Nothing new was published",
    Kind.PUBLISHED_AGAIN: "The readers' file is up to date again",
    Kind.DATA_STALE: "Data are stale",
    Kind.DATA_FRESH: "Data are fresh again",
    Kind.CHECK_FAILED: "Checks fail",
    Kind.CHECK_RECOVERED: "Checks pass again",
    Kind.NEW_EXCEPTIONS: "New exceptions of severity error",
    Kind.LABELS_CHANGED: "Webhook event labels are new or changed",
}
# What is told when a subject's mark appears or changes, and when it goes. None: nothing.
_KINDS: dict[Topic, tuple[Kind, Kind | None]] = {
    Topic.RUN: (Kind.RUN_FAILED, Kind.RUN_RECOVERED),
    Topic.PUBLISHING: (Kind.PUBLISH_BLOCKED, Kind.PUBLISHED_AGAIN),
    Topic.READING: (Kind.DATA_STALE, Kind.DATA_FRESH),
    Topic.CHECK: (Kind.CHECK_FAILED, Kind.CHECK_RECOVERED),
    Topic.EXCEPTION: (Kind.NEW_EXCEPTIONS, None),
    Topic.LABEL: (Kind.LABELS_CHANGED, None),
}

WELL = None
"""The mark of a subject of which there is nothing to tell."""
BAD = "bad"
"""The mark of a subject that needs somebody."""
UNKNOWN = "unknown"
"""The mark of a subject that is there and could not be looked at: it stands as it stood."""
DOUBTFUL = "doubtful"
"""The mark of a subject of which nobody can say what people know: however it stands is news."""


@dataclass(frozen=True)
class Seen:
    """How a subject stands. A change of `mark` is told, by `text`; subjects with one text are counted together."""

    mark: str | None
    text: str
    amount: Decimal | None = None
    currency: str | None = None


Observation = Mapping[Topic, Mapping[str, Seen]]
"""All subjects of the topics that could be looked at. A subject that is missing from its topic is no longer there."""

Told = Mapping[Topic, Mapping[str, str]]
"""The marks that people know of: of each topic, the subjects that are not well."""


@dataclass(frozen=True)
class Message:
    """One alert: what is said, and what people know once they have it."""

    kind: Kind
    topic: Topic
    lines: tuple[str, ...]
    marks: Mapping[str, str | None]

    @property
    def title(self) -> str:
        """Fits the subject of an e-mail."""
        return f"tieout: {_TITLES[self.kind]}"

    @property
    def text(self) -> str:
        """The whole, with where to read on."""
        return paragraph([self.title, *_shortened(self.lines), f"What to do: docs/runbook.md, {self.kind}"])


def due(told: Told, seen: Observation) -> list[Message]:
    """What is to be told now, in the order of `Kind`."""
    found = []
    for topic, subjects in seen.items():
        kinds: dict[Kind, dict[str, str | None]] = defaultdict(dict)
        for subject, mark in _changes(told.get(topic, {}), subjects):
            if kind := _KINDS[topic][mark is WELL]:
                kinds[kind][subject] = mark
        for kind, marks in kinds.items():
            of = [subjects.get(subject, Seen(WELL, f"{subject} is no longer there")) for subject in marks]
            found.append(Message(kind, topic, tuple(_lines(of)), marks))
    order = list(Kind)
    return sorted(found, key=lambda message: order.index(message.kind))


def settled(told: Told, seen: Observation) -> Told:
    """What people know once what nobody needs to be told has passed.

    An exception was resolved; or an organization was read for the first time, whose labels are all new.
    """
    labels = seen.get(Topic.LABEL, {})
    known = {_organization_of(subject) for subject in told.get(Topic.LABEL, {})}
    first = {subject: label.mark for subject, label in labels.items() if _organization_of(subject) not in known}
    if first:
        told = _with(told, Topic.LABEL, first)
    for topic, subjects in seen.items():
        if _KINDS[topic][1] is None:
            gone = {subject: mark for subject, mark in _changes(told.get(topic, {}), subjects) if mark is WELL}
            told = _with(told, topic, gone)
    return told


def label_subject(organization: str, event_type: int) -> str:
    """The subject of a label."""
    return f"{organization}/{event_type}"


def _organization_of(label: str) -> str:
    return label.split("/")[0]


def after(told: Told, message: Message) -> Told:
    """What people know when they have this message as well."""
    return _with(told, message.topic, message.marks)


def doubtful(told: Told, message: Message) -> Told:
    """What people know while it is open whether they have this message."""
    return _with(told, message.topic, dict.fromkeys(message.marks, DOUBTFUL))


def _changes(known: Mapping[str, str], subjects: Mapping[str, Seen]) -> Iterator[tuple[str, str | None]]:
    for subject in dict.fromkeys([*subjects, *known]):
        mark = subjects[subject].mark if subject in subjects else WELL
        if mark not in (UNKNOWN, known.get(subject)):
            yield subject, mark


def _with(told: Told, topic: Topic, marks: Mapping[str, str | None]) -> Told:
    known = {**told.get(topic, {}), **marks}
    return {**told, topic: {subject: mark for subject, mark in known.items() if mark is not WELL}}


def _lines(subjects: Iterable[Seen]) -> Iterator[str]:
    """One for each text, with how many subjects share it and what they are worth."""
    by_text: dict[str, list[Seen]] = defaultdict(list)
    for seen in subjects:
        by_text[seen.text].append(seen)
    for text, group in by_text.items():
        sums: dict[str | None, Decimal] = defaultdict(Decimal)
        for seen in group:
            if seen.amount is not None:
                sums[seen.currency] += seen.amount
        money = ", ".join(
            f"{amount:,.2f} {currency or ''}".strip() for currency, amount in sorted(sums.items(), key=str)
        )
        count = f": {len(group):,}" if len(group) > 1 or money else ""
        yield f"{text}{count}{f', worth {money}' if money else ''}"


def _shortened(lines: tuple[str, ...]) -> list[str]:
    shown = [f"• {line}" for line in lines[:_LINES]]
    return [*shown, f"• and {len(lines) - _LINES:,} more"] if len(lines) > _LINES else shown
