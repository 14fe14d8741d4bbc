"""Tells each channel what it has not been told yet. What was told is remembered, over processes and restarts."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout

from ingestion.settings import Settings
from orchestration.alerts.changes import Observation, Told, Topic, after, doubtful, due, settled
from orchestration.alerts.channels import AlertNotSent, Channel

_SECONDS_TO_WAIT = 60


FOLDER = "alerts"


def folder(settings: Settings) -> Path:
    """Where the memory is."""
    return settings.state_path / FOLDER


def tell(memory: Path, channels: list[Channel], observe: Callable[[], Observation]) -> list[str]:
    """Sends what is due. Returns why something was not sent, one line each: it goes out with the next attempt.

    What is being sent is noted as doubtful before, and as told after it was accepted. Who dies in between, or never
    hears whether it was accepted, leaves the doubt, and how things stand then is told once more: better twice than
    never.
    """
    if not channels:
        return []
    try:
        memory.mkdir(parents=True, exist_ok=True)
        # Looked at under the lock: an older look must not be told after a newer one.
        with FileLock(memory / "alerts.lock", timeout=_SECONDS_TO_WAIT):
            seen = observe()
            return [problem for channel in channels if (problem := _tell_one(memory, channel, seen))]
    except Timeout:
        return ["Another process is sending alerts: what is new goes out with the next attempt."]
    except OSError as error:
        return [f"No alert is sent, because it cannot be noted in {memory} ({error.strerror}): correct its rights."]


def _tell_one(memory: Path, channel: Channel, seen: Observation) -> str | None:
    file = memory / f"{channel.name}.json"
    known = _read(file)
    if (told := settled(known, seen)) != known:
        _write(file, told)
    for message in due(told, seen):
        _write(file, doubtful(told, message))
        try:
            channel.send(message.title, message.text)
        except AlertNotSent as error:
            if not error.is_doubtful:
                _write(file, told)
            return str(error)
        told = after(told, message)
        _write(file, told)
    return None


def _read(file: Path) -> Told:
    """Nothing where nothing was told yet, or what was told cannot be read: people rather hear it twice."""
    try:
        return {Topic(topic): dict(marks) for topic, marks in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write(file: Path, told: Told) -> None:
    draft = file.with_name(f".{file.name}.draft")
    with draft.open("w", encoding="utf-8") as written:
        json.dump(told, written, indent=1, sort_keys=True)
        written.flush()
        os.fsync(written.fileno())
    os.replace(draft, file)
