"""What a run is about."""

from collections.abc import Sequence
from enum import StrEnum

from ingestion.errors import SettingsError
from ingestion.settings import Organization, Settings


class Part(StrEnum):
    """A part of the run that can be asked for alone."""

    INGEST = "ingest"
    TRANSFORM = "transform"


class UnknownOrganization(SettingsError):
    """The command line names an organization that the settings do not."""


def chosen(settings: Settings, slug: str | None) -> Sequence[Organization]:
    """All organizations, or the one that was asked for."""
    organizations = [o for o in settings.organizations if slug in (None, o.slug)]
    if not organizations:
        known = ", ".join(o.slug for o in settings.organizations)
        raise UnknownOrganization(f"There is no organization {slug}: choose one of {known}.")
    return organizations
