"""A sandbox in a process of its own, for tests and demonstrations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from .server import Info, serve, serve_several
from .world.state import Options

_NEEDED = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH"}
_CHILD = "from ingestion.sandbox.process import serve_parent; serve_parent()"


class Handle:
    """A running sandbox."""

    def __init__(self, info: Info) -> None:
        self.info = info
        self.raise_base_url: str = info["raise_base_url"]
        self.crm_plus_base_url: str = info["crm_plus_base_url"]
        self.raise_token: str = info["raise_token"]
        self.crm_plus_key: str = info["crm_plus_key"]
        self._control = self.raise_base_url.removesuffix("/raise") + "/_sandbox"

    def env(self) -> dict[str, str]:
        """The settings that point tieout at this sandbox, at its present instant."""
        settings: dict[str, str] = self._get("info")["env"]
        return settings

    def advance(self, hours: float | None = None, to: str | None = None) -> str:
        """Let time pass, by hours or up to an ISO instant; returns the new now."""
        now: str = self._post("advance", {"to": to} if hours is None else {"hours": hours})["now"]
        return now

    def leap(self, seconds: float) -> None:
        """Let the wall clock, by which the sandbox throttles, leap ahead: for a reader that does not really wait."""
        self._post("leap", {"seconds": seconds})

    def observed(self) -> None:
        """Note that a complete read was made now: the truth about sync windows follows what could be known."""
        self._post("observed", {})

    def truth(self) -> dict[str, Any]:
        """What a correct warehouse says after a complete read at now."""
        return self._get("truth")

    def counts(self) -> dict[str, dict[str, int]]:
        """How many rows the APIs serve now."""
        return self._get("counts")

    def ids(self) -> dict[str, dict[str, list[int]]]:
        """The ids of all rows that the APIs serve now."""
        return self._get("ids")

    def struck(self) -> dict[str, int]:
        """How often each fault struck so far."""
        struck: dict[str, int] = self._get("faults")["struck"]
        return struck

    def requests(self) -> dict[str, Any]:
        """What was asked so far."""
        return self._get("requests")

    def set_faults(self, faults: Mapping[str, bool | float] | None = None, **more: bool | float) -> None:
        """Switch faults on (True or a rate) or off (False)."""
        self._post("faults", {**(faults or {}), **more})

    def _get(self, path: str) -> dict[str, Any]:
        return self._answer(httpx.get(f"{self._control}/{path}", timeout=300, trust_env=False))

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._answer(httpx.post(f"{self._control}/{path}", json=body, timeout=300, trust_env=False))

    @staticmethod
    def _answer(response: httpx.Response) -> dict[str, Any]:
        answer: dict[str, Any] = response.json()
        if response.is_error:
            raise ValueError(answer["error"])
        return answer


@contextmanager
def running(
    seed: int = 1, scale: str = "small", faults: Sequence[str] = (), port: int = 0, **world_options: Any
) -> Iterator[Handle]:
    """Start a sandbox in its own process, wait until it answers, and stop it at the end.

    `world_options` are the fields of `Options`. The process also ends when its parent dies.
    """
    wanted = {
        "port": port,
        "seed": seed,
        "scale": scale,
        "faults": list(faults),
        "options": asdict(Options(**world_options)),
    }
    with _child(wanted) as info:
        yield Handle(info)


@contextmanager
def running_several(names: Sequence[str], scale: str = "small") -> Iterator[dict[str, Handle]]:
    """The same for several organizations in one process, by name: ids tell whose a record is, beyond `IDS_OF_ONE`."""
    with _child({"names": list(names), "scale": scale}) as infos:
        yield {name: Handle(info) for name, info in infos.items()}


@contextmanager
def _child(wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A process that serves what is wanted; yields what it tells when it is ready."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # What else is set may be somebody's credentials.
        env={**{name: value for name, value in os.environ.items() if name in _NEEDED}, "PYTHONPATH": path},
        text=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(json.dumps(wanted) + "\n")
        child.stdin.flush()
        line = child.stdout.readline()
        if not line:
            raise RuntimeError(f"the sandbox did not start (exit code {child.wait()})")
        yield json.loads(line)
    finally:
        child.terminate()
        child.wait()
        child.stdin.close()
        child.stdout.close()


def serve_parent() -> None:
    """Serve what the parent process asks for on the first line of standard input, until that input ends."""
    wanted = json.loads(sys.stdin.readline())

    def leave_with_parent() -> None:
        sys.stdin.read()
        os._exit(0)

    def tell(info: Info | dict[str, Info]) -> None:
        print(json.dumps(info), flush=True)

    threading.Thread(target=leave_with_parent, daemon=True).start()
    if "names" in wanted:
        serve_several(**wanted, on_ready=tell)
    else:
        serve(**{**wanted, "options": Options(**wanted["options"])}, on_ready=tell)
