"""The walls between the packages stand, and a breach is seen."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def lint_imports(checkout: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"], cwd=checkout, capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for package in ("ingestion", "orchestration"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_walls_stand(checkout: Path) -> None:
    answer = lint_imports(checkout)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        ("ingestion/sources.py", "import dagster"),
        ("ingestion/reading.py", "import dbt.cli.main"),
        ("ingestion/rows.py", "from orchestration import instance"),
        ("ingestion/sandbox/server.py", "from ingestion import columns"),
        ("ingestion/settings.py", "from ingestion.sandbox import faults"),
        ("orchestration/pipeline.py", "from ingestion.sandbox import running"),
    ],
)
def test_a_breach_is_seen(checkout: Path, module: str, statement: str) -> None:
    path = checkout / module
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{statement}\n", encoding="utf-8")
    answer = lint_imports(checkout)
    assert answer.returncode == 1, answer.stdout
    assert "BROKEN" in answer.stdout


def test_the_sandbox_is_walled_off_from_every_module() -> None:
    beside = {
        f"ingestion.{path.stem}"
        for path in (ROOT / "ingestion").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    forbidden = next(c["forbidden_modules"] for c in contracts if c.get("source_modules") == ["ingestion.sandbox"])
    assert set(forbidden) == beside - {"ingestion.sandbox"}


def test_transform_holds_no_python() -> None:
    assert not [path for path in (ROOT / "transform").rglob("*.py") if "target" not in path.parts]
