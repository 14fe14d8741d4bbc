"""Faults strike by name and rate, and stop when they are told to."""

from __future__ import annotations

import orjson
import pytest

from ingestion.sandbox import FAULTS


def gift_page(reader):
    return reader.raise_get("Gift/list", SortBy="id", Take=100)


def contact_page(reader):
    return reader.crm_post("Contact/Query/FullContact", take=100)


@pytest.mark.parametrize(
    ("fault", "page", "statuses"),
    [
        ("raise_5xx", gift_page, {500, 502, 503}),
        ("raise_429", gift_page, {429}),
        ("raise_401", gift_page, {401}),
        ("raise_403_gifts", gift_page, {403}),
        ("crm_plus_5xx", contact_page, {500, 502, 503, 520}),
        ("crm_plus_429", contact_page, {429}),
        ("crm_plus_401", contact_page, {401}),
        ("crm_plus_403_contacts", contact_page, {403}),
    ],
)
def test_refusals(fresh, fault, page, statuses):
    other = contact_page if page is gift_page else gift_page
    fresh.control("faults", {fault: 1})
    assert {page(fresh).status_code for _ in range(30)} == statuses
    assert other(fresh).status_code == 200
    fresh.control("faults", {fault: False})
    assert page(fresh).status_code == 200


def test_a_throttled_reader_is_not_always_told_for_how_long(open_sandbox):
    reader = open_sandbox(faults=("raise_429",))
    reader.control("faults", {"raise_429": 1})
    assert {gift_page(reader).headers.get("retry-after") for _ in range(30)} == {"1", None}


def test_cut_bodies_are_no_json(fresh):
    fresh.control("faults", {"cut_bodies": 1})
    for _ in range(5):
        answer = gift_page(fresh)
        assert answer.status_code == 200
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(answer.content)


def test_a_maintenance_page_has_status_200(fresh):
    fresh.control("faults", {"html_200": 1})
    assert gift_page(fresh).text.startswith("<!doctype html>")


def test_a_timeout_ends_without_an_answer(open_sandbox):
    reader = open_sandbox(stall_seconds=0.01)
    reader.control("faults", {"timeouts": 1})
    assert len(gift_page(reader).content) < 1000


def test_a_mass_deletion_takes_gifts_from_lists_and_by_id_and_gives_them_back(fresh):
    def listed():
        return {gift["id"] for gift in fresh.raise_all("Gift")}

    held = listed()
    fresh.control("faults", {"raise_mass_deletion": 0.4})
    left = listed()
    assert 0.5 < len(left) / len(held) < 0.7
    assert fresh.raise_get("Gift/list", Take=1).json()["total"] == len(left)
    assert fresh.raise_get(f"Gift/{min(held - left)}").status_code == 404
    fresh.control("faults", {"raise_mass_deletion": False})
    assert listed() == held


def test_poisoned_rows_are_always_the_same(fresh):
    fresh.control("faults", {"poisoned_rows": 0.02})
    good = [row["id"] for row in fresh.raise_all("Project")]
    assert good
    ids = fresh.sandbox.simulation.world.gifts.ids[:200]
    bad = [id for id in ids if fresh.raise_get(f"Gift/{id}").status_code == 500]
    assert bad == [id for id in ids if fresh.raise_get(f"Gift/{id}").status_code == 500]
    assert 0 < len(bad) < 20
    assert fresh.raise_get("Gift/list", SortBy="id", Take=200).status_code == 500
    assert fresh.raise_get("Gift/list", SortBy="id", Skip=ids.index(bad[0]), Take=1).status_code == 500


def test_new_fields_and_odd_values_spoil_no_page(fresh):
    fresh.control("faults", {"new_fields": True, "odd_values": 0.2})
    for rows, key in (
        (fresh.raise_all("Donor"), "modifiedDate"),
        (fresh.crm_all("Contact/Query/FullContact", "Contact Id"), "modifiedDateTimeUtc"),
    ):
        assert all("sandboxNovelty" in row for row in rows)
        odd = [row["id"] for row in rows if row[key].startswith("around ")]
        assert 0 < len(odd) < len(rows) / 2
    assert fresh.raise_all("Donor") == fresh.raise_all("Donor")


def test_rows_move_between_pages_but_stay_out_of_the_truth(fresh):
    before = set(fresh.sandbox.simulation.world.gifts.ids)
    fresh.control("faults", {"moving_rows": 1})
    for _ in range(10):
        gift_page(fresh)
    truth = fresh.control("truth")
    gone = before - set(fresh.sandbox.simulation.world.gifts.ids)
    assert gone
    assert gone <= set(truth["unsettled_gifts"])
    assert set(truth["gifts"]) == {str(id) for id in fresh.sandbox.simulation.world.gifts.ids}


def test_unknown_faults_are_refused(fresh):
    assert fresh.send("POST", "/_sandbox/faults", json={"earthquake": True}).status_code == 400
    assert set(fresh.control("faults")["known"]) == set(FAULTS)
