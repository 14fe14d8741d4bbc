"""How Raise is read: `Skip` and `Take` over a stable order, one page after the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal

from ingestion.envelope import page_of, row_page_of
from ingestion.errors import AnswerNotUnderstood, RequestRejected, ResourceAbsent, SourceError
from ingestion.http import PATIENCE, Patience, ReadClient
from ingestion.ladder import Ladder
from ingestion.log_entries import Waiting, answered
from ingestion.pages import BEGINNING, KnownHole, Page, Position, newest_first_pages, offset_pages
from ingestion.settings import Organization
from ingestion.tenants import Foreign, Held, objects
from ingestion.virtuous_raise.resources import DONORS, RECURRING_GIFTS, WEBHOOK_LOGS, RaiseResource

ROWS = "items"
_MOST_PER_PAGE = 1000
_LEAST_MOST_PER_PAGE = 50
# To tell whose token it is: rows to look at, rows without which nothing is said, and rows to ask for by their ids.
_ROWS_THAT_TELL, _FEWEST_THAT_TELL, _ASKED_BY_ID = 50, 10, 5

# Everything else is refused before it is sent: `POST /api/Raise/give` charges a card.
READS = (
    ("GET", r"/api/(Gift|Donor|RecurringGift|Campaign|Segment|Project|Webhook)/list"),
    ("GET", r"/api/(Gift|Donor|RecurringGift|Campaign|Segment|Webhook)/\d+"),
    ("GET", r"/api/Webhook/(\d+/)?log/list"),
    ("GET", r"/api/Webhook/\d+/log/\d+"),
    ("POST", r"/api/(Gift|Donor|RecurringGift)/query"),
)


@dataclass(frozen=True)
class _Manner:
    """What goes along with a question for a page; the largest page to ask for."""

    sort_by: str | None
    details: bool
    most: int = _MOST_PER_PAGE


class RaiseClient:
    """Reads the collections of one organization's Raise."""

    def __init__(self, organization: Organization, patience: Patience = PATIENCE, *, quotes: bool = True) -> None:
        self.http = ReadClient(
            product="Raise",
            base_url=organization.raise_base_url,
            credential=organization.raise_api_token,
            credential_name=organization.raise_token_name,
            mask=organization.mask,
            reads=READS,
            requests_per_second=organization.raise_requests_per_second,
            patience=patience,
            quotes=quotes,
        )
        self._manners: dict[str, _Manner] = {}
        self._largest: dict[str, int] = {}
        self._totals: dict[str, int] = {}

    def close(self) -> None:
        self.http.close()

    def pages(
        self, resource: RaiseResource, start: Position = BEGINNING, known: Iterable[KnownHole] = ()
    ) -> Iterator[Page]:
        """The pages behind `start`; of a log, from its newest entry on."""
        ladder = self._ladder(resource, _MOST_PER_PAGE, known, start)

        def fetch(skip: int, least: int) -> Page:
            return ladder.fetch(lambda take, once: self._page(resource, skip, take, once=once), least, at=skip)

        if resource.newest_first:
            return newest_first_pages(fetch)
        return offset_pages(
            fetch,
            start,
            # What fails is asked for again when its turn comes.
            hasty=lambda skip, _: self._page(resource, skip, ladder.take, once=True),
            # Small pages in advance are of no use where the next one may be a large one again.
            may_hurry=lambda: ladder.is_at_top,
        )

    def changes(self, resource: RaiseResource, since: datetime) -> None:
        """Raise cannot be asked for what was modified."""

    def singles(self, resource: RaiseResource, keys: Iterable[int], known: Collection[int] = ()) -> Iterator[Page]:
        """Rows that are fetched by their ids, each as a page of its own. A row that is not there is left out."""
        ladder = self._ladder(resource, 1)
        for key in keys if resource.single_path else ():
            page = ladder.fetch(partial(self._single, resource, key), is_known=key in known)
            if page.hole:
                yield replace(page, hole=replace(page.hole, place=str(key)))
            elif page.ids:
                yield page

    def entries(self, resource: RaiseResource, waiting: Waiting) -> Iterator[Page]:
        """Single entries of a log, each as a page of its own that tells what came of asking for it."""
        known = {column.wire for column in WEBHOOK_LOGS.columns} | {"payLoad"}
        return answered(
            lambda entry: self.http.get(resource.path.format(entry.log, entry.id)), waiting, ROWS, listed=known
        )

    def count(self, resource: RaiseResource) -> int | None:
        """How many rows the collection has."""
        return self.glance(resource).total

    def glance(self, resource: RaiseResource) -> Page:
        """The first row, and how many there are: the cheapest read."""
        return self._page(resource, 0, 1)

    def foreign(self, held: Held) -> Foreign | None:
        """The organization of the token, if the warehouse holds another one; None also where nothing tells.

        Raise has no read that says whose token it is. A recurring gift names its organization; else the ids of donors
        tell, if all of them are others.
        """
        for judge in (self._by_schedules, self._by_donors):
            try:
                verdict = judge(held)
            except SourceError as error:
                if not error.withholds:
                    raise
            else:
                if verdict is not None:
                    return verdict or None
        return None

    def _by_schedules(self, held: Held) -> Foreign | Literal[False] | None:
        """What the organization ids of recurring gifts tell. False: it is ours."""
        rows = objects(self._page(RECURRING_GIFTS, 0, _ROWS_THAT_TELL).body, ROWS)
        live = sorted({str(row["organizationId"]) for row in rows if row.get("organizationId") is not None})
        ours = [str(id_) for (id_,) in held.values(RECURRING_GIFTS.name, "organization_id")]
        if not live or not ours:
            return None
        owners = held.owners(RECURRING_GIFTS.name, "organization_id", live)
        if set(live) & set(ours):
            return False
        return Foreign(f"organization {live[0]}{_as_held(owners)}", f"organization {ours[0]}")

    def _by_donors(self, held: Held) -> Foreign | Literal[False] | None:
        """What the ids of donors tell: the first ones are all unknown, and of ours none can be had while theirs can."""
        ids = [key for key in self._page(DONORS, 0, _ROWS_THAT_TELL).ids if key is not None]
        count = held.count(DONORS.name)
        if min(len(ids), count) < _FEWEST_THAT_TELL:
            return None
        owners = held.owners(DONORS.name, "id", ids)
        if held.organization in owners:
            return False
        ours = held.some_ids(DONORS.name, _ASKED_BY_ID)
        if any(self._single(DONORS, key, 1, once=False).ids for key in ours):
            return False
        if not self._single(DONORS, ids[0], 1, once=False).ids:
            return None
        return Foreign(
            f"an organization with the donors {ids[0]} to {ids[-1]}{_as_held(owners)}",
            f"{count} other donors ({', '.join(map(str, sorted(ours)))}, …)",
        )

    def _ladder(
        self,
        resource: RaiseResource,
        largest: int,
        known: Iterable[KnownHole] = (),
        start: Position = BEGINNING,
    ) -> Ladder:
        most = self._manners[resource.name].most if resource.name in self._manners else largest
        return Ladder(min(largest, most), lambda offset: self._page(resource, offset, 1, once=True), known, start)

    def _single(self, resource: RaiseResource, key: int, _: int, once: bool) -> Page:
        assert resource.single_path
        try:
            path = resource.single_path.format(key)
            page = self.http.get_as(lambda row: self._named(resource, key, row, path), path, once=once)
            return replace(page, total=None)
        except ResourceAbsent:
            return Page("", (), None)

    def _named(self, resource: RaiseResource, key: int, row: str, path: str) -> Page:
        page = row_page_of("Raise", resource, ROWS, row, path)
        if page.ids != (key,):
            raise AnswerNotUnderstood("Raise", path, f"a record with another {resource.key}, or none")
        return page

    def _page(self, resource: RaiseResource, skip: int, take: int, *, once: bool = False) -> Page:
        wanted, *others = _manners(resource, take, self._manners.get(resource.name))
        try:
            page = self._list(resource, skip, take, wanted, once)
        except RequestRejected as refused:
            # What was accepted before is not refused for its manner.
            if not refused.is_about_parameters or take <= self._largest.get(resource.name, 0):
                raise
            page = self._accepted(resource, skip, take, others, refused, once)
        self._largest[resource.name] = max(take, self._largest.get(resource.name, 0))
        return page

    def _accepted(
        self,
        resource: RaiseResource,
        skip: int,
        take: int,
        manners: Iterable[_Manner],
        refused: RequestRejected,
        once: bool,
    ) -> Page:
        """The page, asked for in the first manner that is accepted, which is then the one for this resource."""
        for manner in manners:
            try:
                page = self._list(resource, skip, take, manner, once)
            except RequestRejected as error:
                if not error.is_about_parameters:
                    raise
            else:
                self._manners[resource.name] = manner
                return page
        raise refused

    def _list(self, resource: RaiseResource, skip: int, take: int, manner: _Manner, once: bool) -> Page:
        params: dict[str, str | int] = {"Skip": skip, "Take": min(take, manner.most)}
        if manner.details:
            params["IncludeDetails"] = "true"
        if manner.sort_by:
            params |= {"SortBy": manner.sort_by, "Descending": "true" if resource.newest_first else "false"}
        counted = self._totals.get(resource.name)
        may_be_empty = counted is not None and skip >= counted
        page = self.http.get_as(
            lambda body: page_of("Raise", resource, ROWS, body, may_be_empty=may_be_empty),
            resource.path,
            params,
            once=once,
        )
        if page.total is not None:
            self._totals[resource.name] = page.total
        return page


def _as_held(owners: Iterable[str]) -> str:
    """Under which slug the warehouse holds an organization, where it does."""
    slug = next(iter(owners), None)
    return f" (here {slug})" if slug else ""


def _manners(resource: RaiseResource, take: int, known: _Manner | None) -> Iterator[_Manner]:
    """How a page can be asked for, the manner that tells most first; the last one asks for as little as possible.

    Documented are neither all sort keys nor the largest page nor where details can be had. `known` was accepted for a
    smaller page.
    """
    details = (True, False) if resource.details else (False,)
    plain = [_Manner(sort_by, with_details) for with_details in details for sort_by in (*resource.sort_by, None)]
    best = known or plain[0]
    yield from [best] if known else plain
    for most in (500, 100, _LEAST_MOST_PER_PAGE):
        if most < min(take, best.most):
            yield replace(best, most=most)
    if not known and take > _LEAST_MOST_PER_PAGE:
        yield replace(plain[-1], most=_LEAST_MOST_PER_PAGE)
