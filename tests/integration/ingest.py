"""Reads both products into the warehouse that the settings name, without Dagster: what the kill test kills."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ingestion.settings import load_settings
from ingestion.sources import SOURCES, open_reading


def ingest(environment: Mapping[str, str]) -> None:
    """In a process group of its own, as a command that a shell started."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    settings = load_settings()
    for source in SOURCES:
        for organization in settings.organizations:
            with open_reading(source, organization, settings, run_id="kill") as reading:
                for outcome in reading.run().values():
                    assert outcome.is_complete, outcome
