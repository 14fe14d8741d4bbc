from __future__ import annotations

import gzip
import socket
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Barrier, Thread
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.answer import MOST_BYTES
from ingestion.envelope import page_of
from ingestion.errors import (
    AnswerNotUnderstood,
    BudgetSpent,
    CredentialRefused,
    PermissionRefused,
    RequestRefused,
    RequestRejected,
    ResourceAbsent,
    SourceBroken,
    SourceError,
    SourceUnreachable,
    Throttled,
)
from ingestion.http import Patience, ReadClient
from ingestion.virtuous_crm_plus.client import READS as CRM_PLUS_READS
from ingestion.virtuous_raise.client import READS as RAISE_READS
from ingestion.virtuous_raise.resources import GIFTS
from tests.clocks import LeapingClock

TOKEN = "marked-token"


def client(base_url: str, clock: LeapingClock | None = None, **options: Any) -> ReadClient:
    return ReadClient(
        product="Raise",
        base_url=base_url,
        credential=SecretStr(TOKEN),
        credential_name="RAISE_API_TOKEN",
        reads=RAISE_READS,
        patience=Patience(attempts=3, initial=0.001, longest=0.002, clock=clock or LeapingClock()),
        **options,
    )


@pytest.fixture
def raise_api(httpserver: HTTPServer) -> Iterator[ReadClient]:
    made = client(httpserver.url_for("/raise"))
    yield made
    made.close()


def answers(server: HTTPServer, *responses: Response) -> None:
    left = iter(responses)
    server.expect_request("/raise/api/Gift/list").respond_with_handler(lambda _: next(left))


def test_the_credential_goes_along(httpserver: HTTPServer, raise_api: ReadClient) -> None:
    httpserver.expect_request(
        "/raise/api/Gift/list", query_string={"Skip": "0"}, headers={"Authorization": f"Bearer {TOKEN}"}
    ).respond_with_data('{"items": []}')
    assert raise_api.get("/api/Gift/list", {"Skip": 0}) == '{"items": []}'


def test_no_cookie_is_kept(httpserver: HTTPServer, raise_api: ReadClient) -> None:
    """Nor one that no header can hold."""
    answers(
        httpserver, *(Response("[]", headers={"Set-Cookie": f"session={value}"}) for value in ("\xff\xfe", "a", "b"))
    )
    for _ in range(3):
        assert raise_api.get("/api/Gift/list") == "[]"
    assert all("Cookie" not in request.headers for request, _ in httpserver.log)


def test_in_an_outage_each_request_is_tried_once_until_one_is_answered(
    httpserver: HTTPServer, raise_api: ReadClient
) -> None:
    broken, well = Response(status=503), Response('{"items": []}')
    answers(httpserver, *[broken] * 12 * 3, *[broken] * 2, well, *[broken] * 2, well)
    for attempts in (*[3] * 12, 1, 1):
        before = raise_api.usage.requests
        with pytest.raises(SourceBroken):
            raise_api.get("/api/Gift/list")
        assert raise_api.usage.requests - before == attempts
    raise_api.get("/api/Gift/list")
    raise_api.get("/api/Gift/list")
    assert raise_api.usage.requests == 12 * 3 + 2 + 1 + 3


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/Raise/give"),
        ("PUT", "/api/Campaign/7/toggle-sync"),
        ("POST", "/api/Campaign"),
        ("DELETE", "/api/Webhook/1"),
        ("GET", "/api/Gift/1/refund"),
        ("GET", "/api/Gift/list/../../Raise/give"),
        ("POST", "/api/Gift/list"),
    ],
)
def test_nothing_but_a_documented_read_is_sent(
    httpserver: HTTPServer, raise_api: ReadClient, method: str, path: str
) -> None:
    with pytest.raises(RequestRefused, match="was not sent"):
        raise_api._read(method, path, None, None, str, once=False)
    assert httpserver.log == []
    assert raise_api.usage.requests == 0


