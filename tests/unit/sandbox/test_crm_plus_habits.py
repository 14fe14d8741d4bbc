"""CRM+ as other people's clients and recordings know it."""

from __future__ import annotations

import orjson
import pytest

DENIED = "Authorization has been denied for this request."
RECORDED, DOCUMENTED, PRETTY = 1, 2, 3
"""Seeds of worlds with these habits."""


def total(reader, parameter, operator, value=None, values=None, resource="Gift", **rest):
    one = {"parameter": parameter, "operator": operator, "value": value, "values": values, **rest}
    return reader.crm_post(f"{resource}/Query", {"groups": [{"conditions": [one]}]}).json()["total"]


def test_refusals_as_they_were_recorded(open_sandbox):
    reader = open_sandbox(RECORDED)
    absent = reader.crm_get("Contact/987654321")
    assert (absent.status_code, absent.content) == (404, b"")
    denied = reader.send("GET", "/crm-plus/api/Organization/Current")
    assert (denied.status_code, denied.json(), denied.headers["www-authenticate"]) == (
        401,
        {"message": DENIED},
        "Bearer",
    )
    rejected = reader.crm_post("Gift/Query", take=1001)
    assert rejected.status_code == 400
    assert rejected.json()["message"] == "The request is invalid."
    assert list(rejected.json()["modelState"]) == ["take"]


def test_refusals_as_they_are_documented(open_sandbox):
    reader = open_sandbox(DOCUMENTED, crm_plus_hourly_limit=3)
    assert reader.crm_get("Contact/987654321").json()["error"]["code"] == "NOT_FOUND"
    denied = reader.send("GET", "/crm-plus/api/Organization/Current")
    assert (denied.status_code, denied.text) == (401, DENIED)
    assert denied.headers["content-type"].startswith("text/plain")
    rejected = reader.crm_post("Gift/Query", take=1001)
    assert rejected.json()["error"]["code"] == "BAD_REQUEST"
    assert rejected.json()["error"]["details"][0]["field"] == "take"
    assert reader.crm_get("Organization/Current").status_code == 200
    over = reader.crm_get("Organization/Current")
    assert (over.status_code, over.json()["error"]["code"]) == (429, "RATE_LIMITED")
    assert int(over.headers["retry-after"]) > 0


def test_some_print_over_several_lines(open_sandbox):
    reader, plain = open_sandbox(PRETTY), open_sandbox(RECORDED)
    answer = reader.crm_post("Gift/Query/FullGift", take=3)
    assert answer.content.startswith(b'{\r\n  "list": [\r\n')
    assert answer.content.count(b"\n") == answer.content.count(b"\r\n")
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert len(orjson.loads(answer.content)["list"]) == 3
    assert b"\n" not in plain.crm_post("Gift/Query/FullGift", take=3).content


@pytest.mark.parametrize("names", [("skip", "take"), ("Skip", "Take"), ("SKIP", "TAKE")])
def test_skip_and_take_are_bound_without_case(reader, names):
    skip, take = names
    page = reader.crm_post("Gift/Query", **{skip: 10, take: 5}).json()
    assert page["list"] == reader.crm_post("Gift/Query", take=15).json()["list"][10:]


def test_a_trailing_slash_is_none(reader):
    assert reader.crm_post("Gift/Query/", take=3).json() == reader.crm_post("Gift/Query", take=3).json()
    assert reader.crm_get("Organization/Current/").json() == reader.crm_get("Organization/Current").json()


def test_lists_take_several_values(reader):
    credit, check = total(reader, "Gift Type", "Is", "Credit"), total(reader, "Gift Type", "Is", "Check")
    assert total(reader, "Gift Type", "Is", values=["credit", "Check"]) == credit + check > check > 0
    assert total(reader, "Gift Type", "IsNot", values=["Credit", "Check"]) + credit + check == total(
        reader, "Gift Id", "GreaterThan", "0"
    )


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("30 Days Ago", "2026-01-30"),
        ("This Calendar Year", "2026-01-01"),
        ("Start Of This Month", "2026-03-01"),
        ("Last Sunday", "2026-03-01"),
    ],
)
def test_dates_may_be_words(reader, words, day):
    assert total(reader, "Gift Date", "OnOrAfter", words) == total(reader, "Gift Date", "OnOrAfter", day) > 0


def test_every_word_that_is_offered_for_a_date_is_taken(reader):
    options = reader.crm_get("Gift/QueryOptions").json()["options"]
    words = {word for option in options for word in option["valueOptions"]}
    assert "Two Years Ago" in words
    for word in words:
        assert total(reader, "Gift Date", "OnOrAfter", word) >= 0


