"""`tieout tidy`."""

from ingestion.settings import load_settings
from orchestration import turn
from orchestration.cli.terminal import terminal


def tidy() -> None:
    """Delete runs, logs and load packages that are older than the settings keep them."""
    settings = load_settings()
    console = terminal()
    # Dagster takes seconds to load.
    from orchestration import tidying
    from orchestration.instance import open_instance

    def say_that_it_waits() -> None:
        console.print("A run is in progress: waiting for its end (Ctrl-C gives up).")

    with turn.taken(settings, on_wait=say_that_it_waits), open_instance() as instance:
        tidied = tidying.tidy(settings, instance)
    console.print(f"Runs deleted: {tidied.runs:,}. Logs and load packages deleted: {tidied.files:,}.")
