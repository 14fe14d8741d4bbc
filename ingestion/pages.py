"""A page as an API sent it, and the ways to page through a collection that moves while it is read."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from sys import getsizeof
from threading import Condition, Thread
from typing import TypeAlias

from ingestion.errors import OrderUnstable, SourceError

_MOST_PASSES = 5
# Without anything new in between: the rows move faster than they can be read.
_MOST_STEPS_BACK = 25
# So often a page that was cut down to its anchor is asked for; then it is the end, or the server gives single rows, of
# which none overlaps.
_BARE_PAGES = 3
# Twenty times what a thousand usual rows take. Pages of the largest answers are fetched one after the other.
_MOST_BYTES_AHEAD = 64_000_000


@dataclass(frozen=True)
class Position:
    """How far a sweep in the order of the keys has come: every row up to `key` is read, and some `skip` rows are."""

    key: int | None = None
    skip: int = 0


BEGINNING = Position()


@dataclass(frozen=True)
class Hole:
    """A row that the API cannot give: what it said, and where the row stands."""

    error: str
    place: str = ""


@dataclass(frozen=True)
class KnownHole:
    """A row that an earlier reading could not read: which one behind a key, and about how many rows come before it.

    `skip` is None where the order of the rows tells nothing about that.
    """

    key: int | None
    number: int
    skip: int | None = None


@dataclass(frozen=True)
class Page:
    """One answer of a collection.

    `ids` are the keys of its rows in order, `total` is how many rows the whole has. `position` is where the sweep
    stands behind this page; None where the collection does not come in the order of its keys.
    """

    body: str
    ids: tuple[int | None, ...]
    total: int | None
    position: Position | None = None
    hole: Hole | None = None
    """Set instead of rows: one row stands here and cannot be read."""

    @property
    def count(self) -> int:
        """How many rows it holds; one that the server gives twice on a page counts once."""
        keys = [key for key in self.ids if key is not None]
        return len(self.ids) - len(keys) + len(set(keys))

    @property
    def keyless_tail(self) -> int:
        """How many rows without a usable key come behind the last one that has one; all of them where none has."""
        return next((n for n, key in enumerate(reversed(self.ids)) if key is not None), len(self.ids))


OffsetFetch: TypeAlias = Callable[[int, int], Page]
"""Fetches the page that starts at an offset, of at least so many rows: fewer are of no use."""

KeysetFetch: TypeAlias = Callable[[int | None, int, int], Page]
"""Fetches the page of the lowest keys above the given one, without the first few of them, of at least so many rows."""


def offset_pages(
    fetch: OffsetFetch,
    start: Position = BEGINNING,
    *,
    ahead: int = 2,
    hasty: OffsetFetch | None = None,
    may_hurry: Callable[[], bool] = lambda: True,
) -> Iterator[Page]:
    """Every page behind `start` of a collection that has only offsets.

    Each page starts on the last row of the one before, its anchor: rows that vanished shift what follows, and what slid
    over the border would be missed. In the order of the keys, a page that starts above what was read says so, and the
    sweep steps back until it stands on known ground; nothing that stays can be missed. In any other order rows may also
    change places: the sweep is repeated until one goes through undisturbed. Raises `OrderUnstable` when none does.

    A sweep ends on a page that brings nothing behind the anchor, never on a short one: servers cap the page size as
    they like. `ahead` pages are fetched in advance while one `may_hurry`, by `hasty` where it is another way; a page
    that it fails on is fetched again when its turn comes.
    """
    with _Ahead(fetch, hasty or fetch, ahead, may_hurry) as pages:
        try:
            yield from _in_key_order(pages, start)
        except _NotInKeyOrder:
            yield from _in_any_order(pages)


def newest_first_pages(fetch: OffsetFetch) -> Iterator[Page]:
    """Every page of a collection that has only offsets and comes in the descending order of its keys.

    It grows at its beginning while it is read, which shifts what follows; behind an anchor nothing that stays can be
    missed. In any other order it is read as `offset_pages` reads it.
    """
    # What is fetched in advance is soon out of place.
    for page in offset_pages(lambda skip, least: _mirrored(fetch(skip, least)), ahead=0):
        yield replace(_mirrored(page), position=None)


def _mirrored(page: Page) -> Page:
    hole = page.hole and replace(page.hole, place=page.hole.place.replace("behind -", "behind "))
    return replace(page, ids=tuple(None if key is None else -key for key in page.ids), hole=hole)


def keyset_pages(fetch: KeysetFetch, start: Position = BEGINNING) -> Iterator[Page]:
    """Every page behind `start` of a collection that can be asked for the keys above a given one.

    Ends on an empty page. The total of such an answer counts what is left; from the beginning, the pages given out
    carry the total of the whole. What the first one counted must have come by the end: if not, and if that many are
    counted once more, the last page carries that total, so that nobody takes the reading for complete.

    Who asks for the keys above a given one relies on the order of the keys and on being understood. Where an answer
    shows that one of them is missing, the rest is read by offsets, which need neither.
    """
    after, count, holes = start.key, start.skip, 0
    counted: int | None = None

    def by_offset(skip: int, least: int) -> Page:
        return fetch(None, skip, least)

    while True:
        page = fetch(after, holes, 1)
        if page.hole:
            holes += 1
            yield _placed(page, hole_behind(after, holes), Position(after, count))
            continue
        if not is_ascending(page.ids):
            # Anything may lie below the cursor by now.
            with _Ahead(by_offset, by_offset, 0, lambda: False) as pages:
                yield from _in_any_order(pages)
            return
        counted = page.total if counted is None else counted
        read = count + holes - start.skip
        keys = [key for key in page.ids if key is not None]
        if not keys or (after is not None and keys[-1] <= after):
            says_more = read < (counted or 0) if page.total is None else page.total > holes
            if page.ids or says_more:
                yield from offset_pages(by_offset, Position(after, count), ahead=0)
            elif read < (counted or 0):
                # Some may have vanished meanwhile. Behind the last row the answer is a small one.
                left = fetch(start.key, read, 1).total
                if left is None or left > read:
                    yield replace(page, total=start.skip + (left or counted or 0), position=Position(after, count))
            return
        total = None if page.total is None else count + page.total
        # What comes behind the last key comes again behind the cursor.
        count += page.count - page.keyless_tail + holes
        after, holes = keys[-1], 0
        yield replace(page, total=total, position=Position(after, count))


def prefetched(pages: Iterator[Page], depth: int) -> Iterator[Page]:
    """The same pages in the same order, made by a thread that is at most `depth` pages ahead, or so many bytes."""
    waiting: deque[Page] = deque()
    changed = Condition()
    is_over = is_abandoned = False
    failure: BaseException | None = None

    def has_room() -> bool:
        return is_abandoned or (len(waiting) < depth and sum(map(_size, waiting)) < _MOST_BYTES_AHEAD)

    def work() -> None:
        nonlocal is_over, failure
        try:
            for page in pages:
                with changed:
                    waiting.append(page)
                    changed.notify_all()
                    changed.wait_for(has_room)
                    if is_abandoned:
                        return
        except BaseException as error:
            failure = error
        finally:
            with changed:
                is_over = True
                changed.notify_all()

    thread = Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            with changed:
                changed.wait_for(lambda: waiting or is_over)
                if not waiting:
                    break
                page = waiting.popleft()
                changed.notify_all()
            yield page
        if failure is not None:
            raise failure
    finally:
        with changed:
            is_abandoned = True
            changed.notify_all()
        thread.join()


def _size(page: Page) -> int:
    """The bytes that its body takes in memory: one odd character makes each of them take four."""
    return getsizeof(page.body)


class _NotInKeyOrder(Exception):
    """The keys do not ascend: the order is another one."""


class _Ahead:
    """Fetches pages, and meanwhile the ones that will most likely be asked for next."""

    def __init__(self, fetch: OffsetFetch, hasty: OffsetFetch, ahead: int, may_hurry: Callable[[], bool]) -> None:
        self._fetch = fetch
        self._hasty = hasty
        self._ahead = ahead
        self._may_hurry = may_hurry
        self._coming: deque[tuple[int, Future[Page]]] = deque()
        # The most that a page counted: one total that is too low must not end a sweep.
        self._counted = 0
        self._executor = ThreadPoolExecutor(max_workers=max(ahead, 1), thread_name_prefix="page")

    def __enter__(self) -> _Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

    def at(self, skip: int, overlap: int, is_known: Callable[[int | None], bool]) -> Page:
        """The page that starts at this offset, asked for again where it seems to be cut down to its anchor."""
        for _ in range(_BARE_PAGES):
            page = self._once(skip, overlap)
            if not self.is_bare(page, skip, overlap, is_known):
                break
        return page

    def is_bare(self, page: Page, skip: int, overlap: int, is_known: Callable[[int | None], bool]) -> bool:
        """Whether a page holds one known row alone, though more rows are counted: it may have been cut short."""
        if not 0 < overlap == page.count or page.total is None or not is_known(page.ids[0]):
            return False
        return skip + page.count < max(page.total, self._counted)

    def _once(self, skip: int, overlap: int) -> Page:
        while self._coming and self._coming[0][0] != skip:
            self._coming.popleft()[1].cancel()
        if self._coming:
            try:
                return self._coming.popleft()[1].result()
            except SourceError as error:
                if error.stops_source:
                    raise
        return self._fetch(skip, 1 + overlap)

    def step(self, page: Page, skip: int) -> tuple[int, int]:
        """The offset of the next page and by how many rows it overlaps; it and those behind it begin to be fetched."""
        self._counted = max(page.total or 0, self._counted)
        # A row that comes alone is an anchor too: rows come so, one by one, behind one that cannot be read. What is cut
        # down to it is told from the end by the total. A row without a key is none; those behind the anchor come again.
        tail = page.keyless_tail
        is_anchor = tail + 1 < page.count or (page.total is not None and page.count == 1 > tail)
        overlap = tail + 1 if is_anchor else 0
        step = page.count - overlap
        skip += step
        at = self._coming[-1][0] + step if self._coming else skip
        is_small = self._ahead * _size(page) < _MOST_BYTES_AHEAD
        ahead = self._ahead if step and is_small and self._may_hurry() else 0
        while len(self._coming) < ahead and page.total is not None and at < page.total - overlap:
            self._coming.append((at, self._executor.submit(self._hasty, at, 1 + overlap)))
            at += step
        return skip, overlap


def is_ascending(ids: tuple[int | None, ...]) -> bool:
    """Whether no key is lower than the one before. One that comes twice is no other order."""
    keys = [key for key in ids if key is not None]
    return all(low <= high for low, high in pairwise(keys))


def _in_key_order(pages: _Ahead, start: Position) -> Iterator[Page]:
    covered, skip = start.key, start.skip
    overlap, stride, steps_back, holes = min(skip, 1), 0, 0, 0

    def is_known(key: int | None) -> bool:
        return key is None or (covered is not None and key <= covered)

    while steps_back <= _MOST_STEPS_BACK:
        page = pages.at(skip, overlap, is_known)
        if page.hole:
            skip += overlap
            holes += 1
            yield _placed(page, hole_behind(covered, holes), Position(covered, skip + 1))
            skip, overlap = skip + 1, 0
            continue
        if not is_ascending(page.ids):
            raise _NotInKeyOrder
        if pages.is_bare(page, skip, overlap, is_known):
            skip, overlap = skip + overlap, 0
            continue
        keys = [key for key in page.ids if key is not None]
        if overlap and (not keys or covered is None or keys[0] > covered):
            # What this page holds is read again once the gap before it is closed.
            steps_back += 1
            stride = max(2 * stride, len(page.ids), 1)
            skip = max(skip - stride, 0)
            overlap = min(overlap, skip)
            continue
        stride = 0
        is_news = bool(keys) and (covered is None or keys[-1] > covered)
        if is_news:
            covered, steps_back, holes = keys[-1], 0, 0
        if is_news or None in page.ids[overlap:]:
            yield replace(page, position=Position(covered, skip + len(page.ids)))
        if _is_last(page, skip, overlap, is_news):
            return
        skip, overlap = pages.step(page, skip)
    raise OrderUnstable


def _in_any_order(pages: _Ahead) -> Iterator[Page]:
    for _ in range(_MOST_PASSES):
        if (yield from _one_pass(pages)):
            return
    raise OrderUnstable


def _one_pass(pages: _Ahead) -> Generator[Page, None, bool]:
    """One pass in whatever order the rows come. Returns whether nothing was seen to move."""
    read: set[int] = set()
    skip = overlap = stride = holes = keyless = steps_back = 0
    anchor: int | None = None
    undisturbed = True
    while steps_back <= _MOST_STEPS_BACK:
        page = pages.at(skip, overlap, read.__contains__)
        if page.hole:
            skip += overlap
            holes += 1
            yield _placed(page, f"the {holes}. without a place", None)
            skip, overlap = skip + 1, 0
            continue
        if pages.is_bare(page, skip, overlap, read.__contains__):
            skip, overlap = skip + overlap, 0
            continue
        if overlap and (not page.ids or page.ids[0] not in read):
            undisturbed = False
            steps_back += 1
            stride = max(2 * stride, len(page.ids), 1)
            skip = max(skip - stride, 0)
            overlap = min(overlap, skip)
            continue
        came = page.ids[overlap:]
        keys = {key for key in came if key is not None}.difference(page.ids[:overlap])
        news = keys - read
        undisturbed &= stride == 0 and news == keys and (not overlap or page.ids[0] == anchor)
        stride = 0
        read |= news
        keyless += came.count(None)
        if news:
            steps_back = 0
        if news or None in came:
            yield page
        if _is_last(page, skip, overlap, bool(news)):
            return undisturbed and (page.total is None or len(read) + keyless + holes >= page.total)
        skip, overlap = pages.step(page, skip)
        anchor = page.ids[-overlap]
    return False


def _placed(page: Page, place: str, position: Position | None) -> Page:
    assert page.hole
    return replace(page, hole=replace(page.hole, place=place), position=position)


_PLACE = re.compile(r"the (?P<number>\d+)\. (?:of all|behind (?P<key>-?\d+))")


def hole_behind(key: int | None, number: int) -> str:
    """How a row is called that cannot be read and stands behind a key, or before all of them."""
    return f"the {number}. of all" if key is None else f"the {number}. behind {key}"


def known_hole(name: str) -> KnownHole:
    """The hole that is called so. Raises `ValueError` for what names no hole behind a key."""
    found = _PLACE.fullmatch(name)
    if not found:
        raise ValueError(name)
    return KnownHole(int(found["key"]) if found["key"] else None, int(found["number"]))


def _is_last(page: Page, skip: int, overlap: int, is_news: bool) -> bool:
    if page.count <= overlap:
        return True
    return not is_news and (page.total is None or skip + page.count >= page.total)
