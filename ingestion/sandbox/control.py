"""The control API under `/_sandbox`: the clock, the truth, the counters and the faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from .clock import HOUR, iso_z, parse_instant
from .crm_plus_api import CrmPlusApi
from .faults import FAULTS, Faults
from .http import Requests
from .table import Table
from .truth import truth
from .world.simulation import Simulation

RAISE_PATH = "/raise"
CRM_PLUS_PATH = "/crm-plus"
PATH = "/_sandbox"


def tokens(seed: int) -> dict[str, str]:
    """The credentials of a sandbox."""
    return {"raise": f"sandbox.raise.token-{seed}", "crm_plus": f"v_sandbox_crm_plus_key_{seed}"}


class Control:
    """Answers the control API."""

    def __init__(self, simulation: Simulation, faults: Faults, requests: Requests, crm_plus: CrmPlusApi) -> None:
        self._simulation = simulation
        self._world = simulation.world
        self._faults = faults
        self._requests = requests
        self._crm_plus = crm_plus
        self.router = Router(
            [
                Route("/info", self._info),
                Route("/advance", self._advance, methods=["POST"]),
                Route("/leap", self._leap, methods=["POST"]),
                Route("/observed", self._observed, methods=["POST"]),
                Route("/truth", self._truth),
                Route("/counts", self._counts),
                Route("/ids", self._ids),
                Route("/requests", self._requests_so_far),
                Route("/faults", self._set_faults, methods=["GET", "POST"]),
            ]
        )

    def info(self, origin: str) -> dict[str, Any]:
        """How to reach and read this sandbox."""
        world = self._world
        keys = tokens(world.seed)
        return {
            "seed": world.seed,
            "scale": self._simulation.scale_name,
            "now": iso_z(world.now),
            "raise_base_url": origin + RAISE_PATH,
            "raise_token": keys["raise"],
            "crm_plus_base_url": origin + CRM_PLUS_PATH,
            "crm_plus_key": keys["crm_plus"],
            "faults": self._faults.rates,
            "env": {
                "RAISE_BASE_URL": origin + RAISE_PATH,
                "RAISE_API_TOKEN": keys["raise"],
                "CRM_PLUS_BASE_URL": origin + CRM_PLUS_PATH,
                "CRM_PLUS_API_KEY": keys["crm_plus"],
                "RAISE_REQUESTS_PER_SECOND": "0",
                "TIEOUT_NOW": iso_z(world.now),
            },
        }

    async def _info(self, request: Request) -> Response:
        place = request.scope["root_path"].removesuffix(PATH)
        return _json(self.info(f"{request.url.scheme}://{request.url.netloc}{place}"))

    async def _advance(self, request: Request) -> Response:
        body = await _body(request)
        world = self._world
        try:
            to = parse_instant(body["to"]) if "to" in body else world.now + round(float(body["hours"]) * HOUR)
            self._simulation.changes.advance(to)
        except KeyError:
            return _json({"error": "say how many hours, or to which instant"}, 400)
        except (ValueError, TypeError) as error:
            return _json({"error": str(error)}, 400)
        return _json({"now": iso_z(world.now)})

    async def _leap(self, request: Request) -> Response:
        try:
            self._faults.clock.leap(float((await _body(request))["seconds"]))
        except (KeyError, ValueError, TypeError):
            return _json({"error": "say how many seconds"}, 400)
        return _json({})

    async def _observed(self, _request: Request) -> Response:
        self._world.observe()
        return _json({"now": iso_z(self._world.now), "observations": len(self._world.observations)})

    async def _truth(self, _request: Request) -> Response:
        return _json(truth(self._world))

    async def _counts(self, _request: Request) -> Response:
        counts = {product: {name: len(table) for name, table in tables.items()} for product, tables in self._tables()}
        counts["crm_plus"]["organization"] = 1
        return _json(counts)

    async def _ids(self, _request: Request) -> Response:
        return _json(
            {product: {name: table.ids for name, table in tables.items()} for product, tables in self._tables()}
        )

    def _tables(self) -> Iterator[tuple[str, dict[str, Table[Any]]]]:
        world = self._world
        yield (
            "raise",
            {
                "donors": world.donors,
                "gifts": world.gifts,
                "recurring_gifts": world.schedules,
                "campaigns": world.campaigns,
                "segments": world.segments,
                "projects": world.projects,
                "webhooks": world.webhooks,
                "webhook_logs": world.deliveries,
            },
        )
        yield (
            "crm_plus",
            {
                "contacts": world.contacts,
                "gifts": world.crm_gifts,
                "recurring_gifts": world.crm_schedules,
                "projects": world.crm_projects,
                "campaigns": world.crm_campaigns,
            },
        )

    async def _requests_so_far(self, _request: Request) -> Response:
        requests = self._requests

        def product(counts: Counter[str]) -> dict[str, Any]:
            return {"total": counts.total(), "routes": dict(sorted(counts.items()))}

        return _json(
            {
                **{name: product(counts) for name, counts in requests.counts.items()},
                "strangers": requests.strangers,
                "undocumented": {"count": requests.undocumented, "examples": requests.examples},
                "crm_plus_budget": self._crm_plus.budget.headers(),
                "storms": {
                    name: {"windows": storm.windows, "forbidden": storm.forbidden}
                    for name, storm in self._faults.storms.items()
                },
            }
        )

    async def _set_faults(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                self._faults.set(await _body(request))
            except (ValueError, TypeError) as error:
                return _json({"error": str(error)}, 400)
        return _json({"on": self._faults.rates, "known": FAULTS, "struck": self._faults.struck})


async def _body(request: Request) -> dict[str, Any]:
    text = await request.body()
    body = orjson.loads(text) if text else {}
    if not isinstance(body, dict):
        raise ValueError("the body must be an object")
    return body


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
