"""The variables of the environment and of `.env`: whether they can be read, and which are misspelt settings."""

from __future__ import annotations

import difflib
import io
import os
from collections.abc import Collection
from pathlib import Path

from dotenv import dotenv_values

from ingestion.errors import SettingsError

ENV_FILE = ".env"
"""Where settings may stand besides the environment: in the current folder."""
ENCODING = "utf-8-sig"
"""As some editors save it, with a mark at the beginning."""

_ALIKE = 0.8
"""From which likeness on a name is taken for a misspelt one: letters that were swapped, left out or added."""


def variable(name: str) -> str | None:
    """A variable of the environment, or of `.env`."""
    return os.environ.get(name) or env_file().get(name)


def env_file() -> dict[str, str]:
    """What `.env` sets; nothing where there is none. Raises `SettingsError` where it is no file of text."""
    path = Path(ENV_FILE)
    try:
        if path.is_dir():
            raise SettingsError(f"{ENV_FILE} is a folder: put a file in its place, or move it away.")
        text = path.read_text(encoding=ENCODING) if path.is_file() else ""
    except OSError as error:
        raise SettingsError(f"{ENV_FILE} cannot be read ({error.strerror}): correct its rights.") from None
    except UnicodeDecodeError as error:
        raise _no_text(error.object[: error.start].count(b"\n") + 1) from None
    if "\0" in text:
        raise _no_text(text[: text.index("\0")].count("\n") + 1)
    return {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value}


def _no_text(line: int) -> SettingsError:
    return SettingsError(f"{ENV_FILE}, line {line}, is no UTF-8: save the file as UTF-8.")


def misspelled(settings: Collection[str], exact: Collection[str], others: Collection[str]) -> dict[str, str]:
    """By the name of each variable that is no setting: the setting, not set itself, that was probably meant.

    Of the environment only names that begin as a setting does: the rest is not ours. `exact` are settings that do not
    count in lower case, `others` what is meant as it is.
    """
    of_file = env_file()
    names = {*of_file, *(name for name, value in os.environ.items() if value)}
    read_as = {name: name if name.upper() in exact else name.upper() for name in names}
    candidates = sorted({*settings} - {*read_as.values()})
    found = {}
    for name in sorted(names - {*others}):
        if read_as[name] in settings or not (name in of_file or begins_like(name, settings)):
            continue
        if near := nearest(name, candidates):
            found[name] = near
    return found


def begins_like(name: str, settings: Collection[str]) -> bool:
    """Whether a variable has the first word of a setting."""
    return name.upper().split("_")[0] in {setting.split("_")[0] for setting in settings}


def nearest(name: str, settings: Collection[str], likeness: float = _ALIKE) -> str | None:
    """The setting that is most like a name, if one is alike enough."""
    near = difflib.get_close_matches(name.upper(), settings, n=1, cutoff=likeness)
    return near[0] if near else None
