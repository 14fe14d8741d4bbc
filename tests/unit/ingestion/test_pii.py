from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ingestion.columns import Kind
from ingestion.envelope import page_of
from ingestion.pii import Veil, veil_of
from ingestion.rows import RowReader
from ingestion.settings import PiiMode, Settings
from ingestion.virtuous_crm_plus.resources import CONTACTS
from ingestion.virtuous_crm_plus.resources import RESOURCES as CRM_PLUS
from ingestion.virtuous_raise.resources import DONORS, WEBHOOK_LOGS
from ingestion.virtuous_raise.resources import RESOURCES as RAISE
from ingestion.workbench import Workbench

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
DONOR = {
    "id": 7,
    "name": "Ann Marked",
    "firstName": "Ann",
    "lastName": "Marked",
    "email": " Ann@Marked.example.org",
    "phone": "602-555-Marked",
    "crmKey": "1001",
    "createdDate": "2026-03-01T10:00:00",
    "modifiedDate": "Marked date",
    "primaryAddress": {"id": 3, "address1": "1 Marked Street", "addressType": 1, "phoneNumber": 6025550147},
    "donorEmailAddresses": ["ann@marked.example.org"],
    "nickName": "Marked",
    "households": [{"role": "Marked", "since": "2026-01-01", "size": 2}],
}
CONTACT = {
    "id": 1001,
    "name": "ANN  MARKED",
    "contactIndividuals": [
        {
            "firstName": "Ann",
            "lastName": "Marked",
            "contactMethods": [{"type": "Home Email", "value": "ANN@marked.example.org "}],
        }
    ],
    "contactReferences": [{"source": "RaiseDonors", "id": "7"}],
}
ENTRY = {
    "id": 1,
    "eventType": 31,
    "eventTypeDisplay": "Donor Updated",
    "contextId": "7",
    "payLoad": json.dumps({"eventType": 31, "donor": {**DONOR, "modifiedDate": "2026-03-01T10:00:00"}}),
    "serverResponse": "Thanks, Marked",
}


def read(resource: Any, row: dict[str, Any], veil: Veil | None) -> tuple[dict[str, Any], RowReader]:
    reader = RowReader(resource, rows="items", organization="riverside", extracted_at=NOW, bench=Workbench(), veil=veil)
    (made,) = reader.read([page_of("Raise", resource, "items", json.dumps({"items": [row]}))]).to_pylist()
    return made, reader


@pytest.fixture(params=[False, True], ids=["hash", "drop"])
def veil(request: pytest.FixtureRequest) -> Veil:
    return Veil(b"salt", leaves_out=request.param)


@pytest.mark.parametrize(("resource", "row"), [(DONORS, DONOR), (CONTACTS, CONTACT), (WEBHOOK_LOGS, ENTRY)])
def test_no_marked_value_comes_through(resource: Any, row: dict[str, Any], veil: Veil) -> None:
    made, reader = read(resource, row, veil)
    told = json.dumps([made, [vars(record) for record in reader.unreadable]], default=str).lower()
    for marked in ("marked", '"ann"', '"ann ', "602-555", "6025550147"):
        assert marked not in told


def test_without_a_veil_everything_comes_through() -> None:
    made, reader = read(DONORS, DONOR, None)
    assert made["last_name"] == "Marked"
    assert json.loads(made["extra_fields"])["nickName"] == "Marked"
    assert [record.raw_text for record in reader.unreadable] == ["Marked date"]


def test_equal_names_and_addresses_stay_equal() -> None:
    veil = Veil(b"salt")
    donor, _ = read(DONORS, DONOR, veil)
    contact, _ = read(CONTACTS, CONTACT, veil)
    (individual,) = json.loads(contact["contact_individuals"])
    assert donor["name"] == contact["name"]
    assert donor["email"] == individual["contactMethods"][0]["value"]
    assert (donor["first_name"], donor["last_name"]) == (individual["firstName"], individual["lastName"])
    assert donor["first_name"] != donor["last_name"]
    assert individual["contactMethods"][0]["type"] == "Home Email"
    other, _ = read(DONORS, DONOR, Veil(b"other"))
    assert other["email"] != donor["email"]
    assert other["_row_hash"] != donor["_row_hash"]


