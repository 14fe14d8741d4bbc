"""Reads both products into the warehouse that the settings name, without Dagster: what the kill test kills."""

from __future__ import annotations

from ingestion.settings import load_settings
from ingestion.sources import SOURCES, open_reading


def main() -> None:
    settings = load_settings()
    for source in SOURCES:
        for organization in settings.organizations:
            with open_reading(source, organization, settings, run_id="kill") as reading:
                for outcome in reading.run().values():
                    assert outcome.is_complete, outcome


if __name__ == "__main__":
    main()
