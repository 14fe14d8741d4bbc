"""What is planted about money and switches is there, and looks as the products print it."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from ingestion.sandbox.clock import HOUR, START
from ingestion.sandbox.world import costs, moves, passthroughs, reversals, splits, switches
from ingestion.sandbox.world.simulation import Simulation

from .reading import instant


@pytest.fixture(scope="module")
def organization(reader):
    """Of a world: what is true of its gifts, its gifts, and the CRM+ gifts of each of them, by id."""
    gifts = {str(row["id"]): row for row in reader.raise_all("Gift")}
    rows = {row["id"]: row for row in reader.crm_all("Gift/Query/FullGift", "Gift Id")}
    return reader.control("truth")["gifts"], gifts, rows


def planted(organization, situation):
    """The gifts of a situation, each with its CRM+ gifts."""
    truth, gifts, rows = organization
    found = [
        (gifts[id], [rows[key] for key in told["crm_gift_ids"]])
        for id, told in truth.items()
        if told["situation"] == situation
    ]
    assert found
    return found


@pytest.mark.parametrize("family", [reversals, moves, passthroughs, costs, splits, switches])
@pytest.mark.parametrize("seed", [1, 12])
def test_every_situation_is_planted_at_a_small_rate(open_sandbox, seed, family):
    counts = Counter(told["situation"] for told in open_sandbox(seed).control("truth")["gifts"].values())
    for situation in family.SITUATIONS:
        assert situation.minimum <= counts[situation.name] <= 40


def test_reversals_have_an_id_of_their_own_or_none(organization, reader):
    forms = Counter()
    known = {str(id) for id in reader.sandbox.simulation.world.gifts.ids}
    for gift, (original, back) in planted(organization, "reversed_unnamed"):
        assert gift["statusText"].lower() in ("refunded", "chargeback")
        assert back["amount"] == -original["amount"] == -gift["amount"]
        assert back["giftType"] == "Reversing Transaction"
        assert (back["reversedGiftId"], back["contactId"]) == (None, original["contactId"])
        id = back["transactionId"]
        assert id not in known
        forms["none" if not id else id.partition("_")[0] if "_" in id else id.partition("-")[2] or "number"] += 1
    assert set(forms) == {"none", "R", "rf", "number"}


def test_one_reversal_for_each_project(organization):
    for _, rows in planted(organization, "reversed_per_project"):
        assert sorted(row["amount"] for row in rows[:2]) == sorted(-row["amount"] for row in rows[2:])
        assert not any(row["reversedGiftId"] for row in rows[2:])


def test_twins_share_donor_and_amount(organization):
    pairs = defaultdict(list)
    for gift, rows in planted(organization, "reversed_like_its_twin"):
        assert len(rows) == 1
        pairs[gift["donorId"], gift["amount"]].append(gift)
    assert all(len(pair) == 2 for pair in pairs.values())


def test_passthroughs_come_as_one_contact_and_as_a_list(organization):
    found = planted(organization, "passthrough") + planted(organization, "passthrough_without_pair")
    assert any(row["contactPassthroughId"] for _, (row,) in found)
    assert any(row["giftPassthroughs"] for _, (row,) in found)
    for _, (row,) in found:
        (giver,) = [row["contactPassthroughId"] or row["giftPassthroughs"][0]["contactId"]]
        assert giver != row["contactId"]
    for _, (row,) in planted(organization, "passthrough_in_part"):
        assert len(row["giftPassthroughs"]) == 2
        assert round(sum(part["amount"] for part in row["giftPassthroughs"]), 2) == row["amount"]
        assert all(part["passthroughContact"]["id"] == part["contactId"] for part in row["giftPassthroughs"])


def test_those_who_gave_through_a_fund_are_asked_for_apart(organization, reader):
    gift, (row,) = planted(organization, "passthrough")[0]
    giver = row["contactPassthroughId"] or row["giftPassthroughs"][0]["contactId"]
    page = reader.crm_get(f"Gift/Passthrough/ByContact/{giver}").json()
    assert row["id"] in {each["id"] for each in page["list"]}
    assert row["id"] not in {each["id"] for each in reader.crm_get(f"Gift/ByContact/{giver}", take=100).json()["list"]}
    assert gift["amount"] == row["amount"]


def test_moved_gifts_are_taken_back_and_entered_again(organization):
    for situation, pairs in (("moved_without_pair", False), ("moved_with_pair", True)):
        for gift, (original, back, again) in planted(organization, situation):
            assert original["amount"] == -back["amount"] == again["amount"] == gift["amount"]
            assert original["contactId"] == back["contactId"] != again["contactId"]
            assert original["giftDate"] == again["giftDate"]
            assert (again["transactionId"] is not None) is pairs


def test_costs_have_many_names(organization):
    names = {
        part["projectCode"]
        for _, (row,) in planted(organization, "costs_designation")
        for part in row["giftDesignations"][-1:]
    }
    assert names == {"CREDITCARDCOSTS", "ProcessingFee", "FEES", "DPC", "PF"}
    allocated = {gift["projects"][-1]["name"] for gift, _ in planted(organization, "costs_allocation")}
    assert allocated == {"Covers Processing Fees", "Donor Paid Cost", "Processing Fees"}
    for gift, (row,) in planted(organization, "costs_to_any_project"):
        assert gift["donorPaidCosts"]
        assert len(gift["projects"]) == 1
        surplus = round(row["amount"] - gift["amount"], 2)
        assert row["giftDesignations"][-1]["amountDesignated"] == surplus > 0
        assert row["giftDesignations"][-1]["projectCode"] in {"SCHOLAR", "WELLS"}


def test_parts_without_an_id_say_at_most_that_they_are_raises(organization):
    for gift, rows in planted(organization, "split_without_ids"):
        assert len(rows) == 2
        assert round(sum(row["amount"] for row in rows), 2) == gift["amount"]
        assert all(row["transactionSource"] and not row["transactionId"] for row in rows)
        assert len({row["giftDate"] for row in rows}) == 1


def test_switches_lie_behind_everything_younger(reader):
    log = reader.raise_all("Webhook/log", "createddatetime")
    switches_told = [row for row in log if row["contextId"] in (811, 812, 813)]
    assert len(switches_told) >= len(switches.SWITCHED)
    assert all(len(log) - log.index(row) > 2 * 200 for row in switches_told)
    since = {row["contextId"]: instant(row["createdDate"]) for row in switches_told}
    for gift in reader.raise_all("Gift"):
        if gift["campaignId"] in (811, 812, 813):
            assert abs(instant(gift["createdDate"]) - since[gift["campaignId"]]).days < 20


def test_while_time_passes_money_takes_every_turn():
    told = defaultdict(set)
    simulation = Simulation(3, "small")
    for day in range(1, 15):
        simulation.changes.advance(START + day * 24 * HOUR)
        for gift in simulation.world.gifts:
            told[gift.situation].add(gift.status)
    assert told["new_gift_misplaced"] >= {"contact_mismatch", "reversal_without_refund", "matched"}
    assert "matched_split" in told["new_gift_split_without_ids"]
    assert "matched" in told["new_gift_through_a_fund"]
    assert "matched" in told["new_gift_through_a_fund_without_pair"]
    assert "matched_with_costs" in told["new_gift_with_costs"]
    assert told["refunded_now"] == {"refund_not_reversed", "matched"}
