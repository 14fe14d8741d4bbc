"""The one way to the two APIs: reads only, politely, with the credential going nowhere else.

What is sent must stand on the client's list of documented reads. 429 is waited out as the API says, however long;
connection errors, timeouts, 408, 5xx and answers that nobody understands are tried again with backoff and jitter; 401,
403 and 404 are told at once.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx
import stamina
from pydantic import SecretStr

from ingestion.errors import (
    AnswerNotUnderstood,
    BudgetSpent,
    CredentialRefused,
    PermissionRefused,
    RequestRefused,
    RequestRejected,
    ResourceAbsent,
    SettingsError,
    SourceBroken,
    SourceUnreachable,
    Throttled,
)
from ingestion.settings import is_loopback

# Seconds to wait after a 429 that does not say how long, doubled from the first to the last. No word makes it shorter
# than the first: an API that says 0 would be asked without end.
_SHORTEST_WAIT, _LONGEST_WAIT_WITHOUT_WORD = 1.0, 60.0
# No Unix second of the next thousand years is as large.
_MILLISECONDS = 1e11

T = TypeVar("T")

stamina.instrumentation.set_on_retry_hooks([])


class Clock(Protocol):
    """What is used of the module `time`, so that a simulation can bring its own."""

    def time(self) -> float: ...

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


@dataclass(frozen=True)
class Patience:
    """How long transient faults are retried: `attempts` in all, waits from `initial` to `longest` seconds."""

    attempts: int = 6
    initial: float = 0.5
    longest: float = 30.0
    # Full contacts are slow to make: integrations of CRM+ wait up to ten minutes for a page.
    answer: float = 300.0
    """Seconds that an answer may keep one waiting."""
    throttle: float = math.inf
    """Seconds that a 429 may keep one waiting."""
    clock: Clock = time


PATIENCE = Patience()

_AN_OUTAGE = 12
"""From so many requests in a row that no attempt got through, each is tried but once, until one is answered: the
resources of a source that is down would otherwise be waited for one after another. A broken record costs ten, on the
way down to pages of one record."""


@dataclass
class Usage:
    """What reading has cost so far."""

    requests: int = 0
    retries: int = 0
    throttled_seconds: float = 0.0

    def since(self, earlier: Usage) -> Usage:
        return Usage(
            self.requests - earlier.requests,
            self.retries - earlier.retries,
            self.throttled_seconds - earlier.throttled_seconds,
        )

    def copy(self) -> Usage:
        return Usage(self.requests, self.retries, self.throttled_seconds)


@dataclass(frozen=True)
class Budget:
    """What an API says is left of its window: requests, and when (Unix seconds of our clock) it is full again."""

    limit: int
    remaining: int
    reset: float


class _TransientFault(Exception):
    """Worth another try. `error` is what to tell when the tries are used up."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class ReadClient:
    """An HTTP client that can send nothing but the reads it was made for. Safe to share between threads."""

    def __init__(
        self,
        *,
        product: str,
        base_url: str,
        credential: SecretStr,
        credential_name: str,
        reads: Iterable[tuple[str, str]],
        requests_per_second: float = 0,
        reserve: float = 0,
        patience: Patience = PATIENCE,
    ) -> None:
        self.product = product
        self.usage = Usage()
        self._credential_name = credential_name
        self._host = urlsplit(base_url).netloc
        self._reads = tuple((method, re.compile(path)) for method, path in reads)
        self._interval = 1 / requests_per_second if requests_per_second else 0.0
        self._patience = patience
        self._clock = patience.clock
        self._reserve = reserve
        self._lock = Lock()
        self._gate = Lock()
        self._next_at = 0.0
        self._closed_until = 0.0
        self._is_throttled = False
        self._wait_without_word = _SHORTEST_WAIT
        # Who hangs up on everything from the start is not asked for each page of each resource.
        self._has_answered = False
        self._failed_in_a_row = 0
        self._budget: Budget | None = None
        self._skew: timedelta | None = None
        try:
            self._http = httpx.Client(
                base_url=base_url,
                headers={"Authorization": f"Bearer {credential.get_secret_value()}", "Accept": "application/json"},
                timeout=httpx.Timeout(connect=10, read=patience.answer, write=30, pool=None),
                follow_redirects=False,
                # A proxy would be sent what is meant for this machine, the token in plain text.
                trust_env=not is_loopback(base_url),
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise SettingsError(
                f"The proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names cannot be used ({_first_line(error)}):"
                " it must look like http://host:port."
            ) from None

    def close(self) -> None:
        self._http.close()

    @property
    def budget(self) -> Budget | None:
        """What the API said last of its window; None where it does not say."""
        return self._budget

    @property
    def skew(self) -> timedelta | None:
        """By how much the API's clock was ahead of ours in its last answer; None where it does not say."""
        return self._skew

    @property
    def budget_left(self) -> int | None:
        """How many requests the API says are left of its window; None where it does not say."""
        return self._budget.remaining if self._budget else None

    def get(self, path: str, params: dict[str, Any] | None = None) -> str:
        """The body of `GET path`."""
        return self.get_as(str, path, params)

    def get_as(
        self, understand: Callable[[str], T], path: str, params: dict[str, Any] | None = None, *, once: bool = False
    ) -> T:
        """What `understand` makes of the body of `GET path`. If it raises `AnswerNotUnderstood`, that may pass.

        `once`: what fails is not tried again.
        """
        return self._read("GET", path, params, None, understand, once)

    def query_as(
        self,
        understand: Callable[[str], T],
        path: str,
        params: dict[str, Any],
        body: dict[str, Any],
        *,
        once: bool = False,
    ) -> T:
        """The same of the documented read `POST path`."""
        return self._read("POST", path, params, body, understand, once)

    def _read(
        self,
        method: str,
        path: str,
        params: dict[str, Any] | None,
        body: dict[str, Any] | None,
        understand: Callable[[str], T],
        once: bool,
    ) -> T:
        if not any(method == allowed and pattern.fullmatch(path) for allowed, pattern in self._reads):
            raise RequestRefused(method, path)
        request = self._http.build_request(method, path, params=params, json=body)
        patience = self._patience
        try:
            for attempt in stamina.retry_context(
                on=_TransientFault,
                attempts=1 if once or self._failed_in_a_row >= _AN_OUTAGE else patience.attempts,
                timeout=None,
                wait_initial=patience.initial,
                wait_max=patience.longest,
                wait_jitter=patience.initial,
            ):
                with attempt:
                    if attempt.num > 1:
                        self._count(retries=1)
                    text = self._once(request, path)
                    try:
                        answer = understand(text)
                    except AnswerNotUnderstood as error:
                        raise _TransientFault(error) from None
                    self._failed_in_a_row = 0
                    return answer
        except _TransientFault as fault:
            with self._lock:
                self._failed_in_a_row += 1
            raise fault.error from None
        raise AssertionError("stamina either returns or raises")

    def _once(self, request: httpx.Request, path: str) -> str:
        while True:
            with self._gate:
                self._wait_for_turn()
                # The first one after a 429 asks alone whether it is over, and the others wait behind it: nothing is
                # sent meanwhile, and no herd after it.
                asks_alone = self._is_throttled
                if asks_alone:
                    # What is under way when the window closes is told at once: that is one 429, not several.
                    self._wait_without_word = min(2 * self._wait_without_word, _LONGEST_WAIT_WITHOUT_WORD)
                    response = self._send(request, path)
                    self._is_throttled = response.status_code == 429
                    if not self._is_throttled:
                        self._wait_without_word = _SHORTEST_WAIT
            if not asks_alone:
                response = self._send(request, path)
            if response.status_code != 429:
                return self._body(response, path)

    def _wait_for_turn(self) -> None:
        """Waits until the API takes requests again, then for our pace."""
        clock = self._clock
        # A 429 may come in while this one waits.
        while (wait := max(self._closed_until, self._next_at) - clock.monotonic()) > 0:
            if self._closed_until > self._next_at:
                self._count(throttled_seconds=wait)
            clock.sleep(wait)
        if not self._is_throttled:
            self._check_budget()
        self._next_at = clock.monotonic() + self._interval

    def _send(self, request: httpx.Request, path: str) -> httpx.Response:
        self._count(requests=1)
        try:
            response = self._http.send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise _TransientFault(SourceUnreachable(self.product, self._host, _reason(error))) from None
        except httpx.TransportError as error:
            if not self._has_answered:
                raise _TransientFault(SourceUnreachable(self.product, self._host, _reason(error))) from None
            raise _TransientFault(SourceBroken(self.product, path, _reason(error))) from None
        except httpx.DecodingError as error:
            self._has_answered = True
            reason = f"a body that cannot be unpacked: {_first_line(error)}"
            raise _TransientFault(AnswerNotUnderstood(self.product, path, reason)) from None
        self._has_answered = True
        # Instants that the API tells are of its own clock, which may be another than ours.
        ours = self._clock.time()
        told_at = _told_at(response)
        theirs = ours if told_at is None else told_at
        # A cache on the way passes on the date of when it asked itself.
        if told_at is not None and "age" not in response.headers:
            self._skew = timedelta(seconds=theirs - ours)
        self._budget = _budget(response, ours - theirs) or self._budget
        if response.status_code == 429:
            told = _wait_asked_for(response, theirs)
            seconds = max(told, _SHORTEST_WAIT) if told and told > 0 else self._wait_without_word
            if seconds > self._patience.throttle:
                raise Throttled(self.product, seconds)
            self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)
            self._is_throttled = True
        return response

    def _check_budget(self) -> None:
        """Leaves the reserve to the customer's other integrations, which share the hourly budget."""
        budget = self._budget
        if not self._reserve or budget is None or self._clock.time() >= budget.reset:
            return
        if budget.remaining <= budget.limit * self._reserve:
            raise BudgetSpent(self.product, budget.remaining, budget.limit, datetime.fromtimestamp(budget.reset, UTC))

    def _body(self, response: httpx.Response, path: str) -> str:
        status = response.status_code
        if status in (200, 204):
            # Some servers mark their JSON as UTF-8 with a character that JSON does not have.
            return response.content.decode(response.encoding or "utf-8", errors="replace").removeprefix("\ufeff")
        if status >= 500 or status == 408:
            raise _TransientFault(SourceBroken(self.product, path, f"status {status}"))
        if status == 401:
            raise CredentialRefused(self.product, self._credential_name)
        if status == 403:
            raise PermissionRefused(self.product, self._credential_name, path)
        if status == 404:
            raise ResourceAbsent(self.product, path)
        if 300 <= status < 400:
            host = urlsplit(response.headers.get("location", "")).netloc or "another page"
            raise AnswerNotUnderstood(self.product, path, f"a redirect to {host}, which is not followed")
        raise RequestRejected(self.product, path, status, _detail(response))

    def _count(self, *, requests: int = 0, retries: int = 0, throttled_seconds: float = 0.0) -> None:
        with self._lock:
            self.usage.requests += requests
            self.usage.retries += retries
            self.usage.throttled_seconds += throttled_seconds


