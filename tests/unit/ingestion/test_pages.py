from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from threading import Lock, Semaphore, get_ident
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.errors import OrderUnstable
from ingestion.pages import BEGINNING, Page, Position, keyset_pages, newest_first_pages, offset_pages, prefetched

Change: TypeAlias = tuple[str, int, int]


def page(ids: Sequence[int | None], total: int | None) -> Page:
    return Page("", tuple(ids), total)


class Collection:
    """Rows behind an API, of which one changes before each answer as `changes` says.

    `is_sorted`: the answers come in the order of the keys, whatever moves. An answer is of one instant, also where
    several are asked for at once.
    """

    def __init__(self, ids: list[int], changes: Sequence[Change] = (), cap: int = 5, *, is_sorted: bool = True) -> None:
        self.ids = ids
        self.kept = set(ids)
        self.cap = cap
        self.requests = 0
        self._is_sorted = is_sorted
        self._changes = iter(changes)
        self._answering = Lock()

    def _move(self) -> None:
        what, where, to = next(self._changes, ("", 0, 0))
        if what == "delete" and self.ids:
            self.kept.discard(self.ids.pop(where % len(self.ids)))
        if what == "insert":
            self.ids.insert(
                where % (len(self.ids) + 1), 1000 + max([*self.ids, 0]) if to % 2 else -1 - len(self.ids) - where
            )
            self.ids = list(dict.fromkeys(self.ids))
        if what == "update" and self.ids:
            # Where the order follows modification, what was edited goes to the end.
            self.ids.append(self.ids.pop(where % len(self.ids)))
        if what == "reorder" and self.ids:
            self.ids.insert(to % len(self.ids), self.ids.pop(where % len(self.ids)))
        if self._is_sorted:
            self.ids.sort()

    def offset(self, skip: int, _: int = 1) -> Page:
        with self._answering:
            self.requests += 1
            self._move()
            return page(self.ids[skip : skip + self.cap], len(self.ids))

    def above(self, after: int | None, skip: int, _: int = 1) -> Page:
        self.requests += 1
        self._move()
        left = sorted(i for i in self.ids if after is None or i > after)
        return page(left[skip : skip + self.cap], len(left))


def read(pages: Iterator[Page]) -> set[int]:
    return {i for p in pages for i in p.ids if i is not None}


# 2,000 cases each of offsets and of keys, in seconds.
changes = st.lists(
    st.tuples(st.sampled_from(["delete", "insert", "update", "reorder", ""]), st.integers(0, 200), st.integers(0, 200)),
    max_size=60,
)


@settings(max_examples=1200, deadline=None)
@given(count=st.integers(0, 60), cap=st.integers(2, 9), moves=changes, ahead=st.sampled_from([0, 2]))
def test_offset_paging_by_key_misses_no_row_that_stays(count: int, cap: int, moves: list[Change], ahead: int) -> None:
    collection = Collection(list(range(1, count + 1)), moves, cap)
    assert read(offset_pages(collection.offset, ahead=ahead)) >= collection.kept


@settings(max_examples=800, deadline=None)
@given(count=st.integers(0, 60), sizes=st.lists(st.integers(1, 9), min_size=1), moves=changes)
def test_pages_of_any_size_miss_no_row_that_stays(count: int, sizes: list[int], moves: list[Change]) -> None:
    """They become smaller, down to single rows, where an API fails, and larger again."""
    collection, size = Collection(list(range(1, count + 1)), moves), cycle(sizes)

    def fetch(skip: int, least: int) -> Page:
        collection.cap = max(next(size), least)
        return collection.offset(skip)

    assert read(offset_pages(fetch, ahead=0)) >= collection.kept


