"""Servers that repeat the credential wherever an answer has room for it, and everything that is left behind then.

A proxy stands before the sandbox. It plants the credential of each product, in every form in which it may come, in
status lines, headers, and bodies of every status, in keys and values of rows and payloads.
"""

from __future__ import annotations

import base64
import json
import re
import signal
import socketserver
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

import pytest

from ingestion.sandbox import Handle
from tests.integration.conftest import Workplace
from tests.secrets import found_in

RAISE, CRM_PLUS = "Planted+Raise/token=0123456789", "v_Planted&crm+/key~9876543210"
OTHERS = {
    "ALERT_SMTP_PASSWORD": "planted-mail-password",
    "PII_SALT": "planted-salt-of-hashes",
    "ALERT_WEBHOOK_URL": "http://127.0.0.1:9/planted/alert/address",
}
_PLAIN = {
    "firstName",
    "lastName",
    "name",
    "comment",
    "notes",
    "description",
    "email",
    "emailAddress",
    "organizationName",
}
Way = int | str
_REFUSALS: tuple[Way, ...] = (400, 403, 404, 418, 422, 301)
_FAULTS: tuple[Way, ...] = ("illegal header", "cut", "text", "json", 500, 408, "illegal status", 503)


def forms(secret: str) -> list[str]:
    """How a credential is repeated; as a part of a text, in JSON."""
    return [
        secret,
        f"Bearer {secret}",
        secret.upper(),
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode(),
        base64.b64encode(f"Bearer {secret}".encode()).decode(),
        base64.urlsafe_b64encode(f"me:{secret}".encode()).decode(),
    ]


def marks(secret: str) -> list[str]:
    """What must be found nowhere: the forms, and what they hold whatever stands beside it."""
    cores = [base64.b64encode(bytes(n) + secret.encode()).decode()[skip:36] for n, skip in ((0, 0), (1, 2), (2, 3))]
    escaped = [json.dumps(secret)[1:-1].replace("/", "\\/"), _escaped(secret)]
    return [secret, secret.lower(), secret.upper(), quote(secret, safe=""), *cores, *escaped]


def _escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


@dataclass
class Parrot:
    """What the proxy is to do: plant in what the sandbox answers, or answer with an error that `error` chooses."""

    target: str
    secrets: dict[str, tuple[str, str]]
    """By path of the product: what is planted, and what the sandbox takes instead."""
    error: Callable[[str], Way | None] = lambda path: None
    address: str = ""
    planted: int = 0
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def form(self, secret: str) -> str:
        with self._lock:
            self.planted += 1
            self._number += 1
            return forms(secret)[self._number % 7]

    def plant(self, value: Any, secret: str, key: str = "") -> Any:
        """JSON with the credential beside what is shown to people, and under keys of its own."""
        if isinstance(value, list):
            return [self.plant(inner, secret, key) for inner in value]
        if isinstance(value, dict):
            planted = {name: self.plant(inner, secret, name) for name, inner in value.items()}
            if {"id", "eventType", "isActive", "createdDate"} & value.keys():
                nested = {"deep": [{self.form(secret): self.form(secret)}, self.form(secret)]}
                planted |= {f"echo {self.form(secret)}": nested, f"Echo {secret}": 1}
            return planted
        if key == "payLoad" and isinstance(value, str):
            try:
                return json.dumps(self.plant(json.loads(value), secret))
            except ValueError:
                return f"{value} {self.form(secret)}"
        return f"{value} {self.form(secret)}" if key in _PLAIN and isinstance(value, str) else value

    def body(self, body: bytes, secret: str) -> bytes:
        answer = json.loads(body)
        planted = self.plant(answer, secret)
        rows = planted.get("items", planted.get("list")) if isinstance(planted, dict) else None
        if rows and planted["total"] == len(rows) > 1:
            # What no type takes, and what has no key: quarantine. On one page, so that paging is none the wiser.
            rows[0] |= {name: f"around {self.form(secret)}" for name in rows[0] if name.startswith("modifiedDate")}
            rows.append({self.form(secret): self.form(secret)})
        return json.dumps(planted).replace("Bearer", _escaped(f"Bearer {secret}")).encode()


