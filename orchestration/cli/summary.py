"""`tieout summary`: the state of the reconciliation, for somebody who closes the books."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingestion.settings import Settings, load_settings
from orchestration.cli.terminal import terminal
from orchestration.summary import Cause, Entity, EventType, Read, Status, Summary, summaries

_STYLES = {"error": "red", "warn": "yellow", "info": "cyan"}


def summary() -> None:
    """Print what the published file says: what is linked, waiting or wrong, and what it is worth."""
    show(load_settings(), terminal())


def show(settings: Settings, console: Console) -> None:
    """The summary of every organization."""
    for organization in summaries(settings.published_path):
        _show(organization, console)


def _show(found: Summary, console: Console) -> None:
    console.print()
    console.rule(Text(found.organization, "bold"), align="left")
    for entity in found.entities:
        console.print(_entity(entity))
    if found.causes:
        console.print(_causes(found.causes))
    for line in (*_reads(found.reads), _event_types(found.event_types)):
        console.print(line)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))


def _entity(entity: Entity) -> Table:
    table = _table(f"\n{_words(entity.name).capitalize()}s, {_as_of(entity.as_of)}")
    table.add_column("", min_width=48)
    for heading in ("records", "share", "money"):
        table.add_column(heading, justify="right")
    groups: dict[str, list[Status]] = defaultdict(list)
    for status in entity.statuses:
        groups[status.group].append(status)
    for group, statuses in groups.items():
        table.add_row(Text(group, "bold"), *_figures(statuses), style="bold")
        for status in statuses:
            table.add_row(Text(f"  {status.title}", _STYLES.get(status.severity or "", "")), *_figures([status]))
    return table


def _figures(statuses: list[Status]) -> Iterator[str]:
    yield f"{sum(status.records for status in statuses):,}"
    yield f"{sum((status.share for status in statuses), Decimal()):.1%}"
    yield _money(sum((status.amount for status in statuses), Decimal()))


def _causes(causes: tuple[Cause, ...]) -> Table:
    table = _table("\nWhat to do first")
    table.add_column("what", max_width=44)
    table.add_column("open", justify="right")
    table.add_column("at stake", justify="right")
    table.add_column("recommended action", overflow="fold")
    for cause in causes:
        what = Text(f"{_words(cause.entity).capitalize()}: {cause.title}", _STYLES.get(cause.severity, ""))
        table.add_row(what, f"{cause.records:,}", _money(cause.amount), cause.recommended_action)
    return table


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


def _money(amount: Decimal | None) -> str:
    return f"{amount:,.2f}" if amount is not None else "–"


def _words(name: str) -> str:
    return name.replace("_", " ")
