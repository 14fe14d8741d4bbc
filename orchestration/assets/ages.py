"""How old what was read of a source is: the checks on it."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import dagster as dg

from ingestion import warehouse
from ingestion.resource_reading import Outcome
from ingestion.settings import Settings
from orchestration.rules import HAS_NEWS, READ_LATELY, Rule

_RULES = (READ_LATELY, HAS_NEWS)


def age_check_specs(dataset: str) -> list[dg.AssetCheckSpec]:
    """On the account of its readings."""
    return [dg.AssetCheckSpec(rule.name, asset=_key(dataset), description=rule.says) for rule in _RULES]


def age_checks(
    dataset: str, outcomes: Mapping[str, Mapping[str, Outcome]], settings: Settings
) -> Iterator[dg.AssetCheckResult]:
    """For the organizations and resources of this run, whether or not it came to anything."""
    now = settings.now()
    by_slug = {organization.slug: organization for organization in settings.organizations}
    reads = [
        read
        for read in warehouse.last_reads(settings.warehouse_path, dataset, now)
        if read.organization in outcomes.get(read.resource, {})
    ]
    stale = [
        f"{read.organization}'s {read.resource} for {_hours(now - read.read_at):,.0f} hours"
        for read in reads
        if read.read_at and now - read.read_at > timedelta(hours=by_slug[read.organization].stale_after_hours)
    ]
    yield _result(
        READ_LATELY,
        dataset,
        f"Not read completely: {', '.join(stale)}." if stale else None,
        {"oldest_reading_hours": max((_hours(now - read.read_at) for read in reads if read.read_at), default=0.0)},
    )
    newest: dict[str, datetime] = {}
    for read in reads:
        if read.newest:
            newest[read.organization] = max(read.newest, newest.get(read.organization, read.newest))
    quiet = [
        f"{slug} for {(now - at) / timedelta(days=1):,.1f} days"
        for slug, at in sorted(newest.items())
        if now - at > timedelta(days=by_slug[slug].quiet_after_days)
    ]
    yield _result(
        HAS_NEWS,
        dataset,
        f"Nothing was made or changed: {', '.join(quiet)}." if quiet else None,
        {"newest_record_hours": max((_hours(now - at) for at in newest.values()), default=0.0)},
    )


def _key(dataset: str) -> dg.AssetKey:
    return dg.AssetKey([dataset, "load_audit"])


def _result(rule: Rule, dataset: str, breach: str | None, metadata: Mapping[str, float]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=_key(dataset),
        check_name=rule.name,
        passed=breach is None,
        severity=rule.severity,
        description=breach,
        metadata=metadata,
    )


def _hours(age: timedelta) -> float:
    return round(age / timedelta(hours=1), 2)