@settings(max_examples=800, deadline=None)
@given(count=st.integers(0, 60), cap=st.integers(2, 9), moves=changes)
def test_paging_from_the_newest_misses_no_row_that_stays(count: int, cap: int, moves: list[Change]) -> None:
    collection = Collection(list(range(1, count + 1)), moves, cap=10_000)

    def fetch(skip: int, _: int) -> Page:
        whole = collection.offset(0)
        return page(whole.ids[::-1][skip : skip + cap], whole.total)

    pages = list(newest_first_pages(fetch))
    assert read(iter(pages)) >= collection.kept
    assert {p.position for p in pages} <= {None}


def test_what_comes_in_meanwhile_does_not_make_it_begin_anew() -> None:
    collection = Collection(list(range(1, 101)), [("insert", 0, 1)] * 100, cap=10_000)

    def fetch(skip: int, _: int) -> Page:
        whole = collection.offset(0)
        return page(whole.ids[::-1][skip : skip + 5], whole.total)

    assert read(newest_first_pages(fetch)) >= collection.kept
    assert collection.requests < 40


@settings(max_examples=800, deadline=None)
@given(order=st.permutations(range(1, 40)), cap=st.integers(2, 9), moves=changes)
def test_offset_paging_in_any_order_misses_no_row_or_says_so(order: list[int], cap: int, moves: list[Change]) -> None:
    collection = Collection(order, moves, cap, is_sorted=False)
    try:
        found = read(offset_pages(collection.offset, ahead=0))
    except OrderUnstable:
        return
    assert found >= collection.kept


def test_offset_paging_in_any_order_ends_well_once_the_rows_are_quiet() -> None:
    moves = [("reorder", 30, 0), ("", 0, 0), ("delete", 3, 0)]
    collection = Collection(list(range(40, 0, -1)), moves, is_sorted=False)
    assert read(offset_pages(collection.offset, ahead=0)) >= collection.kept


def test_rows_that_never_rest_are_told() -> None:
    collection = Collection(list(range(40, 0, -1)), [("reorder", 30, 0)] * 500, is_sorted=False)
    with pytest.raises(OrderUnstable):
        read(offset_pages(collection.offset, ahead=0))


@settings(max_examples=2000, deadline=None)
@given(count=st.integers(0, 60), cap=st.integers(1, 9), moves=changes)
def test_keyset_paging_misses_no_row_that_stays(count: int, cap: int, moves: list[Change]) -> None:
    collection = Collection(list(range(1, count + 1)), moves, cap)
    assert read(keyset_pages(collection.above)) >= collection.kept


@settings(max_examples=300, deadline=None)
@given(count=st.integers(0, 60), cap=st.integers(2, 9), moves=changes, stop=st.integers(1, 6))
def test_a_sweep_goes_on_from_where_it_stood(count: int, cap: int, moves: list[Change], stop: int) -> None:
    for paging in ("offset", "keyset"):
        collection = Collection(list(range(1, count + 1)), moves, cap)

        def pages(start: Position, paging: str = paging, collection: Collection = collection) -> Iterator[Page]:
            if paging == "offset":
                return offset_pages(collection.offset, start, ahead=0)
            return keyset_pages(collection.above, start)

        first = list(islice(pages(BEGINNING), stop))
        rest = pages(first[-1].position or BEGINNING) if first else iter(())
        assert read(iter(first)) | read(rest) >= collection.kept


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("times", "total"),
    [
        # One row is not counted, or none at all.
        (1, 6),
        (1, 0),
        # All are, and the anchor comes twice.
        (2, 7),
    ],
)
def test_a_page_that_is_cut_down_to_its_anchor_is_not_the_end(times: int, total: int, order: int) -> None:
    ids = list(range(1, 8))[::order]
    cut = iter([page([ids[5]] * times, total)])

    def fetch(skip: int, _: int) -> Page:
        return (skip == 5 and next(cut, None)) or page(ids[skip : skip + 6], len(ids))

    assert read(offset_pages(fetch, ahead=0)) == set(ids)


def test_offset_paging_costs_one_request_more_than_the_pages() -> None:
    collection = Collection(list(range(1000)), cap=100)
    assert read(offset_pages(collection.offset)) == set(range(1000))
    assert collection.requests <= 12