def test_the_lists_of_reads_hold_no_write() -> None:
    assert {method for method, _ in (*RAISE_READS, *CRM_PLUS_READS)} == {"GET", "POST"}
    assert all("uery" in path for method, path in (*RAISE_READS, *CRM_PLUS_READS) if method == "POST")


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520])
def test_server_errors_are_tried_again(httpserver: HTTPServer, raise_api: ReadClient, status: int) -> None:
    answers(httpserver, Response("oops", status), Response("oops", status), Response("{}"))
    assert raise_api.get("/api/Gift/list") == "{}"
    assert (raise_api.usage.requests, raise_api.usage.retries) == (3, 2)


def test_server_errors_end_with_one_line(httpserver: HTTPServer, raise_api: ReadClient) -> None:
    answers(httpserver, *(Response("oops", 500) for _ in range(3)))
    with pytest.raises(SourceBroken, match="Raise fails on /api/Gift/list"):
        raise_api.get("/api/Gift/list")


def _understood(body: str) -> str:
    if not body.startswith("{"):
        raise AnswerNotUnderstood("Raise", "/api/Gift/list", "no JSON")
    return body


NO_ANSWERS = [Response("<html>"), Response("{}", headers={"Content-Encoding": "gzip"})]


@pytest.mark.parametrize("strange", NO_ANSWERS)
def test_what_nobody_understands_is_asked_for_again(
    httpserver: HTTPServer, raise_api: ReadClient, strange: Response
) -> None:
    answers(httpserver, strange, strange, Response("{}"), *[strange] * 3)
    assert raise_api.get_as(_understood, "/api/Gift/list") == "{}"
    assert (raise_api.usage.requests, raise_api.usage.retries) == (3, 2)
    with pytest.raises(AnswerNotUnderstood):
        raise_api.get_as(_understood, "/api/Gift/list")


def test_what_nobody_understands_is_an_outage_too(httpserver: HTTPServer, raise_api: ReadClient) -> None:
    answers(httpserver, *[Response("<html>")] * (12 * 3 + 1))
    for attempts in (*[3] * 12, 1):
        before = raise_api.usage.requests
        with pytest.raises(AnswerNotUnderstood):
            raise_api.get_as(_understood, "/api/Gift/list")
        assert raise_api.usage.requests - before == attempts


def _date(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        (lambda: {"Retry-After": "847"}, 846, 847),
        # Not when the tests are collected, which may be an hour ago.
        (lambda: {"Retry-After": _date(900)}, 880, 901),
        (lambda: {"X-RateLimit-Reset": str(int(datetime.now(UTC).timestamp()) + 3000)}, 2980, 3002),
        (lambda: {"X-RateLimit-Reset": f"{datetime.now(UTC).timestamp() * 1000 + 3e6:.0f}"}, 2980, 3002),
        # Never without sleeping.
        (lambda: {"Retry-After": "0"}, 0.99, 1),
        (lambda: {"Retry-After": "-5"}, 0.99, 1),
        (lambda: {"Retry-After": "nan"}, 0.99, 1),
        (lambda: {"Retry-After": _date(-900)}, 0.99, 1),
        (lambda: {"X-RateLimit-Reset": "1700000000"}, 0.99, 1),
        (lambda: {"Retry-After": "soon"}, 0.99, 1),
        (lambda: {"Retry-After": "Fri, 99 Foo 2026 99:99:99 +9999999"}, 0.99, 1),
        (lambda: {"Retry-After": "Mon, 01 Jan 0001 00:00:00 -0000"}, 0.99, 1),
        (lambda: {"X-RateLimit-Reset": f"{(datetime.now(UTC).timestamp() + 3000) * 1e6:.0f}"}, 2980, 3002),
        (lambda: {"X-RateLimit-Reset": f"{(datetime.now(UTC).timestamp() + 3000) * 1e9:.0f}"}, 2980, 3002),
        (lambda: {"X-RateLimit-Reset": "-1"}, 0.99, 1),
        (lambda: {"Date": "Fri, 31 Dec 9999 23:59:59 -0500"}, 0.99, 1),
        (dict, 0.99, 1),
    ],
)
def test_429_is_waited_out_as_told(
    httpserver: HTTPServer, headers: Callable[[], dict[str, str]], low: float, high: float
) -> None:
    clock = LeapingClock()
    api = client(httpserver.url_for("/raise"), clock)
    answers(httpserver, Response("{}", 429, headers()), Response("{}"))
    assert api.get("/api/Gift/list") == "{}"
    (waited,) = clock.slept
    assert low <= waited <= high
    assert api.usage.throttled_seconds == waited
    assert api.usage.retries == 0
    assert api.usage.requests == 2


