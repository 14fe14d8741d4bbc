"""dbt in this process, for what builds many times: the project is parsed once."""

from __future__ import annotations

import os
from pathlib import Path

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

PROJECT = Path(__file__).parents[1] / "transform"


class Dbt:
    """Builds any warehouse of the file name that it was made for: relations bear the name of their file."""

    def __init__(self, folder: Path, warehouse: str = "warehouse.duckdb") -> None:
        self._where = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
        self._where += ["--target-path", str(folder / "target"), "--log-path", str(folder)]
        os.environ |= {"WAREHOUSE_PATH": str(folder / warehouse), "HOME": str(folder)}
        parsed = dbtRunner().invoke(["--quiet", "parse", *self._where])
        assert parsed.success, parsed.exception
        self._runner = dbtRunner(manifest=parsed.result)  # type: ignore[arg-type]

    def __call__(self, warehouse: Path, *arguments: str) -> None:
        os.environ["WAREHOUSE_PATH"] = str(warehouse)
        done = self._runner.invoke(["--quiet", *arguments, *self._where])
        assert done.success, done.exception or [result.message for result in done.result]  # type: ignore[union-attr]
        DuckDBConnectionManager.close_all_connections()
