"""The two clients against servers that are not quite as documented."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from ingestion.errors import AnswerNotUnderstood, RequestRejected, SourceBroken
from ingestion.http import Patience
from ingestion.pages import Page
from ingestion.settings import Organization
from ingestion.virtuous_crm_plus import resources as crm_plus
from ingestion.virtuous_crm_plus.client import CrmPlusClient
from ingestion.virtuous_raise import resources as raise_
from ingestion.virtuous_raise.client import RaiseClient
from tests.clocks import LeapingClock

Answer = Callable[[httpx.Request], httpx.Response]
PATIENCE = Patience(attempts=2, initial=0.001, longest=0.002, clock=LeapingClock())


class Server:
    """Answers in this process, and notes the requests."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[httpx.Request] = []
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self._answer(request)

    def raise_client(self) -> RaiseClient:
        return self._behind(RaiseClient(_organization(), PATIENCE))

    def crm_plus_client(self) -> CrmPlusClient:
        return self._behind(CrmPlusClient(_organization(), PATIENCE))

    def _behind(self, client: Any) -> Any:
        client.http._http = httpx.Client(transport=httpx.MockTransport(self), base_url="http://127.0.0.1")
        return client


def _organization() -> Organization:
    return Organization(slug="riverside", raise_api_token="token", raise_requests_per_second=0, crm_plus_api_key="key")  # type: ignore[call-arg]


def _json(value: object, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=value)


def _refusal(status: int = 400) -> httpx.Response:
    return _json({"title": "Bad request", "status": status}, status)


def raise_list(request: httpx.Request, total: int, broken: Collection[int] = ()) -> httpx.Response:
    skip, take = int(request.url.params["Skip"]), int(request.url.params["Take"])
    ids = range(1, total + 1)[skip : skip + take]
    if any(key in broken for key in ids):
        return httpx.Response(500)
    return _json({"items": [{"id": key} for key in ids], "total": total})


def found(pages: Iterable[Page]) -> tuple[set[int | None], int]:
    """The keys that came, and how many rows could not be read."""
    came = list(pages)
    return {key for page in came for key in page.ids}, sum(page.hole is not None for page in came)


# Rows that cannot be read.


@pytest.mark.parametrize("broken", [[1], [10], [10, 11, 12], [1, 2, 3, 4], range(5, 25), [2998, 2999, 3000]])
def test_raise_is_read_around_rows_that_cannot_be_read(broken: Collection[int]) -> None:
    server = Server(lambda request: raise_list(request, 3000, broken))
    assert found(server.raise_client().pages(raise_.GIFTS)) == (set(range(1, 3001)) - set(broken), len(broken))
    assert len(server.asked) < 60 + 10 * len(broken)


@pytest.mark.parametrize("broken", [[10, 11, 12], [1, 2, 3, 4], [2997, 2998, 2999, 3000]])
def test_crm_plus_is_read_around_rows_that_cannot_be_read(broken: Collection[int]) -> None:
    server = CrmPlus(3000, broken=broken)
    assert found(server.crm_plus_client().pages(crm_plus.GIFTS)) == (set(range(1, 3001)) - set(broken), len(broken))
    assert len(server.asked) < 60 + 10 * len(broken)


def test_an_api_that_breaks_down_costs_few_requests() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return raise_list(request, 100_000) if len(server.asked) < 10 else httpx.Response(500)

    server = Server(answer)
    with pytest.raises(SourceBroken):
        found(server.raise_client().pages(raise_.GIFTS))
    assert len(server.asked) < 50


def test_after_a_disturbance_the_pages_are_large_again() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>maintenance") if len(server.asked) <= 5 else raise_list(request, 20_000)

    server = Server(answer)
    assert found(server.raise_client().pages(raise_.GIFTS)) == (set(range(1, 20_001)), 0)
    assert len(server.asked) < 40