@pytest.mark.parametrize(
    ("asked", "until"),
    [
        (lambda: {"Retry-After": "1000000000"}, "2058"),
        (lambda: {"Retry-After": "10000000000"}, "2343"),
        (lambda: {"Retry-After": "1e300"}, "9999-12-31 23:59 UTC"),
        (lambda: {"Retry-After": "9" * 300}, "9999-12-31 23:59 UTC"),
        (lambda: {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, "9999-12-31 23:59 UTC"),
        (lambda: {"Retry-After": "Fri, 31 Dec 9999 23:59:59 -0500"}, "9999-12-31 23:59 UTC"),
        (lambda: {"X-RateLimit-Reset": f"{datetime.now(UTC).timestamp() + 90_000:.0f}"}, ""),
        (lambda: {"Retry-After": "3700"}, ""),
    ],
)
def test_a_wait_beyond_the_longest_window_ends_the_source(
    httpserver: HTTPServer, asked: Callable[[], dict[str, str]], until: str
) -> None:
    clock = LeapingClock()
    api = client(httpserver.url_for("/raise"), clock)
    answers(httpserver, Response("{}", 429, asked()))
    with pytest.raises(Throttled, match=f"Raise takes no requests until {until}") as caught:
        api.get("/api/Gift/list")
    assert caught.value.stops_source
    assert clock.slept == []


def test_waits_in_a_row_are_one_wait(httpserver: HTTPServer) -> None:
    """Else an API that asks for a minute each time would hold a run for ever."""
    clock = LeapingClock()
    api = client(httpserver.url_for("/raise"), clock)
    hour = [Response("", 429, {"Retry-After": "1200"})] * 3
    answers(httpserver, *hour, Response("{}"), *hour, Response("", 429, {"Retry-After": "60"}))
    api.get("/api/Gift/list")
    with pytest.raises(Throttled, match="takes no requests until"):
        api.get("/api/Gift/list")
    assert sum(clock.slept) == pytest.approx(7200, abs=5)


HEADERS = st.dictionaries(
    st.sampled_from(
        ["Retry-After", "Date", "X-RateLimit-Reset", "X-RateLimit-Limit", "X-RateLimit-Remaining", "Location"]
    ),
    st.one_of(
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
        st.integers().map(str),
        st.floats().map(str),
        st.datetimes().map(lambda at: f"{at:%a, %d %b} {at.year:04} {at:%H:%M:%S} GMT"),
        st.integers(5_000, 20_000).map(lambda digits: "9" * digits),
    ),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    status=st.sampled_from([200, 204, 301, 400, 404, 418, 429, 500, 503]),
    headers=HEADERS,
    charset=st.sampled_from(["utf-8", "hex", "zlib", "idna", "undefined", "utf-16", "latin-1", "\x00", "x" * 999]),
    body=st.one_of(st.binary(max_size=50), st.just(b'{"detail": ' + b"[" * 9_000)),
)
def test_whatever_comes_is_an_answer_or_an_error_of_ours(
    status: int, headers: dict[str, str], charset: str, body: bytes
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        told = {**headers, "Content-Type": f"application/json; charset={charset}"}
        return httpx.Response(status, headers=told, stream=httpx.ByteStream(body))

    api = client("http://127.0.0.1", reserve=0.5)
    api._patience = replace(api._patience, throttle=30)
    api._http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://127.0.0.1")
    for _ in range(2):
        with suppress(SourceError):
            api.get("/api/Gift/list")


# Bounds.


def packed(times: int, body: bytes) -> bytes:
    return packed(times - 1, gzip.compress(body, 9)) if times else body


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_body_that_unpacks_to_more_than_a_page_can_be_is_not_unpacked(httpserver: HTTPServer, times: int) -> None:
    bomb = packed(times, b" " * (2 * MOST_BYTES))
    headers = {"Content-Encoding": ", ".join(["gzip"] * times)}
    answers(httpserver, *[Response(bomb, headers=headers)] * 3)
    with pytest.raises(AnswerNotUnderstood, match="more than 32 MB once it is unpacked"):
        client(httpserver.url_for("/raise")).get("/api/Gift/list")


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "identity", "", "gzip, gzip"])
def test_a_packed_body_is_unpacked(httpserver: HTTPServer, coding: str) -> None:
    body = b'{"items": []}'
    sent = {"deflate": zlib.compress(body), "identity": body, "": body}.get(coding, packed(coding.count("gzip"), body))
    answers(httpserver, Response(sent, headers={"Content-Encoding": coding}))
    assert client(httpserver.url_for("/raise")).get("/api/Gift/list") == body.decode()


