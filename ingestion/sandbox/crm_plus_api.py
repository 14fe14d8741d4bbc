"""The CRM+ half of the server: the documented reads, the query language, the hourly budget and the traps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from .crm_plus_errors import Habits, RefusalError, denied, not_found
from .crm_plus_gift_rows import designation_row, designation_shares, gift_item
from .crm_plus_languages import (
    campaign_language,
    contact_language,
    designation_language,
    gift_language,
    individual_language,
    project_language,
    schedule_language,
)
from .crm_plus_lookups import Lookups, number_asked, require_signature
from .crm_plus_query import BadQueryError, Language, Selection, parse
from .crm_plus_rows import contact_item, individual_row
from .faults import CRM_PLUS_RESOURCES, Faults, WallClock
from .http import JSON, Answer, Endpoint, Requests, json_list, spoil
from .raise_rows import encode
from .table import Table, above, page
from .world.simulation import Simulation

DEFAULT_TAKE, MAXIMUM_TAKE = 10, 1_000


class HourlyBudget:
    """A fixed window of requests by the wall clock, shared by everyone who asks."""

    def __init__(self, limit: int, seconds: float, clock: WallClock) -> None:
        self.limit = limit
        self._seconds = seconds
        self._clock = clock
        self._ends = clock.now() + seconds
        self._used = 0

    def spend(self) -> bool:
        """Take one request from the window; False when it is spent."""
        now = self._clock.now()
        if now >= self._ends:
            self._ends += math.ceil((now - self._ends + 1e-9) / self._seconds) * self._seconds
            self._used = 0
        if self._used >= self.limit:
            return False
        self._used += 1
        return True

    def wait(self) -> int:
        """Whole seconds until the window is full again."""
        return max(1, math.ceil(self._ends - self._clock.now()))

    def headers(self) -> dict[str, str]:
        """What every answer says about the budget."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.limit - self._used),
            "X-RateLimit-Reset": str(math.ceil(self._ends)),
        }


@dataclass(frozen=True)
class Resource:
    """A table as the query endpoints see it."""

    name: str
    table: Table[Any]
    language: Language
    archived: Callable[[Any], bool] | None = None
    """Tells rows that only `includeArchived` shows."""


@dataclass(frozen=True)
class Query:
    """A parsed query."""

    skip: int
    take: int
    selection: Selection
    sort_by: str | None
    descending: bool
    include_archived: bool


