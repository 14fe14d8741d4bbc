"""Readings of an API that changes between runs, into a warehouse that is killed now and then: nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion import resource_reading
from ingestion.columns import Resource, declare
from ingestion.envelope import page_of
from ingestion.errors import ClockWrong, SourceBroken, SourceUnreachable
from ingestion.http import ReadClient, Usage
from ingestion.ladder import Ladder
from ingestion.pages import BEGINNING, Hole, KnownHole, Page, Position, keyset_pages, offset_pages
from ingestion.reading import Reading
from ingestion.settings import Settings
from ingestion.tenants import Foreign, Held
from tests.plain_warehouse import PlainWarehouse

THINGS = Resource(
    "things",
    "/api/Thing/list",
    declare(integer="id", text="name", instant="createdDate modifiedDate"),
    modified="modifiedDate",
    created="createdDate",
)
START = datetime(2026, 3, 2, 6, tzinfo=UTC)
PER_PAGE = 4


@dataclass
class Api:
    """A collection in memory that can be read like Raise (offsets) or like CRM+ (keys and modification)."""

    style: str
    now: datetime = START
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    requests: int = 0
    fails_after: int | None = None
    broken: Collection[int] = ()
    """Rows on which a page fails."""

    missed: Collection[int] = ()
    """Rows that are counted and not given."""

    total_of: Callable[[int], int | None] = int
    """What it says instead of how many rows it counts."""

    http: Any = None

    def __post_init__(self) -> None:
        self.http = type("Http", (), {"product": "Raise", "usage": Usage(), "skew": None})()
        for _ in range(30):
            self.insert()

    def insert(self) -> None:
        key = max(self.rows, default=0) + 1
        # What is there at the start has been there for long.
        stamp = (self.now if self.now > START else START - timedelta(days=500 - key)).isoformat()
        self.rows[key] = {"id": key, "name": "new", "createdDate": stamp, "modifiedDate": stamp}

    def update(self, at: int) -> None:
        if self.rows:
            key = sorted(self.rows)[at % len(self.rows)]
            self.rows[key] |= {"name": f"at {self.now}", "modifiedDate": self.now.isoformat()}

    def delete(self, at: int) -> None:
        if self.rows:
            del self.rows[sorted(self.rows)[at % len(self.rows)]]

    def _answer(self, rows: list[dict[str, Any]], total: int) -> Page:
        self.requests += 1
        self.http.usage.requests += 1
        if self.fails_after is not None and self.requests > self.fails_after:
            raise SourceUnreachable("Raise", "127.0.0.1", "gone")
        if any(row["id"] in self.broken for row in rows):
            raise SourceBroken("Raise", THINGS.path, "status 500")
        return page_of("Raise", THINGS, "items", json.dumps({"items": rows, "total": self.total_of(total)}))

    def _ordered(self, since: datetime | None = None) -> list[dict[str, Any]]:
        return [
            self.rows[key]
            for key in sorted(self.rows.keys() - set(self.missed))
            if since is None or datetime.fromisoformat(self.rows[key]["modifiedDate"]) >= since
        ]

    def pages(self, resource: Resource, start: Position = BEGINNING, known: Iterable[KnownHole] = ()) -> Iterator[Page]:
        if self.style == "keyset":
            return self._keyset(None, start, known)
        ladder = Ladder(PER_PAGE, None, known, start)

        def behind(skip: int, least: int) -> Page:
            return ladder.fetch(
                lambda take, _: self._answer(self._ordered()[skip : skip + take], len(self.rows)), least, at=skip
            )

        return offset_pages(behind, start, ahead=0)

    def _keyset(self, since: datetime | None, start: Position, known: Iterable[KnownHole] = ()) -> Iterator[Page]:
        ladder = Ladder(PER_PAGE, None, known, start)

        def above(after: int | None, skip: int, least: int) -> Page:
            left = [row for row in self._ordered(since) if after is None or row["id"] > after]
            total = len(left) + sum(after is None or key > after for key in self.missed)
            return ladder.fetch(lambda take, _: self._answer(left[skip : skip + take], total), least)

        return keyset_pages(above, start)

    def changes(self, resource: Resource, since: datetime) -> Iterator[Page] | None:
        return self._keyset(since, BEGINNING) if self.style == "keyset" else None

    def singles(self, resource: Resource, keys: Iterable[int], known: Collection[int] = ()) -> Iterator[Page]:
        return iter(())

    def count(self, resource: Resource) -> int | None:
        self.requests += 1
        return self.total_of(len(self.rows))

    def foreign(self, held: Held) -> Foreign | None:
        return None

    def close(self) -> None: ...


class Warehouse(PlainWarehouse):
    def __init__(self, path: Path) -> None:
        super().__init__(path, THINGS)

    def rows(self, condition: str = "_deleted_at is null") -> dict[int, str]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            found = connection.execute(
                f"select id, name, count(*) over (partition by id) from raw.things where {condition}"
            )
            rows = found.fetchall()
        assert all(count == 1 for _, _, count in rows)
        return {key: name for key, name, _ in rows}

    def coverage(self) -> list[list[Any]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            found = connection.execute("select coverage from raw.read_progress").fetchall()
        ranges: list[list[Any]] = json.loads(found[0][0])
        return ranges

    def audit(self) -> list[dict[str, Any]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return connection.execute("from raw.load_audit order by recorded_at").to_arrow_table().to_pylist()


def run(
    api: Api,
    warehouse: Warehouse,
    *,
    full: bool = False,
    accept_deletions: Collection[str] = (),
    organizations_file: Path | None = None,
    killed_after: int | None = None,
    meanwhile: Callable[[], None] | None = None,
    is_simulated: bool = True,
) -> Reading:
    """One run; `killed_after` packages it is killed before the next one is committed.

    `meanwhile` happens after each package.
    """
    config = Settings(
        warehouse_path=warehouse.path,
        tieout_now=api.now if is_simulated else None,
        commit_every_rows=7,
        organizations_file=organizations_file,
        _env_file=None,  # type: ignore[call-arg]
    )
    reading = Reading(
        source="raise",
        dataset="raw",
        organization="riverside",
        time_zone="UTC",
        settings=config,
        run_id=f"run {api.now} {api.requests}",
        client=api,
        rows_name="items",
        resources=(THINGS,),
        full=full,
        accept_deletions=accept_deletions,
    )
    packages = 0
    while reading.begin_package():
        if killed_after is not None and packages >= killed_after:
            list(reading.rows(THINGS))
            break
        warehouse.load(reading)
        packages += 1
        if meanwhile:
            meanwhile()
    reading.close()
    return reading


@pytest.fixture(autouse=True)
def _small_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_reading, "_BYTES_PER_BATCH", 700)
    monkeypatch.setattr("ingestion.plan._SMALL", 0)
    monkeypatch.setattr("ingestion.plan._WHOLE_PER_DAY", 0)


STYLES = ("offset", "keyset")
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["insert", "update", "delete"]), st.integers(0, 100)),
        st.tuples(st.sampled_from(["run", "kill", "fail"]), st.integers(0, 5)),
    ),
    max_size=6,
)


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_after_a_whole_run_the_warehouse_is_as_the_api(
    tmp_path_factory: pytest.TempPathFactory, style: str, steps: list[tuple[str, int]]
) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path_factory.mktemp("w") / "warehouse.duckdb")
    for what, number in steps:
        api.now += timedelta(hours=3)
        if what == "insert":
            api.insert()
        elif what == "update":
            api.update(number)
        elif what == "delete":
            api.delete(number)
        else:
            api.fails_after = api.requests + number if what == "fail" else None
            run(api, warehouse, killed_after=number if what == "kill" else None)
            api.fails_after = None
    api.now += timedelta(hours=1)
    run(api, warehouse, full=True)
    # A sweep that had been interrupted is finished by the run before; the next one is whole.
    api.now += timedelta(hours=1)
    run(api, warehouse, full=True)
    assert warehouse.rows() == {key: row["name"] for key, row in api.rows.items()}
    assert warehouse.audit()[-1]["is_complete"]


@pytest.mark.parametrize("style", STYLES)
def test_a_killed_sweep_goes_on_behind_its_last_package(tmp_path: Path, style: str) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse, killed_after=2)
    held = len(warehouse.rows())
    assert 0 < held < 30
    before = api.requests
    api.now += timedelta(hours=1)
    run(api, warehouse)
    assert len(warehouse.rows()) == 30
    assert api.requests - before < 30 / (PER_PAGE - 1)
    (audit,) = warehouse.audit()
    assert audit["is_complete"]
    assert audit["mode_reason"].startswith("goes on with the sweep that began")
    assert audit["started_at"] == START


def test_a_row_that_a_later_package_brings_again_stands_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deletions move what was read into the page where the reading goes on."""
    monkeypatch.setattr(resource_reading, "prefetched", lambda pages, _: pages)
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    brought: list[int] = []

    def delete_before_the_last() -> None:
        held = sorted(warehouse.rows())
        brought.append(len(held))
        for key in held[-4:-1]:
            api.rows.pop(key, None)

    reading = run(api, warehouse, meanwhile=delete_before_the_last)
    assert len(brought) > 2
    assert reading.outcomes["things"].rows_read > len(warehouse.rows(condition="true"))


