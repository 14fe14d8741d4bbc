"""Warehouses that dbt builds many times, in this process, so that the project is parsed once; and what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from orchestration.dbt import memory

PROJECT = Path(__file__).parents[1] / "transform"
BUILD = ("build", "--exclude-resource-type", "unit_test")


_MEASURED = r"""
import pathlib, re, sys
from dbt.cli.main import dbtRunner
done = dbtRunner().invoke(sys.argv[1:])
assert done.success, done.exception or [result.message for result in done.result]
# Not `ru_maxrss`: it begins with what the process that starts this one held at its peak.
print(re.search(r"VmHWM:\s*(\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
"""


@dataclass(frozen=True)
class Measured:
    """What a run of dbt cost: seconds by node and in all, start included, and the peak of its memory."""

    seconds: dict[str, float]
    total: float
    gibibytes: float


def measured(warehouse: Path, *arguments: str) -> Measured:
    """Runs dbt in a process of its own. Artifacts stand beside the warehouse, and spare the next run the parse."""
    folder = warehouse.parent
    environment = {
        **os.environ,
        "HOME": str(folder),
        "WAREHOUSE_PATH": str(warehouse),
        **memory(warehouse),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
        "DBT_PROFILES_DIR": str(PROJECT),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    command = [sys.executable, "-c", _MEASURED, "--quiet", *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    total = time.perf_counter() - started
    results = json.loads((folder / "target" / "run_results.json").read_text())["results"]
    seconds = {result["unique_id"].split(".", 2)[2]: result["execution_time"] for result in results}
    return Measured(seconds, total, int(done.stdout.splitlines()[-1]) / 2**20)


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


class Miniature:
    """A dbt project of its own, with macros of the real one, to see what these do."""

    def __init__(self, folder: Path, *macros: str) -> None:
        self._folder = folder
        self.warehouse = folder / "miniature.duckdb"
        self.said = ""
        self.write("dbt_project.yml", "name: miniature\nprofile: miniature\n")
        output = f"{{type: duckdb, path: '{self.warehouse}', threads: 1}}"
        self.write("profiles.yml", f"miniature: {{target: here, outputs: {{here: {output}}}}}\n")
        for macro in macros:
            self.write(f"macros/{macro}.sql", (PROJECT / "macros" / f"{macro}.sql").read_text())

    def write(self, name: str, content: str | bytes) -> Path:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def build(self, *arguments: str) -> bool:
        """Whether it went through; `said` is what went wrong."""
        where = ["--project-dir", str(self._folder), "--profiles-dir", str(self._folder), "--log-level-file", "none"]
        done = dbtRunner().invoke(["--quiet", "build", *arguments, *where])
        DuckDBConnectionManager.close_all_connections()
        self.said = "" if done.success or not done.result else "\n".join(str(r.message) for r in done.result)  # type: ignore[union-attr]
        return done.success


def query(warehouse: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(sql, parameters).fetchall()


def marts(warehouse: Path, names: Iterable[str]) -> dict[str, list[tuple[Any, ...]]]:
    """These marts whole, but for when their rows were computed."""
    return {
        name: query(warehouse, f"select columns(lambda c: c != 'computed_at') from marts.{name} order by all")
        for name in names
    }
