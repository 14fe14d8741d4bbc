"""One password before the UI, for an address that others can reach. Who is who, a proxy knows better."""

import asyncio
import base64
import hmac
import secrets

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

_COOKIE = "tieout_ui"
_SECONDS_AFTER_A_WRONG_ONE = 1.0

CHALLENGE = {"WWW-Authenticate": 'Basic realm="tieout", charset="UTF-8"'}


class Login:
    """Knows whoever gave the password, until this process ends."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._session = secrets.token_urlsafe(32)

    def is_known(self, headers: Headers) -> bool:
        """Whether the browser has the cookie. WebSockets come without the password."""
        cookie = cookie_parser(headers.get("cookie", "")).get(_COOKIE, "")
        return hmac.compare_digest(cookie.encode(), self._session.encode())

    async def is_right(self, headers: Headers) -> bool:
        """Whether the password is there and right, whatever name it comes with. A wrong one takes its time."""
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            _, _, password = base64.b64decode(given, validate=True).partition(b":")
        except ValueError:
            # No Base64, or no ASCII.
            return False
        if hmac.compare_digest(password, self._password):
            return True
        await asyncio.sleep(_SECONDS_AFTER_A_WRONG_ONE)
        return False

    def cookie(self, *, is_secure: bool) -> str:
        """By which the browser is known from now on, to pages of the UI alone."""
        return f"{_COOKIE}={self._session}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if is_secure else ''}"
