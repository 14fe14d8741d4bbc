"""How Raise is read: `Skip` and `Take` over a stable order, one page after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from ingestion.envelope import page_of
from ingestion.errors import RequestRejected, ResourceAbsent
from ingestion.http import PATIENCE, Patience, ReadClient
from ingestion.ladder import Ladder
from ingestion.log_entries import Waiting, answered
from ingestion.pages import BEGINNING, Page, Position, offset_pages
from ingestion.settings import Organization
from ingestion.virtuous_raise.resources import WEBHOOK_LOGS, RaiseResource

ROWS = "items"
_MOST_PER_PAGE = 1000

# Everything else is refused before it is sent: `POST /api/Raise/give` charges a card.
READS = (
    ("GET", r"/api/(Gift|Donor|RecurringGift|Campaign|Segment|Project|Webhook)/list"),
    ("GET", r"/api/(Gift|Donor|RecurringGift|Campaign|Segment|Webhook)/\d+"),
    ("GET", r"/api/Webhook/(\d+/)?log/list"),
    ("GET", r"/api/Webhook/\d+/log/\d+"),
    ("POST", r"/api/(Gift|Donor|RecurringGift)/query"),
)


class RaiseClient:
    """Reads the collections of one organization's Raise."""

    def __init__(self, organization: Organization, patience: Patience = PATIENCE) -> None:
        self.http = ReadClient(
            product="Raise",
            base_url=organization.raise_base_url,
            credential=organization.raise_api_token,
            credential_name=organization.raise_token_name,
            reads=READS,
            requests_per_second=organization.raise_requests_per_second,
            patience=patience,
        )
        self._sort_by: dict[str, str | None] = {}

    def close(self) -> None:
        self.http.close()

    def pages(self, resource: RaiseResource, start: Position = BEGINNING) -> Iterator[Page]:
        """The pages behind `start`; of a log, from its newest entry on."""
        ladder = Ladder(_MOST_PER_PAGE)
        return offset_pages(
            lambda skip, least: ladder.fetch(lambda take: self._page(resource, skip, take), least),
            start,
            # What is read newest first grows at its beginning: pages fetched in advance are soon out of place.
            ahead=0 if resource.newest_first else 2,
            hasty=lambda skip, _: ladder.fetch_ahead(lambda take: self._page(resource, skip, take)),
        )

    def changes(self, resource: RaiseResource, since: datetime) -> None:
        """Raise cannot be asked for what was modified."""

    def singles(self, resource: RaiseResource, keys: Iterable[int]) -> Iterator[Page]:
        """Rows that are fetched by their ids, each as a page of its own. A row that is not there is left out."""
        ladder = Ladder(1)
        for key in keys if resource.single_path else ():
            page = ladder.fetch(lambda _, key=key: self._single(resource, key))  # type: ignore[misc]
            if page.hole:
                yield replace(page, hole=replace(page.hole, place=str(key)))
            elif page.ids == (key,):
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

    def _single(self, resource: RaiseResource, key: int) -> Page:
        assert resource.single_path
        try:
            row = self.http.get(resource.single_path.format(key))
        except ResourceAbsent:
            return Page("", (), None)
        return page_of("Raise", resource, ROWS, f'{{"{ROWS}":[{row}]}}')

    def _page(self, resource: RaiseResource, skip: int, take: int) -> Page:
        params: dict[str, str | int] = {"Skip": skip, "Take": take}
        if resource.details:
            params["IncludeDetails"] = "true"
        if resource.name not in self._sort_by:
            return self._first_page(resource, params)
        return self._list(resource, params, self._sort_by[resource.name])

    def _first_page(self, resource: RaiseResource, params: dict[str, str | int]) -> Page:
        """Finds out which sort key is accepted: not all are documented for each collection."""
        for sort_by in resource.sort_by:
            try:
                page = self._list(resource, params, sort_by)
            except RequestRejected as error:
                if error.status != 400:
                    raise
            else:
                self._sort_by[resource.name] = sort_by
                return page
        page = self._list(resource, params, None)
        self._sort_by[resource.name] = None
        return page

    def _list(self, resource: RaiseResource, params: dict[str, str | int], sort_by: str | None) -> Page:
        if sort_by:
            params = {**params, "SortBy": sort_by, "Descending": "true" if resource.newest_first else "false"}
        return page_of("Raise", resource, ROWS, self.http.get(resource.path, params))
