"""The runs of some nights, as `make growth` makes them for 500."""

from __future__ import annotations

import pytest

from tests.growth import HOME, grow
from tests.integration.conftest import Workplace


def test_what_runs_leave_levels_off(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(place.folder / HOME))
    grown = grow(place.folder, 6, print, retain_runs_days=2, retain_logs_days=1)
    assert grown.runs_kept == 2
    assert max(grown.bytes[3:]) <= max(grown.bytes[:3]) * 1.02
