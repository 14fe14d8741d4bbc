"""One record that breaks every page it stands on."""

from __future__ import annotations

import pytest

from ingestion.errors import SourceBroken
from ingestion.ladder import Ladder
from ingestion.pages import Page


@pytest.mark.parametrize("poisoned", [0, 1, 499, 500, 777, 1234, 1999])
def test_each_page_size_fails_but_once_on_a_record_that_cannot_be_read(poisoned: int) -> None:
    ladder, failed, read, sizes = Ladder(1000), [], [], []

    def fetch(take: int) -> Page:
        if skip <= poisoned < skip + take:
            failed.append(take)
            raise SourceBroken("CRM+", "/api/Gift/Query", "500")
        return Page("", tuple(range(skip, min(skip + take, 5000))), None)

    skip = 0
    while skip < 5000:
        page = ladder.fetch(fetch)
        sizes.append(ladder.take)
        read += page.ids
        skip += 1 if page.hole else len(page.ids)
    assert read == [key for key in range(5000) if key != poisoned]
    assert failed == [1000, 500, 250, 50, 10, 1]
    assert sizes[-1] == 1000


def _broken(take: int) -> Page:
    raise SourceBroken("CRM+", "/api/Gift/Query", "500")


def _holes(ladder: Ladder, most: int) -> int:
    """How many records in a row are stepped over."""
    for holes in range(most):
        try:
            assert ladder.fetch(_broken).hole
        except SourceBroken:
            return holes
    return most


@pytest.mark.parametrize(("is_there", "holes", "proofs"), [(True, 50, 5), (False, 2, 1)])
def test_a_stretch_of_records_that_cannot_be_read_is_stepped_over_if_others_can(
    is_there: bool, holes: int, proofs: int
) -> None:
    asked: list[int] = []

    def single(offset: int) -> Page:
        asked.append(offset)
        return Page("", (offset,), None) if is_there and offset > 50 else _broken(1)

    assert _holes(Ladder(1000, single), 50) == holes
    # Proved each time that they are twice as many.
    assert asked.count(0) == proofs
    assert len(asked) == proofs * (3 if is_there else 6)


def test_so_many_in_a_row_are_a_broken_api_whatever_else_it_can_give() -> None:
    assert _holes(Ladder(1000, lambda _: Page("", (1,), None)), 2000) == 999