def test_offset_paging_goes_on_behind_a_short_page() -> None:
    caps = iter([10, 3, 10, 10, 10, 10, 10])
    ids = list(range(40))
    fetched = offset_pages(lambda skip, _: page(ids[skip : skip + next(caps)], len(ids)), ahead=0)
    assert read(fetched) == set(ids)


def test_a_server_that_gives_one_row_at_a_time_is_read_to_the_end() -> None:
    collection = Collection(list(range(1, 8)), cap=1)
    assert read(offset_pages(collection.offset)) == set(range(1, 8))


def test_offset_paging_ends_where_the_server_ignores_the_offset() -> None:
    assert read(offset_pages(lambda *_: page(range(10), 25), ahead=0)) == set(range(10))


def test_keyset_paging_ends_where_the_server_ignores_the_condition() -> None:
    assert read(keyset_pages(lambda *_: page(range(1, 11), 25))) == set(range(1, 11))


@pytest.mark.parametrize("start", [BEGINNING, Position(300, 20)])
@pytest.mark.parametrize("cap", [1, 2, 7, 100])
@pytest.mark.parametrize("understands", ["order", "cursor", "neither"])
def test_keyset_paging_falls_back_to_offsets_where_it_is_not_understood(
    understands: str, cap: int, start: Position
) -> None:
    ids = [key * 577 % 2503 for key in range(1, 101)]

    def above(after: int | None, skip: int, least: int) -> Page:
        rows = sorted(ids) if understands == "order" else ids
        if understands == "cursor":
            rows = [key for key in rows if after is None or key > after]
        return page(rows[skip : skip + max(cap, least)], len(rows))

    pages = list(keyset_pages(above, start))
    found, wanted = read(iter(pages)), {key for key in ids if key > (start.key or 0)}
    if cap == 1 and understands != "order":
        # Single rows show no order: then the total tells that some are missing.
        assert found >= wanted or (pages[-1].total or 0) - start.skip > len(found)
    else:
        assert found >= wanted


@pytest.mark.parametrize("total", [30, None])
def test_an_empty_page_is_not_the_end_of_keyset_paging_where_more_are_counted(total: int | None) -> None:
    collection = Collection(list(range(1, 31)), cap=10)
    cut = iter([page([], total)])

    def above(after: int | None, skip: int, least: int) -> Page:
        return (after == 20 and next(cut, None)) or collection.above(after, skip)

    assert read(keyset_pages(above)) == set(range(1, 31))


def test_rows_that_vanish_during_keyset_paging_are_not_missing() -> None:
    collection = Collection(list(range(1, 31)), [("", 0, 0), ("delete", 25, 0)], cap=10)
    pages = list(keyset_pages(collection.above))
    assert [p.total for p in pages] == [30, 29, 29]
    assert collection.requests == 5


def test_keyset_pages_carry_the_total_of_the_whole() -> None:
    collection = Collection(list(range(1, 13)), cap=5)
    assert [p.total for p in keyset_pages(collection.above)] == [12, 12, 12]


def test_prefetched_keeps_the_order_and_works_in_another_thread() -> None:
    threads = set()

    def pages() -> Iterator[Page]:
        for i in range(50):
            threads.add(get_ident())
            yield page([i], None)

    assert list(prefetched(pages(), 3)) == [page([i], None) for i in range(50)]
    assert get_ident() not in threads


def test_prefetched_raises_what_the_pages_raise_after_the_pages_before() -> None:
    def pages() -> Iterator[Page]:
        yield page([1], None)
        raise ValueError("second")

    made = prefetched(pages(), 3)
    assert next(made).ids == (1,)
    with pytest.raises(ValueError, match="second"):
        next(made)


def test_prefetched_stops_when_nobody_wants_more() -> None:
    made = []

    def pages() -> Iterator[Page]:
        for i in range(1000):
            made.append(i)
            yield page([i], None)

    consumer = prefetched(pages(), 2)
    next(consumer)
    consumer.close()  # type: ignore[attr-defined]
    assert len(made) < 20