@pytest.mark.parametrize("packages", [0, 2])
@pytest.mark.parametrize("style", STYLES)
def test_after_a_long_outage_a_sweep_starts_over(tmp_path: Path, style: str, packages: int) -> None:
    """What it read before would make all of it as old as that, and too old to be judged by."""
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    if packages:
        run(api, warehouse, killed_after=packages)
    api.fails_after = api.requests
    for _ in range(3):
        api.now += timedelta(hours=24)
        run(api, warehouse)
        assert not warehouse.audit()[-1]["is_complete"]
    api.fails_after = None
    api.now += timedelta(hours=1)
    run(api, warehouse)
    audit = warehouse.audit()[-1]
    assert audit["is_complete"]
    assert audit["started_at"] == api.now


@pytest.mark.parametrize("style", STYLES)
def test_every_row_is_read_again_within_the_promise(tmp_path: Path, style: str) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    for _ in range(170):
        api.insert()
    run(api, warehouse)
    full = api.requests
    # Edited without a trace, which only reading again can find.
    for row in api.rows.values():
        row["name"] = "edited"
    costs = []
    for _ in range(14):
        api.now += timedelta(hours=12)
        before = api.requests
        run(api, warehouse)
        costs.append(api.requests - before)
    assert set(warehouse.rows().values()) == {"edited"}
    assert max(costs) < full / 3
    assert {row["mode"] for row in warehouse.audit()[1:]} == {"rolling"}


