from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ingestion.coverage import NEVER, Coverage
from ingestion.pages import Position

START = datetime(2026, 3, 2, tzinfo=UTC)
KEYS = range(-2, 32)

keys = st.one_of(st.none(), st.integers(0, 30))


@given(st.lists(st.tuples(keys, keys), max_size=25))
def test_every_key_knows_when_it_was_read_last(readings: list[tuple[int | None, int | None]]) -> None:
    coverage = Coverage()
    truth = dict.fromkeys(KEYS, NEVER)
    for hours, (low, high) in enumerate(readings):
        if low is not None and high is not None and low >= high:
            continue
        at = START + timedelta(hours=hours)
        coverage = coverage.read(Position(low), None if high is None else Position(high), at)
        truth |= {key: at for key in KEYS if (low is None or key > low) and (high is None or key <= high)}

    for key in KEYS:
        (found,) = [part for part in coverage.ranges if part.holds(key)]
        assert found.read_at == truth[key]
    assert coverage.ranges[0].low is None
    assert coverage.ranges[-1].high is None
    assert all(one.high == other.low for one, other in zip(coverage.ranges, coverage.ranges[1:], strict=False))
    assert Coverage.from_json(json.loads(json.dumps(coverage.to_json()))) == coverage


def test_an_interrupted_sweep_leaves_the_rest_stale() -> None:
    coverage = Coverage().read(Position(), Position(100, 90), START)
    (rest,) = coverage.stale(before=START)
    assert (rest.low, rest.high, rest.start) == (100, None, Position(100, 90))
    done = coverage.read(rest.start, None, START)
    assert done.stale(before=START) == ()
    assert len(done.ranges) == 1


def test_the_stalest_range_comes_first() -> None:
    coverage = Coverage().read(Position(), None, START)
    coverage = coverage.read(Position(), Position(10, 10), START + timedelta(hours=2))
    coverage = coverage.read(Position(20, 20), None, START + timedelta(hours=1))
    assert [part.low for part in coverage.stale(before=START + timedelta(days=1))] == [10, 20, None]
    assert coverage.oldest == START
