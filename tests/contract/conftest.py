from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest


@pytest.fixture(scope="session")
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a warehouse that nobody makes. Beside it lies what dbt parsed, once for all that asks for it."""
    return tmp_path_factory.mktemp("nowhere") / "w.duckdb"


@pytest.fixture(scope="session")
def defs(nowhere: Path) -> dg.Definitions:
    """What Dagster is told without any setting."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("RAISE_API_TOKEN", "CRM_PLUS_API_KEY", "ORGANIZATIONS_FILE"):
            environment.delenv(name, raising=False)
        environment.setenv("WAREHOUSE_PATH", str(nowhere))
        from orchestration.definitions import defs
    return defs