def test_the_newest_rows_count_as_read_in_every_run(tmp_path: Path) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    api.now += timedelta(hours=1)
    for _ in range(10):
        api.insert()
    run(api, warehouse)
    api.now += timedelta(hours=1)
    del api.rows[35]
    run(api, warehouse)
    assert warehouse.audit()[-1]["mode"] != "full"
    assert set(warehouse.rows("_deleted_at is not null")) == {35}
    newest = warehouse.coverage()[-1]
    assert newest[0] < 31
    assert newest[1:3] == [None, api.now.isoformat()]


@pytest.mark.parametrize("style", STYLES)
def test_what_vanished_is_flagged_and_what_comes_back_is_not(tmp_path: Path, style: str) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    gone = {key: api.rows.pop(key) for key in (3, 17, 30)}
    api.now += timedelta(hours=1)
    run(api, warehouse, full=True)
    assert set(warehouse.rows("_deleted_at is not null")) == {3, 17, 30}
    assert warehouse.audit()[-1]["rows_deleted"] == 3
    api.rows |= gone
    api.now += timedelta(hours=1)
    run(api, warehouse, full=True)
    assert len(warehouse.rows()) == 30
    assert warehouse.audit()[-1]["rows_deleted"] == 0


@pytest.mark.parametrize("style", STYLES)
def test_the_total_of_an_empty_collection_is_zero(tmp_path: Path, style: str) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    api.rows.clear()
    run(api, warehouse)
    (audit,) = warehouse.audit()
    assert (audit["api_total"], audit["rows_read"], audit["is_complete"]) == (0, 0, True)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("is_empty", [True, False])
def test_without_a_total_nothing_is_complete_or_deleted(tmp_path: Path, style: str, is_empty: bool) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    api.total_of = lambda _: None
    api.now += timedelta(hours=1)
    if is_empty:
        api.rows.clear()
    else:
        del api.rows[3]
    for full in (True, False):
        run(api, warehouse, full=full)
        audit = warehouse.audit()[-1]
        assert (audit["is_complete"], audit["rows_deleted"], audit["api_total"]) == (False, 0, None)
        assert "does not say how many things there are" in audit["error"]
    assert len(warehouse.rows("_deleted_at is null")) == 30
    api.total_of = int
    api.now += timedelta(hours=1)
    if not is_empty:
        run(api, warehouse)
        assert warehouse.audit()[-1]["is_complete"]
        assert set(warehouse.rows("_deleted_at is not null")) == {3}


