"""The Dagster instance: where it keeps its state, and the runs that died without saying so."""

import os
import socket
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from filelock import FileLock

from orchestration.bundled import bundled
from orchestration.home import VARIABLE, home

WAREHOUSE_POOL = "warehouse"
"""The pool of every asset that opens the warehouse file. Its limit of one is set in `dagster.yaml`."""

_HOST_TAG = "tieout/host"
_PROCESS_TAG = "tieout/process"
# How the UI knows which code location, here its one module, a run belongs to.
_LOCATION = {".dagster/repository": "__repository__@orchestration.definitions"}
_IN_PROGRESS = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def prepare_home() -> Path:
    """Makes DAGSTER_HOME what Dagster expects and tells it so: `data/dagster` unless the environment names another."""
    is_chosen, path = bool(os.environ.get(VARIABLE)), home()
    path.mkdir(parents=True, exist_ok=True)
    config, ours = path / "dagster.yaml", bundled("dagster.yaml").read_bytes()
    # Another home may have a configuration of its own; ours follows the project.
    if not config.exists() or (not is_chosen and config.read_bytes() != ours):
        config.write_bytes(ours)
    os.environ[VARIABLE] = str(path)
    return path


def open_instance() -> DagsterInstance:
    """The instance that the UI, the schedule and the command line share."""
    # Two processes that make Dagster's tables at the same time fail each other.
    with FileLock(prepare_home() / "instance.lock"):
        return DagsterInstance.get()


def process_tags() -> dict[str, str]:
    """Marks a run with the process that executes it, so that its death can be noticed."""
    return {_HOST_TAG: socket.gethostname(), _PROCESS_TAG: str(os.getpid())}


def run_tags() -> dict[str, str]:
    """The tags of a run that this process starts itself."""
    return {**_LOCATION, **process_tags()}


def tag_run(context: dg.InitResourceContext) -> None:
    """The same for a run that another launcher started."""
    assert context.instance
    assert context.run
    if _PROCESS_TAG not in context.run.tags:
        context.instance.add_run_tags(context.run.run_id, process_tags())


def bury_dead_runs(instance: DagsterInstance) -> list[str]:
    """Fails the runs of this host whose process is gone, which would otherwise hold the warehouse pool for ever."""
    filters = RunsFilter(statuses=_IN_PROGRESS, tags={_HOST_TAG: socket.gethostname()})
    dead = [run for run in instance.get_runs(filters) if not _is_alive(run)]
    for run in dead:
        instance.report_run_failed(run, "The process of this run is gone: it was killed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]


def _is_alive(run: DagsterRun) -> bool:
    process = int(run.tags[_PROCESS_TAG])
    # A restarted container often hands out the same number again; this process has not started a run yet.
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
