"""The warehouse says of random organizations what a second reading of the contract says of them.

`python -m tests.oracle.differential FOLDER --count 1000 --seed 7` tries more.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle.differential import build, compare
from tests.oracle.worlds import organizations


@pytest.mark.parametrize("seed", [3, 11])
def test_the_marts_say_what_the_contract_says(tmp_path: Path, seed: int) -> None:
    of = organizations(seed=seed, count=150)
    warehouse = build(tmp_path, of)
    found = [
        f"{o.name} {entity} {key} {column}: contract {ours}, warehouse {theirs} ({cause})"
        for o, entity, key, column, ours, theirs, cause in compare(of, warehouse)
    ]
    assert not found, "\n".join(found)
