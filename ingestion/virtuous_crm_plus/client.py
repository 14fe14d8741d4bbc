"""How CRM+ is read: queries with an id cursor, spelled as the organization's own query options offer it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
import orjson

from ingestion.envelope import page_of, row_page_of
from ingestion.errors import RequestRejected, SourceError
from ingestion.http import PATIENCE, Patience, ReadClient
from ingestion.ladder import Ladder
from ingestion.log_entries import Waiting
from ingestion.pages import BEGINNING, KnownHole, Page, Position, is_ascending, keyset_pages, offset_pages
from ingestion.settings import Organization
from ingestion.tenants import Foreign, Held, objects
from ingestion.virtuous_crm_plus.resources import ORGANIZATION, CrmPlusResource

ROWS = "list"
_MOST_PER_PAGE = 1000
# Spellings differ between organizations; compared without case and spaces.
_GREATER_THAN = ("GreaterThan", "Is Greater Than")
_LESS_THAN = ("LessThan", "Is Less Than")
_MODIFIED = ("Last Modified DateTime UTC", "Last Modified Date")
_SINCE = (
    "OnOrAfter",
    "Is On Or After",
    "Is After Or On",
    "GreaterThanOrEqual",
    "Greater Than Or Equal",
    "After",
    "Is After",
    "GreaterThan",
)

READS = (
    ("GET", r"/api/Organization/Current"),
    ("GET", r"/api/Permission"),
    ("GET", r"/api/(Contact|Gift|RecurringGift|Project|Campaign)/QueryOptions"),
    ("GET", r"/api/(Contact|Gift|RecurringGift|Project|Campaign)/\d+"),
    ("POST", r"/api/(Contact|Gift|RecurringGift|Project|Campaign)/Query"),
    ("POST", r"/api/Contact/Query/FullContact"),
    ("POST", r"/api/Gift/Query/FullGift"),
)

Condition = dict[str, str]


class CrmPlusClient:
    """Reads the collections of one organization's CRM+."""

    def __init__(self, organization: Organization, patience: Patience = PATIENCE, *, quotes: bool = True) -> None:
        assert organization.crm_plus_api_key is not None
        self.http = ReadClient(
            product="CRM+",
            base_url=organization.crm_plus_base_url,
            credential=organization.crm_plus_api_key,
            credential_name=organization.crm_plus_key_name,
            mask=organization.mask,
            reads=READS,
            reserve=organization.crm_plus_reserve,
            patience=patience,
            quotes=quotes,
        )
        self._offered: dict[str, dict[str, list[str]] | None] = {}
        self._guessed: dict[tuple[str, str, str], bool] = {}
        self._unsorted: set[str] = set()
        self._totals: dict[str, int] = {}
        self._is_archive_state_told = True

    def close(self) -> None:
        self.http.close()

    def pages(
        self, resource: CrmPlusResource, start: Position = BEGINNING, known: Iterable[KnownHole] = ()
    ) -> Iterator[Page]:
        """The pages behind `start`: above the last id where the API can be asked so, else by `skip` over the ids."""
        if resource is ORGANIZATION:
            return iter((self._single(resource),))
        if resource.id_parameters and (cursor := self._condition(resource, resource.id_parameters, _GREATER_THAN)):
            return self._by_keyset(resource, cursor, [], start, known)
        ladder = self._ladder(resource, _MOST_PER_PAGE, known, start)
        return offset_pages(
            lambda skip, least: ladder.fetch(
                lambda take, once: self._query(resource, resource.path, skip, take, [], archived=True, once=once),
                least,
                at=skip,
            ),
            start,
            ahead=0,
        )

    def changes(self, resource: CrmPlusResource, since: datetime) -> Iterator[Page] | None:
        """The pages of what was modified since a day; None where the API cannot be asked so."""
        if not resource.modified:
            return None
        modified = self._condition(resource, _MODIFIED, _SINCE)
        cursor = self._condition(resource, resource.id_parameters, _GREATER_THAN)
        if not modified or not cursor:
            return None
        # The day alone: whether a time of day is honoured, and in which zone, is not documented.
        return self._by_keyset(resource, cursor, [modified | {"value": f"{since:%Y-%m-%d}"}])

    def singles(self, resource: CrmPlusResource, keys: Iterable[int], known: Collection[int] = ()) -> Iterator[Page]:
        """Rows that are asked for by their ids, each as a page of its own. A row that is not there is left out."""
        cursor = self._condition(resource, resource.id_parameters, _GREATER_THAN)
        ladder = self._ladder(resource, 1)
        if cursor is None:
            return
        for key in keys:
            above = cursor | {"value": str(key - 1)}
            page = ladder.fetch(partial(self._page, resource, 0, [above]), is_known=key in known)
            if page.hole:
                yield replace(page, hole=replace(page.hole, place=str(key)))
            elif page.ids == (key,):
                yield replace(page, total=None)

    def entries(self, resource: CrmPlusResource, waiting: Waiting) -> Iterator[Page]:
        """CRM+ keeps no log whose entries tell more by themselves."""
        return iter(())

    def count(self, resource: CrmPlusResource) -> int | None:
        """How many rows the collection has."""
        return self.glance(resource).total

    def glance(self, resource: CrmPlusResource) -> Page:
        """The first row, and how many there are: the cheapest read."""
        if resource is ORGANIZATION:
            return self._single(resource)
        return self._query(resource, resource.path, 0, 1, [], archived=True)

    def foreign(self, held: Held) -> Foreign | None:
        """The organization of the key, if the warehouse holds another one; None also where CRM+ does not say."""
        try:
            page = self._single(ORGANIZATION)
        except SourceError as error:
            if not error.withholds:
                raise
            return None
        rows = objects(page.body, ROWS)
        return foreign_tenant(rows[0], held) if rows else None

    def filters_not_offered(self, resource: CrmPlusResource) -> tuple[str, ...] | None:
        """The filters that a reading would use and this organization's query options do not offer; None where the
        options cannot be read."""
        if self._options(resource) is None:
            return None
        in_use = {"id": (resource.id_parameters, _GREATER_THAN), "modification date": (_MODIFIED, _SINCE)}
        if not resource.modified:
            del in_use["modification date"]
        return tuple(
            f"{what} ({' or '.join(parameters)})"
            for what, (parameters, operators) in in_use.items()
            if parameters and not self._condition(resource, parameters, operators)
        )

    def _by_keyset(
        self,
        resource: CrmPlusResource,
        cursor: Condition,
        conditions: list[Condition],
        start: Position = BEGINNING,
        known: Iterable[KnownHole] = (),
    ) -> Iterator[Page]:
        ladder = self._ladder(resource, _MOST_PER_PAGE, known, start)
        # Once the rows are counted, paging itself notices what an empty page would leave out.
        is_counted = False

        def above(after: int | None, skip: int, least: int) -> Page:
            nonlocal is_counted
            asked = conditions if after is None else [*conditions, cursor | {"value": str(after)}]
            may_be_empty = is_counted and after is not None
            ask = partial(self._page, resource, skip, asked, may_be_empty=may_be_empty)
            page = ladder.fetch(ask, least)
            is_counted |= page.total is not None
            return page

        return keyset_pages(above, start)

    def _ladder(
        self,
        resource: CrmPlusResource,
        largest: int,
        known: Iterable[KnownHole] = (),
        start: Position = BEGINNING,
    ) -> Ladder:
        def single(offset: int) -> Page:
            return self._query(resource, resource.path, offset, 1, [], archived=True, once=True)

        return Ladder(largest, single, known, start)

    def _single(self, resource: CrmPlusResource) -> Page:
        """A resource that is one object, as the only row of an envelope."""
        return self.http.get_as(lambda row: row_page_of("CRM+", resource, ROWS, row, resource.path), resource.path)

    def _page(
        self,
        resource: CrmPlusResource,
        skip: int,
        conditions: list[Condition],
        take: int,
        once: bool,
        *,
        may_be_empty: bool = False,
    ) -> Page:
        page = self._query(
            resource,
            resource.path,
            skip,
            take,
            conditions,
            archived=True,
            once=once,
            may_be_empty=may_be_empty and bool(conditions),
        )
        if resource.archived_by_set_difference and page.ids and not _tells_archive_state(page):
            return self._with_archive_state(resource, resource.archived_by_set_difference, page, conditions)
        return page

    def _query(
        self,
        resource: CrmPlusResource,
        path: str,
        skip: int,
        take: int,
        conditions: list[Condition],
        *,
        archived: bool,
        once: bool = False,
        may_be_empty: bool = False,
    ) -> Page:
        body: dict[str, object] = {
            "groups": [{"conditions": conditions}] if conditions else [],
            "sortBy": resource.sort_by,
            "descending": False,
        }
        if resource.archived_by_set_difference:
            body["includeArchived"] = archived
        # A total of what fulfils conditions says nothing about other ones.
        counted = None if conditions else self._totals.get(path)
        may_be_empty = may_be_empty or (counted is not None and skip >= counted)

        def asked(body: dict[str, object]) -> Page:
            return self.http.query_as(
                lambda text: page_of("CRM+", resource, ROWS, text, may_be_empty=may_be_empty),
                path,
                {"skip": skip, "take": take},
                body,
                once=once,
            )

        page = self._sorted_if_possible(asked, path, body)
        if not conditions and page.total is not None:
            self._totals[path] = page.total
        return page

    def _sorted_if_possible(
        self, asked: Callable[[dict[str, object]], Page], path: str, body: dict[str, object]
    ) -> Page:
        """What a question is answered with; without its order, where only that is refused: paging survives any."""
        unsorted = {name: value for name, value in body.items() if name != "sortBy"}
        if path in self._unsorted:
            return asked(unsorted)
        try:
            return asked(body)
        except RequestRejected as refused:
            if not refused.is_about_parameters:
                raise
            try:
                page = asked(unsorted)
            except RequestRejected:
                raise refused from None
        self._unsorted.add(path)
        return page

    def _with_archive_state(
        self, resource: CrmPlusResource, path: str, page: Page, conditions: list[Condition]
    ) -> Page:
        """The page with `isArchived` on each row: where a row does not say, told by what the same ids leave out when
        asked for without archived records. Where that cannot be asked, or proves nothing, it stays unknown.

        Asked right after the page, so that a record that was made in between cannot look archived.
        """
        once = not self._is_archive_state_told
        try:
            live = self._live_among(resource, path, page, conditions, once)
        except SourceError as error:
            if error.stops_source:
                raise
            # The next pages do not wait for what is most likely not given to them either.
            self._is_archive_state_told = False
            return page
        self._is_archive_state_told = True
        if not _reaches(live, page):
            return page
        ids, rows = set(live.ids), _rows.decode(page.body).rows
        told = (_told(bytes(row), key not in ids) for row, key in zip(rows, page.ids, strict=True))
        return Page(f'{{"{ROWS}":[{b",".join(told).decode()}]}}', page.ids, page.total)

    def _live_among(
        self, resource: CrmPlusResource, path: str, page: Page, conditions: list[Condition], once: bool
    ) -> Page:
        """The live rows within a page's range of ids; from its lowest id on, where there is no asking up to an id.

        As many as the page has reach to its end or beyond, where they come in order: some of them may be archived.
        """
        keys = [key for key in page.ids if key is not None]
        above = self._condition(resource, resource.id_parameters, _GREATER_THAN)
        below = self._condition(resource, resource.id_parameters, _LESS_THAN)
        if not keys or above is None:
            return self._query(resource, path, 0, page.count, conditions, archived=False, once=once)
        others = [condition for condition in conditions if condition["parameter"] != above["parameter"]]
        on = [*others, above | {"value": str(min(keys) - 1)}]
        if below:
            up_to = [*on, below | {"value": str(max(keys) + 1)}]
            live = self._query(resource, path, 0, page.count, up_to, archived=False, once=once)
            # None at all may be a misunderstanding of the bounds, which makes the whole page look archived.
            if live.ids or self._query(resource, path, 0, page.count, up_to, archived=True, once=once).ids:
                return live
        return self._query(resource, path, 0, page.count, on, archived=False, once=once)

    def _condition(
        self, resource: CrmPlusResource, parameters: tuple[str, ...], operators: tuple[str, ...]
    ) -> Condition | None:
        """A condition without its value, spelled as offered; where nothing is said about offers, as documented if that
        is accepted."""
        offered = self._options(resource)
        if offered is None:
            guesses = ({"parameter": parameter, "operator": operators[0]} for parameter in parameters)
            return next((guess for guess in guesses if self._is_accepted(resource, guess)), None)
        for wanted in parameters:
            if (parameter := _spelling([wanted], offered)) and (operator := _spelling(operators, offered[parameter])):
                return {"parameter": parameter, "operator": operator}
        return None

    def _is_accepted(self, resource: CrmPlusResource, condition: Condition) -> bool:
        """Whether the API takes a condition of which it does not say so. Asked once, for what no row fulfils."""
        guess = (resource.name, condition["parameter"], condition["operator"])
        if guess not in self._guessed:
            beyond = "0" if condition["operator"] in _LESS_THAN else str(2**31 - 1)
            value = "2999-12-31" if condition["parameter"] in _MODIFIED else beyond
            try:
                self._query(resource, resource.path, 0, 1, [condition | {"value": value}], archived=True)
                self._guessed[guess] = True
            except RequestRejected as error:
                if not error.is_about_parameters:
                    raise
                self._guessed[guess] = False
        return self._guessed[guess]

    def _options(self, resource: CrmPlusResource) -> dict[str, list[str]] | None:
        """The parameters that this organization offers for a query, with their operators. Asked once."""
        if resource.options_path is None:
            return {}
        if resource.name not in self._offered:
            try:
                options = json.loads(self.http.get(resource.options_path))["options"]
                offered = {o["parameter"]: [x["operator"] for x in o.get("operatorOptions") or []] for o in options}
            except (SourceError, ValueError, KeyError, TypeError) as error:
                if isinstance(error, SourceError) and error.stops_source:
                    raise
                offered = None
            self._offered[resource.name] = offered
        return self._offered[resource.name]


