from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import get_ident

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.pages import Page, keyset_pages, offset_pages, prefetched


def page(ids: Sequence[int], total: int | None) -> Page:
    return Page("", tuple(ids), total)


class Collection:
    """Rows behind an API, whose rows change before each answer as `changes` says."""

    def __init__(self, ids: list[int], changes: Sequence[tuple[str, int]] = (), cap: int = 5) -> None:
        self.ids = ids
        self.kept = set(ids)
        self.cap = cap
        self.requests = 0
        self._changes = iter(changes)

    def _move(self) -> None:
        what, where = next(self._changes, ("", 0))
        if what == "delete" and self.ids:
            self.kept.discard(self.ids.pop(where % len(self.ids)))
        if what == "insert":
            self.ids.append(max([*self.ids, 0, where]) + 1)

    def offset(self, skip: int) -> Page:
        self.requests += 1
        self._move()
        return page(self.ids[skip : skip + self.cap], len(self.ids))

    def above(self, after: int | None) -> Page:
        self.requests += 1
        self._move()
        left = sorted(i for i in self.ids if after is None or i > after)
        return page(left[: self.cap], len(left))


def read(pages: Iterator[Page]) -> set[int]:
    return {i for p in pages for i in p.ids if i is not None}


changes = st.lists(st.tuples(st.sampled_from(["delete", "insert", ""]), st.integers(0, 200)), max_size=60)


@settings(max_examples=500, deadline=None)
@given(count=st.integers(0, 60), cap=st.integers(1, 9), moves=changes, ahead=st.sampled_from([0, 2]))
def test_offset_paging_misses_no_row_that_stays(count: int, cap: int, moves: list[tuple[str, int]], ahead: int) -> None:
    collection = Collection(list(range(1, count + 1)), moves, cap)
    # A server that gives one row at a time leaves no room for an anchor, so nothing may vanish under it.
    if cap == 1:
        collection._changes = iter(())
    assert read(offset_pages(collection.offset, ahead=ahead)) >= collection.kept


@settings(max_examples=500, deadline=None)
@given(count=st.integers(0, 60), cap=st.integers(1, 9), moves=changes)
def test_keyset_paging_misses_no_row_that_stays(count: int, cap: int, moves: list[tuple[str, int]]) -> None:
    collection = Collection(list(range(1, count + 1)), moves, cap)
    assert read(keyset_pages(collection.above)) >= collection.kept


def test_offset_paging_costs_one_request_more_than_the_pages() -> None:
    collection = Collection(list(range(1000)), cap=100)
    assert read(offset_pages(collection.offset)) == set(range(1000))
    assert collection.requests <= 12


def test_offset_paging_goes_on_behind_a_short_page() -> None:
    caps = iter([10, 3, 10, 10, 10, 10, 10])
    ids = list(range(40))
    fetched = offset_pages(lambda skip: page(ids[skip : skip + next(caps)], len(ids)), ahead=0)
    assert read(fetched) == set(ids)


def test_offset_paging_ends_where_the_server_ignores_the_offset() -> None:
    assert read(offset_pages(lambda _: page(range(10), 25), ahead=0)) == set(range(10))


def test_keyset_paging_ends_where_the_server_ignores_the_condition() -> None:
    assert read(keyset_pages(lambda _: page(range(1, 11), 25))) == set(range(1, 11))


def test_keyset_pages_carry_the_total_of_the_whole() -> None:
    collection = Collection(list(range(1, 13)), cap=5)
    assert [p.total for p in keyset_pages(collection.above)] == [12, 12, 12]


def test_prefetched_keeps_the_order_and_works_in_another_thread() -> None:
    threads = set()

    def items() -> Iterator[int]:
        for i in range(50):
            threads.add(get_ident())
            yield i

    assert list(prefetched(items(), 3)) == list(range(50))
    assert get_ident() not in threads


def test_prefetched_raises_what_the_items_raise_after_the_items_before() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("second")

    made = prefetched(items(), 3)
    assert next(made) == 1
    with pytest.raises(ValueError, match="second"):
        next(made)


def test_prefetched_stops_when_nobody_wants_more() -> None:
    made = []

    def items() -> Iterator[int]:
        for i in range(1000):
            made.append(i)
            yield i

    consumer = prefetched(items(), 2)
    next(consumer)
    consumer.close()  # type: ignore[attr-defined]
    assert len(made) < 20
