"""How Raise is read: `Skip` and `Take` over a stable order, one page after the other."""

from __future__ import annotations

from collections.abc import Iterator

from ingestion.envelope import page_of
from ingestion.errors import RequestRejected
from ingestion.http import Patience, ReadClient
from ingestion.pages import Page, offset_pages
from ingestion.settings import Organization
from ingestion.virtuous_raise.resources import RaiseResource

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

    def __init__(self, organization: Organization, patience: Patience | None = None) -> None:
        self.http = ReadClient(
            product="Raise",
            base_url=organization.raise_base_url,
            credential=organization.raise_api_token,
            credential_name=organization.raise_token_name,
            reads=READS,
            requests_per_second=organization.raise_requests_per_second,
            patience=patience or Patience(),
        )

    def close(self) -> None:
        self.http.close()

    def pages(self, resource: RaiseResource) -> Iterator[Page]:
        """Every page of a collection, in an order that changes as little as the API allows."""
        for sort_by in (*resource.sort_by, None):
            try:
                first = self._page(resource, sort_by, 0)
            except RequestRejected:
                if sort_by is None:
                    raise
                continue
            held: dict[int, Page] = {0: first}
            yield from offset_pages(lambda skip: held.pop(skip, None) or self._page(resource, sort_by, skip))  # noqa: B023
            return

    def _page(self, resource: RaiseResource, sort_by: str | None, skip: int) -> Page:
        params: dict[str, str | int] = {"Skip": skip, "Take": _MOST_PER_PAGE}
        if sort_by:
            params |= {"SortBy": sort_by, "Descending": "false"}
        if resource.details:
            params["IncludeDetails"] = "true"
        return page_of("Raise", resource, ROWS, self.http.get(resource.path, params))
