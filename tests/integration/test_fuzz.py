"""Odd status lines, headers and bodies cost the resource that they are about at most."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import fuzz


@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_costs_its_resource_at_most(tmp_path: Path, seed: int) -> None:
    assert fuzz(100, seed, tmp_path).wrong == []
