"""Keeps other web pages, and strangers, away from the UI.

Dagster's web server checks neither Host nor Origin and executes mutations that come by GET, so that any page in the
browser of somebody who can reach it could start runs. What is refused here never comes to it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.ui.login import CHALLENGE, Login

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_OF_THE_PAGE_ITSELF = ("same-origin", "none")
"""`Sec-Fetch-Site` of what our own pages ask for, and what somebody typed. Another port of a host is `same-site`."""
_READS = ("GET", "HEAD")
_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Refused(Exception):
    """A request that does not reach Dagster: the status, and why."""

    status: HTTPStatus
    reason: str
    headers: dict[str, str] = field(default_factory=dict)


def _host_name(netloc: str) -> str:
    """The name in `name:port`, without the brackets of an IPv6 address; empty where it is no such thing."""
    try:
        parts = urlsplit(f"//{netloc}")
    except ValueError:
        return ""
    return "" if "@" in netloc or parts.netloc != netloc else (parts.hostname or "").rstrip(".")


def _netloc(origin: str) -> str:
    """The `name:port` of an origin; empty where it is no such thing."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _segments(scope: Scope) -> list[str]:
    """The parts of a path, as Dagster sees them or as something between would decode them once more."""
    return unquote(scope["path"]).split("/")


class Guard:
    """An ASGI application before another one.

    `hosts` are the names, or names with ports, that the UI answers to besides the loopback ones, in lower case.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = (), login: Login | None = None) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._login = login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what is allowed, with the headers that keep the answers to themselves."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check(scope, headers)
            cookie = await self._admit(scope, headers)
        except Refused as refused:
            await _refuse(refused, scope, receive, send)
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                _harden(MutableHeaders(scope=message), cookie)
            await send(message)

        await self._app(scope, receive, send_on)

    def _check(self, scope: Scope, headers: Headers) -> None:
        self._check_host(headers)
        self._check_origin(scope, headers)
        if ".." in _segments(scope):
            raise Refused(HTTPStatus.BAD_REQUEST, "A path must not lead upwards.")
        # Routes end in `$`, which also matches before a line feed: `/graphql%0A` is another path that leads there.
        if not all(map(str.isprintable, _segments(scope))):
            raise Refused(HTTPStatus.BAD_REQUEST, "A path must not hold control characters.")
        if scope["type"] == "http":
            _check_method(scope, headers)

    def _check_host(self, headers: Headers) -> None:
        # A page whose name was turned to point to this machine is caught by the name that its browser sends.
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not {hosts[0].lower(), _host_name(hosts[0])} & (self._hosts | LOOPBACK):
            raise Refused(
                HTTPStatus.MISDIRECTED_REQUEST, "The UI does not answer to this name: add it to UI_ALLOWED_HOSTS."
            )

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        is_own = all(site in _OF_THE_PAGE_ITSELF for site in headers.getlist("sec-fetch-site"))
        if not is_own and not _is_link(scope, headers):
            raise Refused(HTTPStatus.FORBIDDEN, "Another web page asked for this.")
        for origin in headers.getlist("origin"):
            # A proxy may have put another Host in its place. Of a loopback name each port is somebody else's page.
            if _netloc(origin) not in {headers["host"].lower(), *(self._hosts - LOOPBACK)}:
                raise Refused(HTTPStatus.FORBIDDEN, "Another web page asked for this.")

    async def _admit(self, scope: Scope, headers: Headers) -> str | None:
        """The cookie for somebody who has just given the password; nothing for somebody who is known."""
        if self._login is None or self._login.is_known(headers):
            return None
        if not await self._login.is_right(headers):
            raise Refused(HTTPStatus.UNAUTHORIZED, "The UI wants its password, UI_PASSWORD.", CHALLENGE)
        is_secure = scope["scheme"] in ("https", "wss") or headers.get("x-forwarded-proto") == "https"
        return self._login.cookie(is_secure=is_secure)


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Whether somebody follows a link, such as that of an alert, to a page of the UI."""
    return (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
        and not _is_graphql(scope)
    )


def _is_graphql(scope: Scope) -> bool:
    return "graphql" in map(str.strip, _segments(scope))


def _check_method(scope: Scope, headers: Headers) -> None:
    if scope["method"] in _READS:
        if _is_graphql(scope):
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "GraphQL is asked for by POST.", {"Allow": "POST"})
        return
    if scope["method"] != "POST":
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET, HEAD and POST are answered.")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or len(headers.getlist("content-type")) != 1:
        # What another page can send without asking first has one of three other types.
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "What is posted must be application/json.")


def _harden(headers: MutableHeaders, cookie: str | None) -> None:
    headers.update(_HEADERS)
    # Beside the policy of the page, if it has one: both hold.
    headers.append("Content-Security-Policy", "frame-ancestors 'none'; form-action 'self'")
    if cookie:
        headers.append("Set-Cookie", cookie)


async def _refuse(refused: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        # Before it is accepted: the server answers 403.
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    response = PlainTextResponse(refused.reason + "\n", refused.status, {**_HEADERS, **refused.headers})
    await response(scope, receive, send)