def test_an_exception_that_nobody_foresaw_is_an_error_of_its_resource(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")

    def fails(*_: object) -> None:
        raise ZeroDivisionError("Ada Lovelace")

    monkeypatch.setattr(api, "_answer", fails)
    run(api, warehouse)
    (audit,) = warehouse.audit()
    assert not audit["is_complete"]
    assert audit["error"].startswith("Reading /api/Thing/list failed unexpectedly (ZeroDivisionError)")


def test_rows_that_cannot_be_typed_are_accounted_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    answer = api._answer

    def odd(rows: list[dict[str, Any]], total: int) -> Page:
        page = answer(rows, total)
        return replace(page, body=page.body.replace('{"id": 7,', '{"id": 999, "id": 7,'))

    monkeypatch.setattr(api, "_answer", odd)
    for _ in range(2):
        run(api, warehouse, full=True)
        audit = warehouse.audit()[-1]
        assert (audit["is_complete"], audit["rows_quarantined"], audit["error"]) == (True, 1, None)
        assert len(warehouse.rows()) == 29
        api.now += timedelta(hours=1)
    monkeypatch.undo()
    run(api, warehouse, full=True)
    assert len(warehouse.rows()) == 30


def test_a_collection_that_gives_nothing_and_counts_rows_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    monkeypatch.setattr(api, "_ordered", list)
    run(api, warehouse)
    (audit,) = warehouse.audit()
    assert (audit["api_total"], audit["is_complete"]) == (30, False)
    assert "counts 30 things but gave 0" in audit["error"]


@pytest.mark.parametrize("style", STYLES)
def test_a_mass_deletion_is_not_believed(tmp_path: Path, style: str) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    for key in range(1, 9):
        del api.rows[key]
    api.now += timedelta(hours=1)
    reading = run(api, warehouse, full=True)
    assert len(warehouse.rows()) == 30
    outcome = reading.outcomes["things"]
    assert not outcome.is_complete
    assert "8 of 30 things are gone from Raise, more than 20%" in (outcome.error or "")
    assert "if they were really deleted, tieout run --accept-deletions raise.things accepts that." in outcome.error


@pytest.mark.parametrize("style", STYLES)
def test_a_mass_deletion_that_is_accepted_is_marked_once_and_told(tmp_path: Path, style: str) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    for key in range(1, 9):
        del api.rows[key]
    outcomes = []
    for full, accepted in (
        (True, ()),
        (True, ["raise.others", "crm_plus.things"]),
        (False, ["raise.things"]),
        (True, ()),
    ):
        api.now += timedelta(hours=1)
        outcomes.append(run(api, warehouse, full=full, accept_deletions=accepted).outcomes["things"])
    assert [(outcome.is_complete, outcome.rows_deleted) for outcome in outcomes] == [
        (False, 0),
        (False, 0),
        (True, 8),
        (True, 0),
    ]
    assert set(warehouse.rows()) == set(api.rows)
    audit = warehouse.audit()[3]
    assert (audit["mode"], audit["mode_reason"]) == ("full", "asked for; accepted that 8 of 30 are gone")
    assert (audit["rows_read"], audit["error"]) == (22, None)


@pytest.mark.parametrize("style", STYLES)
def test_what_is_accepted_rests_on_one_reading(tmp_path: Path, style: str) -> None:
    """The sweep that was killed missed rows which are there again."""
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    hidden = {key: api.rows.pop(key) for key in range(1, 9)}
    api.now += timedelta(hours=1)
    for row in api.rows.values():
        row["name"] = "edited"
    run(api, warehouse, full=True, killed_after=2)
    api.rows |= hidden
    api.now += timedelta(hours=1)
    outcome = run(api, warehouse, accept_deletions=["raise.things"]).outcomes["things"]
    assert (outcome.is_complete, outcome.rows_deleted, outcome.rows_read) == (True, 0, 30)


def test_what_the_api_counts_and_does_not_give_is_never_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    for key in range(1, 9):
        del api.rows[key]
    answer = api._answer
    monkeypatch.setattr(api, "_answer", lambda rows, total: answer(rows, total + 8))
    api.now += timedelta(hours=1)
    outcome = run(api, warehouse, accept_deletions=["raise.things"]).outcomes["things"]
    assert "counts 30 things but gave 22" in (outcome.error or "")
    assert len(warehouse.rows()) == 30


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("broken", "deleted", "missed", "is_complete"),
    [
        ([10], [20], [], True),
        ([10, 11], [12, 20], [], True),
        ([31], [20], [], True),
        ([10], [], [20], False),
        ([10, 11], [12], [20], False),
        ([31], [], [20], False),
    ],
)
def test_a_row_that_cannot_be_read_stands_in_for_no_row_that_is_missed(
    tmp_path: Path, style: str, broken: list[int], deleted: list[int], missed: list[int], is_complete: bool
) -> None:
    """Those that are held already, one that is new; a row that is gone from among them may be one of them."""
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    api.now += timedelta(hours=1)
    if 31 in broken:
        api.insert()
    for key in deleted:
        del api.rows[key]
    api.broken, api.missed = broken, missed
    outcome = run(api, warehouse, full=True).outcomes["things"]
    assert (outcome.is_complete, outcome.error is None) == (is_complete, is_complete)
    assert set(warehouse.rows("_deleted_at is not null")) == ({20} & set(deleted))
    api.broken = api.missed = ()
    api.now += timedelta(hours=1)
    run(api, warehouse, full=True)
    assert set(warehouse.rows()) == set(api.rows)


