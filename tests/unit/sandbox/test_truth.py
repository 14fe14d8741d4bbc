"""What the sandbox says is true agrees with a plain reading of the contract over what it serves."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from ingestion.sandbox import Options
from ingestion.sandbox.clock import HOUR, START
from ingestion.sandbox.truth import Switches
from ingestion.sandbox.world.simulation import Simulation

from .reading import Reader, Reading, instant

DONOR_STATUSES = {
    "test_mode", "deleted", "foreign_key", "conflict", "dangling", "archived", "merged", "linked",
    "linked_by_reference", "ambiguous_reference", "sync_disabled", "no_activity", "pending", "late", "missing",
    "not_assessable",
}  # fmt: skip
GIFT_STATUSES = {
    "test_mode", "not_assessable", "not_expected", "sync_disabled", "pending", "late", "missing", "refund_not_reversed",
    "reversal_without_refund", "duplicate", "amount_mismatch", "contact_mismatch", "date_mismatch", "matched_split",
    "matched_with_costs", "matched",
}  # fmt: skip
SCHEDULE_STATUSES = {
    "test_mode", "foreign_key", "dangling", "duplicate", "not_expected", "sync_disabled", "pending", "late", "missing",
    "state_mismatch", "amount_mismatch", "frequency_mismatch", "contact_mismatch", "linked_by_reference", "linked",
}  # fmt: skip


def statuses(truth, entity):
    """The statuses of what is still served: a reading without memory cannot know what has vanished."""
    return {id: record["status"] for id, record in truth[entity].items() if record["situation"] != "vanished"}


def agree(reader: Reader) -> None:
    truth = reader.control("truth")
    reading = Reading(reader, instant(truth["now"]))
    vanished = {
        id for record in truth["gifts"].values() if record["situation"] == "vanished" for id in record["crm_gift_ids"]
    }
    gone_schedules = {
        str(record["crm_id"]) for record in truth["recurring_gifts"].values() if record["situation"] == "vanished"
    }
    vanished_crm_gifts = {str(id) for id in (*vanished, *truth["unsettled_crm_gifts"])}
    assert reading.donor_statuses() == statuses(truth, "donors")
    assert reading.orphan_contacts() == set(truth["orphan_contacts"])
    gifts, orphans = reading.gift_statuses()
    assert gifts == statuses(truth, "gifts")
    assert orphans - vanished_crm_gifts == set(truth["orphan_gifts"])
    schedules, orphan_schedules = reading.schedule_statuses()
    assert schedules == statuses(truth, "recurring_gifts")
    assert orphan_schedules - gone_schedules == set(truth["orphan_recurring_gifts"])


@pytest.mark.parametrize("seed", [1, 2, 11])
def test_a_plain_reading_agrees_while_time_passes(open_sandbox, seed):
    reader = open_sandbox(seed)
    agree(reader)
    for hours in (26, 50):
        reader.control("observed", {})
        reader.control("advance", {"hours": hours})
        agree(reader)


def test_it_agrees_when_the_first_read_comes_after_a_toggle(open_sandbox):
    reader = open_sandbox(4)
    reader.control("advance", {"hours": 30})
    agree(reader)


def test_campaign_events_tell_to_the_instant_when_a_switch_was_turned():
    simulation = Simulation(1, "small")
    simulation.world.observe()
    simulation.changes.advance(START + 48 * HOUR)
    known = Switches(simulation.world)
    assert len(simulation.world.toggles) == 2
    for campaign, toggled in simulation.world.toggles.items():
        is_syncing = simulation.world.campaigns[campaign].can_sync
        assert known.known_to_sync(campaign, toggled) is is_syncing
        assert known.known_to_sync(campaign, toggled - 1_000) is not is_syncing


def test_without_payloads_the_nearest_read_tells_of_a_switch():
    simulation = Simulation(1, "small", Options(withholds_payloads=True))
    simulation.world.observe()
    simulation.changes.advance(START + 48 * HOUR)
    known = Switches(simulation.world)
    for campaign in simulation.world.toggles:
        is_syncing = simulation.world.campaigns[campaign].can_sync
        assert known.known_to_sync(campaign, START + 24 * HOUR) is is_syncing
        assert known.known_to_sync(campaign, START + 24 * HOUR - 1) is not is_syncing


def test_it_agrees_after_rows_moved_under_a_read(fresh):
    fresh.control("faults", {"moving_rows": 1})
    for _ in range(20):
        fresh.raise_get("Gift/list")
    fresh.control("faults", {"moving_rows": False})
    agree(fresh)


@pytest.mark.parametrize(
    ("entity", "expected"),
    [("donors", DONOR_STATUSES), ("gifts", GIFT_STATUSES), ("recurring_gifts", SCHEDULE_STATUSES)],
)
@pytest.mark.parametrize("seed", [1, 5])
def test_every_status_is_planted_at_least_twice(open_sandbox, seed, entity, expected):
    counts = Counter(statuses(open_sandbox(seed).control("truth"), entity).values())
    assert set(counts) == expected
    assert min(counts.values()) >= 2


def test_most_records_are_in_order(reader):
    truth = reader.control("truth")
    assert Counter(statuses(truth, "donors").values())["linked"] > 200
    assert Counter(statuses(truth, "gifts").values())["matched"] > 1_200


def test_orphans_of_all_kinds_are_planted(reader):
    truth = reader.control("truth")
    assert all(len(truth[kind]) >= 2 for kind in ("orphan_contacts", "orphan_gifts", "orphan_recurring_gifts"))


def test_the_log_proves_every_kind_of_label(reader):
    truth = reader.control("truth")["event_types"]
    labels = defaultdict(list)
    for row in reader.raise_all("Webhook/log", "createddatetime"):
        labels[str(row["eventType"])].append(row["eventTypeDisplay"])
    assert {known["status"] for known in truth.values()} == {
        "confirmed", "contradicted", "ambiguous", "unobserved", "undocumented"
    }  # fmt: skip
    for event_type, known in truth.items():
        seen = labels[event_type]
        assert known["observations"] == len(seen)
        assert known["label_count"] == len({"".join(label.lower().split()) for label in seen})
        assert known["observed_label"] == (Counter(seen).most_common(1)[0][0] if seen else None)


def test_one_label_of_two_is_not_ambiguous_yet(open_sandbox):
    reader = open_sandbox(27)
    assert reader.control("truth")["event_types"]["32"]["status"] == "confirmed"
    reader.control("advance", {"hours": 30})
    assert reader.control("truth")["event_types"]["32"]["status"] == "ambiguous"


def test_what_vanished_is_deleted_only_if_a_read_can_have_seen_it(open_sandbox):
    unseen, seen = open_sandbox(6), open_sandbox(6)
    seen.control("observed", {})
    for reader in (unseen, seen):
        reader.control("advance", {"hours": 26})
    situations = [record["situation"] for record in seen.control("truth")["donors"].values()]
    assert "vanished" in situations
    truth = unseen.control("truth")
    assert "vanished" not in [record["situation"] for record in truth["donors"].values()]
    assert truth["unsettled_gifts"]
