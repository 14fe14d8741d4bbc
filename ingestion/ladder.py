"""Smaller pages where large ones fail, down to the single record that cannot be read.

One record can make the API fail on every page that holds it. It is found by halves, reported, stepped over, and asked
for once in each later sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from ingestion.errors import AnswerNotUnderstood, SourceBroken, SourceError
from ingestion.pages import BEGINNING, Hole, KnownHole, Page, Position

# From so many single records in a row that cannot be read it is to be proved, each time they are twice as many, that
# the API gives rows at all; so many are no broken records but a broken API, whatever else it can give.
_DOUBTFUL, _MOST_HOLES_IN_A_ROW = 3, 1000
# A stretch of broken records may lie anywhere, also at the beginning.
_ELSEWHERE = (0, 10, 100, 1_000, 10_000, 100_000)
# By so much pages grow again behind a broken record: others often lie near it.
_GROWTH = 8

Fetch: TypeAlias = Callable[[int, bool], Page]
"""Fetches a page of so many rows; if the second argument is true, with a single attempt."""


class Ladder:
    """The page size to ask for: the largest that works here. `fetch` is not for use by several threads at once.

    `single` fetches the one row at an offset, with a single attempt: whether the API answers elsewhere tells broken
    records from a broken API. `known` are the holes of earlier readings; `start` is where this one begins.
    """

    def __init__(
        self,
        largest: int,
        single: Callable[[int], Page] | None = None,
        known: Iterable[KnownHole] = (),
        start: Position = BEGINNING,
    ) -> None:
        holes = tuple(known)
        self._largest = self._size = largest
        self._single = single
        self._known = {(hole.key, hole.number) for hole in holes}
        self._estimates = sorted(hole.skip for hole in holes if hole.skip is not None)
        self._key, self._at = start.key, start.skip
        self._holes = 0
        # Somewhere before this offset is the record on which the last page failed.
        self._until = 0
        # Whether the API answered anything since a page failed; None where it was not asked.
        self._answers: bool | None = None
        # How many pages came since: behind the first one all of the rest is tried, for the trouble may have passed.
        self._came = 0

    def fetch(self, fetch: Fetch, least: int = 1, *, at: int | None = None, is_known: bool = False) -> Page:
        """What `fetch` answers; a page with a hole where even the least page cannot be read.

        `at` is the offset of the page, where the caller knows it. `is_known`: an earlier reading could not read it.
        """
        self._at = self._at if at is None else at
        while True:
            is_hole = is_known or (self._key, self._holes + 1) in self._known
            take = least if is_hole else self._take(least)
            is_doubted = self._is_near if self._until <= self._at else self._answers is not False
            try:
                page = fetch(take, is_hole or (is_doubted and take > least))
            except (SourceBroken, AnswerNotUnderstood) as error:
                if take > least:
                    self._halve(take, error)
                    continue
                return self._hole(error, is_hole)
            self._note(page)
            return page

    @property
    def take(self) -> int:
        """The page size that is asked for where nothing is in the way."""
        return self._size

    @property
    def is_at_top(self) -> bool:
        """Whether there was no trouble, or it has passed, and no broken record is expected soon."""
        return self._size == self._largest and self._until <= self._at and not self._is_near

    @property
    def _is_near(self) -> bool:
        """Whether a record that is known to be broken may be on one of the next pages."""
        return any(abs(skip - self._at) <= 4 * self._largest for skip in self._estimates)

    def _take(self, least: int) -> int:
        take = self._size
        if self._until > self._at:
            parts = 8 if self._answers is False else 1 if self._came == 1 else 2
            take = (self._until - self._at) // parts
        up_to_known = next((skip - self._at for skip in self._estimates if skip > self._at), take)
        return max(min(take, up_to_known) if up_to_known >= least else take, least)

    def _halve(self, take: int, error: SourceError) -> None:
        if self._until <= self._at:
            self._answers, self._came = None, 0
        else:
            self._came *= 2
            if self._answers is None:
                self._answers = self._is_there(wants_rows=False)
        if self._answers is False and isinstance(error, AnswerNotUnderstood):
            # Whatever is asked for, the answer is none: no smaller page will be.
            raise error
        self._until = self._at + take

    def _note(self, page: Page) -> None:
        is_in_trouble = self._until > self._at
        self._came += 1
        self._answers = True if is_in_trouble else None
        self._size = self._size if is_in_trouble else min(self._size * _GROWTH, self._largest)
        self._holes = 0
        self._key = next((key for key in reversed(page.ids) if key is not None), self._key)
        self._at += len(page.ids)

    def _hole(self, error: SourceError, is_known: bool) -> Page:
        self._holes += 1
        self._at += 1
        self._until, self._size = 0, self._largest if is_known else 1
        is_doubtful = self._holes % _DOUBTFUL == 0 and (self._holes // _DOUBTFUL).bit_count() == 1
        if self._holes >= _MOST_HOLES_IN_A_ROW:
            raise error
        if not is_known:
            if self._answers is not True:
                self._answers = self._is_there(wants_rows=False)
            if not self._answers or (is_doubtful and not self._is_there(wants_rows=True)):
                raise error
        return Page("", (), None, hole=Hole(str(error)))

    def _is_there(self, *, wants_rows: bool) -> bool:
        """Whether the API answers elsewhere. One that cannot be asked so is believed until rows are wanted."""
        single = self._single
        if single is None:
            return not wants_rows
        return any(_answers(single, offset, wants_rows) for offset in _ELSEWHERE)


def _answers(single: Callable[[int], Page], offset: int, wants_rows: bool) -> bool:
    try:
        return bool(single(offset).ids) or not wants_rows
    except (SourceBroken, AnswerNotUnderstood):
        return False
