"""Odd answers of both products: each ends in time, costs the resource that it is about at most, and deletes nothing.

    python -m tests.fuzz [--cases 5000] [--seed 1]

One server gives a small organization over raw sockets. In each case the answers to one path are spoilt: status line,
headers or body, of which some stay within HTTP and JSON and some do not. That resource and others are then read whole,
against a warehouse that holds all of it. What some of the cases bring is loaded, and read again when the answers are as
they should be. Case and seed determine what is spoilt.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import typer
from rich.console import Console

from ingestion import virtuous_crm_plus, virtuous_raise
from ingestion.columns import Resource
from ingestion.http import Patience
from ingestion.operations import TABLES
from ingestion.reading import Reading
from ingestion.resource_reading import Outcome
from ingestion.settings import Settings
from tests.clocks import LeapingClock
from tests.plain_warehouse import PlainWarehouse

_ROWS = 6
_MOST_SECONDS, _MOST_BYTES = 60, 2**30
_SINGLE = {"/api/Organization/Current": {"organizationUserId": 1, "organizationName": "Riverside"}}
_PRODUCTS = {"raise": virtuous_raise, "crm_plus": virtuous_crm_plus}
LISTED: dict[str, list[Resource]] = {
    source: [one for one in product.RESOURCES if one.entries_of is None] for source, product in _PRODUCTS.items()
}
_LOADED = 0.07
"""Which part of the cases is loaded as well."""
_OF_THE_SOURCE = ("takes no requests", "cannot be reached", "refused the credential", "This machine's clock")
_BUGS = ("unexpectedly", "could not be typed")
_ASKED_FIRST = frozenset(("/api/Organization/Current", "/api/RecurringGift/list", "/api/Donor/list"))
"""What tells whose credential it is."""


@dataclass
class Answer:
    """What goes over the wire: everything of it can be spoilt."""

    line: bytes = b"HTTP/1.1 200 OK"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    length: int | None = None
    pause: float = 0.0
    """Seconds between the bytes of the body."""

    def sent(self) -> bytes:
        length = len(self.body) if self.length is None else self.length
        lines = [self.line, *(b": ".join(header) for header in self.headers), b"Content-Length: %d" % length]
        return b"\r\n".join([*lines, b"Connection: close", b"", b""])


Spoil = Callable[[Answer, Random], None]

_INSTANTS = ("Fri, 31 Dec 9999 23:59:59 -0500", "Mon, 01 Jan 0001 00:00:00 GMT", "soon", "Fri, 99 Foo 2026 +9999999")
_NUMBERS = (
    "0",
    "-1",
    "nan",
    "inf",
    "1e300",
    "9" * 5_000,
    "10000000000",
    "1800000000000000",
    "1800000000000000000",
    "٣",
)
_VALUES = (
    "1e400", "-1e400", "9" * 400, "18446744073709551616", "1e3", "1.0", "true", "null", "[]", "{}", '""', '"0012"',
    '"\\uff11\\uff12"', "[" * 5_000 + "]" * 5_000,
    '"9999-12-31T23:59:59-05:00"', '"0000-00-00"', '"\\ud800"', '"\\u0000"', "[" * 900 + "]" * 900,
    '"' + "x" * 100_000 + '"', "NaN", "Infinity", "0x10", "'", "1,2", '"a\nb"',
)  # fmt: skip
_BODIES = (
    b"", b" ", b"null", b"[]", b"{}", b"true", b"<html><body>Sign in</body></html>", b"\xff\xfe\x00", b"[" * 100_000,
    b'{"items": [], "list": []}', b'{"items": null, "list": null}', b'{"items": {}, "list": {}, "total": 6}',
    b'{"items": [], "list": [], "total": -6}', b'{"items": [null], "list": [5], "total": 6}', b"\x00" * 1_000,
)  # fmt: skip


def _status(answer: Answer, chance: Random) -> None:
    status = chance.choice([100, 101, 204, 206, 301, 304, 400, 404, 408, 418, 422, 429, 500, 503, 599, 999])
    answer.line = b"HTTP/1.1 %d Odd" % status
    answer.body = chance.choice([b"", answer.body, b'{"detail": "\\u001b[31mred"}', b'{"detail": ' + b"[" * 9_000])


def _line(answer: Answer, chance: Random) -> None:
    answer.line = chance.choice([b"HTTP/9.9 200 OK", b"ICY 200 OK", b"", b"HTTP/1.1 abc", b"\x00\xff", b"HTTP/1.1 200"])


def _wait(answer: Answer, chance: Random) -> None:
    answer.line = chance.choice([b"HTTP/1.1 429 Slow", b"HTTP/1.1 200 OK"])
    for name in ("Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"):
        if chance.random() < 0.6:
            answer.headers.append((name.encode(), chance.choice([*_INSTANTS, *_NUMBERS]).encode()))


def _charset(answer: Answer, chance: Random) -> None:
    charset = chance.choice(["hex", "zlib", "idna", "undefined", "utf-7", "utf-16", "latin-1", "x" * 2_000, '"', "\t"])
    answer.headers = [(b"Content-Type", b"application/json; charset=" + charset.encode())]


def _header(answer: Answer, chance: Random) -> None:
    name = chance.choice(
        [b"X", b"Set-Cookie", b"Location", b"Transfer-Encoding", b"Content-Encoding", b"", b"\xff", b"A B"]
    )
    answer.headers.append(
        (name, chance.choice([b"", b"\xff\xfe", b"chunked", b"gzip", b"br", b"x" * 70_000, b"http://["]))
    )


def _packed(answer: Answer, chance: Random) -> None:
    times = chance.randint(1, 3)
    if chance.random() < 0.3:
        answer.body = b" " * 40_000_000
    for _ in range(times):
        answer.body = gzip.compress(answer.body, 9)
    answer.body = answer.body[: chance.choice([0, 5, len(answer.body) // 2, len(answer.body)])]
    answer.headers.append((b"Content-Encoding", b", ".join([b"gzip"] * times)))


def _length(answer: Answer, chance: Random) -> None:
    answer.length = chance.choice([0, 1, len(answer.body) // 2, len(answer.body) + 50, 10**15])


def _slow(answer: Answer, chance: Random) -> None:
    answer.pause = 0.05


def _body(answer: Answer, chance: Random) -> None:
    answer.body = chance.choice([*_BODIES, answer.body[: chance.randrange(1, len(answer.body))], answer.body * 2])


def _bytes(answer: Answer, chance: Random) -> None:
    body = bytearray(answer.body)
    for _ in range(chance.randint(1, 4)):
        body[chance.randrange(len(body))] = chance.randrange(256)
    answer.body = bytes(body)


def _value(answer: Answer, chance: Random) -> None:
    """One value of one row, or the total, becomes an odd one."""
    told = json.loads(answer.body)
    rows = told.get("items") or told.get("list") or [told]
    row = chance.choice([*rows, told])
    row[chance.choice([*row, "unknown", "id", "modifiedDate", "amount"])] = "@odd@"
    answer.body = json.dumps(told).replace('"@odd@"', chance.choice(_VALUES)).encode("utf-8", "replace")


def _twice(answer: Answer, chance: Random) -> None:
    key = chance.choice([b'"id":', b'"total":', b'"items":', b'"list":', b'"ID":'])
    answer.body = answer.body.replace(b"{", b"{" + key + chance.choice([b"1", b"999", b"[]", b"null"]) + b",", 2)


SPOILS: tuple[Spoil, ...] = (
    *(_status, _line, _wait, _charset, _header, _packed, _length, _slow, _body, _bytes),
    *(_value, _value, _value, _twice),
)


class Api:
    """Both products over raw sockets; `spoil` is what becomes of the answers to `spoilt`, and how often."""

    def __init__(self) -> None:
        self.spoilt, self.left, self.spoil, self.seed = "", 0, SPOILS[0], 0
        self.body = b""
        """The last body that was spoilt."""

    def answer(self, target: str, body: bytes) -> Answer:
        url = urlsplit(target)
        path = url.path.removeprefix("/raise").removeprefix("/crm_plus")
        asked = {name.lower(): int(values[0]) for name, values in parse_qs(url.query).items() if values[0].isdecimal()}
        answer = Answer(body=json.dumps(_given(path, asked, body)).encode())
        if path == self.spoilt and self.left > 0:
            self.left -= 1
            self.spoil(answer, Random(self.seed))
            self.body = answer.body
        return answer


def _given(path: str, asked: dict[str, int], body: bytes) -> Any:
    if path in _SINGLE:
        return _SINGLE[path]
    if path.endswith("QueryOptions"):
        operators = [{"operator": name} for name in ("GreaterThan", "OnOrAfter")]
        names = ("Id", "Last Modified DateTime UTC")
        return {"options": [{"parameter": name, "operatorOptions": operators} for name in names]}
    key = "campaignId" if path == "/api/Campaign/Query" else "id"
    at = "2026-01-01T00:00:00Z"
    rows = [
        {
            key: number,
            "name": f"n{number}",
            "amount": 5.5,
            "createdDate": at,
            "modifiedDateTimeUtc": at,
            "isArchived": False,
        }
        for number in range(1, _ROWS + 1)
    ]
    above = 0
    for group in json.loads(body or b"{}").get("groups", ()):
        for condition in group["conditions"]:
            above = int(condition["value"]) if condition["value"].isdecimal() else above
    left = [row for row in rows if row[key] > above]  # type: ignore[operator]
    name = "list" if "Query" in path else "items"
    return {name: left[asked.get("skip", 0) :][: asked.get("take", 10)], "total": len(left)}


@contextmanager
def serving(api: Api) -> Iterator[str]:
    """The address of a server that answers as the API says."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError, ValueError, IndexError):
                line = self.rfile.readline().decode()
                length = 0
                while (header := self.rfile.readline().strip()) != b"":
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                answer = api.answer(line.split()[1], self.rfile.read(length))
                self.wfile.write(answer.sent())
                if not answer.pause:
                    self.wfile.write(answer.body)
                    return
                for byte in answer.body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(answer.pause)

    class Server(ThreadingTCPServer):
        allow_reuse_address, daemon_threads, address_family = True, True, socket.AF_INET

    with Server(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def settings_at(url: str, path: Path) -> Settings:
    named: dict[str, Any] = {
        "raise_base_url": f"{url}/raise",
        "raise_api_token": "fuzz",
        "raise_requests_per_second": 0,
        "crm_plus_base_url": f"{url}/crm_plus",
        "crm_plus_api_key": "fuzz",
        "warehouse_path": path,
    }
    return Settings(**named, _env_file=None)


def reading_of(source: str, settings: Settings, resources: Sequence[Resource]) -> Reading:
    """A reading of these resources of a product, whole and with little patience."""
    product = _PRODUCTS[source]
    (organization,) = settings.organizations
    patience = Patience(
        attempts=2, initial=0.001, longest=0.002, answer=1, whole=1, outage=2, throttle=30, clock=LeapingClock()
    )
    return Reading(
        source=source,
        dataset="raw",
        organization=organization.slug,
        time_zone="UTC",
        settings=settings,
        run_id="fuzz",
        client=product.client_for(organization, patience),
        rows_name=product.ROWS,
        resources=resources,
        full=True,
    )


def read(
    source: str, settings: Settings, resources: Sequence[Resource], warehouse: PlainWarehouse | None = None
) -> dict[str, Outcome]:
    """Reads these resources to their ends. Without a warehouse nothing is loaded."""
    with closing(reading_of(source, settings, resources)) as reading:
        reading.check_organization("THE_KEY")
        while reading.begin_package():
            if warehouse:
                warehouse.load(reading)
                continue
            for resource in resources:
                for _ in reading.rows(resource):
                    pass
            for table in TABLES:
                for _ in reading.operations(table):
                    pass
        return dict(reading.outcomes)


class Fuzz:
    """Cases against one warehouse of each product; `wrong` is what went wrong, `ends` how the spoilt ones ended."""

    def __init__(self, api: Api, url: str, folder: Path) -> None:
        self.wrong: list[str] = []
        self.ends: Counter[str] = Counter()
        self.longest = 0.0
        """Seconds that the longest case took."""
        self._api = api
        self._peak = 0
        self._settings: dict[str, Settings] = {}
        for source, resources in LISTED.items():
            self._settings[source] = settings = settings_at(url, folder / f"{source}.duckdb")
            outcomes = read(source, settings, resources, PlainWarehouse(settings.warehouse_path, *resources))
            assert all(outcome.is_complete for outcome in outcomes.values()), outcomes

    def case(self, name: str) -> None:
        """One case, whose name determines it."""
        chance, api = Random(name), self._api
        source = chance.choice(list(LISTED))
        spoilt, other = chance.sample(LISTED[source], 2)
        # What a log speaks of cannot be read without it.
        resources = [one for one in LISTED[source] if one in (spoilt, other) or one.newest_first]
        chance.shuffle(resources)
        api.spoil, api.left, api.seed = chance.choice(SPOILS), chance.choice([1, 2, 1_000]), chance.randrange(2**32)
        api.spoilt, api.body = spoilt.path, b""
        about = f"{name}: {api.spoil.__name__} of {api.spoilt}, {api.left} times"
        is_loaded = chance.random() < _LOADED
        began = time.monotonic()
        try:
            with self._warehouse(source, resources, is_loaded) as (settings, warehouse):
                outcomes = read(source, settings, resources, warehouse)
                found = [*_faults(outcomes, spoilt, resources, api.body)]
                if warehouse:
                    api.left = 0
                    found += _faults_loaded(source, settings, resources, warehouse, spoilt, api.body)
        except Exception as error:
            found = [f"{type(error).__name__}: {str(error)[:200]}"]
        else:
            end = outcomes[spoilt.name]
            self.ends["complete" if end.is_complete else _without_digits(end.error or "")[:70]] += 1
        took = time.monotonic() - began
        self.longest = max(self.longest, took)
        if took > _MOST_SECONDS:
            found.append(f"took {took:.0f} s")
        if peak() > max(self._peak, _MOST_BYTES):
            self._peak = peak()
            found.append(f"took {self._peak / 2**20:.0f} MiB")
        self.wrong += [f"{about}: {one}" for one in found]

    @contextmanager
    def _warehouse(
        self, source: str, resources: Sequence[Resource], is_loaded: bool
    ) -> Iterator[tuple[Settings, PlainWarehouse | None]]:
        """Where a case reads; a copy, if it is to be loaded."""
        settings = self._settings[source]
        if not is_loaded:
            yield settings, None
            return
        copy = settings.warehouse_path.with_name("copy.duckdb")
        shutil.copy(settings.warehouse_path, copy)
        try:
            yield settings.model_copy(update={"warehouse_path": copy}), PlainWarehouse(copy, *resources)
        finally:
            copy.unlink()


def _faults(
    outcomes: dict[str, Outcome], spoilt: Resource, resources: Sequence[Resource], body: bytes
) -> Iterator[str]:
    end = outcomes[spoilt.name].error or ""
    # What the API says of all its resources is believed of those that are still to be read.
    is_of_the_source = any(words in end for words in _OF_THE_SOURCE)
    for number, resource in enumerate(resources):
        outcome = outcomes[resource.name]
        is_before = number < resources.index(spoilt) and spoilt.path not in _ASKED_FIRST
        is_excused = resource is spoilt or (is_of_the_source and not is_before)
        if not outcome.is_complete and not is_excused:
            yield f"{resource.name} was not read: {outcome.error}"
        if outcome.rows_deleted and not (resource is spoilt and is_told(body, resource)):
            yield f"{resource.name} lost {outcome.rows_deleted} rows"
        if outcome.is_complete and outcome.api_total is None:
            yield f"{resource.name} is complete without a total"
        if any(words in (outcome.error or "") for words in _BUGS):
            yield str(outcome.error)


def _faults_loaded(
    source: str,
    settings: Settings,
    resources: Sequence[Resource],
    warehouse: PlainWarehouse,
    spoilt: Resource,
    body: bytes,
) -> Iterator[str]:
    """What is wrong once the rows are loaded, and when they are read again as they should be."""
    may_differ = spoilt.name if is_told(body, spoilt) else ""
    for resource in resources:
        ((missing,),) = warehouse.query(f"select count(*) from raw.{resource.name} where _deleted_at is not null")
        if missing and resource.name != may_differ:
            yield f"{missing} of {resource.name} are marked as deleted"
        if resource is spoilt:
            yield from _lost_values(warehouse, resource, body)
    for name, outcome in read(source, settings, resources, warehouse).items():
        if not outcome.is_complete:
            yield f"{name} was not read afterwards: {outcome.error}"
        if outcome.rows_deleted and name != may_differ:
            yield f"{name} lost {outcome.rows_deleted} rows afterwards"
    for resource in resources:
        ids = {
            key
            for (key,) in warehouse.query(
                f'select "{resource.key_column.name}" from raw.{resource.name} where _deleted_at is null'
            )
        }
        if ids != ({1} if resource.path in _SINGLE else set(range(1, _ROWS + 1))):
            yield f"{resource.name} are {sorted(ids)} afterwards"


def _lost_values(warehouse: PlainWarehouse, resource: Resource, body: bytes) -> Iterator[str]:
    """The fields that say something and are null in the warehouse without standing in quarantine."""
    by_wire = {column.wire: column.name for column in resource.columns}
    key = resource.key_column.name
    for row in _rows_of(body, resource):
        for wire, value in row.items():
            if wire not in by_wire or not str(row.get(resource.key)).isdecimal() or _is_blank(value):
                continue
            lost = warehouse.query(
                f"""
                select "{key}" from raw.{resource.name}
                where "{key}" = {row[resource.key]} and "{by_wire[wire]}" is null and "{key}"::varchar not in (
                    select record_id from raw.quarantined_records
                    where resource = '{resource.name}' and field in ('', '{by_wire[wire]}')
                )
                """
            )
            if lost:
                yield f"{wire} of {row[resource.key]} is lost: {str(value)[:80]}"


def _rows_of(body: bytes, resource: Resource) -> list[dict[str, Any]]:
    try:
        answer = json.loads(body)
        rows = [answer] if resource.path in _SINGLE else answer.get("items") or answer["list"]
        return [row for row in rows if isinstance(row, dict)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _is_blank(value: Any) -> bool:
    text = str(value).strip().lower()
    return value is None or text in ("", "null", "none", "n/a", "unavailable") or text.startswith("0001-01-01")


def is_told(body: bytes, resource: Resource) -> bool:
    """Whether a body says plainly which rows there are: each with an id of its own, and as many as it counts."""
    rows = _rows_of(body, resource)
    try:
        ids = {int(row[resource.key]) for row in rows}
        return len(ids) == len(rows) == (1 if resource.path in _SINGLE else json.loads(body)["total"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def peak() -> int:
    """The most bytes that this process held. Not `ru_maxrss`: it begins with what its parent held."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def _without_digits(text: str) -> str:
    return re.sub("[0-9]+", "#", text)


def fuzz(cases: int, seed: int, folder: Path, told: Callable[[str], None] = lambda _: None) -> Fuzz:
    """So many cases, each told of as soon as something is wrong with it."""
    api = Api()
    with serving(api) as url:
        made = Fuzz(api, url, folder)
        for case in range(cases):
            known = len(made.wrong)
            made.case(f"{seed}/{case}")
            for line in made.wrong[known:]:
                told(line)
    return made


def main(
    cases: Annotated[int, typer.Option(help="How many readings with a fault.")] = 5_000,
    seed: Annotated[int, typer.Option(help="Which faults.")] = 1,
) -> None:
    """Reads through odd answers and prints what went wrong."""
    began = time.monotonic()
    console = Console(soft_wrap=True)
    with tempfile.TemporaryDirectory() as folder:
        made = fuzz(cases, seed, Path(folder), lambda line: console.print(line, markup=False, highlight=False))
    for end, count in made.ends.most_common(30):
        console.print(f"{count:6} {end}", markup=False, highlight=False)
    console.print(
        f"{cases} cases in {time.monotonic() - began:.0f} s, the longest {made.longest:.1f} s, at most"
        f" {peak() / 2**20:.0f} MiB: {len(made.wrong)} wrong"
    )
    raise typer.Exit(bool(made.wrong))


if __name__ == "__main__":
    typer.run(main)
