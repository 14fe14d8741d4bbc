"""A page as an API sent it, and the two ways to page through a collection that moves while it is read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import Queue
from threading import Event, Thread
from typing import TypeAlias, TypeVar

_MOST_PASSES = 3


@dataclass(frozen=True)
class Page:
    """One answer of a collection: its text, the keys of its rows in order, and how many rows the whole has."""

    body: str
    ids: tuple[int | None, ...]
    total: int | None


T = TypeVar("T")

OffsetFetch: TypeAlias = Callable[[int], Page]
"""Fetches the page that starts at an offset."""

KeysetFetch: TypeAlias = Callable[[int | None], Page]
"""Fetches the page of the lowest keys above the given one."""


def offset_pages(fetch: OffsetFetch, *, ahead: int = 2) -> Iterator[Page]:
    """Every page of a collection that has only offsets, in an order that is stable but for what comes and goes.

    Each page starts on the last row of the one before, its anchor. When rows before the anchor vanished, the page
    starts behind it, and what slid into the gap would be missed: the sweep steps back until a page starts on a row
    that was seen. It ends on a page that brings nothing behind the anchor, never on a short one: servers cap the page
    size as they like. When fewer rows were seen than the API counts, rows changed places; the sweep is repeated.
    """
    seen: set[int] = set()
    total = None
    for _ in range(_MOST_PASSES):
        before = len(seen)
        for page in _one_pass(fetch, seen, ahead):
            total = page.total
            yield page
        if total is None or len(seen) >= total or len(seen) == before:
            return


def _one_pass(fetch: OffsetFetch, seen: set[int], ahead: int) -> Iterator[Page]:
    read: set[int | None] = set()
    skip = overlap = stride = 0
    with ThreadPoolExecutor(max_workers=max(ahead, 1), thread_name_prefix="page") as executor:
        speculation: deque[tuple[int, Future[Page]]] = deque()
        try:
            while True:
                while speculation and speculation[0][0] != skip:
                    speculation.popleft()[1].cancel()
                page = speculation.popleft()[1].result() if speculation else fetch(skip)
                ids, total = page.ids, page.total
                if overlap and (not ids or ids[0] not in read):
                    # What this page holds is read again once the gap before it is closed.
                    stride = max(2 * stride, len(ids), 1)
                    skip = max(skip - stride, 0)
                    overlap = min(overlap, skip)
                    continue
                stride = 0
                fresh = set(ids) - read
                if fresh:
                    read |= fresh
                    seen.update(key for key in fresh if key is not None)
                    yield page
                if len(ids) <= overlap or (not fresh and (total is None or skip + len(ids) >= total)):
                    return
                overlap = 1 if len(ids) > 1 else 0
                step = len(ids) - overlap
                skip += step
                at = speculation[-1][0] + step if speculation else skip
                while len(speculation) < ahead and total is not None and at < total - overlap:
                    speculation.append((at, executor.submit(fetch, at)))
                    at += step
        finally:
            for _, future in speculation:
                future.cancel()


def keyset_pages(fetch: KeysetFetch) -> Iterator[Page]:
    """Every page of a collection that can be asked for the keys above a given one. Ends on an empty page.

    The total of such an answer counts what is left; the pages given out carry the total of the whole.
    """
    after: int | None = None
    count = 0
    while True:
        page = fetch(after)
        keys = [key for key in page.ids if key is not None]
        if not keys or (after is not None and max(keys) <= after):
            return
        yield page if page.total is None else replace(page, total=count + page.total)
        after = max(keys)
        count += len(page.ids)


def prefetched(items: Iterator[T], depth: int) -> Iterator[T]:
    """The same items in the same order, made by a thread that is at most `depth` items ahead."""
    queue: Queue[tuple[T | None, BaseException | None, bool]] = Queue(maxsize=depth)
    abandoned = Event()

    def work() -> None:
        try:
            for item in items:
                queue.put((item, None, False))
                if abandoned.is_set():
                    return
            queue.put((None, None, True))
        except BaseException as error:
            queue.put((None, error, True))

    thread = Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error, last = queue.get()
            if error is not None:
                raise error
            if last:
                return
            yield item  # type: ignore[misc]
    finally:
        abandoned.set()
        while thread.is_alive():
            while not queue.empty():
                queue.get_nowait()
            thread.join(timeout=0.05)
