"""The one way to the two APIs: reads only, politely, with the credential going nowhere else.

What is sent must stand on the client's list of documented reads. 429 is waited out as the API says, as long as a run
may wait; connection errors, timeouts, 408, 5xx and answers that nobody understands are tried again with backoff and
jitter; 401, 403 and 404 are told at once.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from threading import Lock
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx
import stamina
from pydantic import SecretStr

from ingestion import answer
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
from ingestion.masking import Mask
from ingestion.settings import is_loopback

# Seconds to wait after a 429 that does not say how long, doubled from the first to the last. No word makes it shorter
# than the first: an API that says 0 would be asked without end.
_SHORTEST_WAIT, _LONGEST_WAIT_WITHOUT_WORD = 1.0, 60.0
# No Unix second of the next thousand years is as large: it is told in milli-, micro- or nanoseconds.
_SECONDS = 1e11
# The longest window that is documented: a budget is full again after it.
_WINDOW = 3600.0

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
    """Seconds that an answer may be silent."""
    whole: float = 600.0
    """Seconds that a whole answer may take, its headers included."""
    outage: float = 3600.0
    """Seconds that may be lost on answers in vain without a good one in between."""
    throttle: float = _WINDOW + 60
    """Seconds that 429 may keep one waiting: the longest window that is documented, and a minute for the clocks."""
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
        mask: Mask | None = None,
        reads: Iterable[tuple[str, str]],
        requests_per_second: float = 0,
        reserve: float = 0,
        patience: Patience = PATIENCE,
        quotes: bool = True,
    ) -> None:
        """`quotes`: whether errors may quote what the API says, which may be about somebody."""
        self.product = product
        self.usage = Usage()
        self._credential_name = credential_name
        # A server may repeat what it was sent, in whatever it answers.
        self._mask = mask or Mask([credential.get_secret_value()])
        self._host = urlsplit(base_url).netloc
        self._reads = tuple((method, re.compile(path)) for method, path in reads)
        self._interval = 1 / requests_per_second if requests_per_second else 0.0
        self._patience = patience
        self._clock = patience.clock
        self._reserve = reserve
        self._quotes = quotes
        self._lock = Lock()
        self._gate = Lock()
        self._next_at = 0.0
        self._closed_until = 0.0
        self._is_throttled = False
        self._wait_without_word = _SHORTEST_WAIT
        # Who hangs up on everything from the start is not asked for each page of each resource.
        self._has_answered = False
        self._failed_in_a_row = 0
        self._lost_seconds = 0.0
        self._closed_since: float | None = None
        self._budget: Budget | None = None
        self._skew: timedelta | None = None
        try:
            self._http = answer.bounded(
                httpx.Client(
                    base_url=base_url,
                    headers={
                        "Authorization": f"Bearer {credential.get_secret_value()}",
                        "Accept": "application/json",
                        "Accept-Encoding": "gzip, deflate",
                    },
                    timeout=httpx.Timeout(connect=10, read=patience.answer, write=30, pool=None),
                    follow_redirects=False,
                    # None is kept: no read needs one, and what no header can hold would end all that follows.
                    cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                    # A proxy would be sent what is meant for this machine, the token in plain text.
                    trust_env=not is_loopback(base_url),
                )
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
                        understood = understand(text)
                    except AnswerNotUnderstood as error:
                        raise _TransientFault(error if self._quotes else error.unquoted) from None
                    self._failed_in_a_row = 0
                    self._lost_seconds = 0.0
                    return understood
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
                    response, body = self._send(request, path)
                    self._is_throttled = response.status_code == 429
                    if not self._is_throttled:
                        self._wait_without_word = _SHORTEST_WAIT
                        self._closed_since = None
            if not asks_alone:
                response, body = self._send(request, path)
            if response.status_code != 429:
                return self._text(response, body, path)

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

    def _send(self, request: httpx.Request, path: str) -> tuple[httpx.Response, bytes]:
        """The answer and its body, unpacked."""
        self._count(requests=1)
        began = self._clock.monotonic()
        try:
            with answer.within(self._patience.whole):
                response, body = self._received(request, path)
        except _TransientFault:
            self._lose(self._clock.monotonic() - began)
            raise
        self._note(response)
        return response, body

    def _received(self, request: httpx.Request, path: str) -> tuple[httpx.Response, bytes]:
        try:
            response = self._http.send(request, stream=True)
            is_good = response.status_code in (200, 204)
            try:
                body = answer.content(response)
            except (answer.Unpackable, httpx.TransportError):
                # What is wrong is in the status; the body would only have told more of it.
                if is_good:
                    raise
                body = b""
            finally:
                response.close()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise _TransientFault(SourceUnreachable(self.product, self._host, self._reason(error))) from None
        except httpx.TransportError as error:
            reason = self._reason(error)
            if not self._has_answered:
                raise _TransientFault(SourceUnreachable(self.product, self._host, reason)) from None
            raise _TransientFault(SourceBroken(self.product, path, reason)) from None
        except answer.Unpackable as error:
            self._has_answered = True
            reason = f"a body that cannot be unpacked: {error}"
            raise _TransientFault(AnswerNotUnderstood(self.product, path, reason)) from None
        return response, body

    def _lose(self, seconds: float) -> None:
        """Takes down that so long was waited in vain. Raises `SourceUnreachable` where that is too much."""
        with self._lock:
            self._lost_seconds += seconds
        if self._lost_seconds > self._patience.outage:
            reason = f"no whole answer in {self._lost_seconds / 60:.0f} minutes"
            raise SourceUnreachable(self.product, self._host, reason) from None

    def _note(self, response: httpx.Response) -> None:
        """Takes down what the headers of an answer say. Raises `Throttled` where it is too long a wait."""
        self._has_answered = True
        # Instants that the API tells are of its own clock, which may be another than ours.
        ours = self._clock.time()
        told_at = _told_at(response)
        theirs = ours if told_at is None else told_at
        # A cache on the way passes on the date of when it asked itself.
        if told_at is not None and "age" not in response.headers:
            self._skew = timedelta(seconds=theirs - ours)
        self._budget = _budget(response, ours, ours - theirs) or self._budget
        if response.status_code == 429:
            told = _wait_asked_for(response, theirs)
            seconds = max(told, _SHORTEST_WAIT) if told and told > 0 else self._wait_without_word
            now = self._clock.monotonic()
            if self._closed_since is None:
                self._closed_since = now
            if now - self._closed_since + seconds > self._patience.throttle:
                raise Throttled(self.product, _instant(ours + seconds))
            self._closed_until = max(self._closed_until, now + seconds)
            self._is_throttled = True

    def _check_budget(self) -> None:
        """Leaves the reserve to the customer's other integrations, which share the hourly budget."""
        budget = self._budget
        if not self._reserve or budget is None or self._clock.time() >= budget.reset:
            return
        if budget.remaining <= budget.limit * self._reserve:
            raise BudgetSpent(self.product, budget.remaining, budget.limit, _instant(budget.reset))

    def _text(self, response: httpx.Response, body: bytes, path: str) -> str:
        status = response.status_code
        if status in (200, 204):
            return self._mask.text(answer.text(body, response.charset_encoding))
        if status >= 500 or status == 408:
            raise _TransientFault(SourceBroken(self.product, path, f"status {status}"))
        if status == 401:
            raise CredentialRefused(self.product, self._credential_name)
        if status == 403:
            raise PermissionRefused(self.product, self._credential_name, path)
        if status == 404:
            raise ResourceAbsent(self.product, path)
        if 300 <= status < 400:
            host = "another page"
            if self._quotes:
                host = _host_of(self._mask.text(response.headers.get("location", "")))
            raise AnswerNotUnderstood(self.product, path, f"a redirect to {host}, which is not followed")
        raise RequestRejected(self.product, path, status, self._detail(response, body))

    def _detail(self, response: httpx.Response, body: bytes) -> str:
        """Why the API says that it rejects a request, without secrets."""
        if not self._quotes:
            return "what it says may be personal, and is left out"
        text = self._mask.text(answer.text(body, response.charset_encoding))
        return _detail(text) or self._mask.text(response.reason_phrase) or "no reason given"

    def _reason(self, error: httpx.TransportError) -> str:
        if isinstance(error, httpx.TimeoutException):
            return "no answer in time"
        # What breaks the protocol is quoted: a header line, or what a proxy says.
        if not self._quotes and isinstance(error, httpx.ProtocolError | httpx.ProxyError):
            return type(error).__name__
        what = "the proxy says " if isinstance(error, httpx.ProxyError) else ""
        said = self._mask.text(_first_line(error))
        # Behind the colon, and it may be a part of a secret.
        return f"{what}{said.partition(': ')[0] if isinstance(error, httpx.RemoteProtocolError) else said}"

    def _count(self, *, requests: int = 0, retries: int = 0, throttled_seconds: float = 0.0) -> None:
        with self._lock:
            self.usage.requests += requests
            self.usage.retries += retries
            self.usage.throttled_seconds += throttled_seconds


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _host_of(location: str) -> str:
    try:
        return urlsplit(location).netloc or "another page"
    except ValueError:
        return "another page"


