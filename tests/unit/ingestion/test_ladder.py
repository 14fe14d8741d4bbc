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