# What is refused.


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    ("refused", "resource", "most"),
    [
        (lambda asked: int(asked["Take"]) > 100, raise_.GIFTS, 6),
        (lambda asked: "SortBy" in asked, raise_.SEGMENTS, 2),
        (lambda asked: asked.get("SortBy") == "id", raise_.SEGMENTS, 1),
        (lambda asked: "IncludeDetails" in asked, raise_.DONORS, 3),
        (lambda asked: "SortBy" in asked or "IncludeDetails" in asked or int(asked["Take"]) > 50, raise_.DONORS, 9),
    ],
)
def test_raise_is_asked_for_less_where_it_refuses_something(
    refused: Callable[[httpx.QueryParams], bool], resource: raise_.RaiseResource, most: int, status: int
) -> None:
    refusals = []

    def answer(request: httpx.Request) -> httpx.Response:
        if refused(request.url.params):
            refusals.append(request)
            return _refusal(status)
        return raise_list(request, 250)

    client = Server(answer).raise_client()
    # The size of a page is not known before a large one is asked for.
    client.glance(resource)
    assert found(client.pages(resource)) == (set(range(1, 251)), 0)
    assert found(client.pages(resource)) == (set(range(1, 251)), 0)
    assert len(refusals) <= most


def test_a_sort_key_is_not_given_up_for_the_size_of_the_page() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return _refusal() if int(request.url.params["Take"]) > 100 else raise_list(request, 250)

    server = Server(answer)
    found(server.raise_client().pages(raise_.GIFTS))
    last = server.asked[-1].url.params
    assert (last["SortBy"], last["IncludeDetails"], last["Take"]) == ("id", "true", "100")


def test_a_refusal_that_stays_is_told() -> None:
    server = Server(lambda _: _refusal())
    with pytest.raises(RequestRejected, match="400: Bad request"):
        found(server.raise_client().pages(raise_.DONORS))
    assert len(server.asked) <= 10


# The envelope.


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ('{"items": null, "total": 0}', 0),
        ('{"items": [], "total": 0}', 0),
        ('{"items": [], "total": "0"}', 0),
        ('\ufeff{"items": [{"id": 1}], "total": 1}', 1),
    ],
)
def test_an_envelope_may_be_empty_or_marked(body: str, count: int) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        text = body if request.url.params["Skip"] == "0" else '{"items": [], "total": 1}'
        return httpx.Response(200, content=text.encode())

    assert len(found(Server(answer).raise_client().pages(raise_.PROJECTS))[0]) == count


NOTHING = [
    httpx.Response(204),
    httpx.Response(200),
    httpx.Response(200, text=" \r\n"),
    httpx.Response(200, content=b"", headers={"Content-Encoding": "gzip"}),
    httpx.Response(200, text='{"items": null, "list": null}'),
    httpx.Response(200, text="{}"),
    httpx.Response(200, text="null"),
    httpx.Response(200, text="[]"),
    httpx.Response(200, text="<html></html>"),
]


@pytest.mark.parametrize("nothing", NOTHING, ids=range(len(NOTHING)))
def test_nothing_is_no_empty_collection(nothing: httpx.Response) -> None:
    server = Server(lambda request: _json(None, 404) if "Options" in request.url.path else nothing)
    for resource in (raise_.PROJECTS, raise_.WEBHOOK_LOGS):
        with pytest.raises(AnswerNotUnderstood):
            found(server.raise_client().pages(resource))
        with pytest.raises(AnswerNotUnderstood):
            server.raise_client().count(resource)
    with pytest.raises(AnswerNotUnderstood):
        found(server.crm_plus_client().pages(crm_plus.CAMPAIGNS))
    with pytest.raises(AnswerNotUnderstood):
        server.crm_plus_client().count(crm_plus.GIFTS)


def _only_lists(single: httpx.Response) -> Callable[[httpx.Request], httpx.Response]:
    """An API that gives its lists, and this answer for each record."""
    listed = _json({"items": [{"id": 1}], "total": 1})
    return lambda request: listed if request.url.path.endswith("/list") else single


