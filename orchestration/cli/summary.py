"""`tieout summary`: the state of the reconciliation, for somebody who closes the books."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingestion.plain_text import line, plain
from orchestration.cli.formats import Format, write_json
from orchestration.cli.published_file import published_file
from orchestration.cli.terminal import STYLES, money, table, terminal, words
from orchestration.summary import (
    Backfill,
    Cause,
    Days,
    Entity,
    EventType,
    Exceptions,
    Money,
    Read,
    Status,
    Summary,
    seed_problems,
    summaries,
)


def summary(
    format_: Annotated[Format, typer.Option("--format", help="json is for scripts.")] = Format.TABLE,
) -> None:
    """Print what the published file says: what is linked, waiting or wrong, and what it is worth."""
    published = published_file()
    if format_ is Format.JSON:
        write_json(summaries(published))
    else:
        show(published, terminal())


def show(published: Path, console: Console) -> None:
    """The summary of every organization."""
    for organization in summaries(published):
        _show(plain(organization), console)
    for problem in seed_problems(published):
        console.print(Text(line(problem), STYLES["warn"]))


def _show(found: Summary, console: Console) -> None:
    console.print()
    console.rule(Text(found.organization, "bold"), align="left")
    for entity in found.entities:
        console.print(_entity(entity))
    if found.exceptions:
        console.print(_exceptions(found.exceptions))
    if found.causes:
        console.print(_causes(found.causes))
    for said in (*_days(found.days), *_backfill(found.backfill), *_link_key(found)):
        console.print()
        console.print(said)
    for said in (*_reads(found.reads), *_payloads(found), _event_types(found.event_types)):
        console.print(said)


def _entity(entity: Entity) -> Table:
    shown = table(f"\n{words(entity.name).capitalize()}s, {_as_of(entity.as_of)}")
    shown.add_column("", min_width=48)
    for heading in ("records", "share", "money"):
        shown.add_column(heading, justify="right")
    groups: dict[str, list[Status]] = defaultdict(list)
    for status in entity.statuses:
        groups[status.group].append(status)
    for group, statuses in groups.items():
        shown.add_row(Text(group, "bold"), *_figures(statuses), style="bold")
        for status in statuses:
            shown.add_row(Text(f"  {status.title}", STYLES.get(status.severity or "", "")), *_figures([status]))
    return shown


def _figures(statuses: list[Status]) -> Iterator[str]:
    yield f"{sum(status.records for status in statuses):,}"
    yield f"{sum((status.share for status in statuses), Decimal()):.1%}"
    amounts = [status.amount for status in statuses if status.amount is not None]
    yield money(sum(amounts, Decimal()) if len(amounts) == len(statuses) else None)


def _exceptions(exceptions: tuple[Exceptions, ...]) -> Table:
    shown = table("\nExceptions")
    shown.add_column("", min_width=15)
    for heading in ("errors", "warnings", "notes", "open in all", "at stake", "waived", "resolved"):
        shown.add_column(heading, justify="right")
    for entity in exceptions:
        still_open = [f"{count:,}" for count in (entity.error, entity.warn, entity.info, entity.open)]
        past = [f"{count:,}" for count in (entity.waived, entity.resolved)]
        shown.add_row(f"{words(entity.entity)}s", *still_open, money(entity.amount_at_stake), *past)
    return shown


def _causes(causes: tuple[Cause, ...]) -> Table:
    shown = table("\nWhat to do first")
    shown.add_column("what", max_width=44)
    shown.add_column("open", justify="right")
    shown.add_column("at stake", justify="right")
    shown.add_column("recommended action", overflow="fold")
    for cause in causes:
        what = Text(f"{words(cause.entity).capitalize()}: {cause.title}", STYLES.get(cause.severity, ""))
        shown.add_row(what, f"{cause.records:,}", money(cause.amount), cause.recommended_action)
    return shown


def _days(days: Days) -> Iterator[Text]:
    if days.unbalanced:
        latest = days.latest_unbalanced or "without a date"
        yield Text(
            f"Days: {days.compared - days.unbalanced:,} of {days.compared:,} balance between Raise and CRM+;"
            f" {days.unbalanced:,} do not, the latest {latest}, by {_sums(days.unexplained)} in all"
        )
    elif days.compared:
        yield Text(f"Days: all {days.compared:,} balance between Raise and CRM+")


def _backfill(backfill: Backfill) -> Iterator[Text]:
    if backfill.gifts:
        yield Text(
            f"Backfill: {backfill.gifts:,} gifts ({_sums(backfill.amounts)}) were made while their campaign did not"
            " sync, and it syncs again; marts.backfill_candidates lists them"
        )


def _link_key(found: Summary) -> Iterator[Text]:
    yield from (Text(said) for said in (found.link_key_note, found.suggestion) if said)


def _sums(sums: Iterable[Money]) -> str:
    return ", ".join(f"{money(one.amount)} {one.currency or ''}".rstrip() for one in sums)


def _reads(reads: tuple[Read, ...]) -> Iterator[Text]:
    by_source: dict[str, list[Read]] = defaultdict(list)
    for read in reads:
        by_source[read.source].append(read)
    yield Text("\nReads", "bold")
    for source, found in by_source.items():
        complete = [read for read in found if read.is_complete]
        latest = max((read.finished_at for read in found if read.finished_at), default=None)
        yield Text(f"{source}: {len(complete)} of {len(found)} resources read completely, last {_instant(latest)}")
        for read in found:
            if not read.is_complete:
                of_total = f" of {read.api_total:,}" if read.api_total is not None else ""
                reason = f": {read.error}" if read.error else ""
                yield Text(f"  {read.resource}: {read.rows_read:,}{of_total} rows{reason}", "yellow")


def _payloads(found: Summary) -> Iterator[Text]:
    yield from (Text(said, "yellow") for said in (found.payloads.notes if found.payloads else ()))


def _event_types(event_types: tuple[EventType, ...]) -> Text:
    by_status: dict[str, list[EventType]] = defaultdict(list)
    for event_type in event_types:
        by_status[event_type.status].append(event_type)
    documented = [event_type for event_type in event_types if event_type.hypothesis_label is not None]
    text = Text.assemble(
        ("\nWebhook event types\n", "bold"),
        f"{len(by_status['confirmed'])} of {len(documented)} confirmed by the delivery log",
    )
    for status, style in (
        ("contradicted", "red"),
        ("ambiguous", "yellow"),
        ("undocumented", "yellow"),
        ("unobserved", ""),
    ):
        if by_status[status]:
            text.append(f"\n{status}: {', '.join(map(_event_type, by_status[status]))}", style)
    return text


def _event_type(event_type: EventType) -> str:
    expected, seen = event_type.hypothesis_label, event_type.observed_label
    if seen is None:
        return str(event_type.event_type)
    return f"{event_type.event_type} (“{seen}”{f', expected {expected}' if expected else ''})"


def _as_of(instant: datetime | None) -> str:
    return f"as of {_instant(instant)}" if instant else "not read completely yet"


def _instant(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC" if instant else "never"
