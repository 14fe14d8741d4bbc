"""`tieout backup` and `tieout restore`."""

from pathlib import Path
from typing import Annotated

import typer

from ingestion.plain_text import line
from ingestion.settings import load_settings
from orchestration import backup as copies
from orchestration import restore as restoring
from orchestration.cli.terminal import terminal


def backup(
    folder: Annotated[
        Path | None, typer.Argument(help="A new folder; beside the warehouse, named by the time, unless given.")
    ] = None,
) -> None:
    """Copy the warehouse and its working state into a folder, between two runs."""
    settings = load_settings()
    chosen = (folder or copies.default_folder(settings)).expanduser().absolute()
    size = copies.backup(settings, chosen, _say_that_it_waits)
    terminal().print(line(f"{settings.warehouse_path} was copied to {chosen} ({size / 1_000_000:,.1f} MB)."))


def restore(folder: Annotated[Path, typer.Argument(help="A folder that `tieout backup` made.")]) -> None:
    """Put a backup in the place of the warehouse; what was there is kept beside it."""
    settings = load_settings()
    aside = restoring.restore(settings, folder.expanduser().absolute(), _say_that_it_waits)
    console = terminal()
    console.print(line(f"{settings.warehouse_path} is that of {folder}: the next run reads on from there."))
    if aside:
        console.print(line(f"What was there is in {aside}: remove it when it is not needed any more."))


def _say_that_it_waits() -> None:
    terminal().print("A run is in progress: waiting for its end (Ctrl-C gives up).")