def tenant_named(row: Mapping[str, Any]) -> str | None:
    """The organization that `Organization/Current` shows, in words; None where it shows none."""
    id_, name = row.get("organizationUserId"), row.get("organizationName")
    return None if id_ is None and name is None else f"{name} ({id_}, {row.get('organizationTimeZone')})"


def foreign_tenant(row: Mapping[str, Any], held: Held) -> Foreign | None:
    """The organization that `Organization/Current` shows, if both its id and its name are others than those held.

    One of the two may change: an organization is renamed, a key is made for another user.
    """
    live = tenant_named(row)
    ours = held.values(ORGANIZATION.name, "organization_user_id", "organization_name")
    id_, name = str(row.get("organizationUserId")), _folded(row.get("organizationName"))
    if live is None or not ours or any(id_ == our_id or name == _folded(our_name) for our_id, our_name in ours):
        return None
    our_id, our_name = ours[0]
    return Foreign(live, f"{our_name} ({our_id})")


def _folded(name: object) -> str:
    return " ".join(str(name).split()).casefold()


class _ArchiveState(msgspec.Struct):
    isArchived: Any = msgspec.UNSET  # noqa: N815


class _ArchiveStates(msgspec.Struct):
    rows: list[_ArchiveState] = msgspec.field(name=ROWS)