@pytest.mark.parametrize("style", STYLES)
def test_a_row_that_cannot_be_read_by_its_key_stands_in_for_no_row_that_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    api.now += timedelta(days=1)
    api.missed = [1]
    monkeypatch.setattr(Reading, "_changed_keys", lambda *_: [20])
    monkeypatch.setattr(api, "singles", lambda *_: iter([Page("", (), None, hole=Hole("status 500", "20"))]))
    outcome = run(api, warehouse).outcomes["things"]
    assert "counts 30 things but gave 29" in (outcome.error or "")
    assert len(warehouse.rows()) == 30


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("ended_by", ["an outage", "a kill"])
def test_what_an_earlier_run_of_a_sweep_could_not_read_stays_in_quarantine(
    tmp_path: Path, style: str, ended_by: str
) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    api.rows[2]["createdDate"] = "soon"
    if ended_by == "an outage":
        api.fails_after = 4
        run(api, warehouse)
        api.fails_after = None
    else:
        run(api, warehouse, killed_after=2)
    assert len(warehouse.rows()) < 30
    api.now += timedelta(hours=1)
    assert run(api, warehouse).outcomes["things"].is_complete
    assert quarantine(warehouse) == [("2", "created_date", 1, None)]
    api.rows[2]["createdDate"] = START.isoformat()
    api.now += timedelta(hours=1)
    run(api, warehouse, full=True)
    assert quarantine(warehouse) == [("2", "created_date", 1, api.now)]


def test_a_row_that_is_gone_leaves_quarantine_also_by_a_sweep_of_several_runs(tmp_path: Path) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    api.rows[2]["createdDate"] = "soon"
    run(api, warehouse)
    del api.rows[2]
    api.now += timedelta(hours=1)
    began, api.fails_after = api.now, api.requests + 4
    run(api, warehouse, full=True)
    assert quarantine(warehouse) == [("2", "created_date", 1, None)]
    api.fails_after = None
    api.now += timedelta(hours=1)
    run(api, warehouse)
    assert quarantine(warehouse) == [("2", "created_date", 1, began)]


def test_where_rows_come_in_no_order_what_cannot_be_read_may_be_any_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    ordered = api._ordered
    monkeypatch.setattr(api, "_ordered", lambda: ordered()[::-1])
    run(api, warehouse)
    for broken, deleted in (([12], []), ([12], [20]), ([], [])):
        api.broken = broken
        for key in deleted:
            del api.rows[key]
        api.now += timedelta(hours=1)
        assert run(api, warehouse).outcomes["things"].is_complete
        # With a row that cannot be read nobody knows which of the two is gone.
        assert set(warehouse.rows()) == (set(range(1, 31)) if broken else set(api.rows))
    assert [resolved_at for *_, resolved_at in quarantine(warehouse)] == [api.now]


@pytest.mark.parametrize("style", STYLES)
def test_a_mass_deletion_is_not_forgotten(tmp_path: Path, style: str) -> None:
    """Also where the next run would read a slice that lacks nothing."""
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    for _ in range(170):
        api.insert()
    run(api, warehouse)
    gone = {key: api.rows.pop(key) for key in range(140, 200)}
    for hours in range(3):
        api.now += timedelta(hours=1)
        outcome = run(api, warehouse, full=not hours).outcomes["things"]
        assert (outcome.is_complete, outcome.mode) == (False, "full")
        assert "60 of 200 things are gone" in (outcome.error or "")
    api.rows |= gone
    api.now += timedelta(hours=1)
    assert run(api, warehouse).outcomes["things"].is_complete
    api.now += timedelta(hours=1)
    assert run(api, warehouse).outcomes["things"].mode != "full"


