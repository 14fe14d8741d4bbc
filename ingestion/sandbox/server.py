"""One server with both products and the control API."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from .control import CRM_PLUS_PATH, PATH, RAISE_PATH, Control, tokens
from .crm_plus_api import CrmPlusApi
from .faults import Faults
from .http import Requests
from .raise_api import RaiseApi
from .world.simulation import Simulation
from .world.state import Options

HOST = "127.0.0.1"
IDS_OF_ONE = 4_000_000
"""So many ids each of several organizations has for its own. What is furnished in all of them has ids below."""

Info = dict[str, Any]


class Sandbox:
    """A simulation and its application."""

    def __init__(
        self, seed: int = 1, scale: str = "small", faults: Sequence[str] = (), options: Options | None = None
    ) -> None:
        on = Faults(seed, faults)
        requests = Requests()
        keys = tokens(seed)
        self.simulation = Simulation(seed, scale, options)
        crm_plus = CrmPlusApi(self.simulation, on, requests, keys["crm_plus"])
        self.control = Control(self.simulation, on, requests, crm_plus)
        self.app = Starlette(
            routes=[
                Mount(RAISE_PATH, RaiseApi(self.simulation, on, requests, keys["raise"]).router),
                Mount(CRM_PLUS_PATH, crm_plus.router),
                Mount(PATH, self.control.router),
            ]
        )


def serve(
    port: int = 0,
    seed: int = 1,
    scale: str = "small",
    faults: Sequence[str] = (),
    on_ready: Callable[[Info], None] | None = None,
    options: Options | None = None,
) -> None:
    """Build a world and serve it on loopback until the process is told to stop. Port 0 takes a free one."""
    sandbox = Sandbox(seed, scale, faults, options)
    _serve(sandbox.app, port, lambda origin: on_ready(sandbox.control.info(origin)) if on_ready else None)


def serve_several(names: Sequence[str], scale: str, on_ready: Callable[[dict[str, Info]], None]) -> None:
    """The same for several organizations, each under its name, with a seed, credentials and ids of its own."""
    several = {
        name: Sandbox(number, scale, options=Options(first_id=number * IDS_OF_ONE))
        for number, name in enumerate(names, start=1)
    }
    _serve(
        Starlette(routes=[Mount(f"/{name}", sandbox.app) for name, sandbox in several.items()]),
        0,
        lambda origin: on_ready({name: one.control.info(f"{origin}/{name}") for name, one in several.items()}),
    )


def _serve(app: Starlette, port: int, on_ready: Callable[[str], None]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(128)
        on_ready(f"http://{HOST}:{listener.getsockname()[1]}")
        # answers that are cut on purpose would fill the log; whose clock it is, the answers say themselves
        config = uvicorn.Config(
            app, log_config=None, log_level="critical", access_log=False, lifespan="off", date_header=False
        )
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
