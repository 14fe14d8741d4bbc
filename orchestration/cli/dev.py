"""`tieout dev`: the Dagster UI and daemon."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from ingestion.errors import TieoutError
from orchestration.cli.terminal import terminal

_SECONDS_TO_STOP = 20
_SECONDS_BETWEEN_LOOKS = 20


class ServiceDied(TieoutError):
    """The UI or the daemon ended by itself."""


class _Stop(Exception):
    """Somebody wants it to end."""


def dev(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port of the UI.")] = 3000,
    host: Annotated[str, typer.Option(help="The address that the UI listens on.")] = "127.0.0.1",
) -> None:
    """Open the Dagster UI, with the daemon that runs the schedule, until Ctrl-C."""
    from orchestration.instance import bury_dead_runs, open_instance
    from orchestration.schedules import timetable

    target = ["-m", "orchestration.definitions"]
    services = {
        "webserver": ["-m", "dagster_webserver", "--host", host, "--port", str(port), *target],
        "daemon": ["-m", "dagster._daemon", "run", *target],
    }
    next_look = 0.0
    with open_instance() as instance, _stoppable(), _running(services) as processes:
        terminal().print(f"http://{host}:{port} (Ctrl-C stops it)")
        for problem in timetable().problems:
            terminal().print(problem, style="yellow", soft_wrap=True)
        try:
            while all(process.poll() is None for process in processes.values()):
                # One that was killed would hold up the queue: Dagster cannot tell whether it still runs.
                if time.monotonic() >= next_look:
                    bury_dead_runs(instance)
                    next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS
                time.sleep(0.5)
        except _Stop:
            return
    dead = next(name for name, process in processes.items() if process.returncode)
    raise ServiceDied(f"The Dagster {dead} ended by itself: see its last lines above.")


@contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the block, also in the background of a script, where both arrive ignored.

    Set before the services start, which therefore do not inherit that they are to ignore them.
    """

    def stop(*_: object) -> None:
        raise _Stop

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _running(services: dict[str, list[str]]) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    # In sessions of their own: Ctrl-C reaches them once, through this process.
    processes = {
        name: subprocess.Popen([sys.executable, *arguments], start_new_session=True)
        for name, arguments in services.items()
    }
    try:
        yield processes
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGINT)
        for process in processes.values():
            try:
                process.wait(_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
