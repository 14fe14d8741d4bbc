"""Raise as a dlt source."""

from __future__ import annotations

from dlt.extract import DltSource

from ingestion.http import Patience
from ingestion.landing import dlt_source
from ingestion.reading import Reading
from ingestion.settings import Organization
from ingestion.virtuous_raise.client import ROWS, RaiseClient
from ingestion.virtuous_raise.resources import RESOURCES

NAME = "raise"
DATASET = "raw_raise"


def client_for(organization: Organization, patience: Patience, *, quotes: bool = True) -> RaiseClient:
    """The client of an organization's Raise, which every organization has. `quotes`: see `ReadClient`."""
    return RaiseClient(organization, patience, quotes=quotes)


def credential_of(organization: Organization) -> str:
    """The variable that holds the credential."""
    return organization.raise_token_name


def time_zone_of(organization: Organization) -> str:
    """What instants without an offset mean."""
    return organization.raise_time_zone


def source(reading: Reading | None = None) -> DltSource:
    """The raw tables of Raise. Without a `reading` it only tells what there is."""
    return dlt_source(DATASET, RESOURCES, reading)


__all__ = ["DATASET", "NAME", "RESOURCES", "ROWS", "client_for", "credential_of", "source", "time_zone_of"]