class _Rows(msgspec.Struct):
    rows: list[msgspec.Raw] = msgspec.field(name=ROWS)


_archive_state = msgspec.json.Decoder(_ArchiveState)
_archive_states = msgspec.json.Decoder(_ArchiveStates)
_rows = msgspec.json.Decoder(_Rows)


def _tells_archive_state(page: Page) -> bool:
    """Whether each row says itself whether it is archived; what lies within it, such as a contact method, may say so
    of itself."""
    return all(row.isArchived not in (None, msgspec.UNSET) for row in _archive_states.decode(page.body).rows)


def _told(row: bytes, is_archived: bool) -> bytes:
    """A row that says whether it is archived, and is otherwise as it came: to the byte, unless it says null."""
    said = _archive_state.decode(row).isArchived
    if said is msgspec.UNSET:
        return row.rstrip()[:-1] + (b',"isArchived":true}' if is_archived else b',"isArchived":false}')
    return row if said is not None else orjson.dumps({**orjson.loads(row), "isArchived": is_archived})


def _reaches(live: Page, page: Page) -> bool:
    """Whether every live row of a page would have to be in this answer."""
    if live.total is not None and live.total <= live.count:
        return True
    keys, others = ([key for key in answer.ids if key is not None] for answer in (live, page))
    return is_ascending(live.ids) and bool(keys) and keys[-1] >= max(others, default=keys[-1])


def _spelling(wanted: Iterable[str], offered: Iterable[str]) -> str | None:
    """The offered spelling of the first wanted name, compared without case and spaces."""
    by_fold = {"".join(name.split()).casefold(): name for name in offered}
    folded = ("".join(name.split()).casefold() for name in wanted)
    return next((by_fold[name] for name in folded if name in by_fold), None)
