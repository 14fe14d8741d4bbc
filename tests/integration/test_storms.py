"""A 429 is waited out to its end, by the clock of whoever sent it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import SecretStr

from ingestion import virtuous_crm_plus, virtuous_raise
from ingestion.http import Patience, ReadClient
from ingestion.sandbox import Handle, running
from ingestion.virtuous_raise.client import READS
from tests.clocks import LeapingClock, clock_of
from tests.integration.conftest import settings_for

# Pages that were under way when a window closed cannot be called back; CRM+ is read one page after the other.
UNDER_WAY = {"raise": 2, "crm_plus": 0}


@pytest.fixture
def stormy() -> Iterator[Handle]:
    with running(seed=5, scale="small", raise_take_cap=20) as sandbox:
        yield sandbox


def test_exactly_one_request_after_each_wait(stormy: Handle) -> None:
    windows = count(1)
    forbidden: list[int] = []

    def leap(seconds: float) -> None:
        asked = stormy.requests()
        forbidden.append(asked["storms"]["raise"]["forbidden"])
        assert asked["raise"]["total"] == asked["storms"]["raise"]["windows"]
        if next(windows) == 6:
            stormy.set_faults(raise_storm=False)
        stormy.leap(seconds)

    stormy.set_faults(raise_storm=1)
    clock = LeapingClock(leap)
    client = ReadClient(
        product="Raise",
        base_url=stormy.raise_base_url,
        credential=SecretStr(stormy.raise_token),
        credential_name="RAISE_API_TOKEN",
        reads=READS,
        patience=Patience(clock=clock, throttle=7 * 900),
    )
    with closing(client):
        assert '"items"' in client.get("/api/Gift/list")
    # Seconds and dates by turns; a date tells whole seconds, so that one more is waited.
    assert [round(waited, -1) for waited in clock.slept] == [900] * 6
    assert forbidden == [0] * 6
    assert stormy.requests()["raise"]["total"] == 7


@pytest.mark.parametrize("product", [virtuous_raise, virtuous_crm_plus])
def test_no_request_inside_a_forbidden_window(stormy: Handle, tmp_path: Path, product: ModuleType) -> None:
    stormy.set_faults({f"{product.NAME}_storm": 0.5, "short_pages": 0.5})
    (organization,) = settings_for(stormy, tmp_path).organizations
    client = product.client_for(organization, Patience(clock=clock_of(stormy), throttle=math.inf))
    with closing(client):
        lists = [resource for resource in product.RESOURCES if resource.entries_of is None]
        for resource in lists:
            for _ in client.pages(resource):
                pass
    storm = stormy.requests()["storms"][product.NAME]
    print(product.NAME, storm)
    assert storm["windows"] >= 3
    assert storm["forbidden"] <= UNDER_WAY[product.NAME] * storm["windows"]
    assert client.http.usage.throttled_seconds == pytest.approx(storm["windows"] * 900, rel=0.01)
