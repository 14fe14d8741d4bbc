"""CRM+ as it is documented, traps included."""

from __future__ import annotations

import pytest

DENIED = "Authorization has been denied for this request."


def condition(parameter, operator, value=None):
    return {"parameter": parameter, "operator": operator, "value": value}


def test_without_the_key_there_is_nothing(reader):
    good = reader.crm_headers["Authorization"]
    for headers in ({}, {"Authorization": good.replace("Bearer ", "Bearer  ")}, reader.raise_headers):
        answer = reader.send("POST", "/crm-plus/api/Gift/Query", headers=headers, json={})
        assert answer.status_code == 401
        assert "x-ratelimit-limit" in answer.headers


@pytest.mark.parametrize(
    ("path", "parameter", "key", "resource"),
    [
        ("Contact/Query/FullContact", "Contact Id", "id", "contacts"),
        ("Contact/Query", "Contact Id", "id", "contacts"),
        ("Gift/Query/FullGift", "Gift Id", "id", "gifts"),
        ("Gift/Query", "Gift Id", "id", "gifts"),
        ("RecurringGift/Query", "Recurring Gift Id", "id", "recurring_gifts"),
        ("Project/Query", "Project Id", "id", "projects"),
        ("Campaign/Query", "Campaign Id", "campaignId", "campaigns"),
    ],
)
def test_the_id_cursor_finds_every_row_in_order(reader, path, parameter, key, resource):
    found = [row[key] for row in reader.crm_all(path, parameter, key)]
    assert found == sorted(set(found))
    assert len(found) == reader.control("counts")["crm_plus"][resource]


def test_skip_and_take_work_in_the_url_only(reader):
    page = reader.crm_post("Gift/Query", {"skip": 100, "take": 500}).json()
    assert len(page["list"]) == 10
    assert reader.crm_post("Gift/Query", take=1000).json()["list"][:10] == page["list"]
    assert reader.crm_post("Gift/Query", skip=10, take=5).json()["list"][0] not in page["list"]


def test_more_than_a_thousand_is_refused(reader):
    answer = reader.crm_post("Gift/Query", take=1001)
    assert answer.status_code == 400
    assert "take" in answer.json()["modelState"]


def test_archived_contacts_need_to_be_asked_for(reader):
    every = reader.crm_all("Contact/Query/FullContact", "Contact Id")
    live = reader.crm_all("Contact/Query/FullContact", "Contact Id", archived=False)
    assert {row["id"] for row in every} > {row["id"] for row in live}
    assert not any(row["isArchived"] for row in live)
    assert all(row["isArchived"] for row in every if row["mergedIntoContactId"])


def test_the_archive_flag_can_be_left_out(open_sandbox):
    reader = open_sandbox(contacts_show_archived=False)
    assert all("isArchived" not in row for row in reader.crm_all("Contact/Query/FullContact", "Contact Id"))


def test_an_archived_or_merged_contact_can_still_be_fetched(reader):
    every = reader.crm_all("Contact/Query/FullContact", "Contact Id")
    merged = next(row for row in every if row["mergedIntoContactId"])
    assert reader.crm_get(f"Contact/{merged['id']}").json() == merged
    assert reader.crm_get("Contact/987654321").status_code == 404


def test_conditions_are_anded_and_groups_ored(reader):
    def total(*groups):
        return reader.crm_post("Gift/Query/FullGift", {"groups": [{"conditions": group} for group in groups]}).json()[
            "total"
        ]

    credit, check = condition("Gift Type", "Is", "Credit"), condition("Gift Type", "Is", "Check")
    assert total([credit, check]) == 0
    assert total([credit], [check]) == total([credit]) + total([check]) > 0
    assert total() == reader.control("counts")["crm_plus"]["gifts"]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("Last Modified Date", "2026-02-20"),
        ("Last Modified Date", "02/20/2026"),
        ("Last Modified DateTime UTC", "2026-02-20T07:00:00Z"),
        ("Last Modified DateTime UTC", "2026-02-20T07:00:00"),
    ],
)
def test_modification_filters_know_the_local_day(reader, parameter, value):
    filters = [condition(parameter, "OnOrAfter", value)]
    page = reader.crm_post("Gift/Query/FullGift", {"groups": [{"conditions": filters}]}, take=1000).json()
    assert 0 < page["total"] == len(page["list"]) < 1000
    assert min(row["modifiedDateTimeUtc"] for row in page["list"]) >= "2026-02-20T07:00:00"
    every = reader.crm_all("Gift/Query/FullGift", "Gift Id")
    assert page["total"] == sum(row["modifiedDateTimeUtc"] >= "2026-02-20T07:00:00" for row in every)


