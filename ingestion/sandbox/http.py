"""What both products share on the wire: counting requests, and the faults that strike before and after an answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from .faults import Faults

JSON = "application/json; charset=utf-8"

Answer = Callable[[Request], Awaitable[Response]]

_ENVELOPES = (b"[]", b'{"data":[],"count":0}', b'{"items":null,"list":null}', b'{"status":"error"}', b"{}")

_PAGE = (
    b"<!doctype html><html><head><title>Maintenance</title></head><body><h1>We will be right back</h1></body></html>"
)


class Endpoint:
    """A route that is asked for every method, so that the wrong ones can be counted."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)


class Dropped(Response):
    """No answer: the connection ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cycle = getattr(receive, "__self__", None)
        if transport := getattr(cycle, "transport", None):
            transport.abort()
            await asyncio.sleep(0)
        else:
            # Without a socket beneath, a body that does not come is the nearest.
            await StreamingResponse(_pieces(b""), headers={"content-length": "1000"})(scope, receive, send)


class Requests:
    """How often each documented read was asked for, and what else was tried."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {"raise": Counter(), "crm_plus": Counter()}
        self.undocumented = 0
        self.strangers = 0
        """How many requests came with another credential than the one that was made for them."""
        self.examples: list[str] = []

    def documented(self, product: str, route: str) -> None:
        """Count a documented read."""
        self.counts[product][route] += 1

    def other(self, product: str, request: Request) -> None:
        """Count a request that no documentation of a read covers."""
        self.undocumented += 1
        if len(self.examples) < 50:
            self.examples.append(f"{product} {request.method} {request.url.path}")


def json_list(key: str, rows: list[bytes], total: int) -> Response:
    """An envelope around rows that are encoded already."""
    body = b'{"%s":[%s],"total":%d}' % (key.encode(), b",".join(rows), total)
    return Response(body, media_type=JSON)


async def spoil(response: Response, faults: Faults, stall_seconds: float) -> Response:
    """Let the faults of the network strike a finished answer, which bears the instant of the products' clock."""
    response.headers["date"] = formatdate(faults.clock.now(), usegmt=True)
    if not faults.rates:
        return response
    if faults.strikes("dropped_connections"):
        return Dropped()
    if faults.strikes("timeouts"):
        return StreamingResponse(_silence(stall_seconds), media_type=JSON, headers={"content-length": "1000"})
    if response.status_code != 200:
        return response
    if faults.strikes("redirects"):
        return Response(status_code=302, headers={"location": "https://login.example.org/"})
    if faults.strikes("wrong_envelopes"):
        return Response(_ENVELOPES[faults.one_of(*range(len(_ENVELOPES)))], media_type=JSON)
    if faults.strikes("html_200"):
        return Response(_PAGE, media_type="text/html; charset=utf-8")
    if faults.strikes("cut_bodies"):
        body = bytes(response.body)
        half = body[: max(1, len(body) // 2)]
        if faults.one_of(0, 1):
            return Response(half, media_type=JSON)
        return StreamingResponse(_pieces(half), media_type=JSON, headers={"content-length": str(len(body))})
    return response


async def _silence(seconds: float) -> AsyncIterator[bytes]:
    await asyncio.sleep(seconds)
    yield b"{"


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    yield body
