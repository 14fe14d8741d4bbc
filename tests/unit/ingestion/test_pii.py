from __future__ import annotations

import errno
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr, ValidationError

from ingestion.columns import Kind
from ingestion.envelope import page_of
from ingestion.errors import SettingsError
from ingestion.pii import RULES, Veil, veil_of
from ingestion.reading import Reading
from ingestion.rows import RowReader
from ingestion.settings import PiiMode, Settings
from ingestion.virtuous_crm_plus.resources import CONTACTS
from ingestion.virtuous_crm_plus.resources import RESOURCES as CRM_PLUS
from ingestion.virtuous_raise.resources import DONORS, WEBHOOK_LOGS
from ingestion.virtuous_raise.resources import RESOURCES as RAISE
from ingestion.workbench import Workbench
from tests.planted import MAIL, MARKS, NAME, TAX_ID, planted

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
    (made,), reader = read_all(resource, [row], veil)
    return made, reader


def read_all(resource: Any, rows: list[dict[str, Any]], veil: Veil | None) -> tuple[list[dict[str, Any]], RowReader]:
    reader = RowReader(resource, rows="items", organization="riverside", extracted_at=NOW, bench=Workbench(), veil=veil)
    made = reader.read([page_of("Raise", resource, "items", json.dumps({"items": rows}))]).to_pylist()
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
    entry, _ = read(WEBHOOK_LOGS, {**ENTRY, "payLoad": json.dumps({name: value})}, veil)
    assert value not in entry["pay_load"]


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
    given = veil_of(settings_of(tmp_path, pii_mode=PiiMode.HASH, pii_salt=SecretStr("salt-of-hashes-1")))
    assert given
    assert given.text("Ann") == Veil(b"salt-of-hashes-1").text("Ann") != first.text("Ann")
    assert veil_of(settings_of(tmp_path)) is None


@pytest.mark.parametrize("left", ["", "0123456789abcde"])
def test_nothing_is_hashed_with_a_damaged_salt(tmp_path: Path, left: str) -> None:
    """As a process that was killed, or a full disk, left it: every name could be found by trying."""
    settings = settings_of(tmp_path, pii_mode=PiiMode.HASH)
    settings.state_path.mkdir()
    (settings.state_path / "pii_salt").write_text(left, encoding="ascii")
    with pytest.raises(SettingsError, match="pii_salt is damaged"):
        veil_of(settings)


def test_a_salt_that_could_not_be_written_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(tmp_path, pii_mode=PiiMode.HASH)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            veil_of(settings)
    assert veil_of(settings)
    assert len((settings.state_path / "pii_salt").read_bytes()) == 64
    assert (settings.state_path / "pii_salt").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("salt", ["salt", " ", "0123456789abcde", "a" + " " * 20])
def test_a_salt_that_can_be_tried_is_refused(tmp_path: Path, salt: str) -> None:
    with pytest.raises(ValidationError, match="must have 16 characters or more"):
        settings_of(tmp_path, pii_mode=PiiMode.HASH, pii_salt=SecretStr(salt))


SAMPLES: dict[Kind, Any] = {
    Kind.TEXT: "Annual 2026",
    Kind.INTEGER: 12,
    Kind.MONEY: 12.5,
    Kind.RATE: 0.25,
    Kind.BOOLEAN: True,
    Kind.INSTANT: "2026-03-01T10:00:00",
    Kind.DATE: "2026-03-01",
    Kind.JSON: [{"id": 3, "amount": "$12.50", "contactMethods": [{"type": "Home Email", "value": "Ann"}]}],
}
EVERY_RESOURCE = [pytest.param(resource, id=resource.name) for resource in (*RAISE, *CRM_PLUS)]


@pytest.mark.parametrize("resource", EVERY_RESOURCE)
def test_nothing_that_is_planted_comes_through(resource: Any, veil: Veil) -> None:
    row = planted({column.wire: SAMPLES[column.kind] for column in resource}, resource)
    made, reader = read(resource, row, veil)
    told = json.dumps(
        [made, [vars(record) for record in reader.unreadable], sorted(reader.new_fields), sorted(reader.types)],
        default=str,
    )
    assert [mark for mark in MARKS if mark in told] == []
    kept = {column.name for column in resource if column.wire in resource.impersonal}
    assert {name for name, value in made.items() if value is None} & kept == set()


