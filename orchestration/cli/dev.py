"""`tieout dev`: the Dagster UI and daemon."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from ingestion.errors import TieoutError
from ingestion.plain_text import line
from ingestion.settings import Ui, load_settings
from orchestration import tethered
from orchestration.cli.terminal import terminal
from orchestration.cli.ui import Host, Port
from orchestration.home import VARIABLE
from orchestration.ui.access import access_at, check_address

_OF_THE_UI = [name.upper() for name in Ui.model_fields]
_MODULE = "orchestration.definitions"
_SECONDS_TO_STOP = 20
_SECONDS_BETWEEN_LOOKS = 20


class ServiceDied(TieoutError):
    """The UI, the daemon or what both ask for the definitions ended by itself."""


class _Stop(Exception):
    """Somebody wants it to end."""


def dev(port: Port = 3000, host: Host = "127.0.0.1") -> None:
    """Open the Dagster UI, with the daemon that runs the schedule, until Ctrl-C."""
    load_settings()
    access_at(host)
    check_address(host, port)
    from orchestration.instance import bury_dead_runs, open_instance
    from orchestration.schedules import timetable

    next_look = 0.0
    with suppress(_Stop), open_instance() as instance, _stoppable(), _services(host, port) as processes:
        terminal().print(f"http://{host}:{port} (Ctrl-C stops it)")
        for problem in timetable().problems:
            terminal().print(line(problem), style="yellow", soft_wrap=True)
        while all(process.poll() is None for process in processes.values()):
            # One that was killed would hold up the queue: Dagster cannot tell whether it still runs.
            if time.monotonic() >= next_look:
                bury_dead_runs(instance)
                next_look = time.monotonic() + _SECONDS_BETWEEN_LOOKS
            time.sleep(0.5)
        _check(processes)


def _check(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    for name, process in processes.items():
        if process.poll() is not None:
            raise ServiceDied(f"The Dagster {name} ended by itself: see its last lines above.")


@contextmanager
def _services(host: str, port: int) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The UI, the daemon, and one code server for both.

    One of its own, the daemon would start anew every minute, which takes seconds of a processor each time.
    """
    with TemporaryDirectory() as folder, _running() as processes:
        socket, workspace = Path(folder) / "code", Path(folder) / "workspace.yaml"
        location = {"grpc_server": {"socket": str(socket), "location_name": _MODULE}}
        # JSON is YAML.
        workspace.write_text(json.dumps({"load_from": [location]}))
        # Without a proxy before it, it ends, and is seen to end, where the definitions cannot be loaded.
        code = ["api", "grpc", "-m", _MODULE, "--socket", str(socket), "--location-name", _MODULE]
        # The runs are its children, and read the APIs; the other two ask it for all that they show and start.
        processes["code server"] = _start({**os.environ, **tethered.tie()}, "dagster._cli:main", *code)
        # It listens when the definitions are loaded.
        while not socket.exists():
            _check(processes)
            time.sleep(0.1)
        target = ["--workspace", str(workspace)]
        processes["webserver"] = _start(
            tethered.environment(VARIABLE, *_OF_THE_UI),
            "orchestration.cli:main",
            *("ui", "--host", host, "--port", str(port), *target),
        )
        processes["daemon"] = _start(tethered.environment(VARIABLE), "dagster._daemon.cli:main", "run", *target)
        yield processes


def _start(environment: Mapping[str, str], entry_point: str, *arguments: str) -> subprocess.Popen[bytes]:
    # In a session of its own: Ctrl-C reaches it once, through this process.
    return subprocess.Popen([*tethered.command(entry_point), *arguments], env=dict(environment), start_new_session=True)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal end the block, also in the background of a script, which ignores Ctrl-C.

    Set before the services start, which therefore do not inherit that they are to ignore them.
    """

    def stop(*_: object) -> None:
        raise _Stop

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _running() -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """What is put in here is stopped at the end, the last one first."""
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        yield processes
    finally:
        for process in reversed(processes.values()):
            process.send_signal(signal.SIGINT)
        for process in reversed(processes.values()):
            try:
                process.wait(_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                process.kill()