def test_what_changed_while_a_sweep_of_several_days_went_on_is_read_after_it(tmp_path: Path) -> None:
    api, warehouse = Api("keyset"), Warehouse(tmp_path / "warehouse.duckdb")
    for day in range(4):
        if day == 1:
            api.update(0)
        api.now += timedelta(hours=30)
        api.update(29)
        api.fails_after = api.requests + 2 if day < 3 else None
        assert run(api, warehouse).outcomes["things"].is_complete == (day == 3)
    api.now += timedelta(hours=1)
    assert warehouse.rows()[1] == "new"
    outcome = run(api, warehouse).outcomes["things"]
    assert outcome.mode != "full"
    assert warehouse.rows()[1] == api.rows[1]["name"] != "new"


def test_what_the_log_named_during_a_sweep_of_several_runs_is_asked_for_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    api.fails_after = 4
    run(api, warehouse)
    api.fails_after = None
    api.now += timedelta(hours=1)
    api.update(1)
    monkeypatch.setattr(Reading, "_changed_keys", lambda *_: [2])
    run(api, warehouse)
    assert warehouse.query("select due from raw.read_progress") == [("[2]",)]


@pytest.mark.parametrize("style", STYLES)
def test_a_stamp_of_the_future_hides_no_change(tmp_path: Path, style: str) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    api.rows[30]["modifiedDate"] = "9999-12-31T00:00:00Z"
    run(api, warehouse)
    api.now += timedelta(hours=1)
    api.update(4)
    outcome = run(api, warehouse).outcomes["things"]
    assert outcome.watermark is not None
    assert datetime.fromisoformat(outcome.watermark) <= api.now
    if style == "keyset":
        assert warehouse.rows()[5] == api.rows[5]["name"]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("days", [30, -30])
def test_a_clock_that_was_wrong_in_one_run_hides_nothing_in_later_ones(tmp_path: Path, style: str, days: int) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    wrong = timedelta(days=days)
    api.now += wrong
    api.update(2)
    run(api, warehouse)
    api.now += timedelta(hours=1) - wrong
    api.update(4)
    api.delete(7)
    outcome = run(api, warehouse).outcomes["things"]
    assert outcome.is_complete
    assert outcome.mode == "full"
    assert warehouse.rows() == {key: row["name"] for key, row in api.rows.items()}
    assert all(datetime.fromisoformat(read_at) <= api.now for _, _, read_at, _ in warehouse.coverage())
    late = f"timestamptz '{api.now}'"
    assert not warehouse.rows(f"_extracted_at > {late} or _first_extracted_at > {late}")
    assert [row["run_number"] for row in warehouse.audit()] == [1, 2, 3]
    api.now += timedelta(hours=1)
    outcome = run(api, warehouse).outcomes["things"]
    assert outcome.mode != "full"
    assert outcome.rows_changed == 0


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("hours", "says"), [(-26, "26.0 hours ahead of"), (26, "26.0 hours behind")])
def test_nothing_is_read_by_a_clock_that_the_api_contradicts(tmp_path: Path, style: str, hours: int, says: str) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    api.http.skew = timedelta(hours=hours)
    outcome = run(api, warehouse, is_simulated=False).outcomes["things"]
    assert not outcome.is_complete
    assert says in (outcome.error or "")
    assert warehouse.query("select count(*) from information_schema.tables where table_name = 'things'") == [(0,)]
    api.http.skew = timedelta(minutes=59)
    assert run(api, warehouse, is_simulated=False).outcomes["things"].is_complete


@pytest.mark.parametrize("style", STYLES)
def test_a_clock_that_jumps_in_the_middle_of_a_run_ends_it_there(tmp_path: Path, style: str) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")

    def jump() -> None:
        api.http.skew = timedelta(hours=-5)

    reading = run(api, warehouse, is_simulated=False, meanwhile=jump)
    assert isinstance(reading.stopped_by, ClockWrong)
    assert not reading.outcomes["things"].is_complete
    assert 0 < len(warehouse.rows()) < len(api.rows)
    api.http.skew = timedelta()
    assert run(api, warehouse, is_simulated=False).outcomes["things"].is_complete
    assert warehouse.rows().keys() == api.rows.keys()


