"""How CRM+ is read: queries with an id cursor, spelled as the organization's own query options offer it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import orjson

from ingestion.envelope import page_of
from ingestion.errors import SourceError
from ingestion.http import Patience, ReadClient
from ingestion.pages import Page, keyset_pages, offset_pages
from ingestion.settings import Organization
from ingestion.virtuous_crm_plus.resources import ORGANIZATION, CrmPlusResource

ROWS = "list"
_MOST_PER_PAGE = 1000
_GREATER_THAN = ("GreaterThan", "Greater Than", "Is Greater Than", "After")

READS = (
    ("GET", r"/api/Organization/Current"),
    ("GET", r"/api/Permission"),
    ("GET", r"/api/(Contact|Gift|RecurringGift|Project|Campaign)/QueryOptions"),
    ("GET", r"/api/(Contact|Gift|RecurringGift|Project|Campaign)/\d+"),
    ("POST", r"/api/(Contact|Gift|RecurringGift|Project|Campaign)/Query"),
    ("POST", r"/api/Contact/Query/FullContact"),
    ("POST", r"/api/Gift/Query/FullGift"),
)


class CrmPlusClient:
    """Reads the collections of one organization's CRM+."""

    def __init__(self, organization: Organization, patience: Patience | None = None) -> None:
        assert organization.crm_plus_api_key is not None
        self.http = ReadClient(
            product="CRM+",
            base_url=organization.crm_plus_base_url,
            credential=organization.crm_plus_api_key,
            credential_name=organization.crm_plus_key_name,
            reads=READS,
            patience=patience or Patience(),
        )

    def close(self) -> None:
        self.http.close()

    def pages(self, resource: CrmPlusResource) -> Iterator[Page]:
        """Every page of a collection: above the last id where the API can be asked so, else by `skip` over the ids."""
        if resource is ORGANIZATION:
            return iter((self._single(resource),))
        cursor = self._id_cursor(resource)
        if cursor is None:
            return offset_pages(lambda skip: self._query(resource, resource.path, skip, [], archived=True), ahead=0)
        parameter, operator = cursor

        def above(after: int | None) -> Page:
            conditions = [] if after is None else [{"parameter": parameter, "operator": operator, "value": str(after)}]
            return self._page_above(resource, conditions)

        return keyset_pages(above)

    def _single(self, resource: CrmPlusResource) -> Page:
        """A resource that is one object, as the only row of an envelope."""
        return page_of("CRM+", resource, ROWS, f'{{"{ROWS}":[{self.http.get(resource.path)}],"total":1}}')

    def _page_above(self, resource: CrmPlusResource, conditions: list[dict[str, str]]) -> Page:
        page = self._query(resource, resource.path, 0, conditions, archived=True)
        if resource.archived_by_set_difference and page.ids and '"isArchived"' not in page.body:
            return self._with_archive_state(resource, resource.archived_by_set_difference, page, conditions)
        return page

    def _query(
        self, resource: CrmPlusResource, path: str, skip: int, conditions: list[dict[str, str]], *, archived: bool
    ) -> Page:
        body: dict[str, object] = {
            "groups": [{"conditions": conditions}] if conditions else [],
            "sortBy": resource.sort_by,
            "descending": False,
        }
        if resource.archived_by_set_difference:
            body["includeArchived"] = archived
        return page_of("CRM+", resource, ROWS, self.http.query(path, {"skip": skip, "take": _MOST_PER_PAGE}, body))

    def _with_archive_state(
        self, resource: CrmPlusResource, path: str, page: Page, conditions: list[dict[str, str]]
    ) -> Page:
        """The page with `isArchived` told by what the same question leaves out when it is asked without archived records.

        Asked right after the page, so that a record that was made in between cannot look archived. Without archived
        rows the answer reaches further than the page, never less far.
        """
        live = set(self._query(resource, path, 0, conditions, archived=False).ids)
        answer = orjson.loads(page.body)
        for row, key in zip(answer[ROWS], page.ids, strict=True):
            row["isArchived"] = key not in live
        return Page(orjson.dumps(answer).decode(), page.ids, page.total)

    def _id_cursor(self, resource: CrmPlusResource) -> tuple[str, str] | None:
        """Parameter and operator of "id greater than", as offered; the documented spelling where nothing is offered."""
        if not resource.id_parameters or not resource.options_path:
            return None
        try:
            offered = json.loads(self.http.get(resource.options_path))["options"]
            operators = {o["parameter"]: [x["operator"] for x in o.get("operatorOptions") or []] for o in offered}
        except (SourceError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, SourceError) and error.stops_source:
                raise
            return resource.id_parameters[0], _GREATER_THAN[0]
        parameter = _spelling(resource.id_parameters, operators)
        operator = _spelling(_GREATER_THAN, operators[parameter]) if parameter else None
        return (parameter, operator) if parameter and operator else None


def _spelling(wanted: Iterable[str], offered: Iterable[str]) -> str | None:
    """The offered spelling of the first wanted name, compared without case and spaces."""
    by_fold = {"".join(name.split()).casefold(): name for name in offered}
    folded = ("".join(name.split()).casefold() for name in wanted)
    return next((by_fold[name] for name in folded if name in by_fold), None)
