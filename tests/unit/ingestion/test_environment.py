"""What is wrong with the variables is reported in one line before anything is done; what is not ours is left alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingestion.errors import SettingsError
from ingestion.settings import SCHEDULE_SETTINGS, Settings, load_paths, load_settings, load_ui, partitions, problems

FOREIGN = (
    "PATH", "HOME", "LANG", "TERM", "UI_THEME", "ALERT_MANAGER_URL", "RAISE_ERRORS", "WAREHOUSE_ID", "WEBHOOK_URL",
    "PII_REGION", "FULL_NAME", "COMMIT_SHA",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*Settings.model_fields, *SCHEDULE_SETTINGS):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def refusal() -> str:
    """What each way to load settings says, and doctor."""
    said = {*problems()}
    for load in (load_settings, load_paths, load_ui):
        with pytest.raises(SettingsError) as caught:
            load()
        said.add(str(caught.value))
    (text,) = said
    assert text.isprintable()
    return text


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("TIEOUT_SCHEDULE_NIGTHLY", "TIEOUT_SCHEDULE_NIGHTLY"),
        ("TIEOUT_SCHEDUL_WEEKLY", "TIEOUT_SCHEDULE_WEEKLY"),
        ("tieout_schedule_nightly", "TIEOUT_SCHEDULE_NIGHTLY"),
        ("PII_MOD", "PII_MODE"),
        ("PUBLISHED_PATHS", "PUBLISHED_PATH"),
        ("RAISE_TOKEN", "RAISE_API_TOKEN"),
        ("Raise_Api_Tokne", "RAISE_API_TOKEN"),
        ("CRM_API_KEY", "CRM_PLUS_API_KEY"),
        ("ALERT_WEBHOK_URL", "ALERT_WEBHOOK_URL"),
    ],
)
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_a_misspelt_setting_is_named_with_the_one_that_was_meant(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str, place: str
) -> None:
    if place == ".env":
        Path(".env").write_text(f"{name}=marked\n")
    else:
        monkeypatch.setenv(name, "marked")
    assert refusal() == f"{name} is no setting: correct its name if {meant} is meant, else take another one for it."


def test_in_the_file_a_beginning_may_be_misspelt_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORGANISATION", "x")
    assert load_settings(), "nobody knows whose it is"
    Path(".env").write_text("ORGANISATION=x\n")
    assert refusal().startswith("ORGANISATION is no setting: correct its name if ORGANIZATION is meant")


def test_all_of_them_are_named_by_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PII_MOD", "PII_SALTS"):
        monkeypatch.setenv(name, "x")
    assert [line.split()[0] for line in problems()] == ["PII_MOD", "PII_SALTS"]


def test_what_is_not_ours_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {"WAREHOUSE_THREADS": "2", "WAREHOUSE_KEPT_MEMORY": "1GB", "TIEOUT_PARENT": "1", "DAGSTER_HOME": "d"}
    for name, value in {**dict.fromkeys(FOREIGN, "x"), **ours}.items():
        monkeypatch.setenv(name, value)
    assert load_settings()
    Path(".env").write_text("PORT=1\nDATABASE_URL=x\nCOMPOSE_PROJECT_NAME=x\nPII_MOD=\nPII_MOD\n")
    assert load_settings()


def test_a_name_beside_the_setting_that_it_is_like_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAISE_API_TOKEN_OLD", "x")
    assert "RAISE_API_TOKEN_OLD is no setting" in refusal()
    monkeypatch.setenv("RAISE_API_TOKEN", "x")
    assert load_settings()


def test_variables_that_the_organizations_file_names_are_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = ('[a]\nraise_token_name = "ALERT_WEBHOOK_URLS"\n', '[b]\nraise_token_name = "UI_PASSWORDS"\n')
    Path("o.toml").write_text("".join(tables))
    monkeypatch.setenv("ALERT_WEBHOOK_URLS", "x")
    assert "ALERT_WEBHOOK_URLS" in refusal()
    for name in ("RAISE_API_TOKEN_3", "CRM_PLUS_API_KEYS"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("ORGANIZATIONS_FILE", "o.toml")
    assert load_settings()
    assert partitions() == ("a", "b")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("ORGANIZATION=default\nNAME=Zoë\n".encode("latin-1"), 2),
        ("ORGANIZATION=default\n".encode("utf-16"), 1),
        ("A=1\nORGANIZATION=default\n".encode("utf-16-le"), 1),
        (b"\n\nORGANIZATION=\0\n", 3),
    ],
)
def test_a_file_that_is_no_text(data: bytes, line: int) -> None:
    Path(".env").write_bytes(data)
    assert refusal() == f".env, line {line}, is no UTF-8: save the file as UTF-8."


def test_a_file_with_a_mark_at_its_beginning_is_read() -> None:
    Path(".env").write_text("ORGANIZATION=riverside\nRAISE_API_TOKEN=x\n", encoding="utf-8-sig")
    assert load_settings().slugs == ("riverside",)


def test_a_folder_in_its_place() -> None:
    Path(".env").mkdir()
    assert refusal() == ".env is a folder: put a file in its place, or move it away."


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("")

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    # Root may read everything.
    monkeypatch.setattr(Path, "read_text", refuse)
    assert refusal() == ".env cannot be read (Permission denied): correct its rights."


@pytest.mark.parametrize("name", ["WAREHOUSE_PATH", "PUBLISHED_PATH", "ORGANIZATIONS_FILE"])
def test_a_folder_in_the_place_of_another_file(monkeypatch: pytest.MonkeyPatch, name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv(name, str(tmp_path / "folder"))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == f"{name} {tmp_path}/folder is a folder: name a file in it."
    assert problems() == [str(caught.value)]


NUMBERS = (
    "RAISE_REQUESTS_PER_SECOND", "CRM_PLUS_RESERVE", "FULL_SWEEP_EVERY_DAYS", "STALE_AFTER_HOURS", "QUIET_AFTER_DAYS",
    "COMMIT_EVERY_ROWS", "WEBHOOK_PAYLOADS_PER_RUN", "ALERT_SMTP_PORT", "TIEOUT_NOW", "WAREHOUSE_MEMORY_LIMIT",
    "RETAIN_RUNS_DAYS", "RETAIN_LOGS_DAYS",
)  # fmt: skip
ODD = (
    "1e20", "inf", "-inf", "nan", "-1", "0x10", "1,5", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00",
    "99999999999999GB", "1" + "0" * 20, "9" * 5000,
)  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ODD, ids=lambda value: value[:30])
def test_a_number_beyond_all_bounds(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(f"{name} ")
    assert str(caught.value).isprintable()
    assert problems() == [str(caught.value)]


def test_a_pace_that_would_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAISE_REQUESTS_PER_SECOND", "1e-20")
    (line,) = problems()
    assert line.startswith("RAISE_REQUESTS_PER_SECOND must be 0, for no pacing, or 0.001 and more")
    monkeypatch.setenv("RAISE_API_TOKEN", "x")
    monkeypatch.setenv("RAISE_REQUESTS_PER_SECOND", "0")
    assert problems() == []


@pytest.mark.parametrize(
    "key", ["raise_requests_per_second", "crm_plus_reserve", "stale_after_hours", "quiet_after_days"]
)
@pytest.mark.parametrize("value", ["1e20", "inf", "nan", "1" + "0" * 20, "-1"])
def test_so_it_is_in_the_organizations_file(monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> None:
    Path("o.toml").write_text(f'[a]\nraise_token_name = "A_TOKEN"\n{key} = {value}\n')
    monkeypatch.setenv("ORGANIZATIONS_FILE", "o.toml")
    monkeypatch.setenv("A_TOKEN", "x")
    (line,) = problems()
    assert re.match(rf"o\.toml: \[a\] {key} ", line), line
