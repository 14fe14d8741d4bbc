"""What would make a run fail, or falsify what it says, found before it does. Asks the APIs for one row each."""

import json
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from ingestion import machine, masking, warehouse
from ingestion.environment import ENV_FILE, begins_like, env_file, nearest, variable
from ingestion.errors import (
    BudgetSpent,
    CredentialRefused,
    SettingsError,
    SourceError,
    Throttled,
    WarehouseLocked,
    WarehouseUnusable,
)
from ingestion.http import Budget, Patience
from ingestion.pii import fault_of_mode
from ingestion.settings import (
    SCHEDULE,
    SCHEDULE_NIGHTLY,
    SCHEDULE_SETTINGS,
    Organization,
    Settings,
    is_loopback,
)
from ingestion.tenants import Foreign, Held
from orchestration import publishing, turn
from orchestration.alerts.channels import AlertNotSent, channels
from orchestration.home import VARIABLE, home
from orchestration.private_files import barriers, is_open
from orchestration.published import NothingPublished, link_keys, payloads, reading

_TEST_ALERT = "tieout: a test alert"
_MEGABYTE = 1_000_000
_SPARE_MEGABYTES = 500
_ADVISED_PER_SECOND = 1
_CLOCK_TOLERANCE = timedelta(minutes=5)
# A reading is patient for hours; whoever looks on is not.
_PATIENCE = Patience(attempts=2, initial=0.5, longest=1.0, answer=30.0, throttle=5.0)


class Verdict(StrEnum):
    """What a finding means for the next run."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing; a run goes through."""
    WRONG = "wrong"
    """A run fails, or says something wrong."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `text` is one line; what is wrong comes with its mend."""

    verdict: Verdict
    about: str
    text: str


@dataclass
class _Api:
    """What is learned of one product of one organization."""

    about: str
    first_rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: bool = False
    is_spent: bool = False
    skew: timedelta | None = None


def examine(settings: Settings, patience: Patience = _PATIENCE, *, send_test_alert: bool = False) -> Iterator[Finding]:
    """Looks at everything, one finding after the other. The settings themselves are taken to be right."""
    organizations = settings.organizations
    names = ", ".join(organization.slug for organization in organizations)
    yield Finding(Verdict.OK, "settings", f"organizations: {names}")
    yield from (Finding(Verdict.WRONG, "settings", str(error)) for error in settings.unusable.values())
    yield from _misspelled(settings)
    yield from _odd_settings(settings)
    yield from _schedules()
    yield from _alerts(settings, send_test_alert)
    yield from _files(settings)
    skews: list[timedelta] = []
    for organization in organizations:
        yield from _organization(organization, settings, patience, skews)
    yield from _clock(skews)


def _misspelled(settings: Settings) -> Iterator[Finding]:
    known = {name.upper() for name in Settings.model_fields} | {*SCHEDULE_SETTINGS}
    named = {name for o in settings.organizations for name in (o.raise_token_name, o.crm_plus_key_name)}
    for name in sorted({*os.environ, *env_file()} - known - named):
        # Less alike than what every command refuses, or the setting that was meant is set as well.
        near = nearest(name, known, likeness=0.7)
        if near and begins_like(name, known):
            yield Finding(Verdict.NOTE, "settings", f"{name} is no setting and is ignored: did you mean {near}?")


