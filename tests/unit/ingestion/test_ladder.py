"""One record that breaks every page it stands on, and what finding it costs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.errors import AnswerNotUnderstood, SourceBroken
from ingestion.ladder import Ladder
from ingestion.pages import KnownHole, Page, Position, keyset_pages, offset_pages

PATIENT = 6
"""What an attempt that is not made but once may cost."""


class Api:
    """Rows 1 to `count`, of which some break every page that they are on."""

    def __init__(self, count: int, broken: Collection[int], cap: int = 1000) -> None:
        self.rows, self.broken, self.cap = range(1, count + 1), broken, cap
        self.asked: list[tuple[int, int, bool]] = []
        self.is_down = False

    @property
    def requests(self) -> int:
        """How many were sent, with those that a patient attempt sends again."""
        return sum(PATIENT if not once and self._fails(skip, take) else 1 for skip, take, once in self.asked)

    def _fails(self, skip: int, take: int) -> bool:
        return any(key in self.broken for key in self.rows[skip : skip + min(take, self.cap)])

    def page(self, skip: int, take: int, once: bool = True) -> Page:
        self.asked.append((skip, take, once))
        if self.is_down or self._fails(skip, take):
            raise SourceBroken("CRM+", "/api/Gift/Query", "500")
        return Page("", tuple(self.rows[skip : skip + min(take, self.cap)]), len(self.rows))

    def above(self, after: int | None, skip: int, take: int, once: bool) -> Page:
        return replace(self.page((after or 0) + skip, take, once), total=len(self.rows) - (after or 0))

    def read(self, style: str, known: Collection[KnownHole] = ()) -> tuple[list[int | None], list[str]]:
        """The keys that come, and what the holes are called."""
        ladder = Ladder(1000, lambda offset: self.page(offset, 1), known)
        if style == "offset":
            pages = offset_pages(
                lambda skip, least: ladder.fetch(lambda take, once: self.page(skip, take, once), least, at=skip),
                ahead=0,
            )
        else:
            pages = keyset_pages(
                lambda after, skip, least: ladder.fetch(lambda take, once: self.above(after, skip, take, once), least)
            )
        came = list(pages)
        keys = [key for page in came for key in page.ids]
        return list(dict.fromkeys(keys)), [page.hole.place for page in came if page.hole]


def holes(broken: Collection[int]) -> list[KnownHole]:
    found: list[KnownHole] = []
    for skip, key in enumerate(range(1, max(broken) + 1)):
        if key in broken:
            before = max((good for good in range(1, key) if good not in broken), default=None)
            found.append(KnownHole(before, key - (before or 0), skip))
    return found


@pytest.mark.parametrize("style", ["offset", "keyset"])
@pytest.mark.parametrize("poisoned", [1, 2, 499, 500, 501, 777, 1000, 1001, 4999, 5000])
def test_a_broken_record_is_found_by_halves_and_then_asked_for_once(style: str, poisoned: int) -> None:
    good = [key for key in range(1, 5001) if key != poisoned]
    first, later = Api(5000, [poisoned]), Api(5000, [poisoned])
    found, names = first.read(style)
    assert found == good
    assert len(names) == 1
    # Patiently at first and in the end, by halves in between; then pages grow again.
    assert first.requests <= 6 + 2 * PATIENT + 16
    assert later.read(style, holes([poisoned])) == (good, names)
    assert later.requests <= 6 + 3
    asked_alone = [once for skip, take, once in later.asked if take == 1 and later._fails(skip, take)]
    assert len(asked_alone) + sum(later._fails(skip, take) for skip, take, _ in later.asked if take == 2) == 1


@pytest.mark.parametrize("style", ["offset", "keyset"])
def test_one_in_a_thousand_is_found_with_few_requests(style: str) -> None:
    broken = range(500, 20_000, 1000)
    api = Api(20_000, broken)
    found, names = api.read(style)
    assert (len(found), len(names)) == (19_980, 20)
    assert api.requests <= 20 * (2 * PATIENT + 20)
    api.asked.clear()
    assert api.read(style, holes(broken)) == (found, names)
    assert api.requests <= 21 + 3 * 20


@pytest.mark.parametrize("style", ["offset", "keyset"])
@given(
    count=st.integers(1, 400),
    cap=st.sampled_from([3, 50, 1000]),
    broken=st.sets(st.integers(1, 400), max_size=6),
    guesses=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 2), st.none() | st.integers(0, 400)), max_size=4),
)
def test_no_other_row_is_lost_whatever_is_thought_to_be_broken(
    style: str, count: int, cap: int, broken: set[int], guesses: list[tuple[int, int, int | None]]
) -> None:
    api = Api(count, broken, cap)
    known = [KnownHole(key or None, number, skip) for key, number, skip in guesses]
    try:
        found, names = api.read(style, known)
    except SourceBroken:
        # Where so many in a row are broken that none elsewhere proves that the API is there.
        assert len(broken & set(range(1, count + 1))) >= 3
        return
    assert set(found) == set(range(1, count + 1)) - broken
    assert len(names) == len(broken & set(range(1, count + 1)))


def test_a_collection_whose_only_record_is_broken_is_read_to_its_end() -> None:
    assert Api(1, [1]).read("keyset") == ([], ["the 1. of all"])


@pytest.mark.parametrize("style", ["offset", "keyset"])
def test_an_outage_puts_nothing_into_quarantine(style: str) -> None:
    api = Api(5000, [])
    api.is_down = True
    ladder = Ladder(1000, lambda offset: api.page(offset, 1))
    with pytest.raises(SourceBroken):
        ladder.fetch(lambda take, once: api.page(0, take, once), 2 if style == "offset" else 1)
    # It is waited for several times, and no page size is tried that tells nothing new.
    assert 4 <= sum(not once for *_, once in api.asked) <= 5
    assert len(api.asked) <= 20


def test_an_answer_that_is_never_understood_is_not_asked_for_in_every_size() -> None:
    asked: list[bool] = []

    def fetch(_: int, once: bool) -> Page:
        asked.append(once)
        raise AnswerNotUnderstood("CRM+", "/api/Gift/Query", "no JSON")

    with pytest.raises(AnswerNotUnderstood):
        Ladder(1000, lambda _: fetch(1, True)).fetch(fetch)
    assert asked.count(False) == 1
    assert len(asked) <= 8


def _broken(_: int, once: bool = False) -> Page:
    raise SourceBroken("CRM+", "/api/Gift/Query", "500")


def _holes(ladder: Ladder, most: int) -> int:
    """How many records in a row are stepped over."""
    for number in range(most):
        try:
            assert ladder.fetch(_broken).hole
        except SourceBroken:
            return number
    return most


@pytest.mark.parametrize(("is_there", "holes"), [(True, 50), (False, 0)])
def test_a_stretch_of_records_that_cannot_be_read_is_stepped_over_if_others_can(is_there: bool, holes: int) -> None:
    asked: list[int] = []

    def single(offset: int) -> Page:
        asked.append(offset)
        return Page("", (offset,), None) if is_there and offset > 50 else _broken(1)

    assert _holes(Ladder(1000, single), 50) == holes
    # Proved at first, and each time that they are twice as many.
    assert asked.count(0) == (6 if is_there else 2)


def test_so_many_in_a_row_are_a_broken_api_whatever_else_it_can_give() -> None:
    assert _holes(Ladder(1000, lambda _: Page("", (1,), None)), 2000) == 999


def test_a_record_that_was_mended_is_read() -> None:
    assert Api(3000, []).read("keyset", holes([777])) == (list(range(1, 3001)), [])


def test_a_reading_that_goes_on_knows_where_it_stands() -> None:
    api = Api(3000, [2500])
    ladder = Ladder(1000, lambda offset: api.page(offset, 1), holes([2500]), Position(2000, 2000))
    pages = keyset_pages(
        lambda after, skip, _: ladder.fetch(lambda take, once: api.above(after, skip, take, once)),
        Position(2000, 2000),
    )
    assert {key for page in pages for key in page.ids} == {*range(2001, 3001)} - {2500}
    assert api.requests <= 5
