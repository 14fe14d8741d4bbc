"""The settings of `interface.md`, read from the environment and `.env`. The one place where their names stand."""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from ingestion import environment, masking
from ingestion.environment import ENV_FILE, variable
from ingestion.errors import SettingsError
from ingestion.masking import Mask

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HOST = re.compile(r"[a-z0-9.:_-]+|\[[0-9a-f:.]+\](:\d+)?")
_MAIL_ADDRESS = re.compile(r"[^@\s,<>]+@[^@\s,<>]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_SHORTEST_PASSWORD = 12
SHORTEST_SALT = 16
_SLOWEST = 0.001
_YEARS = range(1980, 2200)
_SIZE = re.compile(r"[1-9]\d{0,8}(\.\d{1,9})? ?[MG]i?B", re.IGNORECASE)


def is_loopback(url: str) -> bool:
    return is_loopback_host(urlsplit(url).hostname or "")


def is_loopback_host(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _base_url(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        has_odd_port = parts.port == 0
    except ValueError:
        raise ValueError("must look like https://host") from None
    if parts.username or parts.password:
        raise ValueError("must not hold a user name or password: put the credential into its own variable")
    if has_odd_port or not parts.hostname or re.search(r"\s", url.strip()) or parts.query or parts.fragment:
        raise ValueError("must look like https://host")
    if parts.path.rstrip("/").endswith("/api"):
        raise ValueError("must end before /api, which is added")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        raise ValueError(
            "must start with https:// (plain http only for a loopback address), or the token would be readable"
        )
    return url.strip().rstrip("/")


def _slug(value: str) -> str:
    if not _SLUG.fullmatch(value):
        raise ValueError("must be a slug of a-z, 0-9, - and _")
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        raise ValueError("must be a time zone name such as America/Chicago") from None
    return value


def _aware(value: datetime) -> datetime:
    if value.year not in _YEARS:
        raise ValueError(f"must lie in the years from {_YEARS.start} to {_YEARS.stop - 1}")
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def _size(value: str) -> str:
    if not _SIZE.fullmatch(value):
        raise ValueError("must be a size such as 1500MB or 4GB")
    return value


def _secret(value: SecretStr) -> SecretStr:
    trimmed = value.get_secret_value().strip().strip("\"'").strip()
    if not trimmed:
        raise ValueError("is blank: fill it in, or leave it out")
    if not re.fullmatch(r"[!-~]+", trimmed):
        raise ValueError("holds a blank or another character that no credential has: copy it again, and it alone")
    return SecretStr(trimmed)


def _alert_url(value: SecretStr) -> SecretStr:
    """As a base URL, but for its path and query, which are the credential."""
    url = _secret(value).get_secret_value()
    try:
        parts = urlsplit(url)
        is_address = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or parts.username or parts.password:
        raise ValueError("must look like https://host/path")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
        raise ValueError("must start with https:// (plain http only for a loopback address): its path is a credential")
    return SecretStr(url)


def _addresses(value: str) -> str:
    addresses = [address.strip() for address in value.split(",")]
    if not all(_MAIL_ADDRESS.fullmatch(address) for address in addresses):
        raise ValueError("must be mail addresses, separated by commas")
    return ", ".join(addresses)


def _hosts(value: str) -> str:
    hosts = [host.strip().lower() for host in value.split(",") if host.strip()]
    if odd := next((host for host in hosts if not _HOST.fullmatch(host)), None):
        raise ValueError(f"must be host names, separated by commas, which {odd!r} is not: write tieout.example.org")
    return ",".join(hosts)


def _password(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < _SHORTEST_PASSWORD:
        raise ValueError(f"must have {_SHORTEST_PASSWORD} characters or more: anybody on the network can try them")
    return value


def _salt(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value().strip()) < SHORTEST_SALT:
        raise ValueError(f"must have {SHORTEST_SALT} characters or more: whoever has one hash can try shorter ones")
    return value


# DuckDB calls a database by the name of its file, up to the first dot, and cannot tell it from a schema of that name.
PUBLISHED_SCHEMAS = frozenset({"marts"})
WAREHOUSE_SCHEMAS = PUBLISHED_SCHEMAS | {
    "raw_raise", "raw_raise_staging", "raw_crm_plus", "raw_crm_plus_staging", "staging", "intermediate", "_tieout",
}  # fmt: skip
# DuckDB's own, and those that are attached beside the warehouse.
_DATABASES = {"main", "system", "temp", "draft", "readers"}
# dbt-duckdb takes the path apart as a URL (1.11.1, 2026-11-30).
_ODD_IN_PATHS = re.compile(r"[?#;]")

# Never a program, and never for everybody to write: what is wrong there is believed.
_FILE_MODE = re.compile(r"(0o?)?6[046][04]")


def _file_mode(value: object) -> object:
    """A mode as `chmod` takes it, as a number."""
    if isinstance(value, str) and _FILE_MODE.fullmatch(value):
        return int(value.removeprefix("0").removeprefix("o"), 8)
    raise ValueError("must be the mode of a file that others may read, such as 0640, or 0600")


def _pace(value: float) -> float:
    if 0 < value < _SLOWEST:
        raise ValueError(f"must be 0, for no pacing, or {_SLOWEST} and more")
    return value


# Bounds beyond which no clock counts, and a run would never end.
Pace = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False), AfterValidator(_pace)]
Share = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Days = Annotated[int, Field(ge=1, le=36_500)]
Hours = Annotated[int, Field(ge=1, le=876_000)]
_LARGEST = 1_000_000_000

BaseUrl = Annotated[str, AfterValidator(_base_url)]
Slug = Annotated[str, AfterValidator(_slug)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]

RAISE_BASE_URL = "https://prod-api.raisedonors.com"
CRM_PLUS_BASE_URL = "https://api.virtuoussoftware.com"


# The variables that switch the schedules on. Dagster loads the schedules also where the settings are wrong.
SCHEDULE_HOURLY = "TIEOUT_SCHEDULE_HOURLY"
SCHEDULE_NIGHTLY = "TIEOUT_SCHEDULE_NIGHTLY"
SCHEDULE_WEEKLY = "TIEOUT_SCHEDULE_WEEKLY"
SCHEDULE_TIME_ZONE = "TIEOUT_SCHEDULE_TIME_ZONE"
SCHEDULE = "TIEOUT_SCHEDULE"
"""The older name of `TIEOUT_SCHEDULE_NIGHTLY`."""
SCHEDULE_SETTINGS = (SCHEDULE_HOURLY, SCHEDULE_NIGHTLY, SCHEDULE_WEEKLY, SCHEDULE_TIME_ZONE, SCHEDULE)


class PiiMode(StrEnum):
    """What becomes of personal data when it is loaded."""

    KEEP = "keep"
    HASH = "hash"
    DROP = "drop"


class Organization(BaseModel):
    """One nonprofit: where its two products answer and what opens them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slug: Slug
    raise_base_url: BaseUrl = RAISE_BASE_URL
    raise_api_token: Secret
    raise_token_name: str = "RAISE_API_TOKEN"
    """The variable that holds the token, for messages."""
    raise_time_zone: TimeZone = "UTC"
    """What Raise instants without an offset mean."""
    raise_requests_per_second: Pace = 1.0
    crm_plus_base_url: BaseUrl = CRM_PLUS_BASE_URL
    crm_plus_api_key: Secret | None = None
    crm_plus_key_name: str = "CRM_PLUS_API_KEY"
    crm_plus_reserve: Share = 0.2
    stale_after_hours: Hours = 48
    """How old a complete reading may be before nothing is said about what it covers."""
    quiet_after_days: Days = 7
    """How long nothing may be made or changed in a product before that is odd."""

    @property
    def mask(self) -> Mask:
        """Hides its credentials: a product may know the other's, from an integration or because they were swapped."""
        return Mask(secret.get_secret_value() for secret in (self.raise_api_token, self.crm_plus_api_key) if secret)

    @property
    def base_urls(self) -> tuple[str, ...]:
        """Those that a run asks."""
        return (self.raise_base_url, self.crm_plus_base_url) if self.crm_plus_api_key else (self.raise_base_url,)

    def mistaken(self, spelled: Callable[[str], str] = str.upper) -> str | None:
        """One product's settings in place of the other's, which would send a credential to the wrong product.

        `spelled` is how the settings are spelled where they are set.
        """
        raise_url, crm_plus_url = spelled("raise_base_url"), spelled("crm_plus_base_url")
        ours, theirs = (urlsplit(url).hostname for url in (RAISE_BASE_URL, CRM_PLUS_BASE_URL))
        if urlsplit(self.raise_base_url).hostname == theirs:
            return f"[{self.slug}] {raise_url} is the address of CRM+: it is usually {RAISE_BASE_URL}."
        if self.crm_plus_api_key is None:
            return None
        if urlsplit(self.crm_plus_base_url).hostname == ours:
            return f"[{self.slug}] {crm_plus_url} is the address of Raise: it is usually {CRM_PLUS_BASE_URL}."
        if is_loopback(self.raise_base_url) and is_loopback(self.crm_plus_base_url):
            # A simulation of both may stand at one address, and take anything for a credential.
            return None
        if self.raise_base_url == self.crm_plus_base_url:
            return f"[{self.slug}] {raise_url} and {crm_plus_url} are the same: each product has its own address."
        if self.raise_api_token == self.crm_plus_api_key:
            names = f"{self.raise_token_name} and {self.crm_plus_key_name}"
            return f"[{self.slug}] {names} are the same: each product has its own credential."
        return None


_READ = SettingsConfigDict(
    env_file=ENV_FILE, env_file_encoding=environment.ENCODING, env_ignore_empty=True, extra="ignore", frozen=True
)
_FILES = ("warehouse_path", "published_path", "organizations_file")


class Paths(BaseSettings):
    """Where the files are: all that is needed to load what Dagster is to know. Relative to the current folder."""

    model_config = _READ

    warehouse_path: Path = Path("data/warehouse.duckdb")
    published_path: Path = Path("data/published/tieout.duckdb")

    @model_validator(mode="after")
    def _absolute_paths(self) -> Self:
        for name in ("warehouse_path", "published_path"):
            self.__dict__[name] = Path(os.path.abspath(Path(getattr(self, name)).expanduser()))
        return self

    @model_validator(mode="after")
    def _no_folders(self) -> Self:
        for name in _FILES:
            path = getattr(self, name, None)
            if path and os.path.isdir(path):
                raise ValueError(f"{name.upper()} {path} is a folder: name a file in it")
        return self

    @property
    def state_path(self) -> Path:
        """The folder beside the warehouse file for what belongs to it: dlt's and dbt's working state."""
        return self.warehouse_path.with_suffix(".state")


class Ui(BaseSettings):
    """What the server of the UI needs, whatever the other settings are."""

    model_config = _READ

    ui_allowed_hosts: Annotated[str, AfterValidator(_hosts)] = ""
    ui_password: Annotated[SecretStr, AfterValidator(_password)] | None = None
    """What the UI asks for before it answers; needed where it listens on another address than a loopback one."""


class Settings(Paths, Ui):
    """What `.env` and the environment say."""

    organization: Slug = "default"
    raise_base_url: BaseUrl = RAISE_BASE_URL
    raise_api_token: Secret | None = None
    raise_time_zone: TimeZone = "UTC"
    crm_plus_base_url: BaseUrl = CRM_PLUS_BASE_URL
    crm_plus_api_key: Secret | None = None
    organizations_file: Path | None = None
    published_mode: Annotated[int, BeforeValidator(_file_mode)] | None = None
    """Who may read the readers' file; whoever may read the one that it replaces, and a first one its owner alone."""

    raise_requests_per_second: Pace = 1.0
    crm_plus_reserve: Share = 0.2
    full_sweep_every_days: Days = 7
    stale_after_hours: Hours = 48
    quiet_after_days: Days = 7
    retain_runs_days: Days = 90
    """How long Dagster keeps its runs, with their events."""
    retain_logs_days: Days = 30
    """How long logs, what runs print and load packages are kept."""
    commit_every_rows: int = Field(200_000, ge=1, le=_LARGEST)
    """How many new or changed rows are loaded at a time; a reading that is killed goes on behind the last ones."""
    webhook_payloads_per_run: int = Field(200, ge=0, le=_LARGEST)
    """How many payloads of webhook deliveries a run asks for, of each organization, those about campaigns apart."""
    warehouse_memory_limit: Annotated[str, AfterValidator(_size)] | None = None
    """How much DuckDB may hold in memory while the models are built; by the size of the warehouse unless it is set."""
    alert_webhook_url: Annotated[SecretStr, AfterValidator(_alert_url)] | None = None
    alert_email_to: Annotated[str, AfterValidator(_addresses)] | None = None
    alert_email_from: Annotated[str, AfterValidator(_addresses)] | None = None
    alert_smtp_host: str | None = None
    alert_smtp_port: int = Field(587, ge=1, le=65535)
    alert_smtp_user: str | None = None
    alert_smtp_password: SecretStr | None = None
    tieout_now: Annotated[datetime, AfterValidator(_aware)] | None = None
    pii_mode: PiiMode = PiiMode.KEEP
    pii_salt: Annotated[SecretStr, AfterValidator(_salt)] | None = None
    """What hashes are salted with; a random salt that is kept beside the warehouse unless it is set."""

    @model_validator(mode="after")
    def _two_files(self) -> Self:
        if self.warehouse_path.resolve() == self.published_path.resolve():
            raise ValueError("PUBLISHED_PATH must be another file than WAREHOUSE_PATH")
        return self

    @model_validator(mode="after")
    def _usable_names(self) -> Self:
        for name, path, taken in (
            ("WAREHOUSE_PATH", self.warehouse_path, WAREHOUSE_SCHEMAS | _DATABASES),
            ("PUBLISHED_PATH", self.published_path, PUBLISHED_SCHEMAS),
        ):
            database = path.name.lstrip(".").split(".")[0]
            if database.casefold() in taken:
                raise ValueError(f"{name} must not be called {database}, which has a meaning of its own in DuckDB here")
        if odd := _ODD_IN_PATHS.search(str(self.warehouse_path)) or re.search("[\"']", self.warehouse_path.name):
            raise ValueError(f"WAREHOUSE_PATH must not hold {odd.group()}, which dbt takes for something else")
        return self

    @model_validator(mode="after")
    def _whole_mail_settings(self) -> Self:
        if self.alert_email_to and not (self.alert_email_from and self.alert_smtp_host):
            raise ValueError("ALERT_EMAIL_TO needs ALERT_EMAIL_FROM and ALERT_SMTP_HOST")
        if (self.alert_smtp_user is None) != (self.alert_smtp_password is None):
            raise ValueError("ALERT_SMTP_USER and ALERT_SMTP_PASSWORD belong together: set both, or neither")
        return self

    @cached_property
    def organizations(self) -> tuple[Organization, ...]:
        """Every organization that can be read, in the order of the file. Raises `SettingsError` where none can."""
        usable = tuple(one for one in self._configured.values() if isinstance(one, Organization))
        if not usable:
            raise next(iter(self.unusable.values()))
        return usable

    @cached_property
    def unusable(self) -> Mapping[str, SettingsError]:
        """What is wrong with those that cannot be read, by slug: it does not keep the others from being read."""
        return {slug: one for slug, one in self._configured.items() if isinstance(one, SettingsError)}

    @property
    def slugs(self) -> tuple[str, ...]:
        """Every organization that is configured, also where it cannot be read."""
        return tuple(self._configured)

    def organizations_or_none(self) -> tuple[Organization, ...] | None:
        """The same where what is wrong with them is told elsewhere."""
        try:
            return self.organizations
        except SettingsError:
            return None

    def secrets(self) -> dict[str, str]:
        """Everything that must never show, by the variable that holds it."""
        found = {name.upper(): getattr(self, name) for name in type(self).model_fields}
        for organization in self.organizations_or_none() or ():
            found[organization.raise_token_name] = organization.raise_api_token
            found[organization.crm_plus_key_name] = organization.crm_plus_api_key
        return {name: secret.get_secret_value() for name, secret in found.items() if isinstance(secret, SecretStr)}

    @property
    def hides_persons(self) -> bool:
        """Whether nothing is to be loaded or reported that may name a person."""
        return self.pii_mode is not PiiMode.KEEP

    def now(self) -> datetime:
        """The run's clock."""
        return self.tieout_now or datetime.now(UTC)

    @cached_property
    def _configured(self) -> Mapping[str, Organization | SettingsError]:
        found = self._from_file() if self.organizations_file else {self.organization: self._the_one()}
        usable = [one for one in found.values() if isinstance(one, Organization)]
        if self.tieout_now and not all(is_loopback(url) for o in usable for url in o.base_urls):
            raise SettingsError(
                "TIEOUT_NOW is for simulations: unset it, or point every base URL at a loopback address."
            )
        spelled = str.lower if self.organizations_file else str.upper
        mistakes = {o.slug: SettingsError(mistaken) for o in usable if (mistaken := o.mistaken(spelled))}
        return {**found, **mistakes}

    def _the_one(self) -> Organization:
        if self.raise_api_token is None:
            raise SettingsError("RAISE_API_TOKEN is not set: put it into the environment or .env (see .env.example).")
        return Organization(
            slug=self.organization,
            raise_base_url=self.raise_base_url,
            raise_api_token=self.raise_api_token,
            raise_time_zone=self.raise_time_zone,
            raise_requests_per_second=self.raise_requests_per_second,
            crm_plus_base_url=self.crm_plus_base_url,
            crm_plus_api_key=self.crm_plus_api_key,
            crm_plus_reserve=self.crm_plus_reserve,
            stale_after_hours=self.stale_after_hours,
            quiet_after_days=self.quiet_after_days,
        )

    def _from_file(self) -> dict[str, Organization | SettingsError]:
        path = self.organizations_file
        assert path is not None
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise SettingsError(f"ORGANIZATIONS_FILE {path} cannot be read: {error.strerror}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"ORGANIZATIONS_FILE {path} is not TOML: {error}.") from None
        if not tables:
            raise SettingsError(
                f"ORGANIZATIONS_FILE {path} is empty: add one table per organization, such as [riverside]."
            )
        if outside := [name for name, table in tables.items() if not isinstance(table, dict)]:
            raise SettingsError(f"{path}: `{outside[0]}` stands outside a table: put it under [organization-slug].")
        found: dict[str, Organization | SettingsError] = {}
        for slug, table in tables.items():
            try:
                found[slug] = self._from_table(path, slug, table)
            except SettingsError as error:
                found[slug] = error
        return found

    def _from_table(self, path: Path, slug: str, table: dict[str, Any]) -> Organization:
        values = {
            "raise_requests_per_second": self.raise_requests_per_second,
            "crm_plus_reserve": self.crm_plus_reserve,
            "stale_after_hours": self.stale_after_hours,
            "quiet_after_days": self.quiet_after_days,
            **table,
        }
        for secret, key in _NAMED_IN.items():
            if secret in values:
                raise SettingsError(f"{path}: [{slug}] holds {secret} itself: name its variable in {key} instead.")
            if key in values:
                values[secret] = _named_in(values[key], key, f"{path}: [{slug}]")
        if "raise_token_name" not in values:
            raise SettingsError(f"{path}: [{slug}] needs raise_token_name, the variable that holds its token.")
        # What is missing is missing in the file.
        values.setdefault("crm_plus_key_name", "crm_plus_key_name")
        try:
            return Organization(slug=slug, **values)
        except ValidationError as error:
            line = _lines(error, upper=False)[0]
            for secret, key in _NAMED_IN.items():
                line = re.sub(rf"^{secret}\b", f"the variable that {key} names", line)
            raise SettingsError(f"{path}: [{slug}] {line}") from None


_Kind = TypeVar("_Kind", bound=BaseSettings)
_OF_ONE = {
    "ORGANIZATION", "RAISE_BASE_URL", "RAISE_API_TOKEN", "RAISE_TIME_ZONE", "CRM_PLUS_BASE_URL", "CRM_PLUS_API_KEY",
}  # fmt: skip
"""In whose place ORGANIZATIONS_FILE is."""
_NAMED_IN = {"raise_api_token": "raise_token_name", "crm_plus_api_key": "crm_plus_key_name"}
"""In which key of ORGANIZATIONS_FILE the variable of a secret is named."""


def _named_in(name: object, key: str, place: str) -> str:
    """The value of the variable that a key names. The name never shows: it may be the secret itself, pasted there."""
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        raise SettingsError(
            f"{place} {key} holds no name of a variable: put the secret into a variable, and the variable's name there."
        )
    value = variable(name)
    masking.learn([value or ""])
    if not value:
        raise SettingsError(f"{place} the variable that {key} names is not set: set it, or correct the name.")
    return value


def partitions() -> tuple[str, ...]:
    """The slugs of ORGANIZATIONS_FILE, as far as it can be read: Dagster loads also where the settings are wrong."""
    return tuple(slug for slug in _tables() if _SLUG.fullmatch(slug))


def _tables() -> dict[str, Any]:
    path = variable("ORGANIZATIONS_FILE")
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig")) if path else {}
    except (OSError, ValueError):
        return {}


def _lines(error: ValidationError, *, upper: bool) -> list[str]:
    """What is wrong, one line each."""
    return [_line(problem, upper=upper) for problem in error.errors(include_input=False, include_url=False)]


def _line(problem: ErrorDetails, *, upper: bool) -> str:
    name = ".".join(str(part) for part in problem["loc"]) or "settings"
    reason = problem["msg"].removeprefix("Value error, ")
    if problem["loc"]:
        return f"{name.upper() if upper else name} {reason[0].lower()}{reason[1:]}."
    return f"{reason}."


def _learn_secrets() -> None:
    """So that none of them shows in what this process writes, also where the settings are wrong."""
    named = {**environment.env_file(), **os.environ}
    found = [named.get(name.upper()) or "" for name, field in Settings.model_fields.items() if _is_secret(field)]
    # Whoever posts may quote the address without its host.
    found += [address.split("/", 3)[-1] for address in found if "://" in address]
    found += [_password_of(named.get(name) or "") for proxy in _PROXIES for name in (proxy, proxy.lower())]
    masking.learn(trimmed for secret in found for trimmed in (secret, secret.strip().strip("\"'").strip()))


_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")


def _is_secret(field: FieldInfo) -> bool:
    return "SecretStr" in str(field.annotation)


def _password_of(url: str) -> str:
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""


def load_settings() -> Settings:
    """The settings as they are now. Raises `SettingsError` with one line for the first that is wrong."""
    return _loaded(Settings)


def load_paths() -> Paths:
    """The same of the files alone."""
    return _loaded(Paths)


def load_ui() -> Ui:
    """The same of the UI's server alone."""
    return _loaded(Ui)


def _loaded(kind: type[_Kind]) -> _Kind:
    _learn_secrets()
    if misspelled := _misspelled():
        raise SettingsError(misspelled[0])
    try:
        return kind()
    except ValidationError as error:
        raise SettingsError(_lines(error, upper=True)[0]) from None


def problems() -> list[str]:
    """What keeps every organization from being read, one line each."""
    unusable: list[str] = []
    try:
        _learn_secrets()
        if misspelled := _misspelled():
            return misspelled
        settings = Settings()
        unusable = [str(error) for error in settings.unusable.values()]
        _ = settings.organizations
    except ValidationError as error:
        return _lines(error, upper=True)
    except SettingsError as error:
        return unusable or [str(error)]
    return []


def misspelled() -> dict[str, str]:
    """By the name of each variable that is no setting: the one that was probably meant."""
    settings = {name.upper() for name in Settings.model_fields} | {*SCHEDULE_SETTINGS}
    tables = _tables()
    if variable("ORGANIZATIONS_FILE"):
        # It takes their place, and what is named like them holds the secrets of its organizations.
        settings -= _OF_ONE
    named = {name for table in tables.values() if isinstance(table, dict) for name in map(str, table.values())}
    return environment.misspelled(settings, SCHEDULE_SETTINGS, named | _OF_ONE)


def _misspelled() -> list[str]:
    return [
        f"{name} is no setting: correct its name if {meant} is meant, else take another one for it."
        for name, meant in misspelled().items()
    ]
