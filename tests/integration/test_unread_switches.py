"""Campaigns that were switched off for a while, as only the delivery log tells: unread, it accuses nobody."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.http import Patience
from ingestion.settings import Settings
from ingestion.sources import SOURCES, open_reading
from tests.building import BUILD, measured, query

NOW = datetime(2026, 6, 1, 6, tzinfo=UTC)
OFF_FOR, ON_AGAIN, MEANWHILE = 40, 12, 25
"""Days ago: the switch off, the switch on, and what was given in between."""


def days_ago(days: float) -> str:
    return (NOW - timedelta(days=days)).isoformat()


@dataclass
class Products:
    """Both products of one organization over HTTP: a donor without a key who gave once and once more by a schedule."""

    server: HTTPServer
    name: str
    wrap: Callable[[dict[str, Any]], object] = dict
    """How a payload wraps its campaign."""
    younger: int = 0
    """Deliveries since the switches."""
    status: int = 200
    """How the entries about the switches are answered."""
    asked: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.expect_request(re.compile(f"/{self.name}/.*")).respond_with_handler(self._answer)

    def settings(self, warehouse: Path) -> Settings:
        url = self.server.url_for(f"/{self.name}")
        return Settings(
            raise_base_url=url, crm_plus_base_url=url, raise_api_token="t", crm_plus_api_key="k", tieout_now=NOW,
            raise_requests_per_second=0, warehouse_path=warehouse, _env_file=None,
        )  # type: ignore[call-arg]  # fmt: skip

    def read(self, warehouse: Path, **changes: Any) -> None:
        self.asked.clear()
        settings = self.settings(warehouse).model_copy(update=changes)
        organization = settings.organizations[0].model_copy(update={"slug": self.name})
        for source in SOURCES:
            patience = Patience(attempts=1, initial=0.001, longest=0.001)
            with open_reading(source, organization, settings, run_id="run", patience=patience) as reading:
                reading.run()

    @property
    def rows(self) -> dict[str, list[dict[str, Any]]]:
        given = {"donorId": 1, "amount": 60, "campaignName": "Spring", "createdDate": days_ago(MEANWHILE)}
        return {
            "/api/Donor/list": [{"id": 1, "name": "A B", "createdDate": days_ago(90), "crmKey": None}],
            "/api/Gift/list": [{"id": 11, **given, "date": days_ago(MEANWHILE), "status": 1, "statusText": "Approved"}],
            "/api/RecurringGift/list": [{"id": 12, **given, "status": 1, "statusText": "Active"}],
            "/api/Campaign/list": [{"id": 7, "name": "Spring", "canSync": True, "createdDateTime": days_ago(90)}],
            "/api/Webhook/log/list": [self._entry(id) for id in range(2 + self.younger, 0, -1)],
            # Others, so that CRM+ is not empty.
            "/api/Contact/Query/FullContact": [{"id": 5, "isArchived": False, "contactIndividuals": []}],
            "/api/Gift/Query/FullGift": [
                {"id": 6, "contactId": 5, "amount": 1, "giftType": "Cash", "giftDesignations": []}
            ],
        }

    @staticmethod
    def _entry(id: int) -> dict[str, Any]:
        days = {1: OFF_FOR, 2: ON_AGAIN}.get(id, ON_AGAIN - id / 1000)
        kind, label, context = (41, "Campaign Updated", 7) if id < 3 else (11, "Gift Updated", 11)
        told = {"eventType": kind, "eventTypeDisplay": label, "contextId": context, "createdDate": days_ago(days)}
        return {"id": id, "webhookId": 31, **told}

    def _answer(self, request: Request) -> Response:
        path = request.path.removeprefix(f"/{self.name}")
        if single := re.fullmatch(r"/api/Webhook/31/log/(\d+)", path):
            id = int(single[1])
            self.asked.append(id)
            campaign = {"id": 7, "canSync": id == 2, "modifiedDateTime": days_ago({1: OFF_FOR, 2: ON_AGAIN}.get(id, 0))}
            payload = self.wrap(campaign) if id < 3 else {"id": 11, "amount": 60}
            return self._json(self._entry(id) | {"payLoad": json.dumps(payload)}, self.status if id < 3 else 200)
        if path == "/api/Organization/Current":
            return self._json({"organizationId": 1, "organizationUserId": 1, "organizationName": "Mini"})
        rows = self.rows.get(path, [])
        if request.method == "GET":
            skip, take = int(request.args.get("Skip", 0)), int(request.args.get("Take", 10))
            return self._json({"items": rows[skip : skip + take], "total": len(rows)})
        conditions = [c for group in json.loads(request.data or b"{}").get("groups") or () for c in group["conditions"]]
        above = max((int(c["value"]) for c in conditions if c["operator"] == "GreaterThan"), default=0)
        return self._json({"list": [row for row in rows if row["id"] > above], "total": len(rows)})

    @staticmethod
    def _json(body: object, status: int = 200) -> Response:
        return Response(json.dumps(body), status, content_type="application/json")


def build(warehouse: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Status and cause of each record, by organization and entity."""
    marts = ("recon_donors", "recon_gifts", "recon_recurring_gifts")
    measured(warehouse, *BUILD, "--indirect-selection", "cautious", "--select", *(f"+{mart}" for mart in marts))
    return {
        (organization, mart.removeprefix("recon_")): (status, cause)
        for mart in marts
        for organization, status, cause in query(
            warehouse, f"select organization, status, cause from marts.{mart} where raise_id is not null"
        )
    }


def test_nobody_is_accused_while_a_switch_lies_unread(
    httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    warehouse = tmp_path / "warehouse.duckdb"
    behind = Products(httpserver, "behind", younger=205)
    wrapped = Products(
        httpserver, "wrapped", wrap=lambda campaign: {"event": "CampaignUpdate", "data": json.dumps(campaign)}
    )
    odd = Products(httpserver, "odd", wrap=lambda campaign: {"data": [campaign]})
    failing = Products(httpserver, "failing", status=500)
    refused = Products(httpserver, "refused", status=403)
    for products in (wrapped, odd, failing, refused):
        # As an hourly run does.
        products.read(warehouse, webhook_payloads_per_run=0)
    behind.read(warehouse)
    assert behind.asked[:2] == [2, 1]
    assert len(behind.asked) == 2 + 200
    found = build(warehouse)
    for name in ("behind", "wrapped"):
        assert {status for (of, _), (status, _) in found.items() if of == name} == {"sync_disabled"}
    for name, unread in (("odd", 2), ("failing", 2), ("refused", 2)):
        for entity in ("donors", "gifts", "recurring_gifts"):
            status, cause = found[name, entity]
            assert status == "not_assessable"
            assert f"the delivery log holds {unread} entries about it" in cause
    failing.status = 200
    failing.read(warehouse, webhook_payloads_per_run=0)
    found = build(warehouse)
    assert {status for (of, _), (status, _) in found.items() if of == "failing"} == {"sync_disabled"}
    assert found["odd", "gifts"][0] == "not_assessable"