def test_what_is_not_about_a_person_stays(veil: Veil) -> None:
    donor, _ = read(DONORS, DONOR, veil)
    assert (donor["id"], donor["crm_key"]) == (7, "1001")
    assert donor["created_date"] == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert json.loads(donor["primary_address"])["addressType"] == 1
    assert json.loads(donor["extra_fields"])["households"][0]["since"] == "2026-01-01"
    contact, _ = read(CONTACTS, CONTACT, veil)
    assert json.loads(contact["contact_references"]) == CONTACT["contactReferences"]
    entry, _ = read(WEBHOOK_LOGS, ENTRY, veil)
    assert (entry["event_type_display"], entry["context_id"]) == ("Donor Updated", "7")
    assert json.loads(entry["pay_load"])["donor"]["modifiedDate"] == "2026-03-01T10:00:00"


@pytest.mark.parametrize("is_text", [False, True], ids=["object", "JSON in a JSON text"])
@pytest.mark.parametrize("is_member_text", [False, True], ids=["member", "member that is a JSON text"])
def test_what_the_warehouse_needs_of_a_payload_stays(veil: Veil, is_text: bool, is_member_text: bool) -> None:
    record = {
        "id": "7",
        "canSync": " False",
        "modifiedDateTime": "3/1/2026 10:00:00\u202fAM",
        "recurringGiftId": "301",
        "name": "Marked",
    }
    payload = json.dumps({"eventType": 41, "data": json.dumps(record) if is_member_text else record})
    entry, _ = read(WEBHOOK_LOGS, {**ENTRY, "payLoad": json.dumps(payload) if is_text else payload}, veil)
    told = json.loads(entry["pay_load"])
    data = (json.loads(told) if is_text else told)["data"]
    data = json.loads(data) if is_member_text else data
    assert {name: value for name, value in data.items() if name != "name"} == {
        name: value for name, value in record.items() if name != "name"
    }
    assert data["name"] != "Marked"


@pytest.mark.parametrize("name", ["id", "canSync", "modifiedDate"])
@pytest.mark.parametrize("value", ["Marked", "ann@marked.example.org", "602-555-0147", "{Marked", '"{Marked'])
def test_nothing_else_hides_behind_the_names_of_a_payload(veil: Veil, name: str, value: str) -> None:
    assert value not in (veil.json(json.dumps({name: value})) or "")


def test_left_out_means_null() -> None:
    donor, _ = read(DONORS, DONOR, Veil(b"salt", leaves_out=True))
    assert donor["email"] is donor["name"] is donor["phone"] is None


def settings_of(folder: Path, **values: Any) -> Settings:
    return Settings(warehouse_path=folder / "warehouse.duckdb", _env_file=None, **values)  # type: ignore[call-arg]


def test_the_salt_is_the_one_that_is_set_or_made_once_for_the_owner_alone(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, pii_mode=PiiMode.HASH)
    first, again = veil_of(settings), veil_of(settings)
    assert first
    assert again
    assert first.text("Ann") == again.text("ann ")
    assert (settings.state_path / "pii_salt").stat().st_mode & 0o777 == 0o600
    given = veil_of(settings_of(tmp_path, pii_mode=PiiMode.HASH, pii_salt=SecretStr("salt")))
    assert given
    assert given.text("Ann") == Veil(b"salt").text("Ann") != first.text("Ann")
    assert veil_of(settings_of(tmp_path)) is None


def test_what_sounds_personal_is_declared_so() -> None:
    sounds = re.compile(
        r"email|phone|address|payload|notes|comment|(first|last|middle|contact|billing|shipping|organization)name$"
        r"|billing|shipping|individuals|^donor$|user$",
        re.IGNORECASE,
    )
    declared = [
        (resource, column) for resource in (*RAISE, *CRM_PLUS) for column in resource if resource.name != "organization"
    ]
    sounding = [
        (resource.name, column.wire)
        for resource, column in declared
        if column.kind in (Kind.TEXT, Kind.JSON) and sounds.search(column.wire) and column.wire not in resource.personal
    ]
    assert sounding == []
