"""`tieout exceptions`: what needs somebody, the worst first."""

from collections.abc import Sequence
from dataclasses import astuple
from itertools import groupby
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingestion.plain_text import plain
from orchestration.cli.formats import FORMAT_HELP, TabularFormat, write_csv, write_json
from orchestration.cli.published_file import published_file
from orchestration.cli.terminal import STYLES, money, table, terminal, words
from orchestration.register import FIELDS, Entry, RecordKind, State, entries


def exceptions(
    entity: Annotated[RecordKind | None, typer.Option(help="Only exceptions of these records.")] = None,
    code: Annotated[str | None, typer.Option(help="Only this kind of exception, such as missing.")] = None,
    state: Annotated[State, typer.Option(help="Where the exceptions stand.")] = State.OPEN,
    organization: Annotated[str | None, typer.Option(help="Only this organization.")] = None,
    format_: Annotated[TabularFormat, typer.Option("--format", help=FORMAT_HELP)] = TabularFormat.TABLE,
) -> None:
    """List the exceptions of the published file, by severity and the money at stake."""
    found = entries(published_file(), organization=organization, entity=entity, code=code, state=state)
    if format_ is TabularFormat.JSON:
        write_json(found)
    elif format_ is TabularFormat.CSV:
        write_csv(FIELDS, map(astuple, found))
    else:
        show(found, terminal())


def show(found: Sequence[Entry], console: Console) -> None:
    """One table per severity, and what to do about each kind."""
    found = plain(list(found))
    if not found:
        console.print("No exceptions.")
        return
    has_several = len({entry.organization for entry in found}) > 1
    for severity, group in groupby(found, key=lambda entry: entry.severity or "unknown severity"):
        console.print(_table(severity, list(group), has_several=has_several))
    actions = table("\nWhat to do", heading=False)
    actions.add_column(overflow="fold")
    actions.add_column(overflow="fold")
    for kind, action in dict.fromkeys((_kind(entry), entry.recommended_action or "–") for entry in found):
        actions.add_row(kind, action)
    console.print(actions)
    console.print("\nWhy, record by record: --format csv or --format json")


def _table(severity: str, found: Sequence[Entry], *, has_several: bool) -> Table:
    # No sum of money: a donor's and that of the donor's gifts are the same.
    shown = table(f"\n{severity}: {len(found):,}")
    if has_several:
        shown.add_column("organization", overflow="fold")
    shown.add_column("what", overflow="fold")
    for heading in ("Raise", "CRM+", "at stake", "days"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for entry in found:
        shown.add_row(
            *([entry.organization] if has_several else []),
            Text(_kind(entry), STYLES.get(severity, "")),
            *(str(key) if key is not None else "–" for key in (entry.raise_id, entry.crm_id)),
            money(entry.amount_at_stake),
            str(entry.age_days),
        )
    return shown


def _kind(entry: Entry) -> str:
    return f"{words(entry.entity)} {entry.code}"
