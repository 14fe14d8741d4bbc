"""How results are written for scripts. Part of the public interface: see the README."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TextIO

from ingestion.masking import masked
from ingestion.plain_text import cell

FORMAT_HELP = (
    "csv and json have all fields, for scripts and spreadsheets. In csv a text that a spreadsheet would run as a"
    " formula begins with an apostrophe."
)


class Format(StrEnum):
    """What a result is printed as."""

    TABLE = "table"
    JSON = "json"


class TabularFormat(StrEnum):
    """The same for a list."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def write_json(found: object) -> None:
    """Dataclasses as objects, money as text with its cents, instants in UTC as ISO text."""
    text = masked(json.dumps(found, default=_plain, ensure_ascii=False, indent=2))
    _as_utf8().writelines(f"{_escaped(part)}\n" for part in text.split("\n"))


def write_csv(fields: Sequence[str], found: Iterable[Sequence[object]]) -> None:
    """A header and one line each, after RFC 4180 but with plain line ends; nothing stands for null.

    Spreadsheets run no text: see `plain_text.cell`.
    """
    writer = csv.writer(_as_utf8(), lineterminator="\n")
    writer.writerow(fields)
    writer.writerows([_plain(cell(value)) for value in row] for row in found)


def _escaped(part: str) -> str:
    """JSON in which a terminal finds nothing to obey: it has escapes for everything, and nothing is lost."""
    return part if part.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in part)


def _as_utf8() -> TextIO:
    """Standard output for programs, which count on UTF-8 whatever a terminal could show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    return sys.stdout


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    # As a JSON number it would be read as a binary fraction.
    return str(value) if isinstance(value, Decimal) else value