def test_the_command_that_accepts_names_one_of_several_organizations(tmp_path: Path) -> None:
    file = tmp_path / "organizations.toml"
    file.write_text('[riverside]\nraise_token_name = "RIVERSIDE"\n')
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    api.rows.clear()
    api.now += timedelta(hours=1)
    outcome = run(api, warehouse, full=True, organizations_file=file).outcomes["things"]
    assert "tieout run --organization riverside --accept-deletions raise.things accepts" in (outcome.error or "")


@pytest.mark.parametrize("style", STYLES)
def test_an_interrupted_sweep_marks_nothing_and_moves_no_watermark(tmp_path: Path, style: str) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    del api.rows[1]
    api.now += timedelta(hours=1)
    api.fails_after = api.requests + 3
    outcome = run(api, warehouse, full=True).outcomes["things"]
    assert not outcome.is_complete
    assert "cannot be reached" in (outcome.error or "")
    assert len(warehouse.rows()) == 30
    assert outcome.watermark == warehouse.audit()[0]["watermark"]


def test_rows_that_are_missing_without_a_trace_cause_a_sweep(tmp_path: Path) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    hidden = api.rows.pop(5)
    run(api, warehouse)
    api.rows[5] = hidden
    api.now += timedelta(days=3)
    outcome = run(api, warehouse).outcomes["things"]
    assert outcome.is_complete
    assert 5 in warehouse.rows()


