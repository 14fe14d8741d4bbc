"""A credential of another organization: nothing of it is loaded, and a legitimate run is never stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingestion import virtuous_crm_plus, virtuous_raise
from ingestion.columns import Resource
from ingestion.errors import ForeignOrganization
from ingestion.http import Patience
from ingestion.reading import Reading
from ingestion.settings import Organization, Settings
from tests.clocks import LeapingClock
from tests.plain_warehouse import PlainWarehouse

PATIENCE = Patience(attempts=1, clock=LeapingClock())
NOW = datetime(2026, 6, 1, 6, tzinfo=UTC)
RESOURCES: dict[str, tuple[Resource, ...]] = {
    "crm_plus": tuple(r for r in virtuous_crm_plus.RESOURCES if r.name in ("organization", "contacts")),
    "raise": tuple(r for r in virtuous_raise.RESOURCES if r.name in ("donors", "recurring_gifts", "webhook_logs")),
}


@dataclass
class Account:
    """What one organization's credential opens in both products."""

    tenant: dict[str, Any] | None = field(
        default_factory=lambda: {"organizationUserId": 7, "organizationName": "River Relief"}
    )
    tenant_status: int = 200
    ids: Sequence[int] = range(1, 31)
    organization_id: int | None = None
    has_singles: bool = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, params = request.url.path, {name.lower(): value for name, value in request.url.params.items()}
        if path == "/api/Organization/Current":
            return httpx.Response(self.tenant_status, json=self.tenant)
        if path.endswith("QueryOptions"):
            return httpx.Response(404)
        if path.startswith("/api/Donor/") and path != "/api/Donor/list":
            key = int(path.rsplit("/", 1)[1])
            return httpx.Response(200 if self.has_singles and key in self.ids else 404, json={"id": key})
        skip, take = int(params["skip"]), int(params["take"])
        rows = [{"id": key, "isArchived": False} for key in self.ids]
        if path == "/api/RecurringGift/list":
            rows = [] if self.organization_id is None else [{"id": 1, "organizationId": self.organization_id}]
        if path.startswith("/api/Webhook"):
            rows = []
        if request.method == "POST":
            for group in json.loads(request.content)["groups"]:
                for condition in group["conditions"]:
                    rows = [row for row in rows if row["id"] > int(condition["value"])]
        return httpx.Response(
            200, json={"list" if request.method == "POST" else "items": rows[skip : skip + take], "total": len(rows)}
        )


@dataclass
class Runs:
    """Runs of one organization and product into one warehouse."""

    source: str
    warehouse: PlainWarehouse
    hours: int = 0

    def __call__(self, account: Account, slug: str = "riverside", *, accepts: bool = False) -> Reading:
        self.hours += 1
        product = {"raise": virtuous_raise, "crm_plus": virtuous_crm_plus}[self.source]
        organization = Organization(slug=slug, raise_api_token="t", raise_requests_per_second=0, crm_plus_api_key="k")  # type: ignore[call-arg]
        client: Any = product.client_for(organization, PATIENCE)
        client.http._http = httpx.Client(transport=httpx.MockTransport(account), base_url="http://127.0.0.1")
        reading = Reading(
            source=self.source,
            dataset="raw",
            organization=slug,
            time_zone="UTC",
            settings=Settings(
                warehouse_path=self.warehouse.path,
                tieout_now=NOW + timedelta(hours=self.hours),
                _env_file=None,  # type: ignore[call-arg]
            ),
            run_id=str(self.hours),
            client=client,
            rows_name=product.ROWS,
            resources=RESOURCES[self.source],
            accept_organization=accepts,
        )
        reading.check_organization(product.credential_of(organization))
        while reading.begin_package():
            self.warehouse.load(reading)
        reading.close()
        return reading

    def ids(self, table: str, slug: str = "riverside") -> set[int]:
        rows = self.warehouse.query(f"select id from raw.{table} where organization = '{slug}'")
        return {key for (key,) in rows}

    def flagged(self, slug: str = "riverside") -> str | None:
        ((flag,),) = self.warehouse.query(
            f"select foreign_organization from raw.connections where organization = '{slug}'"
        )
        return flag  # type: ignore[no-any-return]


@pytest.fixture
def runs(tmp_path: Path) -> Callable[[str], Runs]:
    def of(source: str) -> Runs:
        return Runs(source, PlainWarehouse(tmp_path / "w.duckdb", *RESOURCES[source]))

    return of


RIVER = Account()
HILL = {"organizationUserId": 8, "organizationName": "Hill Help"}


