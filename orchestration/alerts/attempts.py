"""Runs that failed before Dagster knew of them: a locked warehouse, a missing token."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ingestion.settings import Settings
from orchestration.alerts.telling import folder


@dataclass(frozen=True)
class Attempt:
    """One that failed: when (Unix seconds), for which organization, and why."""

    at: float
    organization: str | None
    error: str


def note_attempt(settings: Settings, organization: str | None, error: str) -> None:
    """Remembers the newest one, for whoever looks next."""
    file = _file(settings)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(Attempt(time.time(), organization, error))), encoding="utf-8")
    except OSError:
        # The folder that cannot be written is most likely the error itself, and was told on the terminal.
        pass


def last_attempt(settings: Settings) -> Attempt | None:
    """The newest one that failed; a later run that Dagster knows of outdates it."""
    try:
        return Attempt(**json.loads(_file(settings).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def _file(settings: Settings) -> Path:
    return folder(settings) / "attempt.json"
