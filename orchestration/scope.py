"""What a run is about."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ingestion.errors import SettingsError
from ingestion.settings import Organization, Settings


class Part(StrEnum):
    """A part of the run that can be asked for alone."""

    INGEST = "ingest"
    TRANSFORM = "transform"


class Source(StrEnum):
    """A product, as the command line names it."""

    RAISE = "raise"
    CRM_PLUS = "crm_plus"


class UnknownOrganization(SettingsError):
    """The command line names an organization that the settings do not."""


@dataclass(frozen=True)
class Scope:
    """The organizations of a run, and what is wrong with the settings of those that cannot be read."""

    organizations: tuple[Organization, ...]
    unusable: Mapping[str, SettingsError]


def chosen(settings: Settings, slugs: Collection[str] = ()) -> Scope:
    """All organizations, or those that were asked for. Raises `SettingsError` where there is none to be read."""
    unusable = settings.unusable
    known = (*(o.slug for o in settings.organizations), *unusable)
    if unknown := [slug for slug in slugs if slug not in known]:
        raise UnknownOrganization(f"There is no organization {unknown[0]}: choose one of {', '.join(known)}.")
    scope = Scope(
        tuple(o for o in settings.organizations if not slugs or o.slug in slugs),
        {slug: error for slug, error in unusable.items() if not slugs or slug in slugs},
    )
    if not scope.organizations:
        raise next(iter(scope.unusable.values()))
    return scope
