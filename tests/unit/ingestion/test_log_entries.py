"""Payloads of webhook deliveries: asked for one by one, within a budget, and never lost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import neg
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.columns import BOOKKEEPING, ORGANIZATION, arrow_schema
from ingestion.http import Patience
from ingestion.operations import TABLES
from ingestion.reading import Reading
from ingestion.resource_reading import Outcome
from ingestion.settings import Settings
from ingestion.virtuous_raise import DATASET
from ingestion.virtuous_raise.client import ROWS, RaiseClient
from ingestion.virtuous_raise.resources import WEBHOOK_LOG_PAYLOADS, WEBHOOK_LOGS

RESOURCES = (WEBHOOK_LOGS, WEBHOOK_LOG_PAYLOADS)
START = datetime(2026, 3, 2, 6, tzinfo=UTC)
BIG = json.dumps({"id": 1, "note": "x" * 1_000_000})
ODD = {
    1: '{"id": 7, "modifiedDate": "2026-03-01T00:00:00Z"}',
    2: '{"eventType": 10, "id"',
    3: "",
    4: None,
    5: "<html>Bad gateway</html>",
    6: BIG,
    7: "nul \x00 and half \ud800 and \u202e backwards '; drop table gifts; --",
}


@dataclass
class Log:
    """A delivery log behind real HTTP. `answers` overrides what a single entry is answered with."""

    server: HTTPServer
    entries: dict[int, tuple[int, Any]] = field(default_factory=dict)
    kinds: dict[int, tuple[int | None, str | None]] = field(default_factory=dict)
    """Event type and label of entries that are not those of a gift."""
    answers: dict[int, Response] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    order: Callable[[int], Any] = neg
    """What the list is sorted by, whatever it is asked for."""
    refuses_sorting: bool = False
    cap: int = 1000
    pages: int = 0
    fails_after: int | None = None
    """From so many pages on the token is refused."""
    grows_every: int | None = None
    """Once in so many pages there is a new entry."""

    def __post_init__(self) -> None:
        self.server.expect_request("/api/Webhook/log/list").respond_with_handler(self._list)
        self.server.expect_request(re.compile(r"/api/Webhook/\d+/log/\d+")).respond_with_handler(self._single)

    def _list(self, request: Request) -> Response:
        if self.refuses_sorting and "SortBy" in request.args:
            return Response(status=400)
        self.pages += 1
        if self.fails_after is not None and self.pages > self.fails_after:
            return Response(status=401)
        if self.grows_every and self.pages % self.grows_every == 0:
            self.entries[max(self.entries) + 1] = (31, "{}")
        skip, take = int(request.args["Skip"]), min(int(request.args["Take"]), self.cap)
        ids = sorted(self.entries, key=self.order)
        rows = [self._row(id) for id in ids[skip : skip + take]]
        return _json({"items": rows, "total": len(ids)})

    def _row(self, id: int) -> dict[str, Any]:
        created = (START - timedelta(days=30) + timedelta(minutes=id)).isoformat()
        webhook = self.entries[id][0]
        kind, label = self.kinds.get(id, (10, None))
        told = {"eventType": kind, "eventTypeDisplay": label, "contextId": id, "createdDate": created}
        return {"id": id, "webhookId": webhook, **told}

    def _single(self, request: Request) -> Response:
        id = int(request.path.rsplit("/", 1)[1])
        self.asked.append(id)
        return self.answers.get(id) or _json({**self._row(id), "payLoad": self.entries[id][1], "securityToken": "s"})


def _json(value: object) -> Response:
    return Response(json.dumps(value), content_type="application/json")


@pytest.fixture
def log(httpserver: HTTPServer) -> Log:
    return Log(httpserver)


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


def run(log: Log, warehouse: Path, most: int = 100, now: datetime | None = START) -> Outcome:
    """One run that reads the log and its entries; the account of the entries."""
    config = Settings(
        raise_base_url=log.server.url_for(""),
        crm_plus_base_url=log.server.url_for(""),
        raise_api_token="token",
        raise_requests_per_second=0,
        warehouse_path=warehouse,
        webhook_payloads_per_run=most,
        tieout_now=now,
        _env_file=None,
    )  # type: ignore[call-arg]
    (organization,) = config.organizations
    log.asked.clear()
    reading = Reading(
        source="raise",
        dataset=DATASET,
        organization=organization.slug,
        time_zone="UTC",
        settings=config,
        run_id="run",
        client=RaiseClient(organization, Patience(attempts=1, initial=0.001, longest=0.001)),
        rows_name=ROWS,
        resources=RESOURCES,
    )
    while reading.begin_package():
        load(reading, warehouse)
    reading.close()
    return reading.outcomes[WEBHOOK_LOG_PAYLOADS.name]


def load(reading: Reading, warehouse: Path) -> None:
    """Loads a package as dlt does: by key, and wholly or not at all."""
    loaded = {resource.name: (("id",), list(reading.rows(resource))) for resource in RESOURCES}
    loaded |= {name: (key, list(reading.operations(name))) for name, (_, key) in TABLES.items()}
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("begin")
        connection.execute(f"create schema if not exists {DATASET}")
        for resource in RESOURCES:
            columns = arrow_schema((ORGANIZATION, *resource.columns, *BOOKKEEPING)).empty_table()
            connection.register("declared", columns)
            connection.execute(f"create table if not exists {DATASET}.{resource.name} as from declared")
        for name, (key, tables) in loaded.items():
            for table in tables:
                if not table.num_columns:
                    continue
                connection.register("incoming", table)
                connection.execute(f"create table if not exists {DATASET}.{name} as from incoming limit 0")
                connection.execute(f"alter table {DATASET}.{name} add column if not exists _dlt_load_id varchar")
                same = " and ".join(f't."{column}" = i."{column}"' for column in ("organization", *key))
                connection.execute(f"delete from {DATASET}.{name} t where exists (from incoming i where {same})")
                connection.execute(f"insert into {DATASET}.{name} by name from incoming")
        connection.execute("commit")


def payloads(warehouse: Path) -> dict[int, tuple[str, int, str | None]]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        found = connection.execute(
            "select id, outcome, attempts, pay_load from raw_raise.webhook_log_payloads where organization = 'default'"
        ).fetchall()
    assert len({id for id, *_ in found}) == len(found)
    return {id: (outcome, attempts, payload) for id, outcome, attempts, payload in found}


def test_what_was_delivered_is_kept_as_text_whatever_it_is(log: Log, warehouse: Path) -> None:
    log.entries = {id: (31, payload) for id, payload in ODD.items()}
    log.entries[8] = (31, {"id": 9, "nested": [1, None]})
    outcome = run(log, warehouse)
    assert outcome.is_complete
    assert outcome.requests == len(log.entries)
    kept = {id: payload for id, (_, _, payload) in payloads(warehouse).items()}
    assert kept == {**ODD, 7: ODD[7].replace("\ud800", "\\ud800"), 8: '{"id": 9, "nested": [1, null]}'}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        ((extra,),) = connection.execute("select distinct extra_fields from raw_raise.webhook_log_payloads").fetchall()
    assert extra is None


def test_a_run_asks_for_the_newest_within_its_budget_and_the_next_goes_on(log: Log, warehouse: Path) -> None:
    log.entries = {id: (31 + id % 2, "{}") for id in range(1, 11)}
    outcome = run(log, warehouse, most=4)
    assert log.asked == [10, 9, 8, 7]
    assert outcome.mode_reason == "single entries, those about campaigns first: 4 read"
    log.entries[11] = (31, "{}")
    run(log, warehouse, most=4)
    assert log.asked == [11, 6, 5, 4]
    run(log, warehouse, most=4)
    assert log.asked == [3, 2, 1]
    run(log, warehouse, most=4)
    assert log.asked == []
    assert set(payloads(warehouse)) == set(log.entries)


CAMPAIGN = (41, "Campaign Updated")


@pytest.mark.parametrize(
    "kind", [CAMPAIGN, (40, None), (43, "Sync Switched"), (99, "CAMPAIGN sync off"), (None, "campaign")]
)
@pytest.mark.parametrize("most", [0, 3])
def test_entries_about_campaigns_come_first_and_outside_the_budget(
    log: Log, warehouse: Path, kind: tuple[int | None, str | None], most: int
) -> None:
    log.entries = dict.fromkeys(range(1, 31), (31, "{}"))
    log.kinds = dict.fromkeys(range(1, 6), kind)
    run(log, warehouse, most=most)
    assert log.asked == [5, 4, 3, 2, 1, 30, 29, 28][: 5 + most]
    log.entries[31], log.kinds[31] = (31, "{}"), kind
    run(log, warehouse, most=most)
    assert log.asked == [31, 27, 26, 25][: 1 + most]


def test_entries_about_campaigns_that_are_behind_come_first_in_the_next_run(log: Log, warehouse: Path) -> None:
    """Those of runs that asked for nothing, as they are in the warehouse."""
    log.entries = dict.fromkeys(range(1, 11), (31, "{}"))
    log.kinds = {2: CAMPAIGN, 3: (None, None)}
    log.answers = {2: Response(status=500)}
    run(log, warehouse, most=0)
    assert log.asked == [2]
    log.answers = {}
    run(log, warehouse, most=1)
    assert log.asked == [2, 10]


def test_an_entry_about_a_campaign_that_is_absent_says_nothing_of_the_others(log: Log, warehouse: Path) -> None:
    log.entries = dict.fromkeys(range(1, 21), (31, "{}"))
    log.kinds = dict.fromkeys(range(3, 11), CAMPAIGN)
    log.answers = {id: Response(status=404) for id in range(3, 11)}
    run(log, warehouse, most=4)
    assert log.asked == [*range(10, 2, -1), 20, 19, 18, 17]


def test_entries_about_campaigns_that_fail_do_not_keep_the_others_from_being_read(log: Log, warehouse: Path) -> None:
    log.entries = dict.fromkeys(range(1, 21), (31, "{}"))
    log.kinds = dict.fromkeys(range(1, 6), CAMPAIGN)
    log.answers = {id: Response(status=500) for id in range(1, 6)}
    outcome = run(log, warehouse, most=4)
    assert log.asked == [5, 4, 3, 20, 19, 18, 17]
    assert not outcome.is_complete
    # A refusal concerns the whole log.
    log.answers = {id: Response(status=403) for id in range(1, 6)}
    run(log, warehouse, most=4)
    assert log.asked == [2]


def test_a_fifth_of_the_budget_goes_to_the_oldest(log: Log, warehouse: Path) -> None:
    """An organization with more deliveries a day than the budget gets to the old ones all the same."""
    log.entries = dict.fromkeys(range(1, 101), (31, "{}"))
    run(log, warehouse, most=10)
    assert log.asked == [*range(100, 92, -1), 91, 92]
    oldest = []
    for day in range(1, 4):
        log.entries |= dict.fromkeys(range(day * 1000, day * 1000 + 50), (31, "{}"))
        run(log, warehouse, most=10)
        oldest += log.asked[8:]
    assert oldest == [1, 2, 3, 4, 5, 6]


def test_the_oldest_are_looked_for_where_the_log_still_retains_them(log: Log, warehouse: Path) -> None:
    log.entries = dict.fromkeys(range(1, 3001), (31, "{}"))
    run(log, warehouse, most=0)
    log.answers = {id: Response(status=404) for id in range(1, 2501)}
    oldest = []
    for _ in range(3):
        run(log, warehouse, most=100)
        oldest.append(log.asked[80:])
    assert all(len(asked) == 20 for asked in oldest)
    read = [id for id, (outcome, *_) in payloads(warehouse).items() if outcome == "read" and id < 2700]
    assert read
    # What is known to be beyond what the log retains is not tried again.
    assert min(oldest[-1]) > 2000


def test_what_the_log_no_longer_retains_stays_and_is_asked_for_once(log: Log, warehouse: Path) -> None:
    log.entries = dict.fromkeys(range(1, 5), (31, "{}"))
    run(log, warehouse, most=2)
    log.answers = {id: Response(status=404) for id in (1, 2)}
    del log.entries[1]
    run(log, warehouse)
    assert log.asked == [2, 1]
    run(log, warehouse)
    assert log.asked == []
    assert {id: outcome for id, (outcome, *_) in payloads(warehouse).items()} == {
        1: "absent",
        2: "absent",
        3: "read",
        4: "read",
    }
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        assert connection.execute("select count(*) from raw_raise.webhook_logs").fetchone() == (4,)


def test_a_webhook_that_refuses_is_left_alone_and_hides_no_other(log: Log, warehouse: Path) -> None:
    log.entries = {id: (31 if id < 5 else 34, "{}") for id in range(1, 30)}
    log.answers = {id: Response(status=403) for id in range(5, 30)}
    outcome = run(log, warehouse, most=3)
    assert log.asked == [29, 4, 3]
    assert outcome.is_complete
    assert outcome.error is None
    assert payloads(warehouse)[29] == ("refused", 1, None)
    run(log, warehouse, most=3)
    assert log.asked == [28, 2, 1]
    log.answers = {}
    run(log, warehouse)
    assert sorted(log.asked) == list(range(5, 30))
    assert payloads(warehouse)[29] == ("read", 2, "{}")


def test_a_refused_entry_is_not_asked_for_for_ever(log: Log, warehouse: Path) -> None:
    log.entries = {1: (31, "{}")}
    log.answers = {1: Response(status=403)}
    asked = []
    for _ in range(5):
        run(log, warehouse)
        asked += log.asked
    assert asked == [1, 1, 1]


def test_what_cannot_be_read_is_tried_again_and_stops_nothing(log: Log, warehouse: Path) -> None:
    log.entries = dict.fromkeys(range(1, 8), (31, "{}"))
    log.answers = {
        7: Response("<html>maintenance</html>"),
        6: Response(status=500),
        4: Response("[]"),
        3: Response('{"id": 3, "payLo'),
        2: Response(status=400),
    }
    outcome = run(log, warehouse)
    assert log.asked == [7, 6, 5, 4, 3, 2]
    assert not outcome.is_complete
    assert outcome.error is None
    log.answers = {}
    assert run(log, warehouse).is_complete
    assert {outcome for outcome, *_ in payloads(warehouse).values()} == {"read"}


def test_a_refused_token_ends_it_and_what_came_before_is_kept(log: Log, warehouse: Path) -> None:
    log.entries = dict.fromkeys(range(1, 4), (31, "{}"))
    log.answers = {2: Response(status=401)}
    outcome = run(log, warehouse)
    assert "(401)" in (outcome.error or "")
    assert set(payloads(warehouse)) == {3}


@pytest.mark.parametrize("name", ["payLoad", "payload", "PayLoad"])
def test_a_payload_is_known_however_its_name_is_spelled(log: Log, warehouse: Path, name: str) -> None:
    log.entries = {1: (31, None)}
    log.answers = {1: _json({"id": 1, name: "{}"})}
    run(log, warehouse)
    assert payloads(warehouse) == {1: ("read", 1, "{}")}


def test_an_entry_without_its_payload_is_no_empty_payload(log: Log, warehouse: Path) -> None:
    log.entries = {1: (31, None), 2: (31, None)}
    log.answers = {1: _json({"id": 1, "eventType": 10})}
    assert run(log, warehouse).is_complete
    assert payloads(warehouse) == {1: ("withheld", 1, None), 2: ("read", 1, None)}


def logged(warehouse: Path) -> int:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        ((count,),) = connection.execute("select count(*) from raw_raise.webhook_logs").fetchall()
    return int(count)


def test_a_log_is_read_to_known_ground(log: Log, warehouse: Path) -> None:
    log.cap, log.entries = 3, dict.fromkeys(range(1, 31), (31, "{}"))
    run(log, warehouse)
    log.entries |= dict.fromkeys(range(31, 34), (31, "{}"))
    log.pages = 0
    run(log, warehouse)
    assert logged(warehouse) == 33
    assert log.pages < 5


@pytest.mark.parametrize("clock", ["standing still", "going on"])
def test_what_a_reading_brought_that_broke_off_is_no_known_ground(log: Log, warehouse: Path, clock: str) -> None:
    log.cap, log.entries = 3, dict.fromkeys(range(1, 31), (31, "{}"))
    for known, fails_after in ((30, None), (60, 3), (61, None)):
        log.entries = dict.fromkeys(range(1, known + 1), (31, "{}"))
        log.pages, log.fails_after = 0, fails_after
        run(log, warehouse, most=0, now=START + timedelta(hours=known) if clock == "standing still" else None)
    assert logged(warehouse) == 61


def test_a_log_that_grows_while_it_is_read_is_read_once(log: Log, warehouse: Path) -> None:
    log.cap, log.entries, log.grows_every = 3, dict.fromkeys(range(1, 301), (31, "{}")), 20
    run(log, warehouse, most=0)
    assert log.pages < 170
    log.pages, log.grows_every = 0, None
    run(log, warehouse, most=0)
    assert logged(warehouse) == len(log.entries) > 300
    assert log.pages < 10


@pytest.mark.parametrize("refuses_sorting", [True, False])
@pytest.mark.parametrize(
    ("order", "known"),
    [(lambda id: id, 3), (lambda id: id, 8), (lambda id: (id > 3, -id), 8)],
    ids=["oldest first, of one page", "oldest first", "those of an old webhook first"],
)
def test_a_log_in_another_order_is_read_to_its_end(
    log: Log, warehouse: Path, order: Callable[[int], Any], known: int, refuses_sorting: bool
) -> None:
    log.order, log.refuses_sorting = order, refuses_sorting
    log.cap, log.entries = 3, dict.fromkeys(range(1, known + 1), (31, "{}"))
    run(log, warehouse, most=0)
    for news in range(known + 1, known + 4):
        log.entries[news] = (31, "{}")
        run(log, warehouse, most=0)
        assert logged(warehouse) == news


def test_no_budget_asks_for_nothing(log: Log, warehouse: Path) -> None:
    log.entries = {1: (31, "{}")}
    assert run(log, warehouse, most=0).is_complete
    assert log.asked == []
    assert payloads(warehouse) == {}


def test_no_webhook_at_all(log: Log, warehouse: Path) -> None:
    assert run(log, warehouse).is_complete
    assert payloads(warehouse) == {}


def test_a_log_that_may_not_be_read(log: Log, warehouse: Path) -> None:
    log.server.clear()
    log.server.expect_request("/api/Webhook/log/list").respond_with_data(status=403)
    assert run(log, warehouse).is_complete
    assert payloads(warehouse) == {}
