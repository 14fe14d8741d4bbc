from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestion.errors import SettingsError
from ingestion.settings import Paths, Settings, load_settings, partitions, problems


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def refusal(monkeypatch: pytest.MonkeyPatch, **values: str) -> str:
    for name, value in {"RAISE_API_TOKEN": "secret-token", **values}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        _ = load_settings().organizations
    text = str(caught.value)
    assert "\n" not in text
    assert "secret-token" not in text
    return text


def test_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAISE_API_TOKEN", ' "abc" ')
    settings = load_settings()
    (organization,) = settings.organizations
    assert organization.slug == "default"
    assert organization.raise_base_url == "https://prod-api.raisedonors.com"
    assert organization.raise_api_token.get_secret_value() == "abc"
    assert organization.crm_plus_api_key is None
    assert settings.warehouse_path == tmp_path / "data/warehouse.duckdb"
    assert settings.full_sweep_every_days == 7


def test_dotenv_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RAISE_API_TOKEN=abc\nCRM_PLUS_API_KEY=\nORGANIZATION=riverside\nUNRELATED=1\n")
    (organization,) = load_settings().organizations
    assert (organization.slug, organization.crm_plus_api_key) == ("riverside", None)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAISE_API_TOKEN", "marked-token")
    monkeypatch.setenv("CRM_PLUS_API_KEY", "marked-key")
    monkeypatch.setenv("ALERT_WEBHOOK_URL", "https://hooks.example.org/marked-path")
    settings = load_settings()
    assert "marked" not in f"{settings!r} {settings} {settings.organizations}"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"RAISE_API_TOKEN": ""}, "RAISE_API_TOKEN is not set"),
        ({"RAISE_BASE_URL": "http://prod-api.raisedonors.com"}, "RAISE_BASE_URL must start with https://"),
        ({"RAISE_BASE_URL": "prod-api.raisedonors.com"}, "RAISE_BASE_URL must look like https://host"),
        ({"CRM_PLUS_BASE_URL": "https://u:p@api.example.org"}, "CRM_PLUS_BASE_URL must not hold a user name"),
        ({"ORGANIZATION": "River Side"}, "ORGANIZATION must be a slug"),
        ({"RAISE_TIME_ZONE": "Mars/Base"}, "RAISE_TIME_ZONE must be a time zone name"),
        ({"CRM_PLUS_RESERVE": "1.5"}, "CRM_PLUS_RESERVE input should be less than 1"),
        ({"FULL_SWEEP_EVERY_DAYS": "soon"}, "FULL_SWEEP_EVERY_DAYS input should be a valid integer"),
        ({"PUBLISHED_PATH": "data/warehouse.duckdb"}, "PUBLISHED_PATH must be another file"),
        ({"PII_MODE": "blur"}, "PII_MODE input should be"),
        ({"TIEOUT_NOW": "2026-03-02T06:00:00Z"}, "TIEOUT_NOW is for simulations"),
        ({"TIEOUT_NOW": "yesterday"}, "TIEOUT_NOW input should be a valid datetime"),
        ({"ORGANIZATIONS_FILE": "nowhere.toml"}, "ORGANIZATIONS_FILE nowhere.toml cannot be read"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], says: str) -> None:
    assert says in refusal(monkeypatch, **values)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/raise", "http://localhost:1", "http://[::1]:1"])
