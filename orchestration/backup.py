"""Copies of the warehouse and its working state, made and put back whole.

In its folder a copy has the same names whatever the warehouse is called, and a manifest, written last, that knows the
checksum of each file.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ingestion import warehouse
from ingestion.disk import DiskFull, full_disk
from ingestion.errors import TieoutError, WarehouseUnusable
from ingestion.settings import Settings
from orchestration import turn
from orchestration.alerts import telling

_MANIFEST = "manifest.json"
_KIND = "tieout backup"
_FORMAT = 1
_WAREHOUSE = "warehouse.duckdb"
_STATE = "state"


class BackupImpossible(TieoutError):
    """There is nothing to copy, or no place for the copy."""


class BackupUnusable(TieoutError):
    """A folder is no whole backup of a warehouse."""


def default_folder(settings: Settings) -> Path:
    """Beside the warehouse, named by the present instant."""
    return settings.warehouse_path.parent / "backups" / _now()


def backup(settings: Settings, folder: Path, on_wait: Callable[[], None]) -> int:
    """Copies the warehouse into a new folder, which is there only when it is whole. Returns its bytes."""
    path = settings.warehouse_path
    if not path.is_file():
        raise BackupImpossible(f"There is no warehouse {path} yet: there is nothing to back up.")
    if folder.exists():
        raise BackupImpossible(f"{folder} exists already: name a new folder.")
    draft = folder.with_name(f".{folder.name}.draft")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
        with turn.taken(settings, on_wait=on_wait):
            # Opened and closed once, so that everything stands in the file itself and nothing in its log.
            warehouse.check(path)
            _copy(path, draft / _WAREHOUSE)
            for file in _state_files(settings):
                _copy(file, draft / _STATE / file.relative_to(settings.state_path))
        files = {str(file.relative_to(draft)): _digest(file) for file in sorted(draft.rglob("*")) if file.is_file()}
        manifest = {
            "kind": _KIND,
            "format": _FORMAT,
            "tieout": version("tieout"),
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": files,
        }
        (draft / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        size = sum((draft / name).stat().st_size for name in files)
        os.rename(draft, folder)
    except OSError as error:
        if full_disk(error):
            raise DiskFull(str(folder)) from None
        raise BackupImpossible(f"{folder} cannot be written ({error.strerror}): name another folder.") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return size


def restore(settings: Settings, folder: Path, on_wait: Callable[[], None]) -> Path | None:
    """Puts a backup in the warehouse's place, between two runs. Returns where what was there stands now.

    Everything is copied beside its place and compared before anything that is there is moved.
    """
    files = _checked(folder)
    path, state = settings.warehouse_path, settings.state_path
    warehouse.check_place(path)
    # Where the path is a link, what it points to is replaced.
    place = path.resolve()
    draft = place.with_name(f".{place.name}.restoring")
    with turn.taken(settings, on_wait=on_wait):
        # A damaged warehouse is what a backup is for; one that somebody has open is not replaced under their hands.
        with suppress(WarehouseUnusable):
            warehouse.check(path)
        try:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True, mode=0o700)
            (draft / _STATE).mkdir()
            for name, digest in files.items():
                _copy(folder / name, draft / name)
                if _digest(draft / name) != digest:
                    raise BackupUnusable(f"{name} of {folder} changed while it was copied: try again.")
            aside = _move_aside(settings)
            for child in (draft / _STATE).iterdir():
                # It may be on another disk.
                shutil.move(child, state / child.name)
            # Last: a restore that is cut off before leaves no warehouse, and can be done again.
            os.rename(draft / _WAREHOUSE, place)
        except OSError as error:
            if full_disk(error):
                raise DiskFull(str(place.parent)) from None
            raise BackupImpossible(
                f"{path} cannot be replaced ({error.strerror}): {warehouse.CORRECT_RIGHTS}."
            ) from None
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return aside


def _state_files(settings: Settings) -> Iterator[Path]:
    """Not the locks; nor what people were told, which a restore does not take back."""
    told = telling.folder(settings)
    for file in sorted(settings.state_path.rglob("*")):
        if file.is_file() and file.suffix != ".lock" and told not in file.parents:
            yield file


def _move_aside(settings: Settings) -> Path | None:
    """The state first and the warehouse last. The lock stays where it is, since this process holds it."""
    path, place, state = settings.warehouse_path, settings.warehouse_path.resolve(), settings.state_path
    told = telling.folder(settings)
    old = [child for child in state.iterdir() if child.suffix != ".lock" and child != told]
    # DuckDB keeps the log of a link beside the link.
    logs = dict.fromkeys(file.with_name(f"{file.name}.wal") for file in (path, place))
    present = [file for file in (*logs, place) if file.exists()]
    if not old and not present:
        return None
    aside = Path(tempfile.mkdtemp(prefix=f"{place.name}.before-{_now()}-", dir=place.parent))
    (aside / _STATE).mkdir()
    for child in old:
        shutil.move(child, aside / _STATE / child.name)
    for file in present:
        shutil.move(file, aside / file.name)
    return aside


def _checked(folder: Path) -> dict[str, str]:
    """The files of a backup and their checksums, once all of it was found to be whole."""
    try:
        manifest: Any = json.loads((folder / _MANIFEST).read_bytes())
        kind, number, files = manifest["kind"], manifest["format"], dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupUnusable(f"{folder} is no backup: name a folder that `tieout backup` made.") from None
    if kind != _KIND or _WAREHOUSE not in files:
        raise BackupUnusable(f"{folder} is no backup of a warehouse: name a folder that `tieout backup` made.")
    if number != _FORMAT:
        raise BackupUnusable(
            f"{folder} was made by a newer tieout ({manifest.get('tieout')}): upgrade, then restore it."
        )
    for name, digest in files.items():
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()):
            raise BackupUnusable(f"{folder} names files outside of it: it was not made by `tieout backup`.")
        if not file.is_file() or _digest(file) != digest:
            raise BackupUnusable(f"{file} is missing or damaged: take another backup.")
    try:
        warehouse.look_into(folder / _WAREHOUSE)
    except WarehouseUnusable as error:
        raise BackupUnusable(f"{folder / _WAREHOUSE} is no warehouse ({error.reason}): take another backup.") from None
    return files


def _now() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    with target.open("rb") as copied:
        os.fsync(copied.fileno())


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
