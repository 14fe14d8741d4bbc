"""Odd status lines, headers and bodies cost the resource that they are about at most."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from ingestion.resource_reading import ResourceReading
from tests import fuzz


@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_costs_its_resource_at_most(tmp_path: Path, seed: int) -> None:
    assert fuzz.fuzz(100, seed, tmp_path).wrong == []


def test_what_goes_wrong_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was once: a row whose key cannot be read counted as another one and as a deletion."""

    def keyless(answer: fuzz.Answer, _: Random) -> None:
        answer.body = answer.body.replace(b'd": 3,', b'd": "1e3",')

    monkeypatch.setattr(ResourceReading, "_note_gaps", lambda *_: None)
    monkeypatch.setattr(fuzz, "SPOILS", (keyless,))
    assert any("lost 1 rows" in wrong for wrong in fuzz.fuzz(5, 1, tmp_path).wrong)
