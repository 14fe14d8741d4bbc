"""What is in the folder of a backup: the same names whatever the warehouse is called, and a manifest, written last,
that knows the checksum of each file.

Whoever can write to that folder may have written the manifest too, so no name of it is believed.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from ingestion.errors import TieoutError
from orchestration.alerts import telling

WAREHOUSE = "warehouse.duckdb"
STATE = "state"
_MANIFEST = "manifest.json"
_KIND = "tieout backup"
_FORMAT = 1
# What separates folders elsewhere, controls a terminal, or is no text; not what stands for bytes that are none.
_ODD = re.compile(r"[\\\x00-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")


class BackupImpossible(TieoutError):
    """There is nothing to copy, or no place for the copy."""


class BackupUnusable(TieoutError):
    """A folder is no whole backup of a warehouse."""


def is_copied(file: PurePosixPath) -> bool:
    """Whether a file of the state, by its path in there, belongs into a backup: not the locks; nor what people were
    told, which a restore does not take back.
    """
    return file.suffix != ".lock" and file.parts[0].casefold() != telling.FOLDER


def state_files(state: Path) -> Iterator[Path]:
    """What of the working state is copied, relative to it."""
    for file in sorted(state.rglob("*")):
        relative = file.relative_to(state)
        if file.is_file() and is_copied(PurePosixPath(relative.as_posix())):
            yield relative


def write_manifest(folder: Path) -> int:
    """Of all files in there. Returns their bytes."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.suffix != ".lock"]
    manifest = {
        "kind": _KIND,
        "format": _FORMAT,
        "tieout": version("tieout"),
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {file.relative_to(folder).as_posix(): digest(file) for file in files},
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return sum(file.stat().st_size for file in files)


def checked(folder: Path) -> dict[str, str]:
    """The files of a backup and their checksums, once each was found to be whole and where a backup has it."""
    try:
        if (folder / _MANIFEST).is_symlink() or not (folder / _MANIFEST).is_file():
            raise ValueError
        manifest: Any = json.loads((folder / _MANIFEST).read_bytes())
        kind, number, files = manifest["kind"], manifest["format"], dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise BackupUnusable(f"{folder} is no backup: name a folder that `tieout backup` made.") from None
    if kind != _KIND or WAREHOUSE not in files:
        raise BackupUnusable(f"{folder} is no backup of a warehouse: name a folder that `tieout backup` made.")
    if number != _FORMAT:
        raise BackupUnusable(f"{folder} was made by a newer tieout: upgrade, then restore it.")
    if odd := [name for name in files if not _is_ours(name)]:
        raise BackupUnusable(f"{folder} lists {str(odd[0])[:100]!r}, which no backup holds: take another backup.")
    for name, expected in files.items():
        _check(folder, name, expected)
    return files


def copy(source: Path, target: Path) -> None:
    """Contents alone: neither the rights nor the owner of the source. Safe on the disk when it returns."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    with target.open("rb") as copied:
        os.fsync(copied.fileno())


def digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _is_ours(name: object) -> bool:
    """Whether a backup may hold a file of this name: the warehouse, or what is copied of its state."""
    if name == WAREHOUSE:
        return True
    if not isinstance(name, str):
        return False
    path = PurePosixPath(name)
    # Any other way to write a path, such as `state/./a`, is one that we do not write.
    is_plain = str(path) == name and ".." not in path.parts and not _ODD.search(name)
    return is_plain and len(path.parts) > 1 and path.parts[0] == STATE and is_copied(path.relative_to(STATE))


def _check(folder: Path, name: str, expected: str) -> None:
    file, parts = folder / name, PurePosixPath(name).parts
    try:
        way = [folder.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1)]
        if link := next((part for part in way if part.is_symlink()), None):
            raise BackupUnusable(f"{link} is a link, which no backup holds: take another backup.")
        is_whole = file.is_file() and digest(file) == expected
    except OSError:
        is_whole = False
    if not is_whole:
        raise BackupUnusable(f"{file} is missing or damaged: take another backup.")