@pytest.mark.parametrize("style", STYLES)
def test_a_record_that_cannot_be_read_is_stepped_over(
    tmp_path: Path, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion.ladder import Ladder

    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    poisoned = 11
    asked: list[int] = []

    def guarded(rows: list[dict[str, Any]], take: int, total: int) -> Page:
        asked.append(take)
        if any(row["id"] == poisoned for row in rows[:take]):
            raise SourceBroken("Raise", "/api/Thing/list", "status 500")
        return api._answer(rows[:take], total)

    def pages(resource: Resource, start: Position = BEGINNING, known: Iterable[KnownHole] = ()) -> Iterator[Page]:
        ladder = Ladder(10, None, known, start)
        if style == "offset":
            return offset_pages(
                lambda skip, least: ladder.fetch(
                    lambda take, _: guarded(api._ordered()[skip:], take, len(api.rows)), least, at=skip
                ),
                start,
                ahead=0,
            )

        def above(after: int | None, skip: int, least: int) -> Page:
            left = [row for row in api._ordered() if after is None or row["id"] > after]
            return ladder.fetch(lambda take, _: guarded(left[skip:], take, len(left)), least)

        return keyset_pages(above, start)

    monkeypatch.setattr(api, "pages", pages)
    api.now += timedelta(hours=1)
    outcome = run(api, warehouse, full=True).outcomes["things"]
    assert outcome.error is None
    assert outcome.is_complete
    assert outcome.rows_quarantined == 1
    assert len(warehouse.rows()) == 30
    assert 1 in asked

    poisoned = -1
    api.now += timedelta(hours=1)
    run(api, warehouse, full=True)
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        ((resolved,),) = connection.execute("select resolved_at from raw.quarantined_records").fetchall()
    assert resolved == api.now


def quarantine(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return warehouse.query("select record_id, field, attempts, resolved_at from raw.quarantined_records order by all")


@pytest.mark.parametrize("style", STYLES)
def test_a_value_that_cannot_be_read_stands_once_in_quarantine(tmp_path: Path, style: str) -> None:
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    # Anchors come twice, and what changed lately in a slice and again.
    for row in api.rows.values():
        row |= {"createdDate": "soon", "modifiedDate": api.now.isoformat()}
    run(api, warehouse)
    for _ in range(2):
        api.now += timedelta(hours=1)
        api.insert()
        run(api, warehouse)
    assert len({key for key, *_ in quarantine(warehouse)}) == len(quarantine(warehouse)) == 30


@pytest.mark.parametrize("is_open", [True, False])
def test_what_stands_twice_in_quarantine_stands_once_after_the_next_run(tmp_path: Path, is_open: bool) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    readable = api.rows[5]["modifiedDate"]
    api.rows[5]["modifiedDate"] = "soon"
    run(api, warehouse)
    if not is_open:
        api.rows[5]["modifiedDate"] = readable
        run(api, warehouse, full=True)
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute("insert into raw.quarantined_records from raw.quarantined_records")
    api.now += timedelta(hours=1)
    run(api, warehouse, full=True)
    ((*_, resolved),) = quarantine(warehouse)
    assert (resolved is None) == is_open


def test_a_row_without_a_key_is_known_again_and_resolved_when_it_has_one(tmp_path: Path) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    api.rows[3]["id"] = api.rows[23]["id"] = None
    for attempts in (1, 2):
        assert run(api, warehouse, full=True).outcomes["things"].is_complete
        assert [attempt for _, _, attempt, _ in quarantine(warehouse)] == [attempts] * 2
        # So they stand in other places the next time.
        api.delete(0)
        api.now += timedelta(hours=1)
    api.rows[23]["id"] = 23
    run(api, warehouse, full=True)
    assert sorted(resolved is None for *_, resolved in quarantine(warehouse)) == [False, True]
    assert 23 in warehouse.rows()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("odd", [[1], [4], [5], [7, 8], [30], []])
def test_a_row_whose_key_cannot_be_read_any_more_is_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, style: str, odd: list[int]
) -> None:
    """It may be any that is missing between the keys beside it; what is missing elsewhere is deleted."""
    api, warehouse = Api(style), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    answer = api._answer
    monkeypatch.setattr(
        api,
        "_answer",
        lambda rows, total: answer([row | {"id": "1e3"} if row["id"] in odd else row for row in rows], total),
    )
    api.now += timedelta(hours=1)
    del api.rows[20]
    outcome = run(api, warehouse, full=True).outcomes["things"]
    assert (outcome.is_complete, outcome.rows_quarantined) == (True, len(odd))
    assert set(warehouse.rows("_deleted_at is not null")) == {20}


def test_a_row_without_a_key_that_comes_again_does_not_stand_for_one_that_is_missing(tmp_path: Path) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    for _ in range(3):
        api.now += timedelta(minutes=1)
        api.insert()
    api.rows[32]["id"] = None
    hidden = api.rows.pop(10)
    run(api, warehouse)
    api.rows[10] = hidden
    api.now += timedelta(hours=1)
    run(api, warehouse)
    assert 10 in warehouse.rows()


def test_rows_imported_with_old_dates_do_not_hide_the_newest(tmp_path: Path) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    for _ in range(3):
        api.now += timedelta(hours=1)
        api.insert()
    api.insert()
    api.rows[34]["createdDate"] = (START - timedelta(days=700)).isoformat()
    api.now += timedelta(hours=1)
    run(api, warehouse)
    api.rows[31]["name"] = "refunded"
    api.now += timedelta(hours=1)
    run(api, warehouse)
    assert warehouse.audit()[-1]["mode"] == "incremental"
    assert warehouse.rows()[31] == "refunded"


def test_the_client_protocol_is_what_the_clients_are() -> None:
    from ingestion.virtuous_crm_plus.client import CrmPlusClient
    from ingestion.virtuous_raise.client import RaiseClient

    wanted = {name for name in vars(resource_reading.Client) if not name.startswith("_")}
    for client in (RaiseClient, CrmPlusClient):
        assert wanted <= set(vars(client)) | {"http"}
    assert isinstance(ReadClient, type)


def test_a_second_full_reading_at_the_same_instant_reads_everything_again(tmp_path: Path) -> None:
    api, warehouse = Api("offset"), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse)
    assert run(api, warehouse, full=True).outcomes["things"].rows_read == 30


@pytest.mark.parametrize(
    "older",
    [
        ["alter table raw.read_progress drop due", "alter table raw.read_progress drop fields"],
        ["update raw.read_progress set due = null, fields = null, vanished = null"],
        ["drop table raw.read_progress"],
        ["alter table raw.connections drop pii_mode", "alter table raw.connections drop recorded_at"],
    ],
    ids=["without columns", "columns added for another organization", "without the table", "connections"],
)
def test_a_warehouse_of_an_older_version_is_read_on(tmp_path: Path, older: list[str]) -> None:
    api, warehouse = Api("keyset"), Warehouse(tmp_path / "warehouse.duckdb")
    run(api, warehouse, killed_after=2)
    with duckdb.connect(str(warehouse.path)) as connection:
        for statement in older:
            connection.execute(statement)
    api.now += timedelta(hours=3)
    api.update(3)
    api.delete(5)
    run(api, warehouse, full=True)
    # The sweep that was interrupted is finished by the run before.
    api.now += timedelta(hours=3)
    run(api, warehouse, full=True)
    assert warehouse.rows() == {key: row["name"] for key, row in api.rows.items()}