def test_loopback_may_be_plain_http_and_have_a_clock(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("RAISE_API_TOKEN", "abc")
    monkeypatch.setenv("RAISE_BASE_URL", url)
    monkeypatch.setenv("CRM_PLUS_BASE_URL", url)
    monkeypatch.setenv("TIEOUT_NOW", "2026-03-02T06:00:00")
    settings = load_settings()
    assert settings.organizations[0].raise_base_url == url
    assert settings.now() == datetime(2026, 3, 2, 6, tzinfo=UTC)


def test_a_clock_needs_no_address_of_crm_plus_where_it_is_not_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAISE_API_TOKEN", "abc")
    monkeypatch.setenv("RAISE_BASE_URL", "http://127.0.0.1:8080")
    monkeypatch.setenv("TIEOUT_NOW", "2026-03-02T06:00:00")
    assert load_settings().organizations
    monkeypatch.setenv("CRM_PLUS_API_KEY", "def")
    with pytest.raises(SettingsError, match="TIEOUT_NOW is for simulations"):
        _ = load_settings().organizations


def test_a_simulation_of_both_products_may_stand_at_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAISE", "CRM_PLUS"):
        monkeypatch.setenv(f"{name}_BASE_URL", "http://127.0.0.1:8080")
    monkeypatch.setenv("RAISE_API_TOKEN", "secret-token")
    monkeypatch.setenv("CRM_PLUS_API_KEY", "secret-token")
    assert load_settings().organizations
    for name in ("RAISE", "CRM_PLUS"):
        monkeypatch.setenv(f"{name}_BASE_URL", "https://api.example.org")
    assert "RAISE_BASE_URL and CRM_PLUS_BASE_URL are the same" in refusal(monkeypatch)
    assert "are the same: each product has its own credential" in refusal(
        monkeypatch, RAISE_BASE_URL="https://raise.example.org"
    )


def test_organizations_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "organizations.toml").write_text(
        '[riverside]\nraise_token_name = "RIVERSIDE_TOKEN"\nraise_time_zone = "America/Chicago"\n'
        '[hilltop]\nraise_token_name = "HILLTOP_TOKEN"\ncrm_plus_key_name = "HILLTOP_KEY"\n'
    )
    for name in ("RIVERSIDE_TOKEN", "HILLTOP_TOKEN", "HILLTOP_KEY"):
        monkeypatch.setenv(name, name.lower())
    monkeypatch.setenv("ORGANIZATIONS_FILE", "organizations.toml")
    riverside, hilltop = load_settings().organizations
    assert (riverside.slug, riverside.raise_time_zone, riverside.crm_plus_api_key) == (
        "riverside",
        "America/Chicago",
        None,
    )
    assert hilltop.crm_plus_api_key is not None
    assert hilltop.crm_plus_api_key.get_secret_value() == "hilltop_key"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("oops", "is not TOML"),
        ('name = "x"', "stands outside a table"),
        ("[riverside]", "[riverside] needs raise_token_name"),
        ('[riverside]\nraise_api_token = "abc"', "[riverside] holds raise_api_token itself"),
        (
            '[riverside]\nraise_token_name = "NOT_THERE"',
            "[riverside] the variable that raise_token_name names is not set: set it",
        ),
        (
            '[riverside]\nraise_token_name = "RAISE_API_TOKEN"\ncolour = "red"',
            "[riverside] colour extra inputs are not permitted",
        ),
    ],
)
def test_a_wrong_organizations_file_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "o.toml").write_text(text)
    assert says in refusal(monkeypatch, ORGANIZATIONS_FILE="o.toml")


def test_what_is_wrong_with_one_organization_does_not_touch_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "o.toml").write_text(
        '[hilltop]\nraise_token_name = "NOT_THERE"\n[riverside]\nraise_token_name = "RIVERSIDE_TOKEN"\n'
        '[seaside]\nraise_token_name = "RIVERSIDE_TOKEN"\nraise_base_url = "http://example.org"\n'
        '[swapped]\nraise_token_name = "RIVERSIDE_TOKEN"\nraise_base_url = "https://api.virtuoussoftware.com"\n'
    )
    monkeypatch.setenv("ORGANIZATIONS_FILE", "o.toml")
    monkeypatch.setenv("RIVERSIDE_TOKEN", "secret-token")
    settings = load_settings()
    assert [organization.slug for organization in settings.organizations] == ["riverside"]
    told = {slug: str(error) for slug, error in settings.unusable.items()}
    assert list(told) == ["hilltop", "seaside", "swapped"]
    assert "[hilltop] the variable that raise_token_name names is not set" in told["hilltop"]
    assert "[seaside] raise_base_url must start with https://" in told["seaside"]
    assert "[swapped] raise_base_url is the address of CRM+" in told["swapped"]
    assert problems() == []
    monkeypatch.delenv("RIVERSIDE_TOKEN")
    assert len(problems()) == 4


@pytest.mark.parametrize("key", ["raise_token_name", "crm_plus_key_name"])
@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        ("marked.token-8/Yw==", "holds no name of a variable"),
        ("8marked", "holds no name of a variable"),
        ("", "holds no name of a variable"),
        ("marked" * 30, "holds no name of a variable"),
        ("Bearer marked", "holds no name of a variable"),
        # A key of CRM+ looks like the name of a variable.
        ("v_marked_0123456789abcdef", "names is not set"),
        ("MARKED0123456789ABCDEF", "names is not set"),
        (5, "holds no name of a variable"),
        (["marked"], "holds no name of a variable"),
        ({"marked": 1}, "holds no name of a variable"),
    ],
)
def test_a_secret_in_the_place_of_its_variable_never_shows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str, pasted: object, says: str
) -> None:
    named = {"raise_token_name": "RIVERSIDE_TOKEN", key: pasted}
    value = {name: json.dumps(text).replace('{"marked": 1}', "{marked = 1}") for name, text in named.items()}
    (tmp_path / "o.toml").write_text("[riverside]\n" + "".join(f"{name} = {text}\n" for name, text in value.items()))
    monkeypatch.setenv("RIVERSIDE_TOKEN", "secret-token")
    line = refusal(monkeypatch, ORGANIZATIONS_FILE="o.toml")
    assert f"[riverside] {key} {says}" in line or f"[riverside] the variable that {key} {says}" in line
    assert "marked" not in line.lower()
    assert problems() == [line]


