"""Plants personal data in every position of the rows, payloads and errors of both products that is not kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx

from ingestion.columns import Kind, Resource
from ingestion.virtuous_crm_plus.resources import RESOURCES as CRM_PLUS
from ingestion.virtuous_raise.resources import RESOURCES as RAISE

NAME, MAIL, PHONE, TAX_ID, BORN, PLACE = (
    "Zora Quimbledon", "zora@quimbledon.example", 6025550191, "517-29-8834", "1951-07-23", 33.44837619,
)  # fmt: skip
MARKS = ("Quimbledon", "quimbledon", str(PHONE), "555-0191", TAX_ID, "517298834", BORN, "7/23/1951", "33.4483761")

UNDECLARED: dict[str, Any] = {
    "nickName": NAME,
    "taxId": TAX_ID,
    "taxNumber": 517298834,
    "cell": PHONE,
    "born": BORN,
    "latitude": PLACE,
    "bloodType": f"as {NAME}'s",
    "heardOfUsBySource": f"her aunt {NAME}",
    "portrait": f"https://pictures.example/{MAIL}?of={NAME}",
    NAME: True,
    MAIL: {"since": BORN, "type": NAME, "source": NAME, "id": 517298834},
    "households": [{"role": NAME, "born": BORN, MAIL: [PHONE, NAME], "customFields": [{"name": NAME, "value": BORN}]}],
}
_BY_KIND: Mapping[Kind, Any] = {
    Kind.TEXT: f"In memory of {NAME} <{MAIL}>, 602-555-0191, {TAX_ID}, 7/23/1951",
    Kind.JSON: [UNDECLARED, NAME, PHONE, BORN],
    Kind.INTEGER: PHONE,
    Kind.MONEY: PHONE,
    Kind.RATE: PLACE,
    Kind.INSTANT: BORN,
    Kind.DATE: BORN,
}


def planted(row: Mapping[str, Any], resource: Resource) -> dict[str, Any]:
    """A row with marks in all that is not declared as impersonal: fields, what lies within them, and their names."""
    made: dict[str, Any] = {**row, **UNDECLARED}
    for column in resource:
        if column.wire in resource.nested:
            made[column.wire] = _within(row.get(column.wire), column.wire, resource.nested[column.wire])
        elif column.wire not in resource.impersonal:
            made[column.wire] = _BY_KIND[column.kind]
    return made


def _within(value: Any, wire: str, kept: frozenset[str]) -> Any:
    if isinstance(value, str):
        try:
            opened = json.loads(value)
        except ValueError:
            return value
        return json.dumps(_within(opened, wire, kept)) if isinstance(opened, dict | list) else value
    if isinstance(value, list):
        return [_within(inner, wire, kept) for inner in value]
    if not isinstance(value, dict):
        return value
    if wire == "crmKeyUrls":
        return {**value, NAME: {"url": f"https://crm.example/{MAIL}"}} if value else value
    made = {
        name: (
            _within(inner, wire, kept)
            if isinstance(inner, dict | list) or (wire == "payLoad" and name not in kept)
            else inner
            if name in kept
            else NAME
        )
        for name, inner in value.items()
    }
    others = {name: inner for name, inner in UNDECLARED.items() if wire != "payLoad" or name != MAIL}
    return {**made, **others, "firstName": NAME, "value": MAIL, "notes": NAME, "tags": [NAME, PHONE]}


class _Planter(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    product: str
    behind: httpx.Client

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, body: bytes | None) -> None:
        product, _, path = self.path.lstrip("/").partition("/")
        if path.startswith("api/Webhook/list"):
            said = json.dumps({"title": NAME, "detail": f"{NAME}, {MAIL}, born {BORN}"}).encode()
            self._send(400, said, f"Bad {NAME}")
            return
        kept = {name: self.headers[name] for name in ("authorization", "content-type") if self.headers[name]}
        answer = self.behind.request(self.command, self.path, content=body, headers=kept)
        self._send(answer.status_code, _planted_in(product, path, answer), "")

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["content-length"] or 0)))

    def _send(self, status: int, body: bytes, reason: str) -> None:
        self.send_response(status, reason or None)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _planted_in(product: str, path: str, answer: httpx.Response) -> bytes:
    if answer.status_code != 200:
        return answer.content
    told = answer.json()
    if path.startswith("api/Webhook/") and "/log/" in path and "/log/list" not in path:
        log = next(resource for resource in RAISE if resource.entries_of)
        return json.dumps(planted(told, log)).encode()
    for resource in RAISE if product == "raise" else CRM_PLUS:
        if "/" + path.partition("?")[0] == resource.path:
            rows = "items" if product == "raise" else "list"
            if rows not in told:
                return json.dumps(planted(told, resource)).encode()
            return json.dumps({**told, rows: [planted(row, resource) for row in told[rows]]}).encode()
    return answer.content


@contextmanager
def planting(base: str) -> Iterator[str]:
    """The address of a server that gives what the sandbox at `base` gives, with the marks."""
    with httpx.Client(base_url=base, timeout=60) as behind:
        handler = type("Planter", (_Planter,), {"behind": behind})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