class _Handler(BaseHTTPRequestHandler):
    parrot: ClassVar[Parrot]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        parrot = self.parrot
        length = int(self.headers.get("content-length") or 0)
        sent = self.rfile.read(length) if length else None
        product = self.path.split("/")[1]
        secret, taken = parrot.secrets[product]
        assert self.headers["authorization"] == f"Bearer {secret}"
        if (error := parrot.error(urlsplit(self.path).path)) is not None:
            self._fail(error, secret)
            return
        headers = {"Authorization": f"Bearer {taken}", "Content-Type": "application/json"}
        request = urllib.request.Request(parrot.target + self.path, sent, headers, method=self.command)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
                status, headers, body = response.status, response.headers, response.read()
        except urllib.error.HTTPError as refused:
            status, headers, body = refused.code, refused.headers, refused.read()
        self._send(status, parrot.body(body, secret) if status == 200 else body, secret, headers)

    def _send(self, status: int, body: bytes, secret: str, headers: Message | dict[str, str]) -> None:
        self.send_response_only(status, f"Echo {secret}")
        for name in ("date", "retry-after", *(f"x-ratelimit-{part}" for part in ("limit", "remaining", "reset"))):
            if value := headers.get(name):
                self.send_header(name, value)
        self.send_header("Content-Type", "application/json; charset=utf-8; echo=" + quote(secret, safe=""))
        self.send_header("X-Echo", f"Bearer {secret}")
        self.send_header(re.sub(r"[^\w-]", "-", secret), secret)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _fail(self, error: Way, secret: str) -> None:
        form = self.parrot.form(secret)
        if error == "illegal header":
            self.wfile.write(f"HTTP/1.1 200 OK\r\nno colon {form}\r\n\r\n".encode())
        elif error == "illegal status":
            self.wfile.write(f"HTTQ {form}\r\n\r\n".encode())
        elif error == "cut":
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{form}".encode())
        elif error == "text":
            self._send(200, f"the credential {form} was sent".encode(), secret, {})
        elif error == "json":
            self._send(200, json.dumps({form: form}).encode(), secret, {})
        elif error == 301:
            where = f"Location: https://{quote(secret, safe='')}.example.org/{form}"
            self.wfile.write(f"HTTP/1.1 301 {form}\r\n{where}\r\nContent-Length: 0\r\n\r\n".encode())
        elif error == 418:
            # Only the status line says anything.
            self.wfile.write(f"HTTP/1.1 418 {form}\r\nContent-Length: 0\r\n\r\n".encode())
        else:
            assert isinstance(error, int)
            told = {"detail": f"{form} may not", "message": form, "error": {"message": f"{'x' * 180} {secret}"}}
            self._send(error, json.dumps(told).encode(), secret, {})
        self.close_connection = True

    do_GET = do_POST = _answer  # noqa: N815


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True


@pytest.fixture
def parrot(sandbox: Handle) -> Iterator[Parrot]:
    target = sandbox.raise_base_url.removesuffix("/raise")
    secrets = {"raise": (RAISE, sandbox.raise_token), "crm-plus": (CRM_PLUS, sandbox.crm_plus_key)}
    made = Parrot(target, secrets)
    handler = type("Handler", (_Handler,), {"parrot": made})
    with _Server(("127.0.0.1", 0), handler) as server:
        made.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def planted(sandbox: Handle, workplace_for: Callable[[Handle], Workplace], parrot: Parrot) -> Workplace:
    place = workplace_for(sandbox)
    address = parrot.address
    place.environment |= {
        "RAISE_BASE_URL": f"{address}/raise",
        "RAISE_API_TOKEN": RAISE,
        "CRM_PLUS_BASE_URL": f"{address}/crm-plus",
        "CRM_PLUS_API_KEY": CRM_PLUS,
        "ALERT_SMTP_USER": "ops",
        "WEBHOOK_PAYLOADS_PER_RUN": "20",
        **OTHERS,
    }
    return place


class Children:
    """The environments of what a process starts, while it runs."""

    def __init__(self, parent: int) -> None:
        self.environments: dict[str, str] = {}
        self._parent = parent
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Children:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    # Before it has become its own program, a child is a copy of its parent.
                    if parent == self._parent and "orchestration.tethered" in command:
                        self.environments[command] = (process / "environ").read_text(errors="replace")
                except (OSError, IndexError):
                    continue


