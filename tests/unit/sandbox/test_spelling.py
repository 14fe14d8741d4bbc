"""Instants and money keep their value in every spelling."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.sandbox import clock, money

INSTANTS = st.integers(min_value=0, max_value=4_102_444_800_000)


@given(INSTANTS, st.integers(min_value=0, max_value=11))
def test_an_instant_survives_its_spelling(instant, style):
    read = clock.parse_instant(clock.varied(instant, style))
    assert 0 <= instant - read < {6: 1000, 7: 1000, 8: 10}.get(style, 1)


@given(INSTANTS)
def test_localized_text_is_the_second_it_names(instant):
    read = datetime.strptime(clock.localized(instant), "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=UTC)
    assert int(read.timestamp()) == instant // 1000


@pytest.mark.parametrize(
    ("cents", "currency", "text"),
    [(120_000, "USD", "$1,200.00"), (-350, "USD", "-$3.50"), (1_005, "EUR", "€10.05"), (99, "CAD", "CA$0.99")],
)
def test_money_as_text(cents, currency, text):
    assert money.text(cents, currency) == text


def test_whole_amounts_lose_their_decimals():
    assert (money.short_text(120_000), money.short_text(1_050), money.short_text(0)) == ("$1,200", "$10.50", "$0")