@pytest.mark.parametrize(("coding", "cut"), [("gzip", 9), ("gzip", 25), ("br", 99), ("deflate", 99)])
def test_a_body_that_breaks_off_or_is_packed_otherwise_is_told(httpserver: HTTPServer, coding: str, cut: int) -> None:
    sent = gzip.compress(b'{"items": []}')[:cut]
    answers(httpserver, *[Response(sent, headers={"Content-Encoding": coding})] * 3)
    with pytest.raises(AnswerNotUnderstood, match="a body that cannot be unpacked"):
        client(httpserver.url_for("/raise")).get("/api/Gift/list")


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        ('{"é": 1}'.encode(), "utf-8", '{"é": 1}'),
        ('{"é": 1}'.encode(), "iso-8859-1", '{"é": 1}'),
        ('{"é": 1}'.encode("latin-1"), "iso-8859-1", '{"é": 1}'),
        ('{"é": 1}'.encode("utf-16"), "utf-16", '{"é": 1}'),
        ('{"é": 1}'.encode("utf-8-sig"), "utf-8", '{"é": 1}'),
        ('{"é": 1}'.encode(), "hex", '{"é": 1}'),
        ('{"é": 1}'.encode("latin-1"), "zlib", '{"\ufffd": 1}'),
        ('{"é": 1}'.encode("latin-1"), "undefined", '{"\ufffd": 1}'),
    ],
)
def test_json_is_utf_8_whatever_it_is_called(httpserver: HTTPServer, body: bytes, charset: str, text: str) -> None:
    answers(httpserver, Response(body, content_type=f"application/json; charset={charset}"))
    assert client(httpserver.url_for("/raise")).get("/api/Gift/list") == text


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b""]
)
def test_an_answer_that_trickles_in_ends_in_time(start: bytes) -> None:
    def trickle(listener: socket.socket) -> None:
        with suppress(OSError), listener.accept()[0] as connection:
            connection.sendall(start)
            while True:
                connection.sendall(b"H" if not start else b"x")
                sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        trickles = Thread(target=trickle, args=(listener,), daemon=True)
        trickles.start()
        api = client(f"http://127.0.0.1:{listener.getsockname()[1]}")
        api._patience = replace(api._patience, attempts=1, answer=5, whole=0.3)
        began = monotonic()
        with pytest.raises((SourceUnreachable, SourceBroken), match="no answer in time"):
            api.get("/api/Gift/list")
        assert monotonic() - began < 5
        api.close()
        trickles.join(10)


def test_an_hour_without_a_whole_answer_ends_the_source() -> None:
    clock = LeapingClock()

    def answer(_: httpx.Request) -> httpx.Response:
        clock.sleep(500)
        raise httpx.ReadTimeout("")

    api = client("http://127.0.0.1", clock)
    api._has_answered = True
    api._http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://127.0.0.1")
    failed = []
    for _ in range(3):
        with pytest.raises((SourceBroken, SourceUnreachable)) as caught:
            api.get("/api/Gift/list")
        failed.append(caught.value.stops_source)
    assert failed == [False, False, True]
    assert api.usage.requests == 8


