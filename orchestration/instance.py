"""The Dagster instance: where it keeps its state, and the runs that died without saying so.

Dagster cannot tell whether a run that it did not launch still lives. So the process of each run holds a lock, which the
operating system takes back when it ends. Its number would not do: a reboot or another container hands it out again.
"""

import os
from pathlib import Path

from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from filelock import FileLock

from ingestion.errors import SettingsError
from orchestration.bundled import bundled
from orchestration.home import VARIABLE, home

WAREHOUSE_POOL = "warehouse"
"""The pool of every asset that opens the warehouse file. Its limit of one is set in `dagster.yaml`."""

_LOCATION = "orchestration.definitions"
LOCATION_TAGS = {".dagster/repository": f"{SINGLETON_REPOSITORY_NAME}@{_LOCATION}"}
"""How the UI knows which code location, here its one module, a run belongs to."""

_IN_PROGRESS = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
_given: dict[str, FileLock] = {}


def repository_origin() -> RemoteRepositoryOrigin:
    """The same for the timeline of the UI, which looks for nothing but the names in it."""
    target = LoadableTargetOrigin(module_name=_LOCATION)
    return RemoteRepositoryOrigin(ManagedGrpcPythonEnvCodeLocationOrigin(target, _LOCATION), SINGLETON_REPOSITORY_NAME)


def prepare_home() -> Path:
    """Makes DAGSTER_HOME what Dagster expects and tells it so: `data/dagster` unless the environment names another."""
    is_chosen, path = bool(os.environ.get(VARIABLE)), home()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise SettingsError(
            f"The folder {path} of Dagster cannot be made ({error.strerror}): correct {VARIABLE}, or its rights."
        ) from None
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


def give_sign_of_life(instance: DagsterInstance, run_id: str) -> None:
    """Locks a file in the name of a run until this process ends, however it ends.

    Not only for the length of its steps: a run is in progress until Dagster has noted its end.
    """
    if run_id in _given:
        return
    file = _signs(instance) / f"{run_id}.lock"
    file.parent.mkdir(exist_ok=True)
    sign = FileLock(file.with_suffix(".new"), thread_local=False)
    sign.acquire()
    # Found only once it is locked: before, it would be taken for a dead one's.
    os.replace(sign.lock_file, file)
    _given[run_id] = sign


def bury_dead_runs(instance: DagsterInstance) -> list[str]:
    """Fails the runs whose process is gone, which would otherwise hold the warehouse pool for ever."""
    buried = []
    for file in _signs(instance).glob("*.lock"):
        if _is_locked(file):
            continue
        run = instance.get_run_by_id(file.stem)
        if run and run.status in _IN_PROGRESS:
            instance.report_run_failed(run, "The process of this run is gone: it was killed.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            buried.append(run.run_id)
        file.unlink(missing_ok=True)
    return buried


def _signs(instance: DagsterInstance) -> Path:
    return Path(instance.root_directory) / "alive"


def _is_locked(file: Path) -> bool:
    try:
        with FileLock(file, timeout=0):
            return False
    except OSError:
        # Locked, or another user's: who cannot be asked is not taken for dead.
        return True
