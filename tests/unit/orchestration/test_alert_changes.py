"""Every change of state is told exactly once, whatever fails in between."""

from __future__ import annotations

import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.alerts.changes import BAD, UNKNOWN, WELL, Kind, Observation, Seen, Topic, after, due, settled
from orchestration.alerts.channels import AlertNotSent, Channel
from orchestration.alerts.telling import tell

CONDITIONS = (Topic.RUN, Topic.CHECK, Topic.READING)
EVENTS = (Topic.EXCEPTION, Topic.LABEL)


class Killed(BaseException):
    """The process died while it sent a message."""


# What becomes of a message: whether people have it, and what the sender hears of that.
FATES: dict[str, tuple[bool, BaseException | None]] = {
    "accepted": (True, None),
    "refused": (False, AlertNotSent("refused")),
    "accepted, and the answer was lost": (True, AlertNotSent("no answer", is_doubtful=True)),
    "lost": (False, AlertNotSent("no answer", is_doubtful=True)),
    "accepted, and the sender killed": (True, Killed()),
    "killed before": (False, Killed()),
}


@dataclass
class People:
    """Those who are told, over a line with a fate of its own."""

    heard: list[tuple[str, str | None]] = field(default_factory=list)
    in_doubt: set[str] = field(default_factory=set)
    fates: Iterator[str] = field(default_factory=lambda: iter(()))
    knows: dict[str, str | None] = field(default_factory=dict)

    def take(self, title: str, text: str) -> None:
        is_heard, answer = FATES[next(self.fates, "accepted")]
        for line in text.splitlines()[1:-1]:
            subject, _, told = line.removeprefix("• ").partition(" is ")
            mark = None if told in ("well", "no longer there") else told
            if is_heard:
                self.heard.append((subject, mark))
                is_news = mark != self.knows.get(subject)
                assert is_news or subject in self.in_doubt, "nothing is told without a change"
                self.knows[subject] = mark
            is_sure = answer is None or (isinstance(answer, AlertNotSent) and not answer.is_doubtful)
            if answer is None:
                self.in_doubt.discard(subject)
            elif not is_sure:
                self.in_doubt.add(subject)
        if answer:
            raise answer


def seen(topic: Topic, marks: dict[int, str | None]) -> dict[str, Seen]:
    return {f"{topic}-{n}": Seen(mark, f"{topic}-{n} is {mark or 'well'}") for n, mark in marks.items()}


condition_marks = st.dictionaries(st.integers(0, 3), st.sampled_from([WELL, BAD, UNKNOWN]), max_size=4)
event_marks = st.dictionaries(st.integers(0, 3), st.sampled_from(["0", "1"]), max_size=4)
observations = st.fixed_dictionaries(
    {},
    optional={topic: condition_marks.map(lambda m, t=topic: seen(t, m)) for topic in CONDITIONS}
    | {topic: event_marks.map(lambda m, t=topic: seen(t, m)) for topic in EVENTS},
)
fates = st.lists(st.sampled_from(["accepted", "accepted", *FATES]), max_size=5)


def stands(subject: str, observation: Observation, before: str | None) -> str | None:
    """How a subject stands after a look, by the rules as they are written."""
    if is_hidden(subject, observation):
        return before
    found = observation[topic_of(subject)].get(subject)
    return found.mark if found else WELL


def is_hidden(subject: str, observation: Observation) -> bool:
    """Whether this look does not show how a subject stands."""
    subjects = observation.get(topic_of(subject))
    return subjects is None or (subject in subjects and subjects[subject].mark == UNKNOWN)


def topic_of(subject: str) -> Topic:
    return Topic(subject.split("-")[0])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(observations, fates), max_size=6), observations)
def test_every_change_is_told_exactly_once(steps: list[tuple[Observation, list[str]]], last: Observation) -> None:
    people = People()
    channel = Channel("people", "people", people.take)
    now: dict[str, str | None] = {}
    subjects = [f"{topic}-{n}" for topic in (*CONDITIONS, *EVENTS) for n in range(4)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        for observation, fate in [*steps, (last, [])]:
            start = len(people.heard)
            people.fates = iter(fate)
            now = {subject: stands(subject, observation, now.get(subject)) for subject in subjects}
            for subject in subjects:
                # Each label here is the first of an organization of its own: it is known without being told.
                if topic_of(subject) is Topic.LABEL and people.knows.get(subject) is WELL:
                    people.knows[subject] = now[subject]
            with suppress(Killed):
                tell(Path(folder), [channel], lambda observation=observation: observation)
            assert all(mark == now[subject] for subject, mark in people.heard[start:]), "only what is so is told"
            for subject in subjects:
                # What is over is not told of exceptions and labels; new ones of the same are told again.
                if now[subject] is WELL and topic_of(subject) in EVENTS:
                    people.knows[subject] = WELL
                    people.in_doubt.discard(subject)
    for subject in (subject for subject in subjects if not is_hidden(subject, last)):
        assert people.knows.get(subject) == now[subject], "nothing is left untold"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from([WELL, BAD, UNKNOWN]), max_size=12))