def _reason(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    what = "the proxy says " if isinstance(error, httpx.ProxyError) else ""
    return f"{what}{_first_line(error)}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _detail(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        inner = body["error"] if isinstance(body.get("error"), dict) else body
        for name in ("detail", "message", "title"):
            if inner.get(name):
                return " ".join(str(inner[name]).split())[:200]
    return response.reason_phrase or "no reason given"


def _told_at(response: httpx.Response) -> float | None:
    """When the API answered, by its own clock, in whole Unix seconds."""
    try:
        told: datetime = parsedate_to_datetime(response.headers["date"])
    except (KeyError, TypeError, ValueError):
        return None
    return told.timestamp()


def _budget(response: httpx.Response, ahead: float) -> Budget | None:
    """What the API says of its window. `ahead` is by how many seconds our clock is ahead of its clock."""
    headers = response.headers
    try:
        return Budget(
            int(headers["x-ratelimit-limit"]),
            int(headers["x-ratelimit-remaining"]),
            _unix_seconds(headers["x-ratelimit-reset"]) + ahead,
        )
    except (KeyError, ValueError):
        return None


def _wait_asked_for(response: httpx.Response, now: float) -> float | None:
    """Seconds until the API takes requests again: `Retry-After` (seconds or a date), else `X-RateLimit-Reset`; None
    where neither says so. Negative where that is over. `now` is the API's."""
    asked = response.headers.get("retry-after", "").strip()
    try:
        return _finite(asked)
    except ValueError:
        pass
    try:
        # A date tells whole seconds: a fraction of one too early is too early.
        until: datetime = parsedate_to_datetime(asked)
        return until.timestamp() - now + 1
    except (TypeError, ValueError):
        pass
    try:
        return _unix_seconds(response.headers["x-ratelimit-reset"]) - now + 1
    except (KeyError, ValueError):
        return None


def _unix_seconds(text: str) -> float:
    """An instant that is told in Unix seconds, or in milliseconds."""
    told = _finite(text)
    return told / 1000 if told > _MILLISECONDS else told


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
