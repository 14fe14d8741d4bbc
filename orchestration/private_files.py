"""Who may read what tieout writes: the warehouse, its state, logs and backups hold donors."""

import os
import stat
from contextlib import suppress
from pathlib import Path

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_files_private() -> None:
    """What this process and its children make from now on is for its user alone. Files that exist keep their mode."""
    os.umask(_OTHERS)


def set_mode(path: Path, mode: int) -> None:
    """As far as the file system knows modes: FAT and some network shares do not."""
    with suppress(OSError, NotImplementedError):
        os.chmod(path, mode)


def folder_mode(mode: int) -> int:
    """The mode of a folder that lets in whoever may read a file of this mode."""
    readers = mode & (stat.S_IRGRP | stat.S_IROTH)
    return stat.S_IRWXU | readers | readers >> 2


def is_open(path: Path, *, to_group: bool) -> bool:
    """Whether other users of the machine reach a file or folder and may do anything with it; of a group on request."""
    try:
        mode = path.stat().st_mode
        of_others = mode & stat.S_IRWXO and not barriers(path, stat.S_IROTH)
        of_group = to_group and mode & stat.S_IRWXG and not barriers(path, stat.S_IRGRP)
    except OSError:
        # There is nothing, or nothing that can be looked at.
        return False
    return bool(of_others or of_group)


def barriers(path: Path, mode: int) -> list[Path]:
    """The folders above a file that keep out those whom its mode lets read it, the outermost first."""
    enter = stat.S_IXOTH if mode & stat.S_IROTH else stat.S_IXGRP | stat.S_IXOTH if mode & stat.S_IRGRP else 0
    folders = reversed(path.resolve().parents)
    return [folder for folder in folders if enter and folder.exists() and not folder.stat().st_mode & enter]
