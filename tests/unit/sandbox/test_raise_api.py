"""Raise as it is documented, traps included."""

from __future__ import annotations

import pytest


def ids(page):
    return [row["id"] for row in page["items"]]


def test_without_the_token_there_is_a_problem_and_nothing_else(reader):
    for authorization in (None, "", "Basic abc", "Bearer wrong", reader.raise_headers["Authorization"] + " "):
        headers = {} if authorization is None else {"Authorization": authorization.rstrip() + "x"}
        answer = reader.send("GET", "/raise/api/Gift/list", headers=headers)
        assert answer.status_code == 401
        assert set(answer.json()) == {"type", "title", "status", "detail", "instance"}


@pytest.mark.parametrize(
    ("resource", "sort_by"),
    [
        ("Gift", "id"),
        ("Donor", "createdDateTime"),
        ("RecurringGift", "createdate"),
        ("Campaign", "id"),
        ("Segment", "id"),
        ("Project", "id"),
        ("Webhook", "id"),
        ("Webhook/log", "createddatetime"),
    ],
)
def test_paging_covers_every_row_once(reader, resource, sort_by):
    rows = reader.raise_all(resource, sort_by)
    found = [row["id"] for row in rows]
    assert found == sorted(set(found))
    counts = reader.control("counts")["raise"]
    assert len(found) in counts.values()


def test_only_pascal_case_is_recognized(reader):
    page = reader.raise_get("Gift/list", take=100, skip=5, sortby="id").json()
    assert len(page["items"]) == 10
    assert ids(page) == ids(reader.raise_get("Gift/list").json())


def test_take_is_capped_in_silence(reader):
    page = reader.raise_get("Gift/list", Take=5000, SortBy="id").json()
    assert len(page["items"]) == 500
    assert page["total"] == 1500


def test_without_a_sort_key_the_newest_come_first(reader):
    page = reader.raise_get("Gift/list", Take=50).json()
    assert ids(page) == sorted(ids(page), reverse=True)


@pytest.mark.parametrize("key", ["amount", "date", "donorname", "id", "status", "AMOUNT"])
@pytest.mark.parametrize("descending", ["true", "false"])
def test_gifts_sort_by_their_documented_keys(reader, key, descending):
    pages = [
        ids(reader.raise_get("Gift/list", Skip=skip, Take=500, SortBy=key, Descending=descending).json())
        for skip in (0, 500, 1000, 1500)
    ]
    assert [len(page) for page in pages] == [500, 500, 500, 0]
    assert len({id for page in pages for id in page}) == 1500


@pytest.mark.parametrize(("resource", "key"), [("Gift", "createdate"), ("Gift", "modifieddate"), ("Donor", "name")])
def test_other_sort_keys_are_refused(reader, resource, key):
    answer = reader.raise_get(f"{resource}/list", SortBy=key)
    assert answer.status_code == 400
    assert answer.json()["title"] == "Bad Request"


def test_a_gift_has_56_fields_and_no_crm_key(reader):
    plain = reader.raise_get("Gift/list", SortBy="id").json()["items"][0]
    full = reader.raise_get("Gift/list", SortBy="id", IncludeDetails="true").json()["items"][0]
    assert len(plain) == len(full) == 56
    assert "crmKey" not in full
    assert plain["donor"] is None
    assert plain["gateway"] is None
    assert full["donor"]["id"] == full["donorId"] == plain["donorId"]
    assert reader.raise_get(f"Gift/{plain['id']}").json() == full


def test_money_comes_as_number_and_as_text(reader):
    gift = reader.raise_get("Gift/list", SortBy="amount", Descending="true").json()["items"][0]
    assert isinstance(gift["amount"], float)
    assert gift["formattedAmount"][-3] == "."
    assert all(isinstance(part["amount"], str) for part in gift["projects"])
    assert isinstance(reader.raise_get("Campaign/list").json()["items"][0]["raisedAmount"], str)


def test_stamps_are_spelled_in_many_ways(reader):
    stamps = [row["createdDate"] for row in reader.raise_all("Gift")]
    assert {len(stamp.partition(".")[2].rstrip("Z").partition("+")[0].partition("-")[0]) for stamp in stamps} == {
        0,
        2,
        3,
        7,
    }
    assert any(stamp.endswith("Z") for stamp in stamps)
    assert any(stamp.endswith("-07:00") for stamp in stamps)
    assert all("/" in row["createdDate"] for row in reader.raise_all("RecurringGift"))
    assert "createdDateTime" in reader.raise_get("Segment/list").json()["items"][0]


