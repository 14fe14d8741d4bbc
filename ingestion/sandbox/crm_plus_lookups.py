"""The reads of CRM+ by something else than the id of a record: by origin, by contact, by e-mail address."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from .crm_plus_errors import denied, not_found
from .crm_plus_gift_rows import designations, gift_item, passthrough_contacts
from .crm_plus_rows import address_row, contact_row, individual_row
from .http import JSON, Answer, json_list
from .raise_rows import encode
from .table import page
from .world.records import Contact, CrmGift
from .world.state import World

OneRecord = Callable[[str, int | None], Response]
"""Answers with one record of a resource, or refuses where there is none."""

_LEFT_OUT = (
    "mergedIntoContactId", "contactReferences", "tags", "customFields", "customCollections",
    "createDateTimeUtc", "createdByUser", "modifiedDateTimeUtc", "modifiedByUser",
)  # fmt: skip
"""What the shape of a contact lacks that is asked for by reference alone."""
_SIGNED_PARTS = 4
"""Key, signature, nonce and time."""
LARGEST_PAGE = 100

_CONTACT_TYPES = (("Household", "Household"), ("Organization", "Organization"), ("Foundation", "Foundation"))
_METHOD_TYPES = ("Home Email", "Work Email", "Other Email", "Home Phone", "Mobile Phone", "Work Phone", "Other Phone")


@dataclass(frozen=True)
class Lookup:
    """A read with its path, and the resource whose permission it needs."""

    path: str
    resource: str
    answer: Answer
    is_signed: bool = False
    """Only HMAC authentication reaches it."""


class Lookups:
    """Answers them over a world."""

    def __init__(self, world: World, one: OneRecord) -> None:
        self._world = world
        self._one = one

    def all(self) -> Iterator[Lookup]:
        """Every lookup; what is named by words comes before what has a name in its place."""
        yield Lookup("/api/Contact/Find", "Contact", self._find_contact)
        yield Lookup("/api/ContactIndividual/Find", "Contact", self._find_individual)
        yield Lookup("/api/Contact/Types", "Contact", self._contact_types)
        yield Lookup("/api/ContactMethod/Types", "Contact", self._method_types)
        yield Lookup("/api/Contact/ByReference/{reference:path}", "Contact", self._contact_by_reference, is_signed=True)
        yield Lookup("/api/Gift/ByReference/{reference:path}", "Gift", self._gifts_by_reference, is_signed=True)
        yield Lookup("/api/ContactIndividual/ByContact/{id:int}", "Contact", self._individuals_of_contact)
        yield Lookup("/api/ContactAddress/ByContact/{id:int}", "Contact", self._addresses_of_contact)
        yield Lookup("/api/Gift/ByContact/{id:int}", "Gift", self._gifts_of_contact)
        yield Lookup("/api/Gift/Passthrough/ByContact/{id:int}", "Gift", self._passthroughs_of_contact)
        yield Lookup("/api/RecurringGift/ByContact/{id:int}", "RecurringGift", self._schedules_of_contact)
        yield Lookup("/api/Gift/{source}/{reference:path}", "Gift", self._gift_by_origin)
        yield Lookup("/api/Contact/{source}/{reference:path}", "Contact", self._contact_by_origin)

    # By origin

    async def _gift_by_origin(self, request: Request) -> Response:
        source, reference = request.path_params["source"].strip().lower(), request.path_params["reference"]
        gifts: Iterator[CrmGift] = iter(self._world.crm_gifts)
        found = (
            row.id for row in gifts if row.transaction_id == reference and str(row.source).strip().lower() == source
        )
        return self._one("Gift", next(found, None))

    async def _contact_by_origin(self, request: Request) -> Response:
        return self._one("Contact", self._named(request.path_params["reference"], request.path_params["source"]))

    def _named(self, reference: str, source: str | None = None) -> int | None:
        """The first contact that carries a reference."""
        wanted, of_source = reference.strip(), source.strip().lower() if source is not None else None
        contacts: Iterator[Contact] = iter(self._world.contacts)
        found = (
            row.id
            for row in contacts
            if any(id.strip() == wanted and of_source in (None, name.strip().lower()) for name, id in row.references)
        )
        return next(found, None)

    async def _contact_by_reference(self, request: Request) -> Response:
        id = self._named(request.path_params["reference"])
        if id is None:
            raise not_found()
        full = orjson.loads(contact_row(self._world, self._world.contacts[id]))
        return _json({name: value for name, value in full.items() if name not in _LEFT_OUT})

    async def _gifts_by_reference(self, request: Request) -> Response:
        id = self._named(request.path_params["reference"])
        if id is None:
            raise not_found()
        rows = [row for row in self._world.crm_gifts if row.contact_id == id]
        return _page(request, rows, lambda row: {**gift_item(row), "giftDesignations": designations(self._world, row)})

    # By e-mail address

    async def _find_contact(self, request: Request) -> Response:
        asked = request.query_params
        if reference := asked.get("referenceId"):
            return self._one("Contact", self._named(reference, asked.get("referenceSource")))
        return self._one("Contact", self._with_address(asked.get("email")))

    async def _find_individual(self, request: Request) -> Response:
        id = self._with_address(request.query_params.get("email"))
        if id is None:
            raise not_found()
        return Response(individual_row(self._world.contacts[id]), media_type=JSON)

    def _with_address(self, email: str | None) -> int | None:
        wanted = (email or "").strip().lower()
        return next((row.id for row in self._world.contacts if wanted and row.email.lower() == wanted), None)

    # By contact

    def _contact(self, request: Request) -> Contact:
        contact = self._world.contacts.get(request.path_params["id"])
        if contact is None:
            raise not_found()
        return contact

    async def _individuals_of_contact(self, request: Request) -> Response:
        return Response(b"[" + individual_row(self._contact(request)) + b"]", media_type=JSON)

    async def _addresses_of_contact(self, request: Request) -> Response:
        return Response(b"[" + address_row(self._contact(request)) + b"]", media_type=JSON)

    async def _gifts_of_contact(self, request: Request) -> Response:
        id = self._contact(request).id
        return _page(request, [row for row in self._world.crm_gifts if row.contact_id == id], gift_item)

    async def _passthroughs_of_contact(self, request: Request) -> Response:
        id = self._contact(request).id
        return _page(request, [row for row in self._world.crm_gifts if id in passthrough_contacts(row)], gift_item)

    async def _schedules_of_contact(self, request: Request) -> Response:
        id, schedules = self._contact(request).id, self._world.crm_schedules
        rows = [schedules.encoded(row.id) for row in schedules if row.contact_id == id]
        return json_list("list", rows, len(rows))

    # Enumerations

    async def _contact_types(self, _request: Request) -> Response:
        return _json([{"parentType": parent, "type": name} for parent, name in _CONTACT_TYPES])

    async def _method_types(self, _request: Request) -> Response:
        return _json(list(_METHOD_TYPES))


def require_signature(request: Request, key: str) -> None:
    """HMAC authentication; how the signature is made is not published, so any is good."""
    scheme, _, parts = request.headers.get("authorization", "").partition(" ")
    signed = parts.split(":")
    if scheme != "Hmac" or len(signed) != _SIGNED_PARTS or signed[0] != key or not all(signed):
        raise denied()


def number_asked(request: Request, name: str, default: int) -> int | None:
    """A parameter of the URL, whose name is bound without case; None where it is no whole number."""
    text = next((value for key, value in request.query_params.items() if key.lower() == name), None)
    if text is None:
        return default
    return int(text) if text.isdecimal() else None


_SORT_KEYS: dict[str, Callable[[CrmGift], Any]] = {
    "giftdate": lambda row: (row.day, row.id),
    "amount": lambda row: (row.cents, row.id),
    "createddatetime": lambda row: (row.created, row.id),
}


def _page(request: Request, rows: Sequence[CrmGift], print_row: Callable[[CrmGift], dict[str, Any]]) -> Response:
    """A page of the gifts of somebody, of a hundred at the most."""
    by_id = {row.id: row for row in rows}
    key = _SORT_KEYS.get(request.query_params.get("sortBy", "").lower())
    ids = [row.id for row in (sorted(rows, key=key) if key else rows)]
    skip, take = number_asked(request, "skip", 0) or 0, number_asked(request, "take", 10) or 10
    descending = request.query_params.get("descending", "").lower() == "true"
    wanted = page(ids, skip, min(take, LARGEST_PAGE), descending)
    return json_list("list", [encode(print_row(by_id[id])) for id in wanted], len(ids))


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), media_type=JSON)