def _odd_settings(settings: Settings) -> Iterator[Finding]:
    if settings.tieout_now:
        yield Finding(
            Verdict.NOTE, "settings", f"TIEOUT_NOW is set: runs take {settings.tieout_now.isoformat()} for the present."
        )
    for name, secret in settings.secrets().items():
        if not masking.can_be_masked(secret):
            text = (
                f"{name} is shorter than {masking.SHORTEST} characters, or a number: where a server repeats it, it is"
                " not hidden; have a longer one made."
            )
            yield Finding(Verdict.NOTE, "settings", text)
    by_token: dict[tuple[str, str], list[str]] = defaultdict(list)
    for organization in settings.organizations:
        by_token[organization.raise_base_url, organization.raise_api_token.get_secret_value()].append(organization.slug)
        pace = organization.raise_requests_per_second
        if not 0 < pace <= 2 * _ADVISED_PER_SECOND and not is_loopback(organization.raise_base_url):
            yield Finding(
                Verdict.NOTE,
                "settings",
                f"RAISE_REQUESTS_PER_SECOND is {pace:g}: Raise advises {_ADVISED_PER_SECOND}, and may throttle more.",
            )
    for slugs in by_token.values():
        if len(slugs) > 1:
            yield Finding(
                Verdict.WRONG,
                "settings",
                f"{' and '.join(slugs)} have the same Raise token, so they are one organization: give each its own.",
            )


def _schedules() -> Iterator[Finding]:
    if not any(map(variable, SCHEDULE_SETTINGS)):
        return
    # Dagster takes seconds to load.
    from dagster import DefaultScheduleStatus

    from orchestration.schedules import timetable

    found = timetable()
    for problem in found.problems:
        yield Finding(Verdict.WRONG, "settings", problem)
    if variable(SCHEDULE) and variable(SCHEDULE_NIGHTLY):
        text = f"{SCHEDULE} is ignored: {SCHEDULE_NIGHTLY}, its newer name, is set too."
        yield Finding(Verdict.NOTE, "settings", text)
    on = [s for s in found.schedules if s.default_status is DefaultScheduleStatus.RUNNING]
    for schedule in on:
        text = f"the {schedule.name} schedule {schedule.cron_schedule!r}, in {found.time_zone}, while `tieout dev` runs"
        yield Finding(Verdict.OK, "settings", text)


def _alerts(settings: Settings, send: bool) -> Iterator[Finding]:
    found = channels(settings)
    if not found:
        text = "Nobody is told when a run fails: set ALERT_WEBHOOK_URL or ALERT_EMAIL_TO."
        yield Finding(Verdict.WRONG if send else Verdict.NOTE, "alerts", text)
    for channel in found:
        if not send:
            yield Finding(Verdict.OK, "alerts", f"go to {channel.about}; --send-test-alert tries it")
            continue
        try:
            channel.send(_TEST_ALERT, f"{_TEST_ALERT}: nothing is wrong, and nothing is to be done.")
            yield Finding(Verdict.OK, "alerts", f"{channel.about} took a test alert")
        except AlertNotSent as error:
            yield Finding(Verdict.WRONG, "alerts", str(error))


def _files(settings: Settings) -> Iterator[Finding]:
    path, published = settings.warehouse_path, settings.published_path
    try:
        with turn.taken(settings, wait=False, on_wait=lambda: None):
            warehouse.check(path)
    except turn.RunInProgress:
        yield Finding(Verdict.NOTE, "warehouse", "A run is in progress: the next one waits for its end.")
    except (WarehouseLocked, WarehouseUnusable) as error:
        yield Finding(Verdict.WRONG, "warehouse", str(error))
    else:
        size = f"{path.stat().st_size / _MEGABYTE:,.1f} MB" if path.exists() else "made by the first run"
        yield Finding(Verdict.OK, "warehouse", f"{path}, {size}")
    yield from _published(published)
    yield from _rights(settings)
    if reason := _unwritable(home()):
        text = f"The folder {home()} of Dagster cannot be written ({reason}): correct its rights, or {VARIABLE}."
        yield Finding(Verdict.WRONG, "Dagster", text)
    folders = [folder for folder in (published.parent, path.parent) if folder.is_dir()]
    for folder in {folder.stat().st_dev: folder for folder in folders}.values():
        yield from _disk(folder, path)


