"""The long runs that `make` knows and CI does not do: what they import is there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SCRIPTS = sorted(Path(__file__).parents[1].glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_what_is_imported_is_there(script: Path) -> None:
    """Also what is imported within a function, where nobody notices until it is called."""
    imports = [node for node in ast.walk(ast.parse(script.read_text())) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if (node.module or "").split(".")[0] in ("ingestion", "orchestration", "tests")]
    for node in ours:
        exec(compile(ast.Module([node], []), script, "exec"), {})
