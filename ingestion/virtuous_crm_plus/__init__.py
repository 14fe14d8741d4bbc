"""CRM+ as a dlt source."""

from __future__ import annotations

from dlt.extract import DltSource

from ingestion.http import Patience
from ingestion.landing import dlt_source
from ingestion.reading import Reading
from ingestion.settings import Organization
from ingestion.virtuous_crm_plus.client import ROWS, CrmPlusClient
from ingestion.virtuous_crm_plus.resources import RESOURCES

NAME = "crm_plus"
DATASET = "raw_crm_plus"


def client_for(organization: Organization, patience: Patience, *, quotes: bool = True) -> CrmPlusClient | None:
    """The client of an organization's CRM+; None where it does not run it. `quotes`: see `ReadClient`."""
    return CrmPlusClient(organization, patience, quotes=quotes) if organization.crm_plus_api_key else None


def credential_of(organization: Organization) -> str:
    """The variable that holds the credential."""
    return organization.crm_plus_key_name


def time_zone_of(organization: Organization) -> str:
    """What instants without an offset mean: CRM+ names its stamps `...Utc` and leaves the offset out."""
    return "UTC"


def source(reading: Reading | None = None) -> DltSource:
    """The raw tables of CRM+. Without a `reading` it only tells what there is."""
    return dlt_source(DATASET, RESOURCES, reading)


__all__ = ["DATASET", "NAME", "RESOURCES", "ROWS", "client_for", "credential_of", "source", "time_zone_of"]
