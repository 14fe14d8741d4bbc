"""What the commands share: the two streams, one-line errors, and keeping the tools' chatter out of both."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingestion.plain_text import line

STYLES = {"error": "red", "warn": "yellow", "info": "cyan"}
"""How each severity looks."""


def prepare_streams() -> None:
    """Before anything is written: what the terminal cannot show is written as an escape, and stops nothing."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        elif stream is None:
            # Closed by whoever started us (`>&-`): the next file to be opened would take its place.
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            setattr(sys, "stdout" if number == 1 else "stderr", os.fdopen(number, "w", closefd=False))


def give_up_output() -> None:
    """Once standard output takes nothing more. Python would complain once more when it closes the stream."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def terminal() -> Console:
    """Where results go. Rich respects NO_COLOR and writes plain text where there is no terminal."""
    return _console(soft_wrap=not sys.stdout.isatty())


def _console(**options: Any) -> Console:
    # A name such as [red]River[/red] or :skull: is that name.
    return Console(markup=False, emoji=False, highlight=False, **options)


def say_error(message: str) -> None:
    """One line on stderr."""
    _say(("Error: ", "bold red"), message)


def say_warning(message: str) -> None:
    """The same for what does not fail the command."""
    _say(("Warning: ", "bold yellow"), message)


def say_note(message: str) -> None:
    """The same for what is as it is, and worth knowing."""
    _say(("Note: ", "bold"), message)


def _say(head: tuple[str, str], message: str) -> None:
    _console(stderr=True, soft_wrap=True).print(Text.assemble(head, line(message)))


def table(title: str, *, heading: bool = True) -> Table:
    """A table as all commands print it."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        show_header=heading,
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )


def money(amount: Decimal | None) -> str:
    """An amount for people; a dash where there is none."""
    return f"{amount:,.2f}" if amount is not None else "–"


def words(name: str) -> str:
    """`recurring_gift` -> `recurring gift`."""
    return name.replace("_", " ")


@contextmanager
def chatter_kept_in(log: Path) -> Iterator[Console]:
    """Sends everything that this process and its children print into a file; yields the terminal itself.

    At the level of file descriptors: Dagster, dlt and dbt print from loggers, from threads and from other processes.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    is_terminal = sys.stdout.isatty()
    sys.stdout.flush()
    sys.stderr.flush()
    with _open(os.dup(1)) as out, _open(os.dup(2)) as err, log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield _console(file=out, soft_wrap=not is_terminal)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            out.flush()
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)


def _open(descriptor: int) -> TextIO:
    """In the terminal's encoding, which may not hold everything."""
    return os.fdopen(descriptor, "w", encoding=sys.stdout.encoding, errors="backslashreplace")
