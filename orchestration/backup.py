"""Copies of the warehouse and its working state, whole or not there."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from ingestion import warehouse
from ingestion.disk import DiskFull, full_disk
from ingestion.settings import Settings
from orchestration import turn
from orchestration.backup_files import STATE, WAREHOUSE, BackupImpossible, copy, state_files, write_manifest

_ALIVE = "alive.lock"
"""Locked in a draft as long as the process that makes it lives."""


def default_folder(settings: Settings) -> Path:
    """Beside the warehouse, named by the present instant."""
    return settings.warehouse_path.parent / "backups" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def backup(settings: Settings, folder: Path, on_wait: Callable[[], None]) -> int:
    """Copies the warehouse into a new folder, which is there only when it is whole. Returns its bytes."""
    path, state = settings.warehouse_path, settings.state_path
    if not path.is_file():
        raise BackupImpossible(f"There is no warehouse {path} yet: there is nothing to back up.")
    if folder.exists():
        raise BackupImpossible(f"{folder} exists already: name a new folder.")
    if state.resolve() in folder.resolve().parents:
        raise BackupImpossible(f"{folder} is in {state}, which is copied: name another folder.")
    try:
        with _draft(folder) as draft, turn.taken(settings, on_wait=on_wait):
            # Opened and closed once, so that everything stands in the file itself and nothing in its log.
            warehouse.check(path)
            # Nobody restores while this process has the turn: it is what a restore left that was killed.
            shutil.rmtree(warehouse.draft_of_restore(path), ignore_errors=True)
            copy(path, draft / WAREHOUSE)
            for file in state_files(state):
                copy(state / file, draft / STATE / file)
            size = write_manifest(draft)
            (draft / _ALIVE).unlink()
            os.rename(draft, folder)
    except OSError as error:
        if full_disk(error):
            raise DiskFull(str(folder)) from None
        raise BackupImpossible(f"{folder} cannot be written ({error.strerror}): name another folder.") from None
    return size


@contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """Beside its place; those that killed processes left there are removed."""
    draft = folder.with_name(f".{folder.name}.draft")
    for other in folder.parent.glob(".*.draft"):
        if _is_dead(other):
            shutil.rmtree(other, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    try:
        with FileLock(draft / _ALIVE):
            yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _is_dead(draft: Path) -> bool:
    """Whether it is a draft of ours whose process is gone. Anything else of that name is left alone."""
    if draft.is_symlink() or not (draft / _ALIVE).is_file():
        return False
    try:
        with FileLock(draft / _ALIVE, timeout=0):
            return True
    except (OSError, Timeout):
        return False