@pytest.mark.parametrize("resource", ["Contact", "Gift", "RecurringGift", "Project", "Campaign"])
def test_every_query_option_is_accepted_and_others_are_not(reader, resource):
    options = reader.crm_get(f"{resource}/QueryOptions").json()["options"]
    values = {"Int": "5", "Decimal": "5.5", "Date": "2026-01-31", "String": "x", "List": "x", "Boolean": None}
    for option in options:
        for operator in option["operatorOptions"]:
            one = {
                **condition(option["parameter"], operator["operator"], values[option["type"]]),
                "secondaryValue": values[option["type"]],
                "values": ["x"],
            }
            answer = reader.crm_post(f"{resource}/Query", {"groups": [{"conditions": [one]}]})
            assert answer.status_code == 200, one
    for bad in (condition("No Such Field", "Is", "1"), condition(options[0]["parameter"], "Greater Than", "1")):
        answer = reader.crm_post(f"{resource}/Query", {"groups": [{"conditions": [bad]}]})
        assert answer.status_code == 400
        assert answer.json()["modelState"]


def test_the_abbreviated_gift_hides_what_matters(reader):
    short = reader.crm_post("Gift/Query", take=1000).json()["list"]
    assert all(row["amount"].lstrip("-")[0] in "$C€" for row in short)
    assert all("/" in row["giftDate"] for row in short)
    assert not {"transactionId", "modifiedDateTimeUtc"} & set(short[0])


def test_full_gifts_show_the_pair_and_plain_dates(reader):
    gifts = reader.crm_all("Gift/Query/FullGift", "Gift Id")
    pairs = {str(row["transactionId"]) for row in gifts}
    assert any(pair.startswith("rd2-") for pair in pairs)
    assert any(pair.endswith("-2") for pair in pairs)
    assert all(row["giftDate"].endswith("T00:00:00") for row in gifts)
    assert not any(row["createDateTimeUtc"].endswith("Z") for row in gifts)
    assert {len(row["createDateTimeUtc"].partition(".")[2]) for row in gifts} == {0, 2, 3, 7}
    assert any(part["projectCode"] == "CREDITCARDCOSTS" for row in gifts for part in row["giftDesignations"])
    assert all(
        round(100 * sum(part["amountDesignated"] for part in row["giftDesignations"])) == round(100 * row["amount"])
        for row in gifts
    )


def test_records_are_found_by_origin(reader):
    gifts = reader.crm_all("Gift/Query/FullGift", "Gift Id")
    gift = next(row for row in gifts if row["transactionSource"] == " virtuous raise ")
    assert reader.crm_get(f"Gift/virtuous%20raise/{gift['transactionId']}").json() == gift
    assert reader.crm_get("Gift/RaiseDonors/none").status_code == 404
    contacts = reader.crm_all("Contact/Query/FullContact", "Contact Id")
    contact = next(row for row in contacts if row["contactReferences"])
    reference = contact["contactReferences"][0]
    assert reader.crm_get(f"Contact/{reference['source'].strip()}/{reference['id'].strip()}").json() == contact


def test_designations_come_one_by_one(reader):
    page = reader.crm_post("GiftDesignation/Query", take=1000).json()
    assert page["total"] > reader.control("counts")["crm_plus"]["gifts"]
    assert len({row["id"] for row in page["list"]}) == 1000
    middle = page["list"][500]["giftId"]
    filters = [condition("Gift Id", "GreaterThan", middle)]
    rest = reader.crm_post("GiftDesignation/Query", {"groups": [{"conditions": filters}]}, take=1000).json()
    earlier = [row for row in page["list"] if row["giftId"] <= middle]
    assert rest["total"] == page["total"] - len(earlier)
    assert rest["list"][0] == page["list"][len(earlier)]


def test_individuals_are_numbered_apart(reader):
    page = reader.crm_post("ContactIndividual/Query", {"sortBy": "Id"}, take=1000).json()
    last = page["list"][99]["id"]
    filters = [condition("Contact Individual Id", "GreaterThan", last)]
    rest = reader.crm_post("ContactIndividual/Query", {"groups": [{"conditions": filters}]}, take=1000).json()
    assert rest["list"] == page["list"][100:]


def test_the_organization_and_the_permissions(reader):
    assert reader.crm_get("Organization/Current").json()["organizationTimeZone"] == "US/Arizona"
    assert {"module": "Gift", "action": "Read"} in reader.crm_get("Permission").json()


def test_the_hourly_budget_counts_down_and_ends(open_sandbox):
    reader = open_sandbox(crm_plus_hourly_limit=3)
    left = [reader.crm_get("Organization/Current").headers["x-ratelimit-remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    over = reader.crm_get("Organization/Current")
    assert over.status_code == 429
    assert over.json()["message"]
    assert 3500 < int(over.headers["retry-after"]) <= 3600
    assert int(over.headers["x-ratelimit-reset"]) > 1_700_000_000
