"""The analyst guide speaks of every mart, and answers three questions with each."""

from __future__ import annotations

import re
from pathlib import Path

from tests.guide import queries_by_mart

MARTS = Path(__file__).parents[2] / "transform" / "models" / "marts"


def test_every_mart_has_its_section() -> None:
    assert set(queries_by_mart()) == {model.stem for model in MARTS.rglob("*.sql")}


def test_every_section_answers_three_questions_with_its_table() -> None:
    for mart, queries in queries_by_mart().items():
        assert len(queries) == 3, mart
        assert all(re.search(rf"\bmarts\.{mart}\b", query) for query in queries), mart
