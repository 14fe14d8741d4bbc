"""`tieout erase`."""

from typing import Annotated

import typer

from ingestion.errors import SettingsError
from ingestion.plain_text import line
from ingestion.settings import Settings, load_settings
from orchestration.cli.alerting import RunFailed
from orchestration.cli.run import execute_shown
from orchestration.cli.terminal import terminal
from orchestration.scope import Part


def erase(
    donor: Annotated[
        list[int] | None,
        typer.Option(help="A donor to be erased although Raise does not say so, by id; several when repeated."),
    ] = None,
    contact: Annotated[
        list[int] | None,
        typer.Option(help="A contact that was deleted or anonymized in CRM+, by id; several when repeated."),
    ] = None,
    organization: Annotated[str | None, typer.Option(help="Whose they are, where there are several.")] = None,
) -> None:
    """Erase what is left of erased donors from warehouse and published file; list what only you can delete."""
    settings = load_settings()
    # What a resource is comes with dlt, which takes a second to load.
    from orchestration import erasing

    asked = {"raise": donor or [], "crm_plus": contact or []}
    slug = _of(settings, organization) if any(asked.values()) else ""
    before = erasing.erased(settings)
    erasing.name(settings, slug, asked, _say_that_it_waits)
    errors = execute_shown(settings, only=Part.TRANSFORM)
    console = terminal()
    now = erasing.erased(settings)
    console.print(f"{len(now):,} persons are erased in the warehouse, {len(now - before):,} of them new.")
    for number, remnant in enumerate(erasing.remains(settings)):
        if not number:
            console.print("What may still hold their data:")
        console.print(line(f"- {remnant}"))
    if errors:
        raise RunFailed(" ".join(errors))


def _of(settings: Settings, organization: str | None) -> str:
    if organization is None and len(settings.slugs) == 1:
        return settings.slugs[0]
    if organization not in settings.slugs:
        raise SettingsError(f"Name the organization with --organization: one of {', '.join(settings.slugs)}.")
    return organization


def _say_that_it_waits() -> None:
    terminal().print("A run is in progress: waiting for its end (Ctrl-C gives up).")