def test_429_without_a_word_is_asked_about_ever_less_often(httpserver: HTTPServer) -> None:
    clock = LeapingClock()
    api = client(httpserver.url_for("/raise"), clock)
    silent = [Response("", 429)] * 8
    answers(httpserver, *silent, Response("{}"), *silent[:2], Response("{}"))
    api.get("/api/Gift/list")
    api.get("/api/Gift/list")
    waits = [1, 2, 4, 8, 16, 32, 60, 60, 1, 2]
    assert clock.slept == [pytest.approx(wait, abs=0.5) for wait in waits]


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(minutes=10), timedelta(hours=-1)])
@pytest.mark.parametrize("says", ["X-RateLimit-Reset", "Retry-After"])
def test_a_clock_that_is_another_than_the_apis_waits_as_long(ahead: timedelta, says: str) -> None:
    clock = LeapingClock()
    opens = datetime.now(UTC) + timedelta(minutes=30)
    sent: list[float] = []

    def answer(_: httpx.Request) -> httpx.Response:
        now = datetime.fromtimestamp(clock.time(), UTC)
        sent.append(clock.time())
        headers = {"Date": format_datetime(now - ahead, usegmt=True)}
        until = opens - ahead
        told = format_datetime(until, usegmt=True) if says == "Retry-After" else f"{until.timestamp():.0f}"
        return httpx.Response(200 if now >= opens else 429, text="{}", headers=headers | {says: told})

    api = client("http://127.0.0.1", clock)
    api._http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://127.0.0.1")
    api.get("/api/Gift/list")
    assert len(sent) <= 3
    assert sum(clock.slept) == pytest.approx(1800, abs=4)


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=2), timedelta(hours=-2)])
def test_a_clock_that_is_another_than_the_apis_keeps_the_reserve(ahead: timedelta) -> None:
    opens = datetime.now(UTC) + timedelta(hours=1)
    headers = {
        "Date": format_datetime(datetime.now(UTC) - ahead, usegmt=True),
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Remaining": "1",
        "X-RateLimit-Reset": f"{(opens - ahead).timestamp():.0f}",
    }

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="{}", headers=headers)

    api = client("http://127.0.0.1", reserve=0.5)
    api._http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://127.0.0.1")
    api.get("/api/Gift/list")
    assert api.budget
    assert abs(datetime.fromtimestamp(api.budget.reset, UTC) - opens) < timedelta(seconds=3)
    with pytest.raises(BudgetSpent):
        api.get("/api/Gift/list")


def test_a_reset_in_milliseconds_keeps_the_reserve_until_then(httpserver: HTTPServer) -> None:
    api = client(httpserver.url_for("/raise"), reserve=0.5)
    resets_at = (datetime.now(UTC) + timedelta(hours=1)).replace(second=30)
    told = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "1"}
    answers(httpserver, Response("{}", headers={**told, "X-RateLimit-Reset": f"{resets_at.timestamp() * 1000:.0f}"}))
    api.get("/api/Gift/list")
    with pytest.raises(BudgetSpent, match=f"from {resets_at + timedelta(minutes=1):%H:%M} UTC"):
        api.get("/api/Gift/list")


def test_one_alone_asks_whether_the_wait_is_over(httpserver: HTTPServer) -> None:
    """The others neither send anything meanwhile nor come all at once after it."""
    sent: list[int] = []
    during: list[int] = []
    with ThreadPoolExecutor(6) as executor:

        def while_it_waits(seconds: float) -> None:
            executor.submit(api.get, "/api/Gift/list")
            executor.submit(api.get, "/api/Gift/list")
            sleep(0.2)
            during.append(len(sent))

        def answer(_: Request) -> Response:
            sent.append(len(during))
            return Response("", 429, {"Retry-After": "900"}) if len(sent) <= 3 else Response("{}")

        httpserver.expect_request("/raise/api/Gift/list").respond_with_handler(answer)
        api = client(httpserver.url_for("/raise"), LeapingClock(while_it_waits))
        assert api.get("/api/Gift/list") == "{}"
    assert during == [1, 2, 3]
    assert sent == [0, 1, 2, 3, 3, 3, 3, 3, 3, 3]


