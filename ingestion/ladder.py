"""Smaller pages where large ones fail, down to the single record that cannot be read.

One record can make the API fail on every page that holds it. It is told, stepped over, and asked for again later.
"""

from __future__ import annotations

from collections.abc import Callable

from ingestion.errors import AnswerNotUnderstood, SourceBroken, SourceError
from ingestion.pages import Hole, Page

# Three single records in a row are not three broken records but a broken API.
_MOST_HOLES_IN_A_ROW = 3


class Ladder:
    """The page size to ask for: the largest that works here. `fetch` is not for use by several threads at once."""

    def __init__(self, largest: int) -> None:
        self._rungs = [largest, *(rung for rung in (500, 250, 50, 10, 1) if rung < largest)]
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
            self._passed(page)
            if self._suspect <= 0:
                self._rung = max(self._rung - 1, 0)
            return page

    def fetch_ahead(self, fetch: Callable[[int], Page]) -> Page:
        """A page of the present size, by any thread: what fails on it is for `fetch` to see to."""
        page = fetch(self.take)
        self._passed(page)
        return page

    @property
    def take(self) -> int:
        """The page size that is asked for now."""
        return self._rungs[self._rung]

    def _passed(self, page: Page) -> None:
        self._holes = 0
        self._suspect -= len(page.ids)

    def _hole(self, error: SourceError) -> Page:
        self._holes += 1
        self._suspect = 0
        if self._holes >= _MOST_HOLES_IN_A_ROW:
            raise error
        return Page("", (), None, hole=Hole(str(error)))