def _rights(settings: Settings) -> Iterator[Finding]:
    # A group may have been let in on purpose, but hardly to secrets.
    secret = [Path(ENV_FILE), *([settings.organizations_file] if settings.organizations_file else [])]
    for path in (*secret, settings.warehouse_path, settings.state_path):
        if is_open(path, to_group=path in secret):
            mode = "700" if path.is_dir() else "600"
            text = f"{path} is open to other users of this machine: chmod {mode} {path}."
            yield Finding(Verdict.NOTE, "rights", text)
    if closed := barriers(settings.published_path, settings.published_mode or 0):
        text = (
            f"PUBLISHED_MODE lets others read {settings.published_path}, and the folder {closed[0]} does not let them"
            " in: open it (chmod g+x or o+x), or choose another PUBLISHED_PATH."
        )
        yield Finding(Verdict.NOTE, "rights", text)


def _published(path: Path) -> Iterator[Finding]:
    if reason := _unwritable(path.parent):
        text = (
            f"The folder of PUBLISHED_PATH {path} cannot be written ({reason}): correct its rights, or choose another."
        )
        yield Finding(Verdict.WRONG, "published file", text)
    elif not path.exists():
        yield Finding(Verdict.OK, "published file", f"{path}, made by the first run")
    else:
        try:
            publishing.check(path)
            with reading(path) as connection:
                made = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                keys = link_keys(connection)
                logs = payloads(connection)
            yield Finding(Verdict.OK, "published file", f"{path}, of {made:%Y-%m-%d %H:%M} UTC")
            for organization, key in keys.items():
                said = (text for text in (key.note, key.suggestion) if text)
                yield from (Finding(Verdict.NOTE, f"{organization} gifts", text) for text in said)
            for organization, log in logs.items():
                yield from (Finding(Verdict.NOTE, f"{organization} delivery log", text) for text in log.notes)
        except publishing.PublishedUnusable as error:
            yield Finding(Verdict.WRONG, "published file", str(error))
        except NothingPublished as error:
            yield Finding(Verdict.NOTE, "published file", str(error))


def _unwritable(folder: Path) -> str | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__