def test_some_gifts_show_no_campaign_and_some_only_an_odd_name(reader):
    gifts = reader.raise_all("Gift")
    assert any(gift["campaignId"] is None and not gift["campaignName"] for gift in gifts)
    assert any(gift["campaignId"] is None and gift["campaignName"].strip() != gift["campaignName"] for gift in gifts)
    assert any(gift["campaignId"] is None and gift["segmentId"] is not None for gift in gifts)


def test_two_campaigns_have_one_name_and_only_one_of_them_syncs(reader):
    twins = [row["canSync"] for row in reader.raise_all("Campaign") if row["name"] == "Clean Water"]
    assert sorted(twins) == [False, True]


def test_queries_filter_by_creation_and_status(reader):
    conditions = [
        {"parameter": "Create Date", "operator": "GreaterThanOrEqual", "value": "2026-01-01"},
        {"parameter": "Status", "operator": "IsAnyOf", "values": ["refunded", "ChargeBack"]},
    ]
    body = {"take": 100, "sortBy": "createdate", "groups": [{"conditions": conditions}]}
    page = reader.raise_post("Gift/query", body).json()
    assert 0 < page["total"] < 100
    assert {row["statusText"].lower() for row in page["items"]} <= {"refunded", "chargeback"}
    assert ids(page) == sorted(ids(page))


def test_selected_columns_come_as_texts_in_the_order_asked_for(reader):
    body = {"take": 3, "sortBy": "id", "selectedColumns": ["Status", "Id", "Amount", "Donor Email", "Project(s)"]}
    page = reader.raise_post("Gift/query", body).json()
    whole = [reader.raise_get(f"Gift/{row['id']}").json() for row in page["items"]]
    assert page["items"] == [
        {
            "id": gift["id"],
            "isAnonymous": gift["isAnonymous"],
            "projects": gift["projects"],
            "metadata": [
                gift["statusText"],
                str(gift["id"]),
                gift["formattedAmount"],
                gift["donor"]["email"],
                ", ".join(part["name"] for part in gift["projects"]),
            ],
        }
        for gift in whole
    ]
    assert reader.raise_post("Gift/query", {"selectedColumns": ["Modified Date"]}).status_code == 400
    assert reader.raise_post("Donor/query", {"selectedColumns": ["Id"]}).status_code == 400


def test_an_unknown_query_parameter_is_refused(reader):
    conditions = [{"parameter": "Modified Date", "operator": "GreaterThanOrEqual", "value": "2026-01-01"}]
    assert reader.raise_post("Gift/query", {"groups": [{"conditions": conditions}]}).status_code == 400


def test_the_gifts_of_a_donor(reader):
    gifts = reader.raise_all("Gift")
    donor_id = gifts[700]["donorId"]
    page = reader.raise_get(f"Donor/{donor_id}/gifts", Take=100, SortBy="id").json()
    assert ids(page) == [gift["id"] for gift in gifts if gift["donorId"] == donor_id]


def test_only_a_single_delivery_shows_its_payload(reader):
    row = reader.raise_get("Webhook/log/list").json()["items"][0]
    assert "payLoad" not in row
    assert isinstance(row["success"], str)
    assert isinstance(row["httpStatusCode"], str)
    path = f"Webhook/{row['webhookId']}/log/{row['id']}"
    assert "payLoad" in reader.raise_get(path).json()
    assert reader.raise_get(f"Webhook/{row['webhookId'] % 2 + 31}/log/{row['id']}").status_code in (200, 404)
    log = reader.raise_get(f"Webhook/{row['webhookId']}/log/list", Take=500).json()
    assert {one["webhookId"] for one in log["items"]} == {row["webhookId"]}


def test_webhooks_echo_their_secret(reader):
    assert all(row["securityToken"] for row in reader.raise_all("Webhook"))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/raise/api/Raise/give", 404),
        ("PUT", "/raise/api/Campaign/801/toggle-sync", 404),
        ("DELETE", "/raise/api/Webhook/31", 405),
        ("GET", "/raise/api/Gift/query", 405),
        ("GET", "/raise/api/Premium/list", 404),
        ("POST", "/crm-plus/api/Gift", 404),
        ("DELETE", "/crm-plus/api/Gift/500001", 405),
        ("GET", "/crm-plus/api/Gift/Query", 405),
    ],
)
def test_what_is_no_documented_read_is_refused_and_counted(fresh, method, path, status):
    headers = fresh.raise_headers if path.startswith("/raise") else fresh.crm_headers
    assert fresh.send(method, path, headers=headers).status_code == status
    undocumented = fresh.control("requests")["undocumented"]
    assert undocumented["count"] == 1
    assert path in undocumented["examples"][0]


def test_documented_reads_are_counted_by_route(fresh):
    fresh.raise_all("Donor")
    requests = fresh.control("requests")
    assert requests["raise"]["routes"] == {"GET /api/Donor/list": 2}
    assert requests["undocumented"]["count"] == 0