@pytest.mark.parametrize(
    ("source", "ours", "theirs", "both"),
    [
        ("crm_plus", RIVER, Account(HILL, ids=range(51, 81)), ("Hill Help (8", "River Relief (7)")),
        ("crm_plus", RIVER, Account(HILL), ("Hill Help (8", "River Relief (7)")),
        ("raise", Account(organization_id=5), Account(organization_id=6), ("organization 6", "organization 5")),
        ("raise", Account(), Account(ids=range(51, 81)), ("the donors 51 to 80", "30 other donors")),
        # Ids of one sequence, in turn.
        (
            "raise",
            Account(ids=range(1, 61, 2)),
            Account(ids=range(2, 62, 2)),
            ("the donors 2 to 60", "30 other donors"),
        ),
        (
            "raise",
            Account(organization_id=5),
            Account(ids=range(51, 81)),
            ("the donors 51 to 80", "30 other donors"),
        ),
    ],
)
def test_nothing_of_another_organization_is_loaded(
    runs: Callable[[str], Runs], source: str, ours: Account, theirs: Account, both: tuple[str, str]
) -> None:
    table = {"raise": "donors", "crm_plus": "contacts"}[source]
    run = runs(source)
    assert all(outcome.is_complete for outcome in run(ours).outcomes.values())
    assert run.flagged() is None
    reading = run(theirs)
    assert isinstance(reading.stopped_by, ForeignOrganization)
    for outcome in reading.outcomes.values():
        assert not outcome.is_complete
        assert all(name in (outcome.error or "") for name in both)
        assert f"tieout run --accept-organization {source} accepts it" in (outcome.error or "")
    assert run.ids(table) == set(ours.ids)
    assert both[0] in (run.flagged() or "")
    # The right credential is back.
    assert all(outcome.is_complete for outcome in run(ours).outcomes.values())
    assert run.flagged() is None


@pytest.mark.parametrize(("source", "theirs"), [("crm_plus", Account(HILL)), ("raise", Account(organization_id=6))])
def test_another_organization_that_is_meant_is_accepted_once(
    runs: Callable[[str], Runs], source: str, theirs: Account
) -> None:
    run = runs(source)
    run(Account(organization_id=5))
    accepted = run(theirs, accepts=True)
    assert {name: outcome.error for name, outcome in accepted.outcomes.items()} == dict.fromkeys(accepted.outcomes)
    assert run.flagged() is None
    assert run(theirs).stopped_by is None


@pytest.mark.parametrize(
    ("source", "then"),
    [
        ("crm_plus", Account({**HILL, "organizationUserId": 7})),
        ("crm_plus", Account({"organizationUserId": 8, "organizationName": "river  relief "})),
        ("crm_plus", Account({})),
        ("crm_plus", Account(HILL, tenant_status=403)),
        ("crm_plus", Account(HILL, tenant_status=404)),
        ("crm_plus", Account(HILL, tenant_status=500)),
        # Some are deleted, and many are new.
        ("raise", Account(ids=range(30, 200))),
        # One that tells its organization, and did not before.
        ("raise", Account(organization_id=6)),
        # No row can be asked for by its id.
        ("raise", Account(ids=range(51, 81), has_singles=False)),
        # Too few to tell.
        ("raise", Account(ids=range(51, 55))),
        ("raise", Account(ids=())),
    ],
)
def test_a_legitimate_run_is_not_stopped(runs: Callable[[str], Runs], source: str, then: Account) -> None:
    run = runs(source)
    run(RIVER)
    assert run(then).stopped_by is None
    assert run.flagged() is None


def test_a_first_run_is_not_judged(runs: Callable[[str], Runs]) -> None:
    assert runs("raise")(Account(organization_id=5)).stopped_by is None


def test_a_key_that_was_made_anew_for_another_user_is_no_deletion(runs: Callable[[str], Runs]) -> None:
    run = runs("crm_plus")
    run(RIVER)
    outcome = run(Account({"organizationUserId": 8, "organizationName": "River Relief"})).outcomes["organization"]
    assert (outcome.error, outcome.is_complete) == (None, True)


def test_two_organizations_whose_credentials_were_swapped_name_each_other(runs: Callable[[str], Runs]) -> None:
    run = runs("raise")
    north, south = Account(organization_id=5), Account(ids=range(101, 131), organization_id=6)
    run(north, "north")
    run(south, "south")
    for account, slug, other in (
        (south, "north", "organization 6 (here south)"),
        (north, "south", "organization 5 (here north)"),
    ):
        assert other in str(run(account, slug).stopped_by)
    assert (run.ids("donors", "north"), run.ids("donors", "south")) == (set(north.ids), set(south.ids))


def test_what_cannot_be_learned_now_stays_as_it_was_learned(runs: Callable[[str], Runs]) -> None:
    """The tenant check breaks down while another organization's key is still in its place."""
    run = runs("crm_plus")
    run(RIVER)
    run(Account(HILL, ids=range(51, 81)))
    assert run(Account(HILL, tenant_status=500, ids=range(51, 81))).stopped_by is not None
    assert "Hill Help" in (run.flagged() or "")
    assert run.ids("contacts") == set(RIVER.ids)
    # A key that may not ask so can still be the right one.
    assert run(Account(tenant_status=403)).stopped_by is None