def test_who_was_under_way_when_the_window_closed_does_not_wait_twice() -> None:
    both_sent = Barrier(2)
    sent: list[int] = []

    def answer(_: httpx.Request) -> httpx.Response:
        sent.append(1)
        if len(sent) <= 2:
            both_sent.wait(10)
            return httpx.Response(429, headers={"Retry-After": "900"})
        return httpx.Response(200, text="{}")

    clock = LeapingClock(lambda _: sleep(0.2))
    api = client("http://127.0.0.1", clock)
    api._http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://127.0.0.1")
    with ThreadPoolExecutor(2) as executor:
        assert list(executor.map(api.get, ["/api/Gift/list"] * 2)) == ["{}"] * 2
    assert sum(clock.slept) == pytest.approx(900, abs=5)


def test_a_pace_does_not_lead_into_a_forbidden_window(httpserver: HTTPServer) -> None:
    """Who waits for its turn when a 429 comes in waits for that too."""
    clock = LeapingClock()
    api = client(httpserver.url_for("/raise"), clock, requests_per_second=0.1)
    answers(httpserver, Response("{}"), Response("", 429, {"Retry-After": "900"}), Response("{}"), Response("{}"))
    for _ in range(3):
        api.get("/api/Gift/list")
    assert [round(waited) for waited in clock.slept] == [10, 900, 10]


def test_429_is_no_fault_however_often(httpserver: HTTPServer, raise_api: ReadClient) -> None:
    answers(httpserver, *(Response("", 429, {"Retry-After": "1"}) for _ in range(20)), Response("{}"))
    assert raise_api.get("/api/Gift/list") == "{}"


@pytest.mark.parametrize(
    ("response", "error", "says"),
    [
        (Response("denied", 401), CredentialRefused, "check RAISE_API_TOKEN"),
        (Response("", 403), PermissionRefused, "does not let RAISE_API_TOKEN read /api/Gift/list"),
        (Response("", 404), ResourceAbsent, "has no /api/Gift/list"),
        (Response('{"title": "Bad SortBy", "status": 400}', 400), RequestRejected, "400: Bad SortBy"),
        (Response('{"error": {"code": "X", "message": "No."}}', 400), RequestRejected, "400: No."),
        (
            Response("", 302, {"Location": "https://elsewhere.example.org/x"}),
            AnswerNotUnderstood,
            "redirect to elsewhere",
        ),
    ],
)
def test_what_waiting_does_not_mend_is_told_at_once(
    httpserver: HTTPServer, raise_api: ReadClient, response: Response, error: type[Exception], says: str
) -> None:
    answers(httpserver, response)
    with pytest.raises(error, match=says) as caught:
        raise_api.get("/api/Gift/list")
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert raise_api.usage.requests == 1


def test_a_redirect_is_not_followed(httpserver: HTTPServer, raise_api: ReadClient) -> None:
    seen: list[Request] = []
    httpserver.expect_request("/elsewhere").respond_with_handler(lambda request: seen.append(request) or Response("{}"))
    answers(httpserver, Response("", 307, {"Location": httpserver.url_for("/elsewhere")}))
    with pytest.raises(AnswerNotUnderstood):
        raise_api.get("/api/Gift/list")
    assert seen == []


def test_a_host_that_is_not_there(unused_tcp_port: int) -> None:
    with pytest.raises(SourceUnreachable, match=f"Raise at 127.0.0.1:{unused_tcp_port} cannot be reached"):
        client(f"http://127.0.0.1:{unused_tcp_port}").get("/api/Gift/list")


def test_a_host_that_hangs_up_on_everything_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        hangs_up = Thread(target=lambda: [listener.accept()[0].close() for _ in range(3)], daemon=True)
        hangs_up.start()
        with pytest.raises(SourceUnreachable, match="cannot be reached"):
            client(url).get("/api/Gift/list")
        hangs_up.join()


def test_requests_are_paced(httpserver: HTTPServer) -> None:
    clock = LeapingClock()
    api = client(httpserver.url_for("/raise"), clock, requests_per_second=0.1)
    answers(httpserver, *(Response("{}") for _ in range(3)))
    for _ in range(3):
        api.get("/api/Gift/list")
    assert clock.slept == [pytest.approx(10, abs=2), pytest.approx(10, abs=2)]


