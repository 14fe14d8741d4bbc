"""Every error that a user can meet is in the docs with its mend."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import ingestion
import orchestration
from ingestion.errors import SourceError, TieoutError

DOCS = Path(__file__).parents[2] / "docs/errors.md"
# What others derive from, and what is told with the summary itself.
NOT_MET = {"TieoutError", "SourceError", "RunFailed", "ExceptionsOpen"}


def errors(base: type[TieoutError] = TieoutError) -> set[str]:
    return {base.__name__}.union(*(errors(kind) for kind in base.__subclasses__()))


def test_the_list_of_errors_is_complete() -> None:
    for package in (ingestion, orchestration):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    listed = set(re.findall(r"^\| `(\w+)`", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert listed == {name for name in errors() if not name.startswith("_")} - NOT_MET


def test_every_listed_error_has_a_mend() -> None:
    rows = [line.split("|") for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert all(len(row) == 5 and row[3].strip() for row in rows if row[1].strip() not in ("error", ""))


def test_every_source_error_says_what_to_do() -> None:
    assert all(kind.__doc__ for kind in SourceError.__subclasses__())
