from __future__ import annotations

import os
import shutil
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

    def quarantine(self) -> list[tuple[Any, ...]]:
        """What could not be read of which record, and whether that is so still."""
        return self.query(
            """
            select 'raise', resource, record_id, field, resolved_at is null from raw_raise.quarantined_records
            union all
            select 'crm_plus', resource, record_id, field, resolved_at is null from raw_crm_plus.quarantined_records
            order by all
            """
        )


def settings_for(sandbox: Handle, folder: Path, **changes: Any) -> Settings:
    """The settings that point at a sandbox, at its present instant, with the warehouse in a folder."""
    named = {name.lower(): value for name, value in sandbox.env().items()}
    return Settings(**{**named, "warehouse_path": folder / "warehouse.duckdb", "_env_file": None, **changes})


@pytest.fixture(autouse=True)
def _own_dlt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """dlt's state is global per user."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))


@pytest.fixture(scope="session")
def workplace_for(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Handle], Workplace]:
    """Clears the workplace and points it at a sandbox: the one made before is gone.

    It shares nothing with the machine's user: home, caches and Dagster's state are its own. There is one at a time,
    because dbt keeps what it parsed for a warehouse's path, and parsing takes longer than most runs.
    """
    folder = tmp_path_factory.mktemp("workplace")

    def make(sandbox: Handle) -> Workplace:
        _clear(folder, all_but=folder / "data/warehouse.state/dbt")
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


def _clear(folder: Path, all_but: Path) -> None:
    for path in folder.iterdir():
        if path in all_but.parents:
            _clear(path, all_but)
        elif path.is_dir() and path != all_but:
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()


@pytest.fixture(scope="session")
def small() -> Iterator[Handle]:
    """A small organization, at the instant it began."""
    with running(seed=11, scale="small") as handle:
        yield handle


@pytest.fixture
def sandbox(small: Handle) -> Iterator[Handle]:
    """A small organization. Whatever was asked of it, nothing but documented reads was sent."""
    yield small
    assert small.requests()["undocumented"]["count"] == 0


@pytest.fixture(scope="session")
def after_one_run(
    small: Handle, workplace_for: Callable[[Handle], Workplace], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What one good run leaves."""
    made = workplace_for(small)
    done = made.tieout("run")
    assert done.returncode == 0, done.stderr
    return shutil.copytree(made.folder / "data", tmp_path_factory.mktemp("after_one_run") / "data")


@pytest.fixture
def place(after_one_run: Path, sandbox: Handle, workplace_for: Callable[[Handle], Workplace]) -> Workplace:
    """A workplace with one good run behind it."""
    made = workplace_for(sandbox)
    shutil.copytree(after_one_run, made.folder / "data", dirs_exist_ok=True)
    return made
