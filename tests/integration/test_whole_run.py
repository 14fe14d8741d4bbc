"""Whole runs: at medium scale against what the sandbox planted, and with one product alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ingestion.sandbox import Handle, running
from tests.integration.conftest import Workplace


def test_medium_organization(workplace_for: Callable[[Handle], Workplace]) -> None:
    with running(seed=3, scale="medium") as sandbox:
        place = workplace_for(sandbox)
        done = place.tieout("run")
        assert done.returncode == 0, done.stderr
        truth, counts, requests = sandbox.truth(), sandbox.counts(), sandbox.requests()

    held = {
        product: {
            table: place.query(f"select count(*), count(distinct columns({key})) from raw_{product}.{table}")[0]
            for table, key in (
                (table, {"organization": "'organization_user_id'"}.get(table, "'id|campaign_id'"))
                if product == "crm_plus" and table in ("organization", "campaigns")
                else (table, "'^id$'")
                for table in tables
            )
        }
        for product, tables in counts.items()
    }
    assert {p: {t: n[0] for t, n in tables.items()} for p, tables in held.items()} == counts
    assert all(n[0] == n[1] for tables in held.values() for n in tables.values())

    donors = dict(
        place.query("select raise_id, status from marts.recon_donors where raise_id is not null", published=True)
    )
    planted = {int(key): donor["status"] for key, donor in truth["donors"].items()}
    assert Counter(donors.values()) == Counter(planted.values())
    assert donors == planted
    orphans = place.query("select crm_id from marts.recon_donors where raise_id is null", published=True)
    assert {key for (key,) in orphans} == {int(key) for key in truth["orphan_contacts"]}

    labels = {
        str(kind): {"status": status, "observed_label": label, "observations": seen, "label_count": distinct}
        for kind, status, label, seen, distinct in place.query(
            "select event_type, status, observed_label, observations, label_count from marts.event_type_labels",
            published=True,
        )
    }
    assert labels == truth["event_types"]

    assert requests["undocumented"]["count"] == 0
    rows = sum(rows for tables in counts.values() for rows in tables.values())
    sent = requests["raise"]["total"] + requests["crm_plus"]["total"]
    sent -= requests["raise"]["routes"].get("GET /api/Webhook/{id}/log/{log_id}", 0)
    assert sent < rows / 250


def test_without_crm_plus(workplace_for: Callable[[Handle], Workplace], sandbox: Handle) -> None:
    place = workplace_for(sandbox)
    done = place.tieout("run", CRM_PLUS_API_KEY="")
    assert done.returncode == 0, done.stderr
    statuses = place.query("select distinct status from marts.recon_donors where raise_id is not null", published=True)
    assert {status for (status,) in statuses} == {"not_applicable", "deleted", "test_mode"}
    assert place.query("select count(*) from raw_crm_plus.contacts") == [(0,)]
    assert place.query("select is_connected from raw_crm_plus.connections") == [(False,)]
