"""What alerts ask of the readers' file is what the marts promise to have."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from orchestration.alerts import observing

TRANSFORM = Path(__file__).parents[2] / "transform"


def promised() -> dict[str, list[dict[str, Any]]]:
    """The columns of each mart, and of the seeds that are published with them."""
    files = [*TRANSFORM.glob("models/marts/**/*.yml"), *TRANSFORM.glob("seeds/*.yml")]
    described = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    tables = [table for of in described for kind in ("models", "seeds") for table in of.get(kind) or ()]
    return {table["name"]: table["columns"] for table in tables if table.get("columns")}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A readers' file without rows."""
    path = tmp_path / "tieout.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA marts")
        for name, columns in promised().items():
            typed = ", ".join(f'"{column["name"]}" {column.get("data_type") or "VARCHAR"}' for column in columns)
            connection.execute(f'CREATE TABLE marts."{name}" ({typed})')
    return path


def test_every_query_fits(published: Path) -> None:
    assert observing._exceptions(published) == {}
    assert observing._labels(published) == {}
    assert observing._readings(published, [], datetime.now(UTC)) == {}
