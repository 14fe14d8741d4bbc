"""Smaller pages where large ones fail, down to the single record that cannot be read.

One record can make the API fail on every page that holds it. It is told, stepped over, and asked for again later.
"""

from __future__ import annotations

from collections.abc import Callable

from ingestion.errors import AnswerNotUnderstood, SourceBroken, SourceError
from ingestion.pages import Hole, Page

# From so many single records in a row that cannot be read it is to be proved, each time they are twice as many, that
# the API is there at all; so many are no broken records but a broken API, whatever else it can give.
_DOUBTFUL, _MOST_HOLES_IN_A_ROW = 3, 1000
# A stretch of broken records may lie anywhere, also at the beginning.
_ELSEWHERE = (0, 10, 100, 1_000, 10_000, 100_000)


class Ladder:
    """The page size to ask for: the largest that works here. `fetch` is not for use by several threads at once.

    `single` fetches the one row at an offset: whether the API gives rows elsewhere tells broken records from a broken
    API.
    """

    def __init__(self, largest: int, single: Callable[[int], Page] | None = None) -> None:
        self._rungs = [largest, *(rung for rung in (500, 250, 50, 10, 1) if rung < largest)]
        self._single = single
        self._rung = 0
        self._holes = 0
        # So many rows may come before the record on which the last page failed: no larger one is asked for until then.
        self._suspect = 0

    def fetch(self, fetch: Callable[[int], Page], least: int = 1) -> Page:
        """What `fetch`, given a page size, answers; a page with a hole where even the least page cannot be read."""
        while True:
            try:
                page = fetch(max(self.take, least))
            except (SourceBroken, AnswerNotUnderstood) as error:
                self._suspect = max(self.take, least)
                if self.take > least:
                    self._rung += 1
                    continue
                return self._hole(error)
            self._holes = 0
            self._suspect -= len(page.ids)
            if self._suspect <= 0:
                self._rung = max(self._rung - 1, 0)
            return page

    @property
    def take(self) -> int:
        """The page size that is asked for now."""
        return self._rungs[self._rung]

    @property
    def is_at_top(self) -> bool:
        """Whether there was no trouble, or it has passed."""
        return self._rung == 0

    def _hole(self, error: SourceError) -> Page:
        self._holes += 1
        self._suspect = 0
        is_doubtful = self._holes % _DOUBTFUL == 0 and (self._holes // _DOUBTFUL).bit_count() == 1
        if self._holes >= _MOST_HOLES_IN_A_ROW or (is_doubtful and not self._is_there()):
            raise error
        return Page("", (), None, hole=Hole(str(error)))

    def _is_there(self) -> bool:
        return self._single is not None and any(_gives_a_row(self._single, offset) for offset in _ELSEWHERE)


def _gives_a_row(single: Callable[[int], Page], offset: int) -> bool:
    try:
        return bool(single(offset).ids)
    except (SourceBroken, AnswerNotUnderstood):
        return False