@pytest.mark.parametrize("resource", EVERY_RESOURCE)
def test_what_is_kept_looks_like_what_it_is_meant_to_be(resource: Any, veil: Veil) -> None:
    """Somebody may have entered an address where a key or a number belongs."""
    odd = (MAIL, f"https://crm.example/{MAIL}", f'["{MAIL}"]', {"mail": MAIL}, [MAIL])
    rows = [
        {column.wire: value for column in resource} | {resource.key: number}
        for number, value in enumerate(odd, start=1)
    ]
    made, reader = read_all(resource, rows, veil)
    assert len(made) == len(odd)
    told = json.dumps([made, [vars(record) for record in reader.unreadable]], default=str)
    assert MAIL not in told


@pytest.mark.parametrize("key", [f"{NAME}", MAIL, TAX_ID + " " + NAME])
def test_a_key_that_is_none_is_hidden_and_still_there(key: str, veil: Veil) -> None:
    """It points at another CRM: without it, the donor would count as one that has none."""
    made, _ = read(DONORS, {**DONOR, "crmKey": key, "crmKeyUrls": {key: {"url": f"https://crm.example/{MAIL}"}}}, veil)
    assert made["crm_key"]
    (kind, link), *_ = json.loads(made["crm_key_urls"]).items()
    assert kind
    assert link["url"]
    assert not any(mark in json.dumps(made, default=str) for mark in MARKS)


@pytest.mark.parametrize("depth", [200, 400, 900, 5_000])
def test_what_is_nested_beyond_measure_is_hidden_as_a_whole(depth: int, veil: Veil) -> None:
    """A payload is a text: no bound on an answer's nesting holds for it."""
    deep = "[" * depth + f'"{NAME}"' + "]" * depth
    made, _ = read(WEBHOOK_LOGS, {**ENTRY, "payLoad": deep}, veil)
    links = '{"url":' * depth + f'"{NAME}"' + "}" * depth
    donor, _ = read(DONORS, {**DONOR, "crmKeyUrls": links}, veil)
    assert NAME not in json.dumps([made, donor], default=str)


def test_links_of_virtuous_stay(veil: Veil) -> None:
    urls = {"VirtuousCRM": {"url": "https://app.virtuoussoftware.com/Generosity/Contact/View/1001"}, "Salesforce": None}
    made, _ = read(DONORS, {**DONOR, "crmKeyUrls": urls}, veil)
    assert json.loads(made["crm_key_urls"]) == urls


def test_only_what_is_declared_is_impersonal() -> None:
    for resource in (*RAISE, *CRM_PLUS):
        kinds = {column.wire: column.kind for column in resource}
        assert resource.impersonal <= kinds.keys(), resource.name
        assert resource.nested.keys() <= kinds.keys(), resource.name
        assert not [name for name in resource.impersonal if kinds[name] is Kind.JSON], resource.name
        # Digits of an amount that is rounded go to quarantine as they are.
        assert {name for name, kind in kinds.items() if kind in (Kind.MONEY, Kind.RATE)} <= resource.impersonal


def test_nothing_impersonal_sounds_personal() -> None:
    sounds = re.compile(
        r"email|phone|address|payload|notes|comment|(first|last|middle|contact|billing|shipping)name$|description|url$"
        r"|billing|shipping|individuals|^donor$|user$|motivation|tags?$|tribute$|birth|anniversary|custom|location|info$",
        re.IGNORECASE,
    )
    sounding = {
        (resource.name, name) for resource in (*RAISE, *CRM_PLUS) for name in resource.impersonal if sounds.search(name)
    }
    # A link to a record, of which only what holds nothing but ids is kept.
    assert sounding == {("gifts", "giftUrl")}


def test_a_warehouse_that_older_rules_loaded_is_refused(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, pii_mode=PiiMode.HASH)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("create schema raw_raise")
        connection.execute(
            "create table raw_raise.connections as"
            " select 'riverside' as organization, 'hash' as pii_mode, null::bigint as pii_rules"
        )
    reading = Reading(
        source="raise",
        dataset="raw_raise",
        organization="riverside",
        time_zone="UTC",
        settings=settings,
        run_id="first",
        client=None,
        rows_name="items",
        resources=RAISE,
    )
    with pytest.raises(SettingsError, match="hides more than when the warehouse was loaded"):
        reading.check_pii_mode()
    reading.close()
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute(f"update raw_raise.connections set pii_rules = {RULES}")
    reading = replace(reading)
    reading.check_pii_mode()
    reading.close()