def _disk(folder: Path, path: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free / _MEGABYTE
    # A run may write every row anew, and publishing copies the marts.
    needed = _SPARE_MEGABYTES + (2 * path.stat().st_size / _MEGABYTE if path.is_file() else 0)
    if free < needed:
        text = f"Only {free:,.0f} MB are free in {folder}, and a run may need {needed:,.0f}: make room there."
        yield Finding(Verdict.WRONG, "disk", text)
    else:
        yield Finding(Verdict.OK, "disk", f"{free:,.0f} MB are free in {folder}")


def _organization(
    organization: Organization, settings: Settings, patience: Patience, skews: list[timedelta]
) -> Iterator[Finding]:
    yield from _loaded_mode(organization, settings)
    found = [_Api(f"{organization.slug}: Raise"), _Api(f"{organization.slug}: CRM+")]
    for look, api in zip((_raise, _crm_plus), found, strict=True):
        try:
            yield from look(api, organization, settings, patience)
        except SettingsError as error:
            yield Finding(Verdict.WRONG, api.about, str(error))
    if all(api.refused for api in found):
        names = f"{organization.raise_token_name} and {organization.crm_plus_key_name}"
        yield Finding(Verdict.NOTE, organization.slug, f"Both credentials are refused: {names} may be swapped.")
    skews += [api.skew for api in found if api.skew is not None]


def _loaded_mode(organization: Organization, settings: Settings) -> Iterator[Finding]:
    """Whether `PII_MODE` is the one that the rows of an organization were loaded in; nothing where that is unknown."""
    faults: list[str] = []
    if not settings.warehouse_path.is_file():
        return
    for dataset in ("raw_raise", "raw_crm_plus"):
        query = f"select pii_mode, pii_rules from {dataset}.connections where organization = $1"
        try:
            with machine.connect(settings.warehouse_path, read_only=True) as connection:
                rows = connection.execute(query, [organization.slug]).fetchall()
        except duckdb.Error:
            continue
        faults += [fault for row in rows if (fault := fault_of_mode(settings, *row))]
    yield from (Finding(Verdict.WRONG, f"{organization.slug}: PII_MODE", fault) for fault in dict.fromkeys(faults))


def _raise(api: _Api, organization: Organization, settings: Settings, patience: Patience) -> Iterator[Finding]:
    # dlt comes with the sources, and takes its time.
    from ingestion.virtuous_raise import ROWS
    from ingestion.virtuous_raise.client import RaiseClient
    from ingestion.virtuous_raise.resources import RESOURCES

    client = RaiseClient(organization, patience, quotes=not settings.hides_persons)
    token = organization.raise_token_name
    try:
        lists = [resource for resource in RESOURCES if resource.entries_of is None]
        yield from _glances(api, client, lists, ROWS, token)
        foreign = _foreign(settings, "raw_raise", organization, client.foreign) if api.first_rows else None
    finally:
        client.close()
    tenant = api.first_rows.get("recurring_gifts", {}).get("organizationId")
    if foreign:
        yield _other_tenant(api, organization, token, foreign)
    elif tenant is not None:
        yield Finding(Verdict.OK, api.about, f"{token} belongs to organization {tenant}")
    elif api.first_rows:
        yield Finding(Verdict.NOTE, api.about, "Raise does not tell which organization the token belongs to")
    if not api.refused:
        yield from _limits(api, client.http.budget, 0)


def _crm_plus(api: _Api, organization: Organization, settings: Settings, patience: Patience) -> Iterator[Finding]:
    from ingestion.virtuous_crm_plus import ROWS
    from ingestion.virtuous_crm_plus.client import CrmPlusClient
    from ingestion.virtuous_crm_plus.resources import RESOURCES

    key = organization.crm_plus_key_name
    if organization.crm_plus_api_key is None:
        yield Finding(Verdict.NOTE, api.about, f"{key} is not set: everything is built, and nothing is compared.")
        return
    client = CrmPlusClient(organization, patience, quotes=not settings.hides_persons)
    try:
        yield from _glances(api, client, RESOURCES, ROWS, key)
        if "organization" in api.first_rows:
            yield from _tenant(api, organization, settings, api.first_rows["organization"])
        if not api.refused and not api.is_spent and api.first_rows:
            yield from _filters(api, client, RESOURCES)
    finally:
        client.close()
    if not api.refused:
        yield from _limits(api, client.http.budget, organization.crm_plus_reserve)


def _glances(api: _Api, client: Any, resources: Sequence[Any], rows: str, credential: str) -> Iterator[Finding]:
    """The first row of each resource, which also tries the credential."""
    withheld: list[str] = []
    for resource in resources:
        try:
            page = client.glance(resource)
            found = json.loads(page.body)[rows] if page.ids else []
        except SourceError as error:
            api.refused = isinstance(error, CredentialRefused)
            api.is_spent = isinstance(error, BudgetSpent)
            if error.withholds:
                withheld.append(str(error))
                continue
            # A run waits, or says so; credential and settings are right.
            is_wrong = error.is_fault and not isinstance(error, Throttled)
            yield Finding(Verdict.WRONG if is_wrong else Verdict.NOTE, api.about, str(error))
            if error.stops_source:
                break
        else:
            api.first_rows[resource.name] = found[0] if found else {}
        finally:
            api.skew = client.http.skew
    is_fault = len(withheld) == len(resources)
    yield from (Finding(Verdict.WRONG if is_fault else Verdict.NOTE, api.about, text) for text in withheld)
    if api.first_rows:
        text = f"{credential} opens {len(api.first_rows)} of {len(resources)} resources"
        yield Finding(Verdict.OK, api.about, text)


def _tenant(api: _Api, organization: Organization, settings: Settings, tenant: dict[str, Any]) -> Iterator[Finding]:
    from ingestion.virtuous_crm_plus.client import foreign_tenant, tenant_named

    key, told, name = organization.crm_plus_key_name, tenant_named(tenant), tenant.get("organizationName")
    if told is None:
        yield Finding(Verdict.NOTE, api.about, "CRM+ does not tell which organization the key belongs to")
    elif foreign := _foreign(settings, "raw_crm_plus", organization, partial(foreign_tenant, tenant)):
        yield _other_tenant(api, organization, key, foreign)
    else:
        yield Finding(Verdict.OK, api.about, f"{key} belongs to {told}")
    if tenant.get("isEnabled") is False:
        yield Finding(
            Verdict.WRONG, api.about, f"CRM+ says that the organization {name} is disabled: ask Virtuous support."
        )
    if str(name).endswith("(Sandbox)"):
        yield Finding(
            Verdict.NOTE, api.about, f"{name} is a sandbox, by its name: take another key if that is not meant."
        )


def _other_tenant(api: _Api, organization: Organization, credential: str, foreign: Foreign) -> Finding:
    return Finding(
        Verdict.WRONG,
        api.about,
        f"{credential} belongs to {foreign.live}, and the warehouse holds {foreign.held} under the slug"
        f" {organization.slug}: correct the credential, or take another slug.",
    )


def _foreign(
    settings: Settings, dataset: str, organization: Organization, judge: Callable[[Held], Foreign | None]
) -> Foreign | None:
    """The organization of a credential, if the warehouse holds another one; None where it cannot be read now."""
    path = settings.warehouse_path
    if not path.is_file():
        return None
    try:
        return judge(Held(partial(machine.connect, path, read_only=True), dataset, organization.slug))
    except (duckdb.Error, SourceError):
        return None


def _filters(api: _Api, client: Any, resources: Sequence[Any]) -> Iterator[Finding]:
    is_complete = True
    for resource in resources:
        if resource.options_path is None:
            continue
        try:
            not_offered = client.filters_not_offered(resource)
        except SourceError as error:
            yield Finding(Verdict.WRONG if error.is_fault else Verdict.NOTE, api.about, str(error))
            return
        if not_offered is None:
            is_complete = False
            text = f"The query options of {resource.name} cannot be read: the documented filters are used."
            yield Finding(Verdict.NOTE, api.about, text)
        for name in not_offered or ():
            is_complete = False
            text = f"CRM+ offers no filter of {resource.name} by {name}: reading takes longer; ask Virtuous support."
            yield Finding(Verdict.NOTE, api.about, text)
    if is_complete:
        yield Finding(Verdict.OK, api.about, "the query options offer every filter in use")


def _limits(api: _Api, budget: Budget | None, reserve: float) -> Iterator[Finding]:
    if budget is None:
        if api.first_rows:
            yield Finding(Verdict.OK, api.about, "it tells no limits")
        return
    text = f"{budget.remaining:,} of {budget.limit:,} requests left until {_clock_time(budget.reset)} UTC"
    if budget.remaining > budget.limit * reserve:
        yield Finding(Verdict.OK, api.about, f"{text}, {reserve:.0%} of them for other integrations")
    elif not api.is_spent:
        yield Finding(Verdict.NOTE, api.about, f"{text}, all of them for other integrations: runs go on after that.")


def _clock_time(instant: float) -> str:
    return f"{datetime.fromtimestamp(instant, UTC):%H:%M}"


def _clock(skews: Sequence[timedelta]) -> Iterator[Finding]:
    if not skews:
        return
    # The smallest: a cache on the way may answer with an old date.
    skew = min(skews, key=abs)
    if abs(skew) <= _CLOCK_TOLERANCE:
        yield Finding(Verdict.OK, "clock", "agrees with the APIs")
    else:
        minutes, side = abs(skew).total_seconds() / 60, "behind" if skew > timedelta() else "ahead of"
        yield Finding(
            Verdict.WRONG,
            "clock",
            f"This machine's clock is {minutes:,.0f} minutes {side} that of the APIs, and ages would be wrong: set it.",
        )