@pytest.mark.parametrize(
    "said",
    [
        Response('{"detail": "no Zora Quimbledon"}', 400),
        Response('{"error": {"message": "Quimbledon"}}', 409),
        Response("Quimbledon", "418 Quimbledon"),
        Response("", 302, {"Location": "https://quimbledon.example/Quimbledon"}),
        Response("<html>Quimbledon", 200),
        Response("Quimbledon", 500),
    ],
    ids=["detail", "message", "reason", "redirect", "text", "server error"],
)
def test_what_an_api_says_is_not_quoted_where_it_may_be_about_somebody(httpserver: HTTPServer, said: Response) -> None:
    path = "/api/Gift/list"
    httpserver.expect_request(f"/raise{path}").respond_with_handler(lambda _: said)
    made = client(httpserver.url_for("/raise"), quotes=False)
    with pytest.raises(SourceError) as error:
        made.get_as(lambda body: page_of("Raise", GIFTS, "items", body), path)
    made.close()
    assert "quimbledon" not in str(error.value).lower()


def test_a_line_that_breaks_the_protocol_is_not_quoted_either() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(3):
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nQuimbledon, Zora\r\n\r\n")

        Thread(target=answer, daemon=True).start()
        made = client(f"http://127.0.0.1:{server.getsockname()[1]}", quotes=False)
        with pytest.raises(SourceError) as error:
            made.get("/api/Gift/list")
        made.close()
    assert "RemoteProtocolError" in str(error.value)
    assert "quimbledon" not in str(error.value).lower()


SECRET = "Marked+raise/token=0123456789"
BASE64 = b64encode(f"Bearer {SECRET}".encode()).decode()
ECHOES = {
    "body": (200, "", f'{{"items": [{{"{SECRET}": "{SECRET}"}}], "more": "{BASE64}"}}'),
    "body with escapes": (200, "", "".join(f"\\u{ord(character):04x}" for character in SECRET)),
    "detail": (400, "", f'{{"detail": "{SECRET} is odd"}}'),
    "detail that is cut": (422, "", f'{{"message": "{"x" * 190}{SECRET}"}}'),
    "detail of an error": (400, "", f'{{"error": {{"title": ["{quote(SECRET, safe="")}"]}}}}'),
    "status line": (418, f"No {SECRET}", ""),
    "Location": (302, f"Location: https://{SECRET}@{SECRET}.example.org/{SECRET}", ""),
    "Location that is none": (302, f"Location: https://[{SECRET}", ""),
    "header that is none": (200, f"no colon {SECRET}", ""),
    "status line that is none": (None, "", f"HTTQ {SECRET}"),
    "type of the body": (200, f"Content-Type: text/{SECRET}; charset={SECRET}", "{}"),
    "packing of the body": (200, f"Content-Encoding: {SECRET}", "{}"),
    "instants": (429, f"Retry-After: {SECRET}", SECRET),
    "login page": (200, "", f"<html>{SECRET}"),
}


@pytest.mark.parametrize(("status", "line", "body"), ECHOES.values(), ids=ECHOES)
def test_what_repeats_the_credential_is_masked(status: int | None, line: str, body: str) -> None:
    reason = line if status == 418 else "OK"
    header = "" if status == 418 or not line else f"{line}\r\n"
    answer = f"HTTP/1.1 {status} {reason}\r\n{header}Content-Length: {len(body)}\r\n\r\n{body}" if status else body
    with raw_server(answer.encode()) as address, suppress(SourceError):
        made = ReadClient(
            product="Raise",
            base_url=address,
            credential=SecretStr(SECRET),
            credential_name="RAISE_API_TOKEN",
            reads=RAISE_READS,
            patience=Patience(attempts=1, throttle=0.5, clock=LeapingClock()),
        )
        try:
            said = made.get_as(understood, "/api/Gift/list")
        except SourceError as error:
            said = str(error)
        finally:
            made.close()
        assert not [form for form in (SECRET, SECRET.lower(), BASE64[12:36], quote(SECRET, safe="")) if form in said]
        assert "Marked" not in said
        assert ("***" in said) is ((line == "" and status is not None) or status == 418 or "@" in line)


def understood(body: str) -> str:
    if "<html>" in body:
        raise AnswerNotUnderstood("Raise", "/api/Gift/list", body)
    return body


@contextmanager
def raw_server(answer: bytes) -> Iterator[str]:
    """Answers everything with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(answer)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