def test_a_recovery_follows_every_failure(marks: list[str | None]) -> None:
    told, heard = {}, []
    for mark in [*marks, WELL]:
        observation = {Topic.RUN: {"all": Seen(mark, "all")}}
        for message in due(told, observation):
            told = after(told, message)
            heard.append(message.kind)
    changes = [mark for mark, _ in groupby(mark for mark in [WELL, *marks, WELL] if mark != UNKNOWN)][1:]
    assert heard == [Kind.RUN_FAILED if mark == BAD else Kind.RUN_RECOVERED for mark in changes]


def test_exceptions_are_counted_and_summed_by_currency() -> None:
    subjects = {
        "a": Seen("0", "river: gift: Missing", Decimal("1000.5"), "USD"),
        "b": Seen("0", "river: gift: Missing", Decimal(20), "EUR"),
        "c": Seen("0", "river: gift: Missing", Decimal(2), "USD"),
        "d": Seen("0", "river: donor: Dangling"),
    }
    (message,) = due({}, {Topic.EXCEPTION: subjects})
    assert message.text.splitlines() == [
        "tieout: New exceptions of severity error",
        "• river: gift: Missing: 3, worth 20.00 EUR, 1,002.50 USD",
        "• river: donor: Dangling",
        "What to do: docs/runbook.md, new_exceptions",
    ]


def test_a_resolved_exception_is_forgotten_and_told_anew_when_it_is_back() -> None:
    open_ = {Topic.EXCEPTION: {"a": Seen("0", "gift: Missing")}}
    told = {Topic.EXCEPTION: {"a": "0"}}
    assert not due(told, open_)
    assert not due(told, {Topic.EXCEPTION: {}})
    assert due(settled(told, {Topic.EXCEPTION: {}}), open_)
    assert due(told, {Topic.EXCEPTION: {"a": Seen("1", "gift: Missing")}}), "resolved and back between two looks"


def test_the_first_labels_of_an_organization_are_no_news() -> None:
    north, south = {"north/10": Seen("a", "north"), "north/11": Seen("a", "north")}, {"south/10": Seen("a", "south")}
    told = settled({}, {Topic.LABEL: north})
    assert not due(told, {Topic.LABEL: north})
    changed = north | south | {"north/11": Seen("b", "north 11"), "north/12": Seen("a", "north 12")}
    told = settled(told, {Topic.LABEL: changed})
    (message,) = due(told, {Topic.LABEL: changed})
    assert message.kind is Kind.LABELS_CHANGED
    assert message.lines == ("north 11", "north 12")


def test_a_subject_that_is_gone_is_told_to_be() -> None:
    (message,) = due({Topic.CHECK: {"gifts: unique": BAD}}, {Topic.CHECK: {}})
    assert message.kind is Kind.CHECK_RECOVERED
    assert message.lines == ("gifts: unique is no longer there",)


def test_many_lines_are_cut() -> None:
    (message,) = due({}, {Topic.CHECK: {str(n): Seen(BAD, f"check {n}") for n in range(50)}})
    assert len(message.text.splitlines()) == 23
    assert "• and 30 more" in message.text


def test_bad_news_comes_first() -> None:
    told = {Topic.CHECK: {"c": BAD}}
    kinds = [m.kind for m in due(told, {Topic.CHECK: {"c": Seen(WELL, "c")}, Topic.RUN: {"r": Seen(BAD, "r")}})]
    assert kinds == [Kind.RUN_FAILED, Kind.CHECK_RECOVERED]


def test_each_channel_has_a_memory_of_its_own(tmp_path: Path) -> None:
    heard = defaultdict(list)

    def one(name: str, works: bool) -> Channel:
        def send(title: str, text: str) -> None:
            if not works:
                raise AlertNotSent(f"{name} is down.")
            heard[name].append(title)

        return Channel(name, name, send)

    look = {Topic.RUN: {"r": Seen(BAD, "r")}}
    assert tell(tmp_path, [one("hook", False), one("mail", True)], lambda: look) == ["hook is down."]
    assert tell(tmp_path, [one("hook", True), one("mail", True)], lambda: look) == []
    assert heard == {"hook": ["tieout: A run failed"], "mail": ["tieout: A run failed"]}


def test_nobody_to_tell_leaves_no_trace(tmp_path: Path) -> None:
    assert tell(tmp_path / "alerts", [], lambda: pytest.fail("looked")) == []
    assert not list(tmp_path.iterdir())


def test_a_damaged_memory_tells_all_again(tmp_path: Path) -> None:
    (tmp_path / "hook.json").write_text("{half")
    heard: list[str] = []
    channel = Channel("hook", "hook", lambda title, text: heard.append(title))
    assert tell(tmp_path, [channel], lambda: {Topic.RUN: {"r": Seen(BAD, "r")}}) == []
    assert heard == ["tieout: A run failed"]
    assert json.loads((tmp_path / "hook.json").read_text()) == {"run": {"r": "bad"}}


def test_nothing_is_sent_that_cannot_be_noted(tmp_path: Path) -> None:
    memory = tmp_path / "alerts"
    memory.write_text("in the way")
    channel = Channel("hook", "hook", lambda title, text: pytest.fail("sent"))
    (problem,) = tell(memory, [channel], lambda: {Topic.RUN: {"r": Seen(BAD, "r")}})
    assert "cannot be noted" in problem
