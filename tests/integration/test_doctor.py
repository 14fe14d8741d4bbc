"""What can be wrong is planted, one thing at a time; the doctor names it in one line, with its mend."""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
import typer
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler

from ingestion.http import Patience
from ingestion.settings import SCHEDULE_SETTINGS, Settings
from orchestration import doctor as subject
from orchestration.cli.doctor import doctor

DOCS = Path(__file__).parents[2] / "docs/errors.md"
TOKEN, KEY = "marked-raise-token", "marked-crm-plus-key"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
FILTERS = ("Id", "Last Modified Date")
TENANT = {
    "organizationUserId": 7,
    "organizationName": "River Relief",
    "organizationTimeZone": "US/Arizona",
    "isEnabled": True,
}


@dataclass
class Apis:
    """A Raise and a CRM+ that answer every cheap read as they are told to."""

    url: str
    token: str = TOKEN
    key: str = KEY
    tenant: dict[str, Any] = field(default_factory=lambda: dict(TENANT))
    raise_tenant: int | str = 5
    filters: tuple[str, ...] = FILTERS
    remaining: int = 4000
    ahead: timedelta = timedelta()
    answers: dict[str, Response] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        self.asked.append(f"{request.method} {request.path}")
        wanted = self.token if request.path.startswith("/raise") else self.key
        if request.headers["Authorization"] != f"Bearer {wanted}":
            response = Response("Authorization has been denied for this request.", 401)
        else:
            told = next((answer for part, answer in self.answers.items() if part in request.path), None)
            response = told or Response(json.dumps(self._body(request.path)))
        if request.path.startswith("/crm"):
            reset = datetime.now(UTC) + self.ahead + timedelta(minutes=30)
            response.headers["X-RateLimit-Limit"] = "5000"
            response.headers["X-RateLimit-Remaining"] = str(self.remaining)
            response.headers["X-RateLimit-Reset"] = str(int(reset.timestamp()))
        return response

    def date(self) -> str:
        """By the clock of these APIs."""
        return format_datetime(datetime.now(UTC) + self.ahead, usegmt=True)

    def _body(self, path: str) -> object:
        if path.endswith("/Organization/Current"):
            return self.tenant
        if path.endswith("/QueryOptions"):
            operators = [{"operator": name} for name in ("GreaterThan", "OnOrAfter")]
            return {"options": [{"parameter": name, "operatorOptions": operators} for name in self.filters]}
        rows = "items" if path.startswith("/raise") else "list"
        return {rows: [{"id": 1, "campaignId": 1, "organizationId": self.raise_tenant}], "total": 1}