def _detail(body: str) -> str | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict):
        inner = told["error"] if isinstance(told.get("error"), dict) else told
        for name in ("detail", "message", "title"):
            if inner.get(name):
                words = " ".join(str(inner[name]).split())
                return "".join(filter(str.isprintable, words))[:200]
    return None


def _told_at(response: httpx.Response) -> float | None:
    """When the API answered, by its own clock, in whole Unix seconds."""
    return _date(response.headers.get("date", ""))


def _date(text: str) -> float | None:
    """The Unix second of a date as HTTP writes it; None for anything else."""
    try:
        told: datetime = parsedate_to_datetime(text)
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None


def _instant(seconds: float) -> datetime:
    """The instant of a Unix second, or the last that a calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ArithmeticError, OSError, ValueError):
        return datetime.max.replace(tzinfo=UTC)


def _budget(response: httpx.Response, now: float, ahead: float) -> Budget | None:
    """What the API says of its window. `now` is ours, and `ahead` by how many seconds it is ahead of the API's."""
    headers = response.headers
    try:
        limit, remaining = (_finite(headers[f"x-ratelimit-{name}"]) for name in ("limit", "remaining"))
        reset = _unix_seconds(headers["x-ratelimit-reset"]) + ahead
    except (KeyError, ValueError):
        return None
    # What is said to be further away is no reset of a window.
    return Budget(int(limit), int(remaining), min(reset, now + _WINDOW))


def _wait_asked_for(response: httpx.Response, now: float) -> float | None:
    """Seconds until the API takes requests again: `Retry-After` (seconds or a date), else `X-RateLimit-Reset`; None
    where neither says so. Negative where that is over. `now` is the API's."""
    asked = response.headers.get("retry-after", "").strip()
    try:
        return _finite(asked)
    except ValueError:
        pass
    # A date tells whole seconds: a fraction of one too early is too early.
    if (until := _date(asked)) is not None:
        return until - now + 1
    try:
        return _unix_seconds(response.headers["x-ratelimit-reset"]) - now + 1
    except (KeyError, ValueError):
        return None


def _unix_seconds(text: str) -> float:
    """An instant that is told in Unix seconds, or in a thousandth, millionth or billionth of them."""
    told = _finite(text)
    while told > _SECONDS:
        told /= 1000
    return told


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