class WithoutTrailingSlash:
    """Takes a slash after a path for none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "path": scope["path"].rstrip("/")}, receive, send)


class CrmPlusApi:
    """Answers for CRM+."""

    def __init__(self, simulation: Simulation, faults: Faults, requests: Requests, key: str) -> None:
        self._simulation = simulation
        self._world = world = simulation.world
        self._faults = faults
        self._requests = requests
        self._key = key
        self._habits = Habits.of(world.seed)
        self.budget = HourlyBudget(
            world.options.crm_plus_hourly_limit, world.options.crm_plus_window_seconds, faults.clock
        )
        self._contacts = Resource("Contact", world.contacts, contact_language(), lambda contact: contact.is_archived)
        self._gifts = Resource("Gift", world.crm_gifts, gift_language(world.contacts, world.crm_projects))
        self._schedules = Resource("RecurringGift", world.crm_schedules, schedule_language(world.contacts))
        self._projects = Resource("Project", world.crm_projects, project_language())
        self._campaigns = Resource("Campaign", world.crm_campaigns, campaign_language())
        self._individuals = Resource(
            "ContactIndividual", world.contacts, individual_language(), lambda contact: contact.is_archived
        )
        self._designations = Resource("GiftDesignation", world.crm_gifts, designation_language())
        self._by_name = {row.name: row for row in (self._contacts, self._gifts)}
        self.router = WithoutTrailingSlash(self._routes())

    def _routes(self) -> Router:
        routes = []

        def add(method: str, path: str, resource: str, answer: Answer, is_signed: bool = False) -> None:
            routes.append(Route(path, Endpoint(self._guarded(method, path, resource, answer, is_signed))))

        contacts, gifts = self._contacts, self._gifts
        add("POST", "/api/Contact/Query", "Contact", self._querier(contacts, lambda row: encode(contact_item(row))))
        add("POST", "/api/Contact/Query/FullContact", "Contact", self._querier(contacts))
        add("POST", "/api/Gift/Query", "Gift", self._querier(gifts, lambda row: encode(gift_item(row))))
        add("POST", "/api/Gift/Query/FullGift", "Gift", self._querier(gifts))
        add("POST", "/api/GiftDesignation/Query", "Gift", self._query_designations)
        add(
            "POST",
            "/api/ContactIndividual/Query",
            "Contact",
            self._querier(self._individuals, individual_row),
        )
        for resource in (self._schedules, self._projects, self._campaigns):
            add("POST", f"/api/{resource.name}/Query", resource.name, self._querier(resource))
        for resource, refused in (
            (contacts, "Contact"),
            (self._individuals, "Contact"),
            (gifts, "Gift"),
            (self._designations, "Gift"),
            (self._schedules, "RecurringGift"),
            (self._projects, "Project"),
            (self._campaigns, "Campaign"),
        ):
            add("GET", f"/api/{resource.name}/QueryOptions", refused, self._options(resource))
        add("GET", "/api/Organization/Current", "Organization", self._organization)
        add("GET", "/api/Permission", "Permission", self._permissions)
        for resource in (contacts, gifts, self._schedules, self._projects, self._campaigns):
            add("GET", f"/api/{resource.name}/{{id:int}}", resource.name, self._getter(resource))
        for lookup in Lookups(self._world, lambda name, id: self._one(self._by_name[name], id)).all():
            add("GET", lookup.path, lookup.resource, lookup.answer, lookup.is_signed)
        return Router(routes, redirect_slashes=False, default=self._unknown)

    async def _unknown(self, scope: Any, receive: Any, send: Any) -> None:
        self._requests.other("crm_plus", Request(scope, receive))
        await self._habits.laid_out(self._habits.refusal(not_found()))(scope, receive, send)

    def _guarded(self, method: str, path: str, resource: str, answer: Answer, is_signed: bool) -> Answer:
        refusals = [f"crm_plus_403_{fault}" for fault, name in CRM_PLUS_RESOURCES.items() if name == resource]
        route = f"{method} {path.replace(':int', '').replace(':path', '')}"

        async def respond(request: Request) -> Response:
            if request.method != method:
                self._requests.other("crm_plus", request)
                refusal = RefusalError(405, "METHOD_NOT_ALLOWED", f"{request.method} is not offered here.")
                response = self._habits.refusal(refusal)
            else:
                self._requests.documented("crm_plus", route)
                response = await self._respond(request, refusals, answer, is_signed)
            response.headers.update(self.budget.headers())
            return response

        return respond

    async def _respond(self, request: Request, refusals: Sequence[str], answer: Answer, is_signed: bool) -> Response:
        try:
            self._admit(request, is_signed)
        except RefusalError as refusal:
            return self._habits.laid_out(self._habits.refusal(refusal))
        try:
            self._strike_before(refusals)
            response = await answer(request)
        except BadQueryError as bad:
            response = self._habits.refusal(RefusalError(400, "BAD_REQUEST", str(bad), bad.field))
        except RefusalError as refusal:
            response = self._habits.refusal(refusal)
        return await spoil(self._habits.laid_out(response), self._faults, self._world.options.stall_seconds)

    def _admit(self, request: Request, is_signed: bool) -> None:
        if is_signed:
            require_signature(request, self._key)
            return
        is_stranger = request.headers.get("authorization") != f"Bearer {self._key}"
        self._requests.strangers += is_stranger
        if is_stranger or self._faults.strikes("crm_plus_401"):
            raise denied()

    def _strike_before(self, refusals: Sequence[str]) -> None:
        if not self.budget.spend():
            raise RefusalError(429, "RATE_LIMITED", "The hourly request limit is exceeded.", wait=self.budget.wait())
        faults = self._faults
        if storm := faults.storm("crm_plus"):
            raise RefusalError(429, "RATE_LIMITED", "Too many requests.", wait=storm.retry_after())
        if not faults.rates:
            return
        if any(faults.strikes(refusal) for refusal in refusals):
            raise RefusalError(403, "FORBIDDEN", "The key's permission group may not read this resource.")
        if faults.strikes("crm_plus_429"):
            raise RefusalError(429, "RATE_LIMITED", "The hourly request limit is exceeded.", wait=1)
        if faults.strikes("crm_plus_5xx"):
            raise RefusalError(faults.one_of(500, 502, 503, 520), "INTERNAL_ERROR", "Something went wrong.")
        if faults.strikes("moving_rows"):
            self._simulation.changes.move_rows()

    # Queries

    def _querier(self, resource: Resource, item: Callable[[Any], bytes] | None = None) -> Answer:
        row_of = item or (lambda row: resource.table.encoded(row.id))

        async def answer(request: Request) -> Response:
            query = await self._parse(request, resource)
            ids, start = self._selected(resource, query)
            total = len(ids) - start
            if start and query.descending:
                ids, start = ids[start:], 0
            wanted = page(ids, start + query.skip, query.take, query.descending)
            self._refuse_poisoned(resource, wanted)
            rows = [row_of(resource.table[id]) for id in wanted]
            if self._faults.rates:
                name = f"CRM+ {resource.name}"
                rows = [self._faults.dress(name, id, row) for id, row in zip(wanted, rows, strict=True)]
                rows, total = self._faults.page(rows, total)
            return json_list("list", rows, total)

        return answer

    async def _parse(self, request: Request, resource: Resource) -> Query:
        body = await _body(request)
        groups = body.get("groups") or []
        if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
            raise BadQueryError("groups", "groups must be a list of objects.")
        groups = [{str(key).lower(): value for key, value in group.items()} for group in groups]
        take = _whole(request, "take", DEFAULT_TAKE)
        if take > MAXIMUM_TAKE:
            raise BadQueryError("take", f"take must not be above {MAXIMUM_TAKE}.")
        return Query(
            _whole(request, "skip", 0),
            take,
            parse(resource.language, groups, self._world.now),
            str(body["sortby"]) if body.get("sortby") else None,
            str(body.get("descending", "")).lower() == "true",
            str(body.get("includearchived", "")).lower() == "true",
        )

    def _selected(self, resource: Resource, query: Query) -> tuple[Sequence[int], int]:
        """The ids that a query selects in its order, and where its id bound begins among them."""
        table, selection = resource.table, query.selection
        hides = resource.archived if not query.include_archived else None
        ids: Sequence[int] = table.ids
        if selection.name or hides is not None:
            ids = table.derived(
                (resource.name, selection.name, hides is None),
                lambda: [row.id for row in table if not (hides and hides(row)) and selection.fits(row)],
            )
        start = above(ids, self._own_id(resource, selection.after), selection.inclusive)
        key = resource.language.sort_keys.get(_plain(query.sort_by)) if query.sort_by else None
        if key is not None:
            ids = sorted(ids[start:], key=lambda id: (key(table[id]), id))
            start = 0
        return ids, start

    @staticmethod
    def _own_id(resource: Resource, after: int | None) -> int | None:
        """The id bound in ids of the table."""
        if after is None or resource.name != "ContactIndividual":
            return after
        return after - 2_000_000

    def _refuse_poisoned(self, resource: Resource, ids: Sequence[int]) -> None:
        if self._faults.rates and any(self._faults.poisoned(f"CRM+ {resource.name}", id) for id in ids):
            raise RefusalError(500, "INTERNAL_ERROR", "A record could not be serialized.")

    async def _query_designations(self, request: Request) -> Response:
        """One row for each part of a gift; the parts of a gift follow each other."""
        gifts = self._world.crm_gifts
        query = await self._parse(request, self._designations)
        ids, start = self._selected(self._designations, query)
        parts = gifts.derived(
            ("parts", query.selection.name),
            lambda: [id * 10 + part for id in ids for part in range(len(designation_shares(gifts[id])))],
        )
        first = above(parts, ids[start] * 10, inclusive=True) if start < len(ids) else len(parts)
        wanted = page(parts[first:], query.skip, query.take, query.descending)
        rows = [encode(designation_row(self._world, gifts[part // 10], part % 10)) for part in wanted]
        return json_list("list", rows, len(parts) - first)

    def _options(self, resource: Resource) -> Answer:
        async def answer(_request: Request) -> Response:
            return Response(orjson.dumps(resource.language.options()), media_type=JSON)

        return answer

    # Single records

    def _getter(self, resource: Resource) -> Answer:
        async def answer(request: Request) -> Response:
            return self._one(resource, request.path_params["id"])

        return answer

    def _one(self, resource: Resource, id: int | None) -> Response:
        if id is None or id not in resource.table:
            raise not_found()
        self._refuse_poisoned(resource, [id])
        row = self._faults.dress(f"CRM+ {resource.name}", id, resource.table.encoded(id))
        return Response(row, media_type=JSON)

    async def _organization(self, _request: Request) -> Response:
        tenant = self._world.tenant
        body = {
            "organizationUserId": tenant.crm_plus_id,
            "organizationName": tenant.name,
            "organizationTimeZone": "US/Arizona",
            "organizationCulture": "en-US",
            "currentUserTimeZone": "US/Arizona",
            "isAdministrator": False,
            "isEnabled": True,
        }
        return Response(orjson.dumps(body), media_type=JSON)

    async def _permissions(self, _request: Request) -> Response:
        body = [{"module": name, "action": "Read"} for name in CRM_PLUS_RESOURCES.values()]
        return Response(orjson.dumps(body), media_type=JSON)


async def _body(request: Request) -> dict[str, Any]:
    """The body with its keys in lower case: their case does not matter to CRM+."""
    text = await request.body()
    try:
        body = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        raise BadQueryError("body", "The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise BadQueryError("body", "The body must be an object.")
    return {str(key).lower(): value for key, value in body.items()}


def _whole(request: Request, name: str, default: int) -> int:
    asked = number_asked(request, name, default)
    if asked is None:
        raise BadQueryError(name, f"The value of {name} is not valid.")
    return asked


def _plain(sort_by: str | None) -> str:
    return (sort_by or "").replace(" ", "").lower()
