"""`tieout labels`: what the log has proved about the webhook event types, and what to do next."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ingestion.plain_text import plain
from orchestration.cli.formats import FORMAT_HELP, TabularFormat, write_csv, write_json
from orchestration.cli.published_file import published_file
from orchestration.cli.terminal import table, terminal
from orchestration.labels import FIELDS, EventTypeLabels, event_type_labels

_STYLES = {"confirmed": "green", "contradicted": "red", "ambiguous": "yellow", "undocumented": "yellow"}
# A cell of a spreadsheet holds no list.
_CSV_FIELDS = [field for field in FIELDS if field != "labels"]


def labels(
    format_: Annotated[TabularFormat, typer.Option("--format", help=FORMAT_HELP)] = TabularFormat.TABLE,
) -> None:
    """Print what the delivery log calls each webhook event type, and what to do about those that are not confirmed."""
    found = event_type_labels(published_file())
    if format_ is TabularFormat.JSON:
        write_json(found)
    elif format_ is TabularFormat.CSV:
        write_csv(_CSV_FIELDS, ([getattr(each, field) for field in _CSV_FIELDS] for each in found))
    else:
        show(found, terminal())


def show(found: Iterable[EventTypeLabels], console: Console) -> None:
    """A table for each organization."""
    for organization, of_organization in groupby(plain(list(found)), key=lambda each: each.organization):
        console.print()
        console.rule(Text(organization, "bold"), align="left")
        shown = table("")
        shown.add_column("type", justify="right")
        shown.add_column("status")
        shown.add_column("seen in the log", overflow="fold")
        shown.add_column("rows", justify="right")
        shown.add_column("hypothesis", overflow="fold")
        shown.add_column("next step", overflow="fold")
        for each in of_organization:
            shown.add_row(
                str(each.event_type),
                Text(each.status, _STYLES.get(each.status, "")),
                Text(_seen(each)),
                f"{each.observations:,}",
                each.hypothesis_label or "",
                Text(each.next_step),
            )
        console.print(shown)


def _seen(each: EventTypeLabels) -> str:
    if len(each.labels) < 2:
        return each.observed_label or "–"
    return "; ".join(
        f"{label.label} ({_days(label.first_observed_at, label.last_observed_at)})" for label in each.labels
    )


def _days(first: datetime | None, last: datetime | None) -> str:
    if first is None or last is None:
        return "at an unknown time"
    return f"{first:%Y-%m-%d}" if first.date() == last.date() else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
