"""Deletes what grows with every run once it is old: Dagster's runs, logs, and load packages.

What is shown as the newest of its kind stays however old it is, and so does what has not ended.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from dagster import DagsterInstance
from dagster._core.storage.dagster_run import FINISHED_STATUSES

from ingestion.settings import Settings, partitions
from orchestration.alerts.runs import organizations_of
from orchestration.event_log import EventLog

_STAMP = "tidied"
_PAUSE = timedelta(days=1)


@dataclass(frozen=True)
class Tidied:
    """How much was deleted; `files`: logs and load packages."""

    runs: int
    files: int


def is_due(settings: Settings) -> bool:
    """Whether nothing was tidied for a day."""
    stamp = settings.state_path / _STAMP
    return not stamp.exists() or _is_older(stamp, time.time() - _PAUSE.total_seconds())


def tidy(settings: Settings, instance: DagsterInstance) -> Tidied:
    """Deletes what is older than the settings keep it. To be done in a turn: no other run may begin meanwhile."""
    now = time.time()
    runs = _delete_runs(instance, now - timedelta(days=settings.retain_runs_days).total_seconds())
    files = 0
    for path in _files(settings, instance):
        if _is_older(path, now - timedelta(days=settings.retain_logs_days).total_seconds()):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            files += 1
    (settings.state_path / _STAMP).touch()
    return Tidied(runs, files)


def _delete_runs(instance: DagsterInstance, before: float) -> int:
    records = instance.get_run_records()
    slugs = partitions()
    kept: set[str] = set()
    newest: set[object] = set()
    for record in records:
        run = record.dagster_run
        of = (run.job_name, frozenset(organizations_of(run, slugs) or ()))
        if of not in newest or run.status not in FINISHED_STATUSES:
            kept.add(run.run_id)
        newest.add(of)
    old = [r.dagster_run.run_id for r in records if r.create_timestamp.timestamp() < before]
    log = instance.event_log_storage
    # Another one, such as that of PostgreSQL, was chosen by who looks after it.
    if not isinstance(log, EventLog) or not (old := [run_id for run_id in old if run_id not in kept]):
        return 0
    shown = log.latest_runs()
    old = [run_id for run_id in old if run_id not in shown]
    for run_id in old:
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    log.compact()
    return len(old)


def _files(settings: Settings, instance: DagsterInstance) -> Iterator[Path]:
    yield from (settings.state_path / "logs").glob("*.log")
    yield from (settings.state_path / "dlt").glob("*/load/loaded/*")
    yield from Path(instance.storage_directory()).glob("*/compute_logs")


def _is_older(path: Path, instant: float) -> bool:
    return path.lstat().st_mtime < instant
