"""`tieout run`."""

import re
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import stamina
import typer

from ingestion import warehouse
from ingestion.errors import TieoutError, WarehouseLocked
from ingestion.settings import Settings, load_settings
from orchestration import publishing, turn
from orchestration.cli.alerting import RunFailed, told_at_the_end
from orchestration.cli.stopping import stoppable
from orchestration.cli.summary import show
from orchestration.cli.terminal import chatter_kept_in, say_note, terminal
from orchestration.cli.watch import watching
from orchestration.consent import NOTHING, Consent
from orchestration.register import open_exceptions
from orchestration.scope import Part, Source, chosen


class Threshold(StrEnum):
    """From which severity on an open exception fails the command."""

    ERROR = "error"
    WARN = "warn"
    NEVER = "never"

    @property
    def severities(self) -> tuple[str, ...]:
        """That one and the worse ones."""
        return {Threshold.ERROR: ("error",), Threshold.WARN: ("error", "warn"), Threshold.NEVER: ()}[self]


def _deletable(names: list[str] | None) -> list[str] | None:
    """Refuses what is no resource, or one that keeps its rows."""
    if names:
        # dlt takes a second to load: not before there is something to look up.
        from ingestion.sources import DELETABLE

        if unknown := [name for name in names if name not in DELETABLE]:
            raise typer.BadParameter(f"{unknown[0]!r} is not one of {', '.join(DELETABLE)}.")
    return names


_DURATION = re.compile(r"(?=.)(?:(?P<hours>\d{1,4})h)?(?:(?P<minutes>\d{1,6})m)?(?:(?P<seconds>\d{1,8})s)?", re.ASCII)


def _duration(text: str) -> float:
    """The seconds of a duration such as `1h`, `90m` or `1h30m`."""
    found = _DURATION.fullmatch(text.strip().lower())
    if not found:
        raise typer.BadParameter(f"{text!r} is not a duration such as 90s, 15m, 2h or 1h30m.")
    return timedelta(**{unit: int(number or 0) for unit, number in found.groupdict().items()}).total_seconds()


class ExceptionsOpen(TieoutError):
    """The run did its work and found what it was asked to fail on."""


def run(
    organization: Annotated[
        list[str] | None, typer.Option(help="Only this organization; several when repeated.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Read everything again.")] = False,
    accept_deletions: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE.RESOURCE",
            callback=_deletable,
            help="Read this resource again and take what is gone as deleted, also more than 20 % of it; several when"
            " repeated.",
        ),
    ] = None,
    accept_organization: Annotated[
        list[Source] | None,
        typer.Option(
            help="Read this product although its credential opens another organization than the warehouse holds; both"
            " when repeated."
        ),
    ] = None,
    only: Annotated[Part | None, typer.Option(help="Only this part of the run.")] = None,
    fail_on: Annotated[
        Threshold,
        typer.Option(
            help="Exit with 1 when exceptions of this severity or a worse one are open, of the organizations that are"
            " named, else of those that are configured."
        ),
    ] = Threshold.NEVER,
    wait_at_most: Annotated[
        float | None,
        typer.Option(
            metavar="DURATION",
            parser=_duration,
            help="How long a product that takes no requests (429) is waited for, such as 15m or 2h; by default 61m,"
            " its longest window and a minute. What is left is read by a later run.",
        ),
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="End at once when another run is in progress, instead of waiting for it.")
    ] = False,
) -> None:
    """Read both APIs, transform, check and publish; then print the summary."""
    settings = load_settings()
    with told_at_the_end(settings, ", ".join(sorted(organization or ())) or None):
        errors = execute_shown(
            settings,
            organizations=organization or (),
            full=full,
            agreed=Consent(tuple(accept_deletions or ()), tuple(source.value for source in accept_organization or ())),
            only=only,
            wait=not no_wait,
            wait_at_most=wait_at_most,
        )
    if only is not Part.INGEST:
        show(settings.published_path, terminal())
    if errors:
        raise RunFailed(" ".join(errors))
    slugs = organization or settings.slugs
    if fail_on.severities and (found := open_exceptions(settings.published_path, fail_on.severities, slugs)):
        raise ExceptionsOpen(f"{found:,} exceptions of severity {' or '.join(fail_on.severities)} are open.")


def execute_shown(
    settings: Settings,
    *,
    organizations: Sequence[str] = (),
    full: bool = False,
    agreed: Consent = NOTHING,
    only: Part | None = None,
    wait: bool = True,
    wait_at_most: float | None = None,
) -> tuple[str, ...]:
    """One run, shown as it goes. Returns what could not be read; raises `RunFailed` when nothing was published."""
    chosen(settings, organizations)
    with stoppable(), turn.taken(settings, wait=wait, on_wait=_say_that_it_waits):
        return _execute_shown(
            settings,
            organizations=organizations,
            full=full,
            agreed=agreed,
            only=only,
            wait_at_most=wait_at_most,
        )


def _say_that_it_waits() -> None:
    terminal().print("Another run is in progress: this one waits for its end and then goes (Ctrl-C gives up).")


def _execute_shown(settings: Settings, **options: Any) -> tuple[str, ...]:
    log = settings.state_path / "logs" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.log"
    with chatter_kept_in(log) as console:
        _wait_for_the_dead(settings.warehouse_path)
        if options["only"] is not Part.INGEST:
            publishing.check(settings.published_path)
        with console.status("Loading") if console.is_terminal else nullcontext():
            # Dagster and dbt take seconds to load: not before there is something to run.
            from orchestration.pipeline import execute
        with watching(console):
            finished = execute(**options)
    for note in finished.notes:
        say_note(note)
    if not finished.did_its_work:
        raise RunFailed(f"{' '.join(finished.errors) or 'The run failed.'} (log: {log})")
    return finished.errors


def _wait_for_the_dead(path: Path) -> None:
    """Raises `WarehouseLocked` when the warehouse stays in use: dbt outlives a killed run by a moment."""
    for attempt in stamina.retry_context(on=WarehouseLocked, timeout=5, attempts=None, wait_initial=0.5, wait_max=0.5):
        with attempt:
            warehouse.check(path)
