"""What the runs of 500 nights leave on the disk, and whether they grow slower: `make growth`.

One true run of the sandbox is made; its events are then stored again, night by night, through the same event log and
run storage, each under a run of its own that began a day later, with the files that it left: what it printed, its log
and load packages. Every run opens the instance, tidies as a run does, and closes it. APIs, dbt and the warehouse, which
write nothing there, are left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Annotated, Any
from unittest import mock
from uuid import uuid4

import typer
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.events.log import EventLogEntry
from sqlalchemy import text

from ingestion.sandbox import running
from ingestion.settings import Settings
from orchestration import tidying
from orchestration.instance import open_instance

HOME = "data/dagster"
DAY = timedelta(days=1).total_seconds()
MEDIAN_OF = 20


@dataclass
class Grown:
    """Bytes after each run, and the seconds of CPU that each took."""

    bytes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    runs_kept: int = 0

    @property
    def ratio(self) -> float:
        """How long the last runs took as against the first."""
        count = min(MEDIAN_OF, len(self.seconds) // 2)
        return median(self.seconds[-count:]) / median(self.seconds[:count])


@dataclass(frozen=True)
class Night:
    """What one true run left: its events, and its files by where they are."""

    run: DagsterRun
    events: list[EventLogEntry]
    printed: dict[str, bytes]
    log: bytes
    packages: list[Path]


def true_run(folder: Path) -> None:
    """One run of the command line against the sandbox."""
    with running(seed=1, scale="small") as sandbox:
        subprocess.run(
            [Path(sys.executable).with_name("tieout"), "run"],
            cwd=folder,
            env={**os.environ, **sandbox.env(), "DAGSTER_HOME": str(folder / HOME), "HOME": str(folder)},
            check=True,
            stdout=subprocess.DEVNULL,
        )


def kept(settings: Settings, folder: Path) -> Night:
    with open_instance() as instance:
        (run,) = instance.get_runs()
        events = list(instance.all_logs(run.run_id))
        storage = Path(instance.storage_directory()) / run.run_id
        printed = {str(path.relative_to(storage)): path.read_bytes() for path in storage.rglob("*") if path.is_file()}
    (log,) = (settings.state_path / "logs").glob("*.log")
    packages = [
        Path(shutil.copytree(package, folder / "packages" / package.parents[2].name, dirs_exist_ok=True))
        for package in (settings.state_path / "dlt").glob("*/load/loaded/*")
    ]
    return Night(run, events, printed, log.read_bytes(), packages)


def again(night: Night, settings: Settings, number: int, at: float) -> None:
    """The same once more, at an instant."""
    run_id = str(uuid4())
    with open_instance() as instance:
        instance.add_run(night.run._replace(run_id=run_id, status=DagsterRunStatus.STARTED))
        shift = at - night.events[-1].timestamp
        for entry in night.events:
            instance.handle_new_event(entry._replace(run_id=run_id, timestamp=entry.timestamp + shift))
        _date(instance, run_id, at)
        files = dict(_files(night, settings, Path(instance.storage_directory()) / run_id, number))
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content) if isinstance(content, bytes) else shutil.copytree(content, path)
        for path in {*files, *(path.parent for path in files if path.parent.name == "compute_logs")}:
            os.utime(path, (at, at))
        with mock.patch.object(time, "time", return_value=at + 60):
            if tidying.is_due(settings):
                tidying.tidy(settings, instance)
                os.utime(settings.state_path / "tidied", (at, at))


def _files(night: Night, settings: Settings, storage: Path, number: int) -> Iterator[tuple[Path, bytes | Path]]:
    for name, content in night.printed.items():
        yield storage / name, content
    yield settings.state_path / "logs" / f"{number}.log", night.log
    for package in night.packages:
        yield settings.state_path / "dlt" / package.name / "load" / "loaded" / f"{number}.0", package


def _date(instance: DagsterInstance, run_id: str, at: float) -> None:
    # The column has its value from SQLite's clock.
    with instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
        connection.execute(
            text("update runs set create_timestamp = datetime(:at, 'unixepoch') where run_id = :run_id"),
            {"at": at, "run_id": run_id},
        )


def size(settings: Settings, home: Path) -> int:
    """Bytes of Dagster's storage, logs and state."""
    files = (path for place in (home, settings.state_path) for path in place.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)


def grow(folder: Path, runs: int, say: Any, **changes: Any) -> Grown:
    """So many nights after the one run in a folder. `changes`: settings."""
    home = folder / HOME
    settings = Settings(_env_file=None, warehouse_path=folder / "data/warehouse.duckdb", **changes)
    night, grown, began = kept(settings, folder), Grown(), time.time()
    (settings.state_path / "tidied").unlink(missing_ok=True)
    for number in range(1, runs + 1):
        before = time.process_time()
        again(night, settings, number, began + number * DAY)
        grown.seconds.append(time.process_time() - before)
        grown.bytes.append(size(settings, home))
        if number in (1, 2, 3, runs) or number % 25 == 0:
            say(f"{number:>5} runs: {grown.bytes[-1] / 1e6:7.1f} MB, {grown.seconds[-1]:.2f} s of CPU")
    with open_instance() as instance:
        grown.runs_kept = len(instance.get_runs())
    return grown


def main(
    runs: Annotated[int, typer.Option(help="How many nights.")] = 500,
    megabytes: Annotated[int, typer.Option(help="What must not be passed.")] = 300,
) -> None:
    """Grow."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DAGSTER_HOME"] = f"{folder}/{HOME}"
        true_run(Path(folder))
        grown = grow(Path(folder), runs, lambda line: print(line, flush=True))
    print(f"At most {max(grown.bytes) / 1e6:.1f} MB; {grown.runs_kept} runs are kept.")
    print(f"The last {MEDIAN_OF} runs took {grown.ratio:.2f} times as long as the first {MEDIAN_OF} (medians).")
    raise typer.Exit(0 if max(grown.bytes) < megabytes * 1e6 else 1)


if __name__ == "__main__":
    typer.run(main)