def test_messages_name_the_key_of_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text('[riverside]\nraise_token_name = "A"\ncrm_plus_key_name = "B"\n')
    monkeypatch.setenv("A", "marked token")
    line = refusal(monkeypatch, ORGANIZATIONS_FILE="o.toml", B="key")
    assert "[riverside] the variable that raise_token_name names holds a blank" in line
    monkeypatch.setenv("A", "token")
    assert "the variable that crm_plus_key_name names is blank" in refusal(monkeypatch, B="  ")
    (tmp_path / "o.toml").write_text('[riverside]\nraise_token_name = "A"\n')
    (organization,) = load_settings().organizations
    assert organization.crm_plus_key_name == "crm_plus_key_name"


def test_the_partitions_need_no_secrets_and_no_right_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RAISE_BASE_URL", "nonsense")
    assert partitions() == ()
    monkeypatch.setenv("ORGANIZATIONS_FILE", "o.toml")
    assert partitions() == ()
    (tmp_path / "o.toml").write_text('[hilltop]\nraise_token_name = "NOT_THERE"\n["the river"]\n[seaside]\n')
    assert partitions() == ("hilltop", "seaside")
    (tmp_path / "o.toml").write_text("[hilltop")
    assert partitions() == ()
    assert Paths().state_path == tmp_path / "data/warehouse.state"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"PUBLISHED_PATH": "out/marts.duckdb"}, "PUBLISHED_PATH must not be called marts"),
        ({"PUBLISHED_PATH": "out/.Marts.2026.duckdb"}, "PUBLISHED_PATH must not be called Marts"),
        ({"WAREHOUSE_PATH": "out/marts.duckdb"}, "WAREHOUSE_PATH must not be called marts"),
        ({"WAREHOUSE_PATH": "out/raw_raise"}, "WAREHOUSE_PATH must not be called raw_raise"),
        ({"WAREHOUSE_PATH": "temp.duckdb"}, "WAREHOUSE_PATH must not be called temp"),
        ({"WAREHOUSE_PATH": "main.duckdb"}, "WAREHOUSE_PATH must not be called main"),
        ({"WAREHOUSE_PATH": "draft.duckdb"}, "WAREHOUSE_PATH must not be called draft"),
        ({"WAREHOUSE_PATH": "o'neil.duckdb"}, "WAREHOUSE_PATH must not hold '"),
        ({"WAREHOUSE_PATH": "no#1/w.duckdb"}, "WAREHOUSE_PATH must not hold #"),
        ({"WAREHOUSE_PATH": "what?.duckdb"}, "WAREHOUSE_PATH must not hold ?"),
    ],
)
def test_names_that_duckdb_or_dbt_cannot_tell_from_others(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], says: str
) -> None:
    assert says in refusal(monkeypatch, **values)


@pytest.mark.parametrize("name", ["a b.duckdb", "Zürich.duckdb", "a.marts.duckdb", "select", "1.db"])
def test_other_names_are_fine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setenv("WAREHOUSE_PATH", f"o'neil/{name}")
    monkeypatch.setenv("PUBLISHED_PATH", name)
    assert load_settings().warehouse_path == tmp_path / "o'neil" / name


def test_one_file_by_two_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "link.duckdb").symlink_to(tmp_path / "w.duckdb")
    says = refusal(monkeypatch, WAREHOUSE_PATH="w.duckdb", PUBLISHED_PATH="link.duckdb")
    assert says.startswith("PUBLISHED_PATH must be another file than WAREHOUSE_PATH")


@pytest.mark.parametrize(("text", "mode"), [("0640", 0o640), ("644", 0o644), ("0o600", 0o600), ("", None)])
def test_a_mode_is_given_as_chmod_takes_it(monkeypatch: pytest.MonkeyPatch, text: str, mode: int | None) -> None:
    monkeypatch.setenv("PUBLISHED_MODE", text)
    assert load_settings().published_mode == mode


@pytest.mark.parametrize("text", ["rw-r-----", "0666", "0040", "0755", "4640", "0o0640", "1e3", "644 "])
def test_a_mode_that_no_readers_file_may_have_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    assert "PUBLISHED_MODE must be the mode of a file" in refusal(monkeypatch, PUBLISHED_MODE=text)
