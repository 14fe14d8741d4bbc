"""Every error that a user can meet is in the docs with its mend."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
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


def texts(module: Path) -> Iterator[str]:
    """What a module of ingestion tells users, `…` for what differs."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        told: list[ast.expr] = []
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            is_error = called in {"super().__init__", "SettingsError"}
            is_setting = called == "ValueError" and module.stem == "settings"
            told = node.args[:1] if is_error or is_setting else []
        elif isinstance(node, ast.Assign) and re.search(r"\berror$", ast.unparse(node.targets[0])):
            told = [node.value]
        for text in told:
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            if any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in parts):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts)


def test_every_text_that_reading_can_tell_is_listed() -> None:
    rows = [row.split("|")[1] for row in DOCS.read_text(encoding="utf-8").splitlines() if row.startswith("| ")]
    listed = [re.sub(r"^`\w+`: ", "", row.strip()) for row in rows]
    patterns = [
        ".*".join(re.escape(piece.strip()) for piece in row.rstrip("….").split("…"))
        for row in listed
        if row.strip("… ")
    ]
    told = [text for module in Path(ingestion.__file__).parent.glob("*.py") for text in texts(module)]
    assert len(told) > 25
    # What pydantic or the database says has no text of ours.
    ours = [text for text in told if len(re.sub(r"[^a-z]", "", text)) > 8]
    assert [text for text in ours if not any(re.search(pattern, text) for pattern in patterns)] == []


def test_every_source_error_says_what_to_do() -> None:
    assert all(kind.__doc__ for kind in SourceError.__subclasses__())
