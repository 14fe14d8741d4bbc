"""The Raise half of the server: the documented reads, their envelope and their traps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from .clock import DAY, parse_instant
from .faults import RAISE_RESOURCES, Faults
from .http import JSON, Answer, Endpoint, Requests, json_list, spoil
from .raise_gift_rows import GIFT_COLUMNS, selected_row, with_details
from .raise_rows import delivery_row, encode
from .table import Table, page
from .world.records import GIFT_STATES, SCHEDULE_STATES
from .world.simulation import Simulation

DEFAULT_TAKE = 10

Key = Callable[[Any], Any]


class ProblemError(Exception):
    """An answer in the form of RFC 7807."""

    def __init__(self, status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.headers = status, title, detail, headers

    def response(self, path: str) -> Response:
        """The ProblemDetails body."""
        body = {"type": None, "title": self.title, "status": self.status, "detail": self.detail, "instance": path}
        return Response(orjson.dumps(body), self.status, self.headers, "application/problem+json; charset=utf-8")


def _not_found() -> ProblemError:
    return ProblemError(404, "Not Found", "The requested record was not found.")


@dataclass(frozen=True)
class Resource:
    """A table as the list endpoints see it. A sort key of None is the order of ids, which is also that of creation."""

    name: str
    table: Table[Any]
    sort_keys: dict[str, Key | None]
    text: Key
    """What the free-text filter looks at."""
    can_query: bool = False


@dataclass(frozen=True)
class Paging:
    """What a list request asks for."""

    skip: int
    take: int
    sort_by: str | None
    descending: bool
    filter: str
    details: bool
    columns: tuple[str, ...] = ()
    """Columns that were selected instead of the whole record."""


class RaiseApi:
    """Answers for Raise."""

    def __init__(self, simulation: Simulation, faults: Faults, requests: Requests, token: str) -> None:
        self._simulation = simulation
        self._world = world = simulation.world
        self._faults = faults
        self._requests = requests
        self._token = token

        def donor_name(donor_id: int) -> str:
            donor = world.donors.get(donor_id)
            return f"{donor.first} {donor.last}" if donor else ""

        self._resources = {
            "Gift": Resource(
                "Gift",
                world.gifts,
                {
                    "amount": lambda gift: gift.cents,
                    "date": None,
                    "donorname": lambda gift: donor_name(gift.donor_id),
                    "id": None,
                    "status": lambda gift: gift.state,
                },
                lambda gift: donor_name(gift.donor_id),
                can_query=True,
            ),
            "Donor": Resource(
                "Donor",
                world.donors,
                {"createddatetime": None, "id": None},
                lambda donor: f"{donor.first} {donor.last} {donor.email}",
                can_query=True,
            ),
            "RecurringGift": Resource(
                "RecurringGift",
                world.schedules,
                {"createdate": None, "id": None},
                lambda schedule: donor_name(schedule.donor_id),
                can_query=True,
            ),
            "Campaign": Resource(
                "Campaign",
                world.campaigns,
                {"createddatetime": None, "id": None, "name": lambda row: row.name},
                lambda row: row.name,
            ),
            "Segment": Resource(
                "Segment",
                world.segments,
                {"createddatetime": None, "id": None, "name": lambda row: row.name},
                lambda row: f"{row.name} {row.code}",
            ),
            "Project": Resource(
                "Project", world.projects, {"id": None, "name": lambda row: row.name}, lambda row: row.name
            ),
            "Webhook": Resource("Webhook", world.webhooks, {"createddatetime": None, "id": None}, lambda row: row.name),
        }
        self._log = Resource("Webhook log", world.deliveries, {"createddatetime": None}, lambda row: row.label)
        self.router = self._routes()

    def _routes(self) -> Router:
        routes = []

        def add(method: str, path: str, resource: str, answer: Answer) -> None:
            routes.append(Route(path, Endpoint(self._guarded(method, path, resource, answer))))

        for name, resource in self._resources.items():
            add("GET", f"/api/{name}/list", name, self._lister(resource))
            if resource.can_query:
                add("POST", f"/api/{name}/query", name, self._querier(resource))
        add("GET", "/api/Webhook/log/list", self._log.name, self._lister(self._log))
        add("GET", "/api/Webhook/{id:int}/log/list", self._log.name, self._one_webhooks_log)
        add("GET", "/api/Webhook/{id:int}/log/{log_id:int}", self._log.name, self._one_delivery)
        add("GET", "/api/Donor/{id:int}/gifts", "Gift", self._gifts_of_donor)
        for name, resource in self._resources.items():
            if name != "Project":
                add("GET", f"/api/{name}/{{id:int}}", name, self._getter(resource))
        return Router(routes, redirect_slashes=False, default=self._unknown)

    async def _unknown(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        self._requests.other("raise", request)
        await _not_found().response(request.url.path)(scope, receive, send)

    def _guarded(self, method: str, path: str, resource: str, answer: Answer) -> Answer:
        refusals = [f"raise_403_{fault}" for fault, name in RAISE_RESOURCES.items() if name == resource]
        route = f"{method} {path.replace(':int', '')}"

        async def respond(request: Request) -> Response:
            if request.method != method:
                self._requests.other("raise", request)
                problem = ProblemError(
                    405, "Method Not Allowed", f"{request.method} is not offered here.", {"Allow": method}
                )
                return problem.response(request.url.path)
            self._requests.documented("raise", route)
            try:
                self._strike_before(request, refusals)
                response = await answer(request)
            except ProblemError as problem:
                response = problem.response(request.url.path)
            return await spoil(response, self._faults, self._world.options.stall_seconds)

        return respond

    def _strike_before(self, request: Request, refusals: Sequence[str]) -> None:
        faults = self._faults
        is_stranger = request.headers.get("authorization") != f"Bearer {self._token}"
        self._requests.strangers += is_stranger
        if is_stranger or faults.strikes("raise_401"):
            raise ProblemError(401, "Unauthorized", "The token is missing, malformed, expired or revoked.")
        if storm := faults.storm("raise"):
            refusal = {"Retry-After": storm.retry_after()}
            raise ProblemError(429, "Too Many Requests", "The organization sends too many requests.", refusal)
        if not faults.rates:
            return
        if any(faults.strikes(refusal) for refusal in refusals):
            raise ProblemError(403, "Forbidden", "The token may not read this resource.")
        if faults.strikes("raise_429"):
            headers = {"Retry-After": "1"} if faults.one_of(0, 1) else None
            raise ProblemError(429, "Too Many Requests", "The organization sends too many requests.", headers)
        if faults.strikes("raise_5xx"):
            raise ProblemError(faults.one_of(500, 502, 503), "Server Error", "Something went wrong.")
        if faults.strikes("moving_rows"):
            self._simulation.changes.move_rows()

    # Lists

    def _lister(self, resource: Resource) -> Answer:
        async def answer(request: Request) -> Response:
            return self._list(resource, self._paging(request), resource.table.ids)

        return answer

    async def _one_webhooks_log(self, request: Request) -> Response:
        id = request.path_params["id"]
        if id not in self._world.webhooks:
            raise _not_found()
        self._may_read_log(id)
        deliveries = self._world.deliveries
        ids = deliveries.derived(("webhook", id), lambda: [row.id for row in deliveries if row.webhook_id == id])
        return self._list(self._log, self._paging(request), ids)

    async def _gifts_of_donor(self, request: Request) -> Response:
        id = request.path_params["id"]
        if id not in self._world.donors:
            raise _not_found()
        ids = sorted(self._world.gifts_of.get(id, []))
        return self._list(self._resources["Gift"], self._paging(request), ids)

    def _paging(self, request: Request) -> Paging:
        query = request.query_params

        def number(name: str, default: int) -> int:
            text = query.get(name, "")
            if text and not text.lstrip("-").isdecimal():
                raise ProblemError(400, "Bad Request", f"The value '{text}' is not valid for {name}.")
            return max(0, int(text)) if text else default

        return Paging(
            number("Skip", 0),
            number("Take", DEFAULT_TAKE),
            query.get("SortBy") or None,
            query.get("Descending", "").lower() == "true",
            query.get("Filter", "").strip().lower(),
            query.get("IncludeDetails", "").lower() == "true",
        )

    def _list(self, resource: Resource, paging: Paging, ids: Sequence[int]) -> Response:
        table = resource.table
        descending = paging.descending
        if "raise_mass_deletion" in self._faults.rates:
            ids = [id for id in ids if not self._faults.deleted(resource.name, id)]
        if paging.sort_by is None:
            descending = True
        else:
            ids = self._sorted(resource, paging.sort_by, ids)
        if paging.filter:
            ids = [id for id in ids if paging.filter in str(resource.text(table[id])).lower()]
        wanted = page(ids, paging.skip, min(paging.take, self._world.options.raise_take_cap), descending)
        if self._faults.rates and any(self._faults.poisoned(resource.name, id) for id in wanted):
            raise ProblemError(500, "Server Error", "A record could not be serialized.")
        if paging.columns:
            rows = [selected_row(self._world, table[id], paging.columns) for id in wanted]
        elif paging.details and resource.name == "Gift":
            rows = [with_details(self._world, table[id], table.encoded(id)) for id in wanted]
        else:
            rows = [table.encoded(id) for id in wanted]
        total = len(ids)
        if self._faults.rates:
            rows = [self._faults.dress(resource.name, id, row) for id, row in zip(wanted, rows, strict=True)]
            rows, total = self._faults.page(rows, total)
        return json_list("items", rows, total)

    @staticmethod
    def _sorted(resource: Resource, sort_by: str, ids: Sequence[int]) -> Sequence[int]:
        name = sort_by.lower()
        if name not in resource.sort_keys:
            raise ProblemError(400, "Bad Request", f"The value '{sort_by}' is not valid for SortBy.")
        key = resource.sort_keys[name]
        if key is None:
            return ids
        if ids is resource.table.ids:
            return resource.table.ordered(name, key)
        return sorted(ids, key=lambda id: (key(resource.table[id]), id))

    # One record

    def _getter(self, resource: Resource) -> Answer:
        async def answer(request: Request) -> Response:
            id = request.path_params["id"]
            row = resource.table.get(id)
            if row is None or self._faults.deleted(resource.name, id):
                raise _not_found()
            if self._faults.poisoned(resource.name, id):
                raise ProblemError(500, "Server Error", "A record could not be serialized.")
            body = resource.table.encoded(id)
            if resource.name == "Gift":
                body = with_details(self._world, row, body)
            return Response(self._faults.dress(resource.name, id, body), media_type=JSON)

        return answer

    async def _one_delivery(self, request: Request) -> Response:
        row = self._world.deliveries.get(request.path_params["log_id"])
        webhook_id, options = request.path_params["id"], self._world.options
        self._may_read_log(webhook_id)
        if row is None or row.webhook_id != webhook_id:
            raise _not_found()
        payload = {} if options.withholds_payloads else {"payLoad": row.payload}
        return Response(encode({**delivery_row(row), **payload}), media_type=JSON)

    def _may_read_log(self, webhook_id: int) -> None:
        if webhook_id in self._world.options.forbidden_logs:
            raise ProblemError(403, "Forbidden", "The token may not read the log of this webhook.")

    # Structured queries

    def _querier(self, resource: Resource) -> Answer:
        async def answer(request: Request) -> Response:
            body = await _body(request)
            sort_by = str(body.get("sortBy") or "")
            paging = Paging(
                _whole(body, "skip", 0),
                _whole(body, "take", DEFAULT_TAKE),
                "id" if sort_by.lower() == "createdate" else sort_by or None,
                body.get("descending") is True,
                str(body.get("filter") or "").strip().lower(),
                body.get("includeDetails") is True,
                _columns(resource, body.get("selectedColumns")),
            )
            groups = [_conditions(resource, group) for group in body.get("groups") or []]
            groups = [group for group in groups if group]
            table = resource.table
            ids: Sequence[int] = table.ids
            if groups:
                name = ("query", orjson.dumps(body.get("groups")))
                ids = table.derived(
                    name, lambda: [row.id for row in table if any(all(fits(row) for fits in group) for group in groups)]
                )
            return self._list(resource, paging, ids)

        return answer


async def _body(request: Request) -> dict[str, Any]:
    text = await request.body()
    try:
        body = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        raise ProblemError(400, "Bad Request", "The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise ProblemError(400, "Bad Request", "The body must be an object.")
    return body


def _whole(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ProblemError(400, "Bad Request", f"The value of {name} is not valid.")
    return max(0, value)


def _columns(resource: Resource, selected: Any) -> tuple[str, ...]:
    """The columns that are selected; only of gifts is it known which there are."""
    names = tuple(map(str, selected or ()))
    if unknown := [name for name in names if resource.name != "Gift" or name not in GIFT_COLUMNS]:
        raise ProblemError(400, "Bad Request", f"The column '{unknown[0]}' is not valid.")
    return names


def _conditions(resource: Resource, group: Any) -> list[Callable[[Any], bool]]:
    if not isinstance(group, dict):
        raise ProblemError(400, "Bad Request", "A group must be an object.")
    conditions = group.get("conditions") or []
    if not all(isinstance(condition, dict) for condition in conditions):
        raise ProblemError(400, "Bad Request", "A condition must be an object.")
    return [_condition(resource, condition) for condition in conditions]


def _condition(resource: Resource, condition: dict[str, Any]) -> Callable[[Any], bool]:
    parameter, operator = condition.get("parameter"), condition.get("operator")
    value = condition.get("value")
    if parameter == "Create Date":
        return _created(str(operator), value, condition.get("secondaryValue"))
    if parameter == "Status" and resource.name in ("Gift", "RecurringGift"):
        states = GIFT_STATES if resource.name == "Gift" else SCHEDULE_STATES
        labels = condition.get("values") or [] if operator == "IsAnyOf" else [value] if operator == "Is" else None
        if labels is None:
            raise ProblemError(400, "Bad Request", f"The operator '{operator}' is not valid for Status.")
        wanted = {str(label).lower() for label in labels}
        return lambda row: states[row.state].lower() in wanted
    raise ProblemError(400, "Bad Request", f"The parameter '{parameter}' is not valid.")


def _created(operator: str, value: Any, second: Any) -> Callable[[Any], bool]:
    try:
        low = parse_instant(str(value))
        high = parse_instant(str(second)) + DAY if operator == "Between" else 0
    except ValueError:
        raise ProblemError(400, "Bad Request", f"The value '{value}' is not a date.") from None
    tests: dict[str, Callable[[Any], bool]] = {
        "GreaterThanOrEqual": lambda row: row.created >= low,
        "GreaterThan": lambda row: row.created > low,
        "LessThan": lambda row: row.created < low,
        "LessThanOrEqual": lambda row: row.created <= low,
        "Between": lambda row: low <= row.created < high,
        "Is": lambda row: low <= row.created < low + DAY,
    }
    if operator not in tests:
        raise ProblemError(400, "Bad Request", f"The operator '{operator}' is not valid for Create Date.")
    return tests[operator]
