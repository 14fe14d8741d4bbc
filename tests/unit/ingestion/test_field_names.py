from __future__ import annotations

import pytest

from ingestion.field_names import are_odd


@pytest.mark.parametrize(
    ("names", "is_odd"),
    [
        (["id", "donorId", "isMatched", "it's", "a.b[0]"], False),
        (["id"], False),
        (["id", "DonorId"], True),
        (["id", "donorId", "DonorId"], True),
        (["id", "isMatched", "ismatched"], True),
        (["id", ""], True),
        (["id", 'a"b'], True),
        (["id", "a\nb"], True),
    ],
)
def test_only_names_that_cannot_stand_in_one_struct_are_odd(names: list[str], is_odd: bool) -> None:
    """For the others nothing is renamed, which would take time."""
    assert are_odd(names, ["id", "donorId"]) is is_odd