@pytest.mark.parametrize("nothing", NOTHING, ids=range(len(NOTHING)))
def test_nothing_is_no_record(nothing: httpx.Response) -> None:
    """Nor one that is deleted, which would leave quarantine. Where nothing else comes either, the API is broken."""
    (page,) = Server(_only_lists(nothing)).raise_client().singles(raise_.GIFTS, [7])
    assert page.hole
    assert page.hole.place == "7"
    with pytest.raises(AnswerNotUnderstood):
        list(Server(lambda _: nothing).raise_client().singles(raise_.GIFTS, [7]))


def test_another_record_is_not_the_one_that_was_asked_for() -> None:
    (page,) = Server(_only_lists(_json({"id": 8}))).raise_client().singles(raise_.GIFTS, [7])
    assert page.hole
    assert list(Server(lambda _: _json(None, 404)).raise_client().singles(raise_.GIFTS, [7])) == []


def test_the_organization_is_one_record() -> None:
    for text in ("", '{"organizationUserId": 1}, {"organizationUserId": 2}'):
        client = Server(lambda _, text=text: httpx.Response(200, text=text)).crm_plus_client()  # type: ignore[misc]
        with pytest.raises(AnswerNotUnderstood):
            found(client.pages(crm_plus.ORGANIZATION))
    (page,) = Server(lambda _: _json({"organizationUserId": 1})).crm_plus_client().pages(crm_plus.ORGANIZATION)
    assert (page.ids, page.total) == ((1,), 1)


@pytest.mark.parametrize("total", [-1, "many", None, True, 1.5, [3], 2**64])
def test_a_total_that_is_none_counts_nothing(total: object) -> None:
    client = Server(lambda _: _json({"items": [], "total": total})).raise_client()
    assert client.count(raise_.PROJECTS) is None


@pytest.mark.parametrize("body", ['{"items": null, "total": 3}', '[{"id": 1}]', '{"data": []}', "null"])
def test_anything_but_the_envelope_is_an_error(body: str) -> None:
    client = Server(lambda _: httpx.Response(200, text=body)).raise_client()
    with pytest.raises(AnswerNotUnderstood, match="no list of records named items"):
        found(client.pages(raise_.PROJECTS))


@pytest.mark.parametrize("nothing", [httpx.Response(204), httpx.Response(200, text='{"items": null}')])
def test_an_empty_answer_is_not_the_end_where_more_rows_are_counted(nothing: httpx.Response) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return nothing if len(server.asked) == 2 else raise_list(request, 2500)

    server = Server(answer)
    assert found(server.raise_client().pages(raise_.WEBHOOK_LOGS)) == (set(range(1, 2501)), 0)
    server = Server(lambda r: raise_list(r, 2500) if r.url.params["Skip"] == "0" else nothing)
    with pytest.raises(AnswerNotUnderstood):
        found(server.raise_client().pages(raise_.WEBHOOK_LOGS))


# CRM+.


