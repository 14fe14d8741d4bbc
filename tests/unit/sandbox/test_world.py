"""Worlds are made from a seed, and time changes them."""

from __future__ import annotations

import pytest

from ingestion.sandbox.world.state import scale_named


def everything(reader):
    return [
        reader.raise_all("Gift"),
        reader.raise_all("Donor"),
        reader.raise_all("RecurringGift"),
        reader.raise_all("Webhook/log", "createddatetime"),
        reader.crm_all("Contact/Query/FullContact", "Contact Id"),
        reader.crm_all("Gift/Query/FullGift", "Gift Id"),
        reader.crm_all("RecurringGift/Query", "Recurring Gift Id"),
        reader.control("truth"),
    ]


def test_the_same_seed_makes_the_same_world_and_the_same_future(open_sandbox):
    one, two, other = open_sandbox(7), open_sandbox(7), open_sandbox(8)
    assert everything(one) == everything(two) != everything(other)
    for reader in (one, two):
        reader.control("advance", {"hours": 26})
    assert everything(one) == everything(two)


def test_reading_before_or_after_makes_no_difference(open_sandbox):
    """Rows are encoded when they are first served; that must not show."""
    early, late = open_sandbox(7), open_sandbox(7)
    everything(early)
    for reader in (early, late):
        reader.control("advance", {"hours": 26})
    assert everything(early) == everything(late)


def test_ids_grow_with_creation(fresh):
    world = fresh.sandbox.simulation.world
    for table in (world.gifts, world.donors, world.schedules, world.deliveries):
        created = [row.created for row in table]
        assert created == sorted(created)


def test_nothing_lies_in_the_future(fresh):
    world = fresh.sandbox.simulation.world
    for hours in (0, 26):
        fresh.control("advance", {"hours": hours})
        for table in (world.gifts, world.schedules, world.contacts, world.crm_gifts, world.crm_schedules, world.donors):
            assert max(max(row.created, row.modified) for row in table) <= world.now
        assert max(row.created for row in world.deliveries) <= world.now


def test_advancing_brings_syncs_new_records_refunds_and_toggles(fresh):
    fresh.control("observed", {})
    before, counts = fresh.control("truth"), fresh.control("counts")
    syncing = {row["id"]: row["canSync"] for row in fresh.raise_all("Campaign")}
    states = {row["id"]: row["statusText"] for row in fresh.raise_all("Gift")}
    assert fresh.control("advance", {"hours": 26}) == {"now": "2026-03-03T08:00:00.000Z"}
    after, later_counts = fresh.control("truth"), fresh.control("counts")
    arrived = [
        id
        for id, record in before["donors"].items()
        if record["status"] in ("pending", "late") and after["donors"][id]["status"] == "linked"
    ]
    assert len(arrived) >= 3
    assert sum(state != syncing[id] for id, state in _campaigns(fresh).items()) == 2
    assert any(
        states.get(row["id"], "Refunded").lower() == "approved" and row["statusText"].lower() == "refunded"
        for row in fresh.raise_all("Gift")
    )
    assert later_counts["crm_plus"]["gifts"] > counts["crm_plus"]["gifts"]
    assert later_counts["raise"]["webhook_logs"] > counts["raise"]["webhook_logs"]
    new = set(after["donors"]) - set(before["donors"])
    assert len(new) >= 4
    situations = [record["situation"] for record in after["donors"].values()]
    assert {"vanished", "merged_now", "archived_now"} <= set(situations)


def _campaigns(reader):
    return {row["id"]: row["canSync"] for row in reader.raise_all("Campaign")}


def test_gifts_under_a_toggled_campaign_wait_until_the_toggle_was_seen(fresh):
    for _ in range(2):
        fresh.control("observed", {})
        fresh.control("advance", {"hours": 26})
    gifts = [record for record in fresh.control("truth")["gifts"].values() if record["situation"] == "after_toggle"]
    assert {record["status"] for record in gifts} == {"sync_disabled", "matched"}


def test_the_clock_does_not_run_backwards(fresh):
    assert fresh.send("POST", "/_sandbox/advance", json={"to": "2026-01-01T00:00:00Z"}).status_code == 400
    assert fresh.send("POST", "/_sandbox/advance", json={}).status_code == 400
    assert fresh.control("advance", {"to": "2026-03-02T09:00:00Z"}) == {"now": "2026-03-02T09:00:00.000Z"}


def test_a_bare_world_has_only_gifts(open_sandbox):
    counts = open_sandbox(scale="gifts:2000").control("counts")
    assert counts["raise"]["gifts"] == 2000
    assert counts["crm_plus"]["gifts"] == counts["crm_plus"]["contacts"] == 0


def test_time_changes_one_in_a_hundred_rows_of_a_bare_world(open_sandbox):
    reader = open_sandbox(scale="gifts:2000")
    before = reader.raise_all("Gift")
    reader.control("advance", {"hours": 1})
    after = reader.raise_all("Gift")
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 20


def test_unknown_scales_are_refused():
    with pytest.raises(ValueError, match="unknown scale"):
        scale_named("gigantic")


def test_what_is_spoiled_in_crm_plus_is_mended_and_spoiled_again(fresh):
    told: dict[tuple[str, str], list[str]] = {}
    for _ in range(4):
        fresh.control("advance", {"hours": 24})
        truth = fresh.control("truth")
        for kind in ("donors", "gifts", "recurring_gifts"):
            for id, record in truth[kind].items():
                if record["situation"] == "wavering_in_crm_plus":
                    told.setdefault((kind, id), []).append(record["status"])
    assert {kind: statuses for (kind, _), statuses in told.items()} == {
        "donors": ["archived", "linked", "archived", "linked"],
        "gifts": ["amount_mismatch", "matched", "amount_mismatch", "matched"],
        "recurring_gifts": ["amount_mismatch", "linked", "amount_mismatch", "linked"],
    }


def test_a_donor_is_erased_of_whom_a_delivery_told(fresh):
    before = {row["id"]: row for row in fresh.raise_all("Donor")}
    fresh.control("advance", {"hours": 26})
    donors = fresh.control("truth")["donors"]
    ((id, truth),) = [(int(id), truth) for id, truth in donors.items() if truth["situation"] == "erased_now"]
    assert truth["status"] == "deleted"
    (row,) = [row for row in fresh.raise_all("Donor") if row["id"] == id]
    assert row["isGDPRDeleted"]
    assert (row["name"], before[id]["isGDPRDeleted"]) == ("Deleted Donor", False)
    delivered = [d.payload for d in fresh.sandbox.simulation.world.deliveries if d.context_id == id and d.payload]
    assert any(before[id]["email"] in payload for payload in delivered)
    fresh.control("advance", {"hours": 26})
    later = fresh.control("truth")["donors"].values()
    assert [donor["situation"] for donor in later].count("erased_now") == 1
