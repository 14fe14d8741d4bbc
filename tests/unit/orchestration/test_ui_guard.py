"""What other pages and strangers send never comes to Dagster, and what the UI sends does."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from orchestration.ui import login as logins
from orchestration.ui.guard import Guard
from orchestration.ui.login import Login

PASSWORD = "correct horse battery"
JSON = {"content-type": "application/json"}


class Behind:
    """What stands behind the guard, and what came to it."""

    def __init__(self) -> None:
        self.came: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.came.append(scope["path"])
        if scope["type"] == "websocket":
            socket = WebSocket(scope, receive, send)
            await socket.accept()
            await socket.close()
            return
        await PlainTextResponse("the UI", headers={"Content-Security-Policy": "object-src 'none'"})(
            scope, receive, send
        )


@pytest.fixture
def behind() -> Behind:
    return Behind()


@pytest.fixture
def client(behind: Behind) -> TestClient:
    return TestClient(Guard(behind, {"tieout.example.org", "odd.example.org:8443"}), base_url="http://localhost:3000")


@pytest.mark.parametrize(
    "host",
    [
        *("localhost:3000", "LOCALHOST", "localhost.", "127.0.0.1:3000", "[::1]:3000", "tieout.example.org"),
        *("tieout.example.org:8443", "odd.example.org:8443"),
    ],
)
def test_it_answers_to_its_own_names(client: TestClient, host: str) -> None:
    assert client.get("/runs", headers={"host": host}).text == "the UI"


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:3000", "", "[::1", "user@localhost"),
        *("localhost@evil.example", "odd.example.org", "odd.example.org:1", "169.254.169.254", "a/localhost"),
        *("localhost#.evil.example", "localhost/evil.example", "localhost?evil.example"),
    ],
)
def test_a_name_that_was_turned_to_this_machine_is_refused(client: TestClient, behind: Behind, host: str) -> None:
    answer = client.get("/", headers={"host": host})
    assert (answer.status_code, behind.came) == (421, [])
    assert "UI_ALLOWED_HOSTS" in answer.text


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "http://evil.example",
            "null",
            "http://localhost:8080",
            "http://localhost",
            "http://localhost:3000.evil.example",
        ),
        *("http://odd.example.org", "file://", "https://localhost@evil.example", "http://["),
    ],
)
@pytest.mark.parametrize("path", ["/graphql", "/report_asset_materialization/marts/recon_gifts"])
def test_what_another_page_posts_is_refused(client: TestClient, behind: Behind, origin: str, path: str) -> None:
    answer = client.post(path, json={"query": "mutation"}, headers={"origin": origin})
    assert (answer.status_code, behind.came) == (403, [])


@pytest.mark.parametrize("site", ["cross-site", "same-site", "odd"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_another_page_asks_for_is_refused(client: TestClient, behind: Behind, site: str, method: str) -> None:
    answer = client.request(method, "/server_info", headers={**JSON, "sec-fetch-site": site})
    assert (answer.status_code, behind.came) == (403, [])


def test_a_link_of_a_mail_leads_to_a_page(client: TestClient, behind: Behind) -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert client.get("/runs/1", headers=link).text == "the UI"
    for other in ({"sec-fetch-dest": "iframe"}, {"sec-fetch-mode": "no-cors"}):
        assert client.get("/runs/1", headers={**link, **other}).status_code == 403
    assert client.post("/runs/1", headers={**link, **JSON}, json={}).status_code == 403
    assert client.get("/graphql?query={x}", headers=link).status_code == 403
    assert behind.came == ["/runs/1"]


@pytest.mark.parametrize("path", ["/graphql?query=mutation{launchRun}", "/graphql/", "/%67raphql", "/prefix/graphql"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nothing_is_executed_by_a_read(client: TestClient, behind: Behind, path: str, method: str) -> None:
    for accepts in ("*/*", "text/html"):
        answer = client.request(method, path, headers={"accept": accepts})
        assert (answer.status_code, behind.came) == (405, [])


def test_no_spelling_of_a_path_executes_by_a_read() -> None:
    """The end of a route's expression also matches before a line feed: a link of any page came to GraphQL by that."""
    came: list[str] = []

    async def graphql(request: Request) -> Response:
        came.append(request.url.path)
        return PlainTextResponse("executed")

    routed = Starlette(routes=[Route("/graphql", graphql, methods=["GET", "POST"])])
    client = TestClient(Guard(routed), base_url="http://localhost:3000")
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    odd = [f"graphql%{byte:02x}" for byte in range(256)]
    odd += ["graphql%c2%85", "graphql%e2%80%a8", "graphql%250a", "graphql%0a/", "graphql/%0a", "%0agraphql", "/graphql"]
    for path in odd:
        client.get(f"/{path}?query=mutation{{launchRun}}", headers=link)
    assert came == []
    assert client.post("/graphql", json={}).text == "executed"