class CrmPlus(Server):
    """Queries over rows with ids, of which `refuses` says by their body what is not accepted."""

    def __init__(
        self,
        total: int,
        *,
        key: str = "id",
        broken: Collection[int] = (),
        parameters: Collection[str] | None = None,
        refuses: Callable[[dict[str, Any]], bool] = lambda _: False,
        row: Callable[[int], dict[str, Any]] = lambda _: {},
    ) -> None:
        super().__init__(self._respond)
        self.rows = [{key: number, **row(number)} for number in range(1, total + 1)]
        self._key = key
        self._broken = broken
        self._parameters = parameters
        self._refuses = refuses

    def _below(self, rows: list[dict[str, Any]], bound: int) -> list[dict[str, Any]]:
        return [row for row in rows if row[self._key] < bound]

    def _respond(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("QueryOptions"):
            return httpx.Response(404)
        body = json.loads(request.content)
        conditions = [condition for group in body["groups"] for condition in group["conditions"]]
        named = {condition["parameter"] for condition in conditions}
        if self._refuses(body) or (self._parameters is not None and not named <= set(self._parameters)):
            return _json({"error": {"code": "BAD_REQUEST", "message": "not known"}}, 400)
        rows = self.rows if "sortBy" in body else [*self.rows[::2], *self.rows[1::2]]
        for condition in conditions:
            if condition["operator"] == "GreaterThan":
                rows = [row for row in rows if row[self._key] > int(condition["value"])]
            if condition["operator"] == "LessThan":
                rows = self._below(rows, int(condition["value"]))
        if not body.get("includeArchived", True):
            rows = [row for row in rows if row[self._key] % 10]
        skip, take = int(request.url.params["skip"]), int(request.url.params["take"])
        page = rows[skip : skip + take]
        if any(row[self._key] in self._broken for row in page):
            return httpx.Response(500)
        return _json({"list": page, "total": len(rows)})


@pytest.mark.parametrize("resource", [crm_plus.GIFTS, crm_plus.CAMPAIGNS])
def test_crm_plus_is_read_unsorted_where_it_refuses_the_sort_key(resource: crm_plus.CrmPlusResource) -> None:
    server = CrmPlus(2500, key=resource.key, refuses=lambda body: "sortBy" in body)
    client = server.crm_plus_client()
    assert found(client.pages(resource)) == (set(range(1, 2501)), 0)
    asked = len(server.asked)
    assert found(client.pages(resource)) == (set(range(1, 2501)), 0)
    assert all(b"sortBy" not in request.content for request in server.asked[asked:])


@pytest.mark.parametrize(("parameters", "by_id"), [(["Id"], True), (["Gift Id"], True), (["Create Date"], False)])
def test_a_parameter_that_is_not_offered_in_writing_is_tried_first(parameters: list[str], by_id: bool) -> None:
    server = CrmPlus(2500, parameters=parameters)
    client = server.crm_plus_client()
    assert found(client.pages(crm_plus.GIFTS)) == (set(range(1, 2501)), 0)
    assert client.changes(crm_plus.GIFTS, datetime(2026, 1, 1, tzinfo=UTC)) is None
    asked = len(server.asked)
    assert found(client.pages(crm_plus.GIFTS)) == (set(range(1, 2501)), 0)
    assert len(server.asked) - asked <= 4
    assert (b'"GreaterThan"' in server.asked[-1].content) == by_id


@pytest.mark.parametrize(
    ("row", "asks"),
    [
        (lambda number: {"contactMethods": [{"isArchived": False}]}, True),
        (lambda number: {"isArchived": None}, True),
        (lambda number: {"isArchived": False} if number % 2 else {}, True),
        (lambda number: {"isArchived": number % 10 == 0, "tags": "isArchived"}, False),
    ],
)
def test_who_is_archived_is_asked_where_a_contact_does_not_say_so(
    row: Callable[[int], dict[str, Any]], asks: bool
) -> None:
    server = CrmPlus(30, row=row)
    pages = list(server.crm_plus_client().pages(crm_plus.CONTACTS))
    rows = [row for page in pages for row in json.loads(page.body)["list"]]
    assert {row["id"] for row in rows if row["isArchived"]} == {10, 20, 30}
    assert any(request.url.path == "/api/Contact/Query" for request in server.asked) == asks


def test_what_a_contact_says_of_itself_stays() -> None:
    server = CrmPlus(30, row=lambda number: {"isArchived": False} if number == 10 else {})
    rows = [r for page in server.crm_plus_client().pages(crm_plus.CONTACTS) for r in json.loads(page.body)["list"]]
    assert {row["id"] for row in rows if row["isArchived"]} == {20, 30}


@pytest.mark.parametrize(
    ("fields", "arrives"),
    [
        ('"a":1234567890123456.78,"b":1e400', '"a":"1234567890123456.78","b":"1e400","isArchived":false'),
        ('"a":-0.10,"b":1.50e2 ', '"a":-0.10,"b":1.50e2 ,"isArchived":false'),
        ('"a":1,"a":2', '"a":1,"a":2,"isArchived":false'),
        ('"isArchived":null,"a":1234567890123456.78', '"isArchived":false,"a":"1234567890123456.78"'),
    ],
)
def test_a_contact_is_otherwise_as_it_came(fields: str, arrives: str) -> None:
    """With the digits of its numbers, and with fields that come twice."""
    rows = CrmPlus(3)

    def respond(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("FullContact"):
            return rows(request)
        listed = ",".join(f'{{"id":{key},{fields}}}' for key in (1, 2, 3))
        return httpx.Response(200, content=f'{{"list":[{listed}],"total":3}}'.encode())

    (page,) = Server(respond).crm_plus_client().pages(crm_plus.CONTACTS)
    assert page.body == '{"list":[' + ",".join(f'{{"id":{key},{arrives}}}' for key in (1, 2, 3)) + "]}"


@pytest.mark.parametrize("is_sorted", [True, False])
def test_nobody_looks_archived_where_the_answer_does_not_reach(is_sorted: bool) -> None:
    server = CrmPlus(2500, refuses=lambda body: "sortBy" in body and not is_sorted)
    pages = list(server.crm_plus_client().pages(crm_plus.CONTACTS))
    rows = {row["id"]: row for page in pages for row in json.loads(page.body)["list"]}
    assert len(rows) == 2500
    archived = {key for key, row in rows.items() if row.get("isArchived")}
    assert archived == (set(range(10, 2501, 10)) if is_sorted else set())


def contacts_of(client: CrmPlusClient) -> tuple[dict[int, bool | None], int]:
    """Whether each contact that came is archived, and how many could not be read."""
    pages = list(client.pages(crm_plus.CONTACTS))
    rows = [row for page in pages if page.ids for row in json.loads(page.body)["list"]]
    return {row["id"]: row.get("isArchived") for row in rows}, sum(page.hole is not None for page in pages)


@pytest.mark.parametrize("broken", [1, 6, 11, 12])
def test_a_contact_that_cannot_be_read_takes_no_other_with_it(broken: int) -> None:
    """The archive state is asked for among the contacts that came: not of one that always fails."""
    server = CrmPlus(12, broken=[broken])
    archived = {key: key == 10 for key in range(1, 13) if key != broken}
    assert contacts_of(server.crm_plus_client()) == (archived, 1)
    assert len(server.asked) <= 40


def test_an_archive_state_that_cannot_be_asked_for_is_unknown() -> None:
    """The abbreviated query always fails: each contact is read all the same, and it is not waited for on each page."""

    class Silent(CrmPlus):
        def _respond(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(500) if request.url.path == "/api/Contact/Query" else super()._respond(request)

    server = Silent(5000)
    assert contacts_of(server.crm_plus_client()) == (dict.fromkeys(range(1, 5001)), 0)
    asked = sum(request.url.path == "/api/Contact/Query" for request in server.asked)
    assert asked <= 5 + PATIENCE.attempts


@pytest.mark.parametrize("refuses", [False, True])
def test_nobody_looks_archived_where_two_bounds_are_not_understood(refuses: bool) -> None:
    """Neither where an upper bound is taken for one that nobody fulfils, nor where it is refused."""

    class Confused(CrmPlus):
        def _below(self, rows: list[dict[str, Any]], bound: int) -> list[dict[str, Any]]:
            return []

    server = Confused(2500, refuses=lambda body: refuses and "LessThan" in json.dumps(body))
    archived, holes = contacts_of(server.crm_plus_client())
    assert ({key for key, is_archived in archived.items() if is_archived}, holes) == (set(range(10, 2501, 10)), 0)