@dataclass
class Place:
    """A folder with settings, in which things go wrong."""

    folder: Path
    apis: Apis
    monkeypatch: pytest.MonkeyPatch
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def set(self, **values: str) -> None:
        for name, value in values.items():
            self.monkeypatch.setenv(name, value)

    def file(self, name: str, text: str | bytes) -> None:
        (self.folder / name).write_bytes(text.encode() if isinstance(text, str) else text)

    def warehouse(self, *statements: str) -> Path:
        """One of ours: with the account of what was read."""
        path = self.folder / "w.duckdb"
        account = (
            "create schema if not exists raw_raise",
            "create table if not exists raw_raise.load_audit (organization text)",
        )
        with duckdb.connect(str(path)) as connection:
            for statement in (*account, *statements):
                connection.execute(statement)
        return path

    def other_process(self, program: str) -> None:
        """Runs until the test is over, after it has said that it is ready."""
        process = subprocess.Popen(
            [sys.executable, "-c", f"{program}\nprint('ready', flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"


@pytest.fixture
def place(httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    for name in (
        *(name.upper() for name in Settings.model_fields),
        *SCHEDULE_SETTINGS,
        "DAGSTER_HOME",
        *PROXIES,
        *map(str.lower, PROXIES),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    # What is slow in earnest is tried once here.
    quick = partial(subject.examine, patience=Patience(attempts=1, answer=5.0, throttle=1.0))
    monkeypatch.setattr(subject, "examine", quick)
    apis = Apis(httpserver.url_for(""))
    httpserver.expect_request(re.compile("/.*")).respond_with_handler(apis)
    monkeypatch.setattr(WSGIRequestHandler, "date_time_string", lambda *_: apis.date())
    made = Place(tmp_path, apis, monkeypatch)
    made.set(
        RAISE_BASE_URL=f"{apis.url}/raise",
        RAISE_API_TOKEN=TOKEN,
        RAISE_REQUESTS_PER_SECOND="0",
        CRM_PLUS_BASE_URL=f"{apis.url}/crm",
        CRM_PLUS_API_KEY=KEY,
        WAREHOUSE_PATH="w.duckdb",
        PUBLISHED_PATH="published/tieout.duckdb",
    )
    yield made
    for process in made.started:
        process.communicate("\n")


@pytest.fixture
def examined(place: Place, capsys: pytest.CaptureFixture[str]) -> Callable[[], tuple[int, list[str]]]:
    def examine() -> tuple[int, list[str]]:
        code = 0
        try:
            doctor()
        except typer.Exit as ended:
            code = ended.exit_code
        out = capsys.readouterr().out
        assert "marked" not in out
        return code, out.splitlines()

    return examine


Planted = Callable[[Place], object]


def loaded_in_hash(place: Place) -> None:
    place.warehouse(
        "create table raw_raise.connections as select 'default' as organization, 'hash' as pii_mode, 2 as pii_rules"
        " union all select 'other', 'drop', 2"
    )


OK, WRONG, SETTINGS = 0, 1, 2


def settings(**values: str) -> Planted:
    return lambda place: place.set(**values)


def organizations(text: str | bytes, **values: str) -> Planted:
    def plant(place: Place) -> None:
        place.file("o.toml", text)
        place.set(ORGANIZATIONS_FILE="o.toml", RIVER=TOKEN, HILL="marked-other", **values)

    return plant


def answers(part: str, *response: Any, **headers: str) -> Planted:
    return lambda place: place.apis.answers.update({part: Response(*response, headers=headers)})


def apis(**values: Any) -> Planted:
    return lambda place: [setattr(place.apis, name, value) for name, value in values.items()]


def newer_version(place: Place) -> None:
    """A file of a DuckDB that is to come: its version is far ahead, and its checksum is right."""
    path = place.warehouse()
    content = bytearray(path.read_bytes())
    content[12:20] = struct.pack("<Q", 999)
    checksum = 5381
    for (word,) in struct.iter_unpack("<Q", content[8:4096]):
        checksum ^= word * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
    content[:8] = struct.pack("<Q", checksum)
    path.write_bytes(content)


def locked(place: Place) -> None:
    place.other_process(f"import duckdb; held = duckdb.connect({str(place.warehouse())!r})")


def run_in_progress(place: Place) -> None:
    place.other_process(
        "from ingestion.settings import load_settings; from orchestration.turn import taken\n"
        "held = taken(load_settings(), on_wait=list); held.__enter__()"
    )


def unknown_link_key(place: Place) -> None:
    published = place.folder / "published/tieout.duckdb"
    published.parent.mkdir()
    with duckdb.connect(str(published)) as connection:
        connection.execute("""
            create schema marts;
            create table marts.recon_summary as
                select 'default' as organization, 'gift' as entity,
                    'Only 3 of 64 CRM+ gifts that come from Raise find their Raise gift by the transaction id.' as note;
            create table marts.link_key_discovery as
                select 'default' as organization, true as suggested, 9 as agreeing_records,
                    'The transaction ids of CRM+ gifts look like the Raise donationId. To match by it, add it.'
                        as suggestion;
            create table marts.webhook_payload_states as
                select 'default' as organization, true as is_about_campaign, 'unread' as payload_state, 3 as entries,
                    timestamptz '2026-02-01 00:00:00+00' as oldest_at
        """)


def full_disk(place: Place) -> None:
    usage = shutil.disk_usage(place.folder)._replace(free=12_000_000)
    place.monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


def other_crm_tenant(place: Place) -> None:
    place.warehouse(
        "create schema raw_crm_plus",
        "create table raw_crm_plus.organization as select 'default' as organization, 8 as organization_user_id,"
        " 'Hill' as organization_name, null::timestamptz as _deleted_at",
    )


def other_raise_tenant(place: Place) -> None:
    place.warehouse(
        "create table raw_raise.recurring_gifts as select 'default' as organization, 8 as organization_id,"
        " null::timestamptz as _deleted_at",
    )


def same_raise_tenant(place: Place) -> None:
    other_raise_tenant(place)
    place.apis.raise_tenant = "8"


def same_name(place: Place) -> None:
    other_crm_tenant(place)
    place.warehouse("update raw_crm_plus.organization set organization_name = 'River Relief'")


def proxy_that_refuses(place: Place) -> None:
    place.set(RAISE_BASE_URL="https://raise.example.org", HTTPS_PROXY=place.apis.url)


def no_rights(place: Place) -> None:
    (place.folder / "closed").mkdir(mode=0o555)
    place.set(WAREHOUSE_PATH="closed/w.duckdb")


RIVER = '[river]\nraise_token_name = "RIVER"\n'

TABLE: list[tuple[str, Planted, int, str]] = [
    # Credentials
    ("no token", settings(RAISE_API_TOKEN=""), SETTINGS, "RAISE_API_TOKEN is not set: put it into"),
    ("blank token", settings(RAISE_API_TOKEN="  "), SETTINGS, "RAISE_API_TOKEN is blank: fill it in"),
    ("quotes without a token", settings(RAISE_API_TOKEN='""'), SETTINGS, "RAISE_API_TOKEN is blank"),
    ("token with Bearer", settings(RAISE_API_TOKEN=f"Bearer {TOKEN}"), SETTINGS, "copy it again, and it alone"),
    (
        "token with a dash of print",
        settings(RAISE_API_TOKEN="marked–token"),
        SETTINGS,
        "RAISE_API_TOKEN holds a blank or",
    ),
    ("token over two lines", settings(RAISE_API_TOKEN="marked\ntoken"), SETTINGS, "RAISE_API_TOKEN holds a blank or"),
    ("quoted token", settings(RAISE_API_TOKEN=f' "{TOKEN}" '), OK, "RAISE_API_TOKEN opens 8 of 8"),
    (
        "wrong token",
        settings(RAISE_API_TOKEN="marked-wrong"),
        WRONG,
        "Raise refused the credential (401): check RAISE_",
    ),
    (
        "wrong key",
        settings(CRM_PLUS_API_KEY="marked-wrong"),
        WRONG,
        "CRM+ refused the credential (401): check CRM_PLUS_",
    ),
    ("swapped", settings(RAISE_API_TOKEN=KEY, CRM_PLUS_API_KEY=TOKEN), WRONG, "may be swapped"),
    (
        "one for both",
        settings(CRM_PLUS_API_KEY=TOKEN, RAISE_BASE_URL="https://raise.example.org"),
        SETTINGS,
        "RAISE_API_TOKEN and CRM_PLUS_API_KEY are the same",
    ),
    ("blank key", settings(CRM_PLUS_API_KEY=" "), SETTINGS, "CRM_PLUS_API_KEY is blank"),
    ("no key", settings(CRM_PLUS_API_KEY=""), OK, "CRM_PLUS_API_KEY is not set: everything is built"),
    (
        "short secret",
        settings(ALERT_SMTP_USER="ann", ALERT_SMTP_PASSWORD="salty"),
        OK,
        "ALERT_SMTP_PASSWORD is shorter than 8 characters, or a number",
    ),
    ("short salt", settings(PII_SALT="marked"), SETTINGS, "PII_SALT must have 16 characters or more"),
    (
        "another name",
        settings(RAISE_TOKEN=TOKEN),
        OK,
        "RAISE_TOKEN is no setting and is ignored: did you mean RAISE_API",
    ),
    # Addresses
    (
        "plain http",
        settings(RAISE_BASE_URL="http://raise.example.org"),
        SETTINGS,
        "RAISE_BASE_URL must start with https",
    ),
    (
        "no scheme",
        settings(CRM_PLUS_BASE_URL="api.example.org"),
        SETTINGS,
        "CRM_PLUS_BASE_URL must look like https://host",
    ),
    ("user in the address", settings(RAISE_BASE_URL="https://u:marked@h.org"), SETTINGS, "must not hold a user name"),
    ("query in the address", settings(RAISE_BASE_URL="https://h.org/?a=1"), SETTINGS, "must look like https://host"),
    ("blank in the address", settings(RAISE_BASE_URL="https://h .org"), SETTINGS, "must look like https://host"),
    ("port out of range", settings(RAISE_BASE_URL="https://h.org:99999"), SETTINGS, "must look like https://host"),
    ("broken IPv6", settings(RAISE_BASE_URL="https://[::1"), SETTINGS, "must look like https://host"),
    ("address with /api", settings(RAISE_BASE_URL="https://h.org/api"), SETTINGS, "must end before /api"),
    (
        "swapped addresses",
        settings(RAISE_BASE_URL="https://api.virtuoussoftware.com"),
        SETTINGS,
        "is the address of CRM+",
    ),
    (
        "swapped addresses, the other way",
        settings(CRM_PLUS_BASE_URL="https://prod-api.raisedonors.com/"),
        SETTINGS,
        "is the address of Raise",
    ),
    (
        "one address for both",
        settings(RAISE_BASE_URL="https://api.example.org", CRM_PLUS_BASE_URL="https://api.example.org/"),
        SETTINGS,
        "are the same: each product has its own address",
    ),
    (
        "trailing slash",
        lambda place: place.set(RAISE_BASE_URL=f" {os.environ['RAISE_BASE_URL']}// "),
        OK,
        "RAISE_API_TOKEN opens 8 of 8",
    ),
    (
        "wrong path",
        lambda place: place.apis.answers.update({"/raise": Response(status=404)}),
        WRONG,
        "has no /api/Gift/list",
    ),
    (
        "nobody listens",
        settings(RAISE_BASE_URL="http://127.0.0.1:9"),
        WRONG,
        "cannot be reached (",
    ),
    ("no such host", settings(RAISE_BASE_URL="https://tieout.invalid"), WRONG, "tieout.invalid cannot be reached ("),
    (
        "no TLS there",
        lambda place: place.set(RAISE_BASE_URL=place.apis.url.replace("http:", "https:")),
        WRONG,
        "cannot be reached ([SSL",
    ),
    ("proxy that refuses", proxy_that_refuses, WRONG, "cannot be reached (the proxy says"),
    (
        "proxy that is not there",
        settings(RAISE_BASE_URL="https://raise.example.org", HTTPS_PROXY="http://127.0.0.1:9"),
        WRONG,
        "check the base URL, the network and the proxy",
    ),
    (
        "proxy of another kind",
        settings(RAISE_BASE_URL="https://raise.example.org", HTTPS_PROXY="socks5://127.0.0.1:9"),
        WRONG,
        "it must look like http://host:port",
    ),
    ("proxy for this machine", settings(HTTP_PROXY="http://127.0.0.1:9"), OK, "RAISE_API_TOKEN opens 8 of 8"),
    # What the APIs say
    ("login page", answers("/raise", "<html>Sign in</html>"), WRONG, "answered /api/Gift/list with something else"),
    (
        "redirect",
        answers("/raise", "", 302, Location="https://l.org/x"),
        WRONG,
        "a redirect to l.org, which is not followed",
    ),
    ("out of order", answers("/crm", "oops", 503), WRONG, "CRM+ fails on /api/Gift/Query/FullGift (status 503)"),
    (
        "no right in Raise",
        answers("/Campaign/list", "", 403),
        OK,
        "let RAISE_API_TOKEN read /api/Campaign/list (403)",
    ),
    (
        "no right in CRM+",
        answers("/FullGift", "", 403),
        OK,
        "let CRM_PLUS_API_KEY read /api/Gift/Query/FullGift (403)",
    ),
    ("no right at all", answers("/raise", "", 403), WRONG, "let RAISE_API_TOKEN read /api/Gift/list (403)"),
    ("not offered", answers("/Project/Query", "", 404), OK, "CRM+ has no /api/Project/Query (404)"),
    (
        "throttled",
        answers("/raise", "", 429, **{"Retry-After": "847"}),
        OK,
        "Raise takes no requests until",
    ),
    ("spent budget", apis(remaining=900), OK, "900 of 5000 requests left, the reserve of other integrations"),
    ("all in reserve", settings(CRM_PLUS_RESERVE="0.9"), OK, "requests left, the reserve of other integrations"),
    ("no id filter", apis(filters=("Last Modified Date",)), OK, "offers no filter of gifts by id (Gift Id or Id)"),
    ("no date filter", apis(filters=("Id",)), OK, "offers no filter of contacts by modification date"),
    ("no query options", answers("/Gift/QueryOptions", "", 403), OK, "The query options of gifts cannot be read"),
    ("disabled", apis(tenant={**TENANT, "isEnabled": False}), WRONG, "organization River Relief is disabled"),
    ("a sandbox", apis(tenant={**TENANT, "organizationName": "R (Sandbox)"}), OK, "R (Sandbox) is a sandbox"),
    (
        "another CRM+ tenant",
        other_crm_tenant,
        WRONG,
        "belongs to River Relief (7, US/Arizona), and the warehouse holds Hill (8)",
    ),
    ("a tenant by another id", same_name, OK, "CRM_PLUS_API_KEY belongs to River Relief (7, US/Arizona)"),
    ("the same tenant as text", same_raise_tenant, OK, "RAISE_API_TOKEN belongs to organization 8"),
    ("loaded in another mode", loaded_in_hash, WRONG, "PII_MODE is keep, and the warehouse was loaded with hash"),
    (
        "no word of the tenant",
        apis(tenant={}),
        OK,
        "note   default: CRM+: CRM+ does not tell which organization the key belongs to",
    ),
    (
        "another Raise tenant",
        other_raise_tenant,
        WRONG,
        "belongs to organization 5, and the warehouse holds organization 8",
    ),
    ("clock behind", apis(ahead=timedelta(hours=3)), WRONG, "clock is 180 minutes behind that of the APIs"),
    ("clock ahead", apis(ahead=timedelta(minutes=-10)), WRONG, "clock is 10 minutes ahead of that of the APIs"),
    # Files
    ("locked", locked, WRONG, "w.duckdb is in use by "),
    ("run in progress", run_in_progress, OK, "A run is in progress: the next one waits"),
    ("no database", lambda place: place.file("w.duckdb", "notes " * 2000), WRONG, "w.duckdb cannot be opened"),
    ("empty file", lambda place: place.file("w.duckdb", ""), WRONG, "w.duckdb cannot be opened"),
    ("newer version", newer_version, WRONG, "(a newer DuckDB wrote it): upgrade tieout"),
    ("folder as warehouse", settings(WAREHOUSE_PATH="/tmp"), SETTINGS, "WAREHOUSE_PATH /tmp is a folder: name a"),
    ("file as folder", settings(WAREHOUSE_PATH="/dev/null/w.duckdb"), WRONG, "correct WAREHOUSE_PATH, or the rights"),
    (
        "folder of the system",
        settings(WAREHOUSE_PATH="/proc/x/w.duckdb"),
        WRONG,
        "correct WAREHOUSE_PATH, or the rights",
    ),
    *(
        # Root may write everywhere.
        [("read-only folder", no_rights, WRONG, "correct WAREHOUSE_PATH, or the rights")] if os.geteuid() else []
    ),
    ("one file for both", settings(PUBLISHED_PATH="x/../w.duckdb"), SETTINGS, "PUBLISHED_PATH must be another file"),
    (
        "published folder",
        lambda place: (place.folder / "published/tieout.duckdb").mkdir(parents=True),
        SETTINGS,
        "is a folder",
    ),
    ("published nowhere", settings(PUBLISHED_PATH="/proc/x/t.duckdb"), WRONG, "The folder of PUBLISHED_PATH /proc/x/t"),
    (
        "published something else",
        lambda place: (place.set(PUBLISHED_PATH="p.duckdb"), place.file("p.duckdb", "x" * 9999)),
        WRONG,
        "p.duckdb cannot be replaced (it is no DuckDB file)",
    ),
    ("unknown link key", unknown_link_key, OK, "Only 3 of 64 CRM+ gifts that come from Raise"),
    ("payloads behind", unknown_link_key, OK, "3 payloads of webhook deliveries were not read yet"),
    ("better link key", unknown_link_key, OK, "look like the Raise donationId"),
    ("no home for Dagster", settings(DAGSTER_HOME="/proc/x"), WRONG, "/proc/x of Dagster cannot be written"),
    ("full disk", full_disk, WRONG, "Only 12 MB are free in"),
    # Numbers and words
    (
        "pace in words",
        settings(RAISE_REQUESTS_PER_SECOND="slow"),
        SETTINGS,
        "RAISE_REQUESTS_PER_SECOND input should be",
    ),
    ("negative pace", settings(RAISE_REQUESTS_PER_SECOND="-1"), SETTINGS, "RAISE_REQUESTS_PER_SECOND input should be"),
    ("reserve of all", settings(CRM_PLUS_RESERVE="1"), SETTINGS, "CRM_PLUS_RESERVE input should be less than 1"),
    ("reserve in percent", settings(CRM_PLUS_RESERVE="20%"), SETTINGS, "CRM_PLUS_RESERVE input should be"),
    ("no days", settings(FULL_SWEEP_EVERY_DAYS="0"), SETTINGS, "FULL_SWEEP_EVERY_DAYS input should be"),
    ("half a row", settings(COMMIT_EVERY_ROWS="0.5"), SETTINGS, "COMMIT_EVERY_ROWS input should be"),
    ("memory without unit", settings(WAREHOUSE_MEMORY_LIMIT="4"), SETTINGS, "WAREHOUSE_MEMORY_LIMIT must be a size"),
    ("unknown PII_MODE", settings(PII_MODE="blur"), SETTINGS, "PII_MODE input should be"),
    ("no slug", settings(ORGANIZATION="River Relief"), SETTINGS, "ORGANIZATION must be a slug"),
    ("time zone", settings(RAISE_TIME_ZONE="Mars/Base"), SETTINGS, "RAISE_TIME_ZONE must be a time zone name"),
    ("no instant", settings(TIEOUT_NOW="yesterday"), SETTINGS, "TIEOUT_NOW input should be"),
    (
        "a clock",
        settings(TIEOUT_NOW="2026-03-02T06:00:00Z"),
        OK,
        "TIEOUT_NOW is set: runs take 2026-03-02T06:00:00+00:00",
    ),
    (
        "a clock for a real host",
        settings(TIEOUT_NOW="2026-03-02T06:00:00Z", RAISE_BASE_URL="https://raise.example.org"),
        SETTINGS,
        "TIEOUT_NOW is for simulations",
    ),
    # ORGANIZATIONS_FILE
    ("no file", settings(ORGANIZATIONS_FILE="nowhere.toml"), SETTINGS, "nowhere.toml cannot be read: No such file"),
    ("folder as file", settings(ORGANIZATIONS_FILE="/tmp"), SETTINGS, "ORGANIZATIONS_FILE /tmp is a folder"),
    ("no TOML", organizations("oops"), SETTINGS, "o.toml is not TOML"),
    ("no text", organizations(b"\xff\xfe\x00"), SETTINGS, "o.toml is not TOML"),
    ("twice the same", organizations(RIVER + RIVER), SETTINGS, "o.toml is not TOML"),
    ("nothing in it", organizations("# later"), SETTINGS, "o.toml is empty: add one table"),
    ("outside a table", organizations('raise_token_name = "RIVER"'), SETTINGS, "stands outside a table"),
    ("list of tables", organizations('[[river]]\nraise_token_name = "RIVER"'), SETTINGS, "stands outside a table"),
    ("no token name", organizations("[river]"), SETTINGS, "[river] needs raise_token_name"),
    (
        "token in the file",
        organizations('[river]\nraise_api_token = "marked"'),
        SETTINGS,
        "holds raise_api_token itself",
    ),
    ("token name no text", organizations("[river]\nraise_token_name = 5"), SETTINGS, "holds no name of a"),
    (
        "token in place of its variable",
        organizations('[river]\nraise_token_name = "marked.token"'),
        SETTINGS,
        "[river] raise_token_name holds no name of a variable",
    ),
    (
        "variable not set",
        organizations('[river]\nraise_token_name = "NOT_THERE"'),
        SETTINGS,
        "the variable that raise_token_name names is not set",
    ),
    ("unknown key", organizations(RIVER + 'colour = "red"'), SETTINGS, "[river] colour extra inputs are not permitted"),
    ("slug with a blank", organizations('["the river"]\nraise_token_name = "RIVER"'), SETTINGS, "slug must be a slug"),
    (
        "plain http in it",
        organizations(RIVER + 'raise_base_url = "http://h.org"'),
        SETTINGS,
        "raise_base_url must start",
    ),
    (
        "time zone in it",
        organizations(RIVER + 'raise_time_zone = "Mars"'),
        SETTINGS,
        "raise_time_zone must be a time zone",
    ),
    ("number in it", organizations(RIVER + "crm_plus_reserve = 2"), SETTINGS, "crm_plus_reserve input should be less"),
    (
        "one token for two",
        organizations(RIVER + RIVER.replace("[river]", "[hill]")),
        WRONG,
        "river and hill have the same Raise token",
    ),
]


def documented() -> list[re.Pattern[str]]:
    """Every finding and error of the docs, as a pattern."""
    cells = re.findall(r"^\| (.+?) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    texts = [re.sub(r"^`\w+`: ", "", cell) for cell in cells]
    return [re.compile(".*".join(map(re.escape, text.split("…")))) for text in texts if len(text.strip(" …")) > 6]


@pytest.mark.parametrize(("plant", "code", "says"), [pytest.param(*row, id=name) for name, *row in TABLE])
def test_what_is_planted_is_named_in_one_line_with_its_mend(
    place: Place, examined: Callable[[], tuple[int, list[str]]], plant: Planted, code: int, says: str
) -> None:
    plant(place)
    told, lines = examined()
    assert told == code, "\n".join(lines)
    named = [line for line in lines if says in line]
    assert named, "\n".join(lines)
    if code == SETTINGS:
        assert lines == named
        assert named[0].startswith("wrong  settings: ")
    elif code == WRONG:
        assert any(line.startswith("wrong") for line in lines)
    patterns = documented()
    for line in lines:
        verdict, _, text = line.partition("  ")
        assert verdict.strip() in {"ok", "note", "wrong"}
        if verdict != "ok" and code != SETTINGS:
            assert any(pattern.search(text) for pattern in patterns), f"docs/errors.md does not have: {text}"


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 40


def test_all_is_well(place: Place, examined: Callable[[], tuple[int, list[str]]]) -> None:
    place.warehouse()
    code, lines = examined()
    (nobody,) = [line for line in lines if not line.startswith("ok ")]
    assert code == 0
    assert nobody.startswith("note   alerts: Nobody is told when a run fails")
    assert len(lines) >= 10
    told = "\n".join(lines)
    for said in (
        "RAISE_API_TOKEN belongs to organization 5",
        "CRM_PLUS_API_KEY belongs to River Relief (7, US/Arizona)",
        "4,000 of 5,000 requests left until",
        "query options offer every filter in use",
        "clock: agrees with the APIs",
    ):
        assert said in told


def test_nothing_is_no_empty_collection(place: Place, examined: Callable[[], tuple[int, list[str]]]) -> None:
    place.warehouse()
    place.apis.answers = {"/raise/api/Project": Response(status=204), "/raise/api/Segment": Response("")}
    code, lines = examined()
    assert code == 1
    told = "\n".join(lines)
    assert "Raise answered /api/Project/list with something else than its records (an empty body)" in told
    assert "Raise answered /api/Segment/list with something else than its records (an empty body)" in told


def test_nothing_but_one_row_of_each_is_asked_for(
    place: Place, httpserver: HTTPServer, examined: Callable[[], tuple[int, list[str]]]
) -> None:
    examined()
    assert len(place.apis.asked) == len(set(place.apis.asked))
    assert {method for method, _ in map(str.split, place.apis.asked)} <= {"GET", "POST"}
    takes = [request.args.get("Take") or request.args.get("take") for request, _ in httpserver.log]
    assert set(takes) == {"1", None}


def test_several_wrong_settings_are_told_at_once(place: Place, examined: Callable[[], tuple[int, list[str]]]) -> None:
    place.set(PII_MODE="blur", ORGANIZATION="A B", CRM_PLUS_RESERVE="2")
    code, lines = examined()
    assert code == 2
    assert len(lines) == 3
    assert place.apis.asked == []


def test_the_token_may_stand_in_dotenv(place: Place, examined: Callable[[], tuple[int, list[str]]]) -> None:
    place.monkeypatch.delenv("RAISE_API_TOKEN")
    place.file(".env", f"RIVER_TOKEN={TOKEN}\nRAISE_API_TOKN=x\n")
    place.file(
        "o.toml", f'\ufeff[river]\nraise_token_name = "RIVER_TOKEN"\nraise_base_url = "{place.apis.url}/raise"\n'
    )
    place.set(ORGANIZATIONS_FILE="o.toml")
    code, lines = examined()
    assert code == 0, lines
    assert any("RIVER_TOKEN opens 8 of 8" in line for line in lines)
    assert any("crm_plus_key_name is not set: everything is built" in line for line in lines)
    assert any("RAISE_API_TOKN is no setting" in line for line in lines)


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes its certificate with openssl")
def test_a_certificate_that_nobody_vouches_for(
    place: Place, examined: Callable[[], tuple[int, list[str]]], tmp_path: Path
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = (
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        key,
        "-out",
        certificate,
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    )
    subprocess.run(["openssl", "req", "-x509", *made], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(host="localhost", ssl_context=context) as server:
        place.set(RAISE_BASE_URL=server.url_for(""))
        code, lines = examined()
    assert code == 1
    assert any("CERTIFICATE_VERIFY_FAILED" in line and "set SSL_CERT_FILE" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("TIEOUT_SCHEDULE", "every day", "'every day' is no cron expression: write it like '0 6 * * *'."),
        ("TIEOUT_SCHEDULE_HOURLY", "61 * * * *", "'61 * * * *' is no cron expression: write it like '0 * * * *'."),
        ("TIEOUT_SCHEDULE_TIME_ZONE", "Chicago", "'Chicago' is no time zone: write it like 'America/Chicago'."),
    ],
)
def test_a_schedule_that_is_none(
    place: Place, examined: Callable[[], tuple[int, list[str]]], name: str, value: str, told: str
) -> None:
    place.set(**{"TIEOUT_SCHEDULE_WEEKLY": "0 3 * * 0", name: value})
    code, lines = examined()
    assert code == 1
    (line,) = [line for line in lines if name in line]
    assert line.startswith("wrong")
    assert line.endswith(told)


def test_the_schedules_that_are_on(place: Place, examined: Callable[[], tuple[int, list[str]]]) -> None:
    place.set(
        TIEOUT_SCHEDULE="0 5 * * *", TIEOUT_SCHEDULE_NIGHTLY="0 6 * * *", TIEOUT_SCHEDULE_TIME_ZONE="America/Chicago"
    )
    code, lines = examined()
    assert code == 0
    assert "ok     settings: the nightly schedule '0 6 * * *', in America/Chicago, while `tieout dev` runs" in lines
    assert any(line.startswith("note") and "TIEOUT_SCHEDULE is ignored" in line for line in lines)