@pytest.mark.parametrize(("filler", "ahead"), [("x", 3), ("x\N{PARTY POPPER}", 1), ("", 16)])
def test_prefetched_is_no_more_bytes_ahead_than_may_wait(
    monkeypatch: pytest.MonkeyPatch, filler: str, ahead: int
) -> None:
    """Of a text with one odd character, each takes four bytes."""
    monkeypatch.setattr("ingestion.pages._MOST_BYTES_AHEAD", 250_000)
    body = filler and filler.ljust(100_000, "x")
    made = Semaphore(0)

    def source() -> Iterator[Page]:
        for i in range(50):
            made.release()
            yield Page(body, (i,), None)

    consumer = prefetched(source(), 16)
    for taken in range(1, 4):
        next(consumer)
        for _ in range(1 if taken > 1 else 1 + ahead):
            assert made.acquire(timeout=10)
        assert not made.acquire(timeout=0.05)
    consumer.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("size", "is_ahead"), [(100_000, True), (130_000, False)])
def test_large_pages_are_not_fetched_in_advance(monkeypatch: pytest.MonkeyPatch, size: int, is_ahead: bool) -> None:
    monkeypatch.setattr("ingestion.pages._MOST_BYTES_AHEAD", 250_000)
    hasty: list[int] = []

    def fetch(skip: int, _: int) -> Page:
        return Page("x" * size, tuple(range(skip + 1, min(skip + 5, 31))), 30)

    def in_advance(skip: int, least: int) -> Page:
        hasty.append(skip)
        return fetch(skip, least)

    assert read(offset_pages(fetch, hasty=in_advance)) == set(range(1, 31))
    assert bool(hasty) == is_ahead


@pytest.mark.parametrize("is_sorted", [True, False])
@pytest.mark.parametrize("keyless", [{5}, {4, 5, 10, 15}, {1, 2, 3, 4, 5}, {16, 17, 18, 19, 20}, {20, 8}])
def test_rows_without_a_key_keep_no_collection_from_being_read(is_sorted: bool, keyless: set[int]) -> None:
    """Also where they stand on the borders of pages, and whole pages have none else."""
    ids = [None if key in keyless else key for key in (range(1, 21) if is_sorted else range(20, 0, -1))]

    def fetch(skip: int, _: int) -> Page:
        return page(ids[skip : skip + 5], 20)

    found = list(offset_pages(fetch, ahead=0))
    assert read(iter(found)) == {key for key in ids if key}
    assert sum(p.ids.count(None) for p in found) >= len(keyless)


@pytest.mark.parametrize("keyless", [{5}, {4, 5, 10, 15}, {16, 17, 18, 19, 20}, {20, 8}])
def test_rows_without_a_key_are_counted_once_by_keys(keyless: set[int]) -> None:
    rows = {key: None if key in keyless else key for key in range(1, 21)}

    def above(after: int | None, skip: int, _: int) -> Page:
        left = [row for key, row in rows.items() if key > (after or 0)]
        return page(left[skip : skip + 5], len(left))

    found = list(keyset_pages(above))
    assert read(iter(found)) == {key for key in rows.values() if key}
    assert {p.total for p in found} == {20}
    assert sum(p.ids.count(None) for p in found) >= len(keyless)


def test_a_row_that_comes_twice_is_no_other_order() -> None:
    """Neither in the order of the keys nor in another one does it cost a second pass."""
    for ids in (list(range(1, 41)), list(range(40, 0, -1))):
        asked: list[int] = []

        def fetch(skip: int, _: int, ids: list[int] = ids, asked: list[int] = asked) -> Page:
            asked.append(skip)
            rows = ids[skip : skip + 9]
            return page([*rows[:3], *rows[2:3], *rows[3:]], len(ids))

        assert read(offset_pages(fetch, ahead=0)) == set(ids)
        assert asked.count(0) <= 2
        assert len(asked) < 20
