from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from ingestion.sandbox import Handle, running
from ingestion.settings import Settings


@dataclass
class Workplace:
    """A user's folder with a sandbox to read from: runs the command line there, as a user would."""

    folder: Path
    environment: dict[str, str]
    log: list[str] = field(default_factory=list)

    @property
    def warehouse(self) -> Path:
        return self.folder / "data/warehouse.duckdb"

    @property
    def published(self) -> Path:
        return self.folder / "data/published/tieout.duckdb"

    def start(self, *arguments: str, **changes: str) -> subprocess.Popen[str]:
        """Starts `tieout` in a process group of its own. A setting that is changed to nothing is left out."""
        environment = {name: value for name, value in (self.environment | changes).items() if value}
        return subprocess.Popen(
            [Path(sys.executable).with_name("tieout"), *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def tieout(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Runs `tieout` to its end."""
        process = self.start(*arguments, **changes)
        out, err = process.communicate(timeout=800)
        self.log += [out, err]
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def query(self, sql: str, *, published: bool = False) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.published if published else self.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def raw(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every raw table of resources, whole, without what differs between two loads of the same rows."""
        tables = self.query(
            """
            select schema_name, table_name from duckdb_tables()
            where schema_name in ('raw_raise', 'raw_crm_plus') and not starts_with(table_name, '_dlt')
            and table_name not in ('load_audit', 'read_progress', 'connections', 'schema_drift', 'quarantined_records')
            """
        )
        return {
            f"{schema}.{table}": self.query(f"select * exclude (_dlt_load_id) from {schema}.{table} order by all")
            for schema, table in tables
        }


def settings_for(sandbox: Handle, folder: Path, **changes: Any) -> Settings:
    """The settings that point at a sandbox, at its present instant, with the warehouse in a folder."""
    named = {name.lower(): value for name, value in sandbox.env().items()}
    return Settings(**{**named, "warehouse_path": folder / "warehouse.duckdb", "_env_file": None, **changes})


@pytest.fixture(autouse=True)
def _own_dlt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """dlt's state is global per user."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))


@pytest.fixture(scope="module")
def workplaces(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Handle], Workplace]:
    """Makes workplaces that share nothing with the machine's user: home, caches and Dagster's state are their own."""

    def make(sandbox: Handle) -> Workplace:
        folder = tmp_path_factory.mktemp("workplace")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "DAGSTER_HOME": str(folder / "data/dagster"),
            **sandbox.env(),
            # Enough for a small organization: with payloads left to read, no run is like the one before.
            "WEBHOOK_PAYLOADS_PER_RUN": "1000",
        }
        Path(environment["HOME"]).mkdir()
        return Workplace(folder, environment)

    return make


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Handle]:
    """A small organization. Whatever was asked of it, nothing but documented reads was sent."""
    with running(seed=11, scale="small") as handle:
        yield handle
        assert handle.requests()["undocumented"]["count"] == 0