_LAUNCH = """mutation { launchRun(executionParams: { selector: {
  jobName: "reconcile", repositoryName: "__repository__", repositoryLocationName: "orchestration.definitions"
}, stepKeys: ["ingest_raise", "ingest_crm_plus"] }) { ... on LaunchRunSuccess { run { runId } } } }"""
_RUN = "{ runOrError(runId: %s) { ... on Run { status } } }"


def ask(port: int, query: str) -> Any:
    body, kind = json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, kind)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        (told,) = json.load(answer)["data"].values()
        return told


def run_in_the_ui(place: Workplace, port: int) -> str:
    """How a run ends that is started in the UI of `tieout dev`."""
    dev = place.start("dev", "--port", str(port))
    try:
        run_id = ""
        while dev.poll() is None:
            try:
                run_id = run_id or json.dumps(ask(port, _LAUNCH)["run"]["runId"])
                status = ask(port, _RUN % run_id)["status"]
            except urllib.error.URLError:
                status = "not yet"
            if status in ("SUCCESS", "FAILURE"):
                return status
            time.sleep(0.5)
        return "dev ended"
    finally:
        dev.send_signal(signal.SIGINT)
        place.log += dev.communicate(timeout=60)


def test_a_credential_that_is_repeated_is_left_nowhere(
    planted: Workplace, parrot: Parrot, unused_tcp_port: int
) -> None:
    place = planted
    assert place.tieout("run", "--only", "ingest").returncode == 0, place.log
    assert parrot.planted > 1000

    # Then everything is refused, each path in another way. A run is patient with what may pass, the doctor is not.
    for command, ways in (("run", _REFUSALS), ("doctor", (418, *_FAULTS)), ("doctor", (401,))):
        asked: dict[str, Way] = {}

        def refuse(path: str, asked: dict[str, Way] = asked, ways: tuple[Way, ...] = ways) -> Way:
            return asked.setdefault(path, ways[len(asked) % len(ways)])

        parrot.error = refuse
        process = place.start(command)
        with Children(process.pid) as children:
            place.log += process.communicate(timeout=800)
        assert process.returncode == 1, place.log
        assert asked
        if command == "run":
            assert any(" build " in child for child in children.environments), children.environments.keys()
        for child, environment in children.environments.items():
            assert [secret for secret in (RAISE, CRM_PLUS, *OTHERS.values()) if secret in environment] == [], child
    # Nor by a run that is started in the UI, nor by the servers of it.
    asked_by_the_ui: list[str] = []
    parrot.error = lambda path: asked_by_the_ui.append(path) or _REFUSALS[len(asked_by_the_ui) % len(_REFUSALS)]
    assert run_in_the_ui(place, unused_tcp_port) in ("SUCCESS", "FAILURE"), place.log[-2:]
    assert asked_by_the_ui
    for command in (
        ("summary",),
        ("summary", "--format", "json"),
        ("exceptions", "--state", "all", "--format", "csv"),
        ("labels", "--format", "json"),
        ("backup", str(place.folder / "copy")),
    ):
        assert place.tieout(*command).returncode == 0, place.log[-1]

    names = {file.name for file in place.folder.rglob("*") if file.is_file()}
    assert {"warehouse.duckdb", "tieout.duckdb", "manifest.json", "dbt.log", "runs.db"} <= names
    all_marks = [*marks(RAISE), *marks(CRM_PLUS), *OTHERS.values(), "planted/alert/address"]
    said = "\n".join(place.log)
    assert [mark for mark in all_marks if mark in said] == []
    assert found_in(place.folder, all_marks) == []
    # The state of dlt, which is packed, was looked into.
    assert any("packed" in where for where in found_in(place.folder, ['"_state_version"']))
    # They came, and were hidden.
    assert place.query("select count(*) > 0 from marts.donors where first_name like '%***'", published=True) == [
        (True,)
    ]
    assert place.query("select count(*) > 0 from raw_raise.quarantined_records where raw_text like '%***%'") == [
        (True,)
    ]
    assert place.query("select count(*) > 0 from raw_raise.schema_drift where field like '%***%'") == [(True,)]