def test_the_parameters_that_are_used_live(reader):
    gifts = reader.crm_all("Gift/Query/FullGift", "Gift Id")
    contacts = reader.crm_all("Contact/Query", "Contact Id", archived=False)
    assert total(reader, "Tag", "IsAnyOf", values=["newsletter"], resource="Contact") == sum(
        row["id"] % 5 == 0 for row in contacts
    )
    assert total(reader, "Batch", "IsKnown") == sum(row["batch"] is not None for row in gifts)
    assert total(reader, "Receipt Date", "OnOrAfter", "1970-01-01") == sum(
        row["receiptDate"] is not None for row in gifts
    )
    meals = sum(any(part["projectCode"] == "MEALS" for part in row["giftDesignations"]) for row in gifts)
    assert total(reader, "Project Code", "Is", "MEALS") == total(reader, "Project Name", "Is", "School Meals") == meals
    assert total(reader, "Notes", "IsKnown") == total(reader, "Private", "IsTrue") == 0
    assert total(reader, "Has Attachment", "IsFalse") == len(gifts)
    assert total(reader, "Active", "IsTrue", resource="Project") == reader.control("counts")["crm_plus"]["projects"]


def test_contacts_are_found_by_address_and_by_reference(reader):
    contacts = reader.crm_all("Contact/Query/FullContact", "Contact Id")
    contact = next(row for row in contacts if row["contactReferences"])
    person, reference = contact["contactIndividuals"][0], contact["contactReferences"][0]
    email = person["contactMethods"][0]["value"]
    assert reader.crm_get("Contact/Find", email=email.upper()).json() == contact
    asked = {"referenceSource": reference["source"], "referenceId": reference["id"], "email": "nobody@example.org"}
    assert reader.crm_get("Contact/Find", **asked).json() == contact
    assert reader.crm_get("Contact/Find", email="nobody@example.org").status_code == 404
    assert reader.crm_get("ContactIndividual/Find", email=email).json() == person


def test_what_belongs_to_a_contact(reader):
    schedule = reader.crm_post("RecurringGift/Query").json()["list"][0]
    page = reader.crm_get(f"RecurringGift/ByContact/{schedule['contactId']}").json()
    assert schedule in page["list"]
    gifts = reader.crm_all("Gift/Query", "Gift Id")
    contact = gifts[40]["contactId"]
    own = [row for row in gifts if row["contactId"] == contact]
    assert reader.crm_get(f"Gift/ByContact/{contact}").json() == {"list": own[:10], "total": len(own)}
    assert reader.crm_get(f"Gift/ByContact/{contact}", Skip=1, Take=5).json()["list"] == own[1:6]
    full = reader.crm_get(f"Contact/{contact}").json()
    assert reader.crm_get(f"ContactAddress/ByContact/{contact}").json() == [full["address"]]
    assert reader.crm_get(f"ContactIndividual/ByContact/{contact}").json() == full["contactIndividuals"]
    assert reader.crm_get("Gift/ByContact/987654321").status_code == 404


def test_enumerations(reader):
    assert {"parentType": "Household", "type": "Household"} in reader.crm_get("Contact/Types").json()
    assert "Home Email" in reader.crm_get("ContactMethod/Types").json()


def test_by_reference_needs_another_authentication(reader):
    contact = next(row for row in reader.crm_all("Contact/Query/FullContact", "Contact Id") if row["contactReferences"])
    path = f"/crm-plus/api/Contact/ByReference/{contact['contactReferences'][0]['id'].strip()}"
    assert reader.send("GET", path, headers=reader.crm_headers).status_code == 401
    key = reader.crm_headers["Authorization"].removeprefix("Bearer ")
    for parts in (key, f"{key}::1:1", "other:c2ln:1:1772431200"):
        assert reader.send("GET", path, headers={"Authorization": f"Hmac {parts}"}).status_code == 401
    signed = {"Authorization": f"Hmac {key}:c2ln:1:1772431200"}
    found = reader.send("GET", path, headers=signed).json()
    assert found["id"] == contact["id"]
    assert "contactReferences" not in found
    gifts = reader.send("GET", path.replace("Contact/ByReference", "Gift/ByReference"), headers=signed).json()
    assert all(row["contactId"] == contact["id"] and row["giftDesignations"] for row in gifts["list"])


def test_only_frequencies_that_some_client_has_seen(reader):
    seen = {row["frequency"] for row in reader.crm_all("RecurringGift/Query", "Recurring Gift Id")}
    assert seen <= {"Weekly", "Bimonthly", "Monthly", "Quarterly", "Semiannually", "Annually", "Biennially", "Daily"}
    assert "Bimonthly" in seen