@pytest.mark.parametrize("path", ["/runs%0a", "/runs/%00", "/a%0d%0ab", "/a%250a", "/%e2%80%ae"])
def test_a_path_of_control_characters_is_refused(client: TestClient, behind: Behind, path: str) -> None:
    assert (client.get(path).status_code, behind.came) == (400, [])


def test_a_second_word_on_where_it_comes_from_counts(client: TestClient, behind: Behind) -> None:
    headers = [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]
    assert (client.get("/server_info", headers=headers).status_code, behind.came) == (403, [])


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
            "application/graphql",
        ),
        *("text/plain; x=application/json", "text/plain, application/json"),
    ],
)
def test_what_a_form_can_send_is_refused(client: TestClient, behind: Behind, kind: str) -> None:
    answer = client.post("/graphql", content=b'{"query": "mutation"}', headers={"content-type": kind})
    assert (answer.status_code, behind.came) == (415, [])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    assert client.request(method, "/graphql", headers=JSON).status_code == 405


def test_a_path_upwards_is_refused(client: TestClient) -> None:
    assert client.get("/logs/a/%2e%2e/%2e%2e/secret/out").status_code == 400


@pytest.mark.parametrize("origin", [None, "http://localhost:3000"])
def test_the_page_itself_is_answered(client: TestClient, origin: str | None) -> None:
    own = {"sec-fetch-site": "same-origin", **({"origin": origin} if origin else {})}
    assert client.post("/graphql", json={"query": "{ version }"}, headers=own).text == "the UI"
    with client.websocket_connect("/graphql", headers={"host": "localhost:3000", **own}):
        pass


def test_a_proxy_may_name_another_host(client: TestClient) -> None:
    """Some put the address that they ask in its place; the page's own name is known all the same."""
    behind_proxy = {"host": "127.0.0.1:3000", "origin": "https://tieout.example.org"}
    assert client.post("/graphql", json={}, headers=behind_proxy).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"origin": "http://evil.example"}, {"host": "evil.example"}, {"sec-fetch-site": "same-site"}, {"origin": "null"}],
)
def test_another_page_gets_no_socket(client: TestClient, behind: Behind, headers: dict[str, str]) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/graphql", headers={"host": "localhost:3000", **headers}),
    ):
        pass
    assert behind.came == []


def test_no_other_page_may_show_it(client: TestClient) -> None:
    for path in ("/", "/graphql"):
        headers = client.get(path).headers
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin"
    policies = client.get("/").headers.get_list("content-security-policy")
    assert policies == ["object-src 'none'", "frame-ancestors 'none'; form-action 'self'"]


@pytest.fixture
def asked(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TestClient]:
    """A browser before a UI with a password."""
    monkeypatch.setattr(logins, "_SECONDS_AFTER_A_WRONG_ONE", 0.0)
    guard = Guard(behind, (), Login(PASSWORD))
    return lambda url="http://localhost:3000": TestClient(guard, base_url=url)


def basic(text: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    "headers",
    [
        {}, basic("tieout:wrong"), basic("tieout:"), basic(PASSWORD), {"authorization": "Basic !"},
        {"authorization": f"Bearer {PASSWORD}"}, {"cookie": "tieout_ui="}, {"cookie": "tieout_ui=x"}, basic("a:ü"),
        {"authorization": b"Basic \xff"},
    ],
)  # fmt: skip
def test_a_stranger_is_asked(asked: Callable[..., TestClient], behind: Behind, headers: dict[str, str]) -> None:
    answer = asked().get("/", headers=headers)
    assert (answer.status_code, behind.came) == (401, [])
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert "set-cookie" not in answer.headers


def test_the_password_is_asked_for_once(asked: Callable[..., TestClient]) -> None:
    browser = asked()
    cookie = browser.get("/", headers=basic(f"anybody:{PASSWORD}")).headers["set-cookie"]
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert browser.post("/graphql", json={}).text == "the UI"
    known = {"host": "localhost:3000", "cookie": cookie.partition(";")[0]}
    with browser.websocket_connect("/graphql", headers=known):
        pass
    assert PASSWORD not in cookie


def test_a_page_that_came_encrypted_keeps_its_cookie_to_that(asked: Callable[..., TestClient]) -> None:
    for url, told in (("https://localhost", {}), ("http://localhost", {"x-forwarded-proto": "https"})):
        answer = asked(url).get("/", headers={**basic(f"a:{PASSWORD}"), **told})
        assert answer.headers["set-cookie"].endswith("; Secure")
