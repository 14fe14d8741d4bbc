"""The analyst guide, taken apart: the sections on tables and the queries in them."""

from __future__ import annotations

import re
from pathlib import Path

GUIDE = Path(__file__).parents[1] / "docs" / "analyst-guide.md"

_QUERY = re.compile(r"^```sql\n(.*?)^```", re.DOTALL | re.MULTILINE)


def queries() -> list[str]:
    """Every query of the guide."""
    return _QUERY.findall(GUIDE.read_text())


def queries_by_mart() -> dict[str, list[str]]:
    """The queries of each section that is headed by a table, by its name without the schema."""
    _, *sections = re.split(r"^### `marts\.(\w+)`$", GUIDE.read_text(), flags=re.MULTILINE)
    return {
        mart: _QUERY.findall(re.split(r"^## ", text, flags=re.MULTILINE)[0])
        for mart, text in zip(sections[::2], sections[1::2], strict=True)
    }
