"""Puts a backup in the warehouse's place. Whatever goes wrong: what was there is back, or its folder is named."""

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from ingestion import warehouse
from ingestion.disk import DiskFull, full_disk
from ingestion.errors import WarehouseUnusable
from ingestion.settings import Settings
from orchestration import turn
from orchestration.backup_files import (
    STATE,
    WAREHOUSE,
    BackupImpossible,
    BackupUnusable,
    checked,
    copy,
    digest,
    is_copied,
)
from orchestration.private_files import set_mode


def restore(settings: Settings, folder: Path, on_wait: Callable[[], None]) -> Path | None:
    """Puts a backup in the warehouse's place, between two runs. Returns where what was there stands now.

    Everything is copied beside its place and compared before anything that is there is moved.
    """
    files = checked(folder)
    path = settings.warehouse_path
    warehouse.check_place(path)
    draft = warehouse.draft_of_restore(path)
    with turn.taken(settings, on_wait=on_wait):
        # A damaged warehouse is what a backup is for; one that somebody has open is not replaced under their hands.
        with suppress(WarehouseUnusable):
            warehouse.check(path)
        try:
            shutil.rmtree(draft, ignore_errors=True)
            _fill(draft, folder, files)
            return _swap(settings, draft)
        except OSError as error:
            if full_disk(error):
                raise DiskFull(str(draft.parent)) from None
            raise BackupImpossible(
                f"{path} cannot be replaced ({error.strerror}): {warehouse.CORRECT_RIGHTS}."
            ) from None
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _fill(draft: Path, folder: Path, files: dict[str, str]) -> None:
    draft.mkdir(parents=True, mode=0o700)
    (draft / STATE).mkdir()
    for name, expected in files.items():
        copy(folder / name, draft / name)
        if digest(draft / name) != expected:
            raise BackupUnusable(f"{name} of {folder} changed while it was copied: try again.")
    try:
        # Not in its folder: there may be a log beside it, which DuckDB would take for a part of it.
        warehouse.look_into(draft / WAREHOUSE)
    except WarehouseUnusable as error:
        raise BackupUnusable(f"{folder / WAREHOUSE} is no warehouse ({error.reason}): take another backup.") from None


def _swap(settings: Settings, draft: Path) -> Path | None:
    """Moves what is there aside and the draft in. All of it, or nothing."""
    # Where the path is a link, what it points to is replaced.
    place, state = settings.warehouse_path.resolve(), settings.state_path
    old = [child for child in state.iterdir() if is_copied(PurePosixPath(child.name))]
    # DuckDB keeps the log of a link beside the link.
    logs = dict.fromkeys(file.with_name(f"{file.name}.wal") for file in (settings.warehouse_path, place))
    present = [file for file in (*logs, place) if file.exists()]
    if place.exists():
        set_mode(draft / WAREHOUSE, stat.S_IMODE(place.stat().st_mode))
    aside = _folder_beside(place) if old or present else None
    moves = _Moves()
    try:
        if aside:
            # The state first and the warehouse last. The lock stays where it is, since this process holds it.
            for child in old:
                moves.move(child, aside / STATE / child.name)
            for file in present:
                moves.move(file, aside / file.name)
        for child in (draft / STATE).iterdir():
            moves.move(child, state / child.name)
        # Last: while it is missing, nobody takes what is there for a warehouse.
        moves.move(draft / WAREHOUSE, place)
    except BaseException:
        _undo(moves, settings.warehouse_path, aside)
        raise
    return aside


def _folder_beside(place: Path) -> Path:
    prefix = f"{place.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-"
    aside = Path(tempfile.mkdtemp(prefix=prefix, dir=place.parent))
    (aside / STATE).mkdir()
    return aside


def _undo(moves: "_Moves", path: Path, aside: Path | None) -> None:
    try:
        moves.undo()
    except BaseException as error:
        reason = str(error) or type(error).__name__
        raise BackupImpossible(
            f"{path} could not be replaced, nor all of what was there moved back ({reason}): it is in {aside};"
            " restore the backup again, or move it back by hand."
        ) from None
    if aside:
        for folder in (aside / STATE, aside):
            with suppress(OSError):
                folder.rmdir()


class _Moves:
    """Moves that can be taken back. The state may be on another disk than the warehouse."""

    def __init__(self) -> None:
        self._done: list[tuple[Path, Path]] = []

    def move(self, source: Path, target: Path) -> None:
        try:
            os.rename(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy_across(source, target)
            self._done.append((source, target))
            _remove(source)
        else:
            self._done.append((source, target))

    def undo(self) -> None:
        """The last one first. What is done has its target whole; of its source there may be a rest."""
        while self._done:
            source, target = self._done[-1]
            _remove(source)
            shutil.move(target, source)
            self._done.pop()


def _copy_across(source: Path, target: Path) -> None:
    try:
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy2(source, target, follow_symlinks=False)
    except BaseException:
        _remove(target)
        raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
