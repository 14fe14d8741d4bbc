"""Every check is in the docs, with its severity and whether it stops publishing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy

from ingestion.settings import Settings
from orchestration.rules import MART_RULES, READING_RULES, MartRule, Rule, freshness_policy

ROOT = Path(__file__).parents[2]
ROWS = {
    row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:-1]]
    for row in (ROOT / "docs/checks.md").read_text(encoding="utf-8").splitlines()
    if row.startswith("| `")
}


@pytest.mark.parametrize("rule", [*READING_RULES, *MART_RULES], ids=lambda rule: rule.name)
def test_the_docs_tell_how_grave_a_breach_is(rule: Rule) -> None:
    on, _, severity, stops = ROWS[f"`{rule.name}`"]
    assert severity.split(";")[0] == rule.severity.value.lower()
    blocks = isinstance(rule, MartRule) and rule.blocks
    assert stops.startswith("**yes**" if blocks else "no")
    assert not isinstance(rule, MartRule) or rule.mart in on


def test_the_docs_name_no_other_checks() -> None:
    tests = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "transform").rglob("*.yml") if "target" not in path.parts
    )
    rules = {f"`{rule.name}`" for rule in (*READING_RULES, *MART_RULES)}
    assert all(f"name: {name.strip('`')}" in tests for name in ROWS.keys() - rules)


def test_tables_count_as_stale_by_the_strictest_threshold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def window() -> tuple[timedelta, timedelta | None]:
        policy = freshness_policy()
        assert isinstance(policy, TimeWindowFreshnessPolicy)
        return policy.fail_window.to_timedelta(), policy.warn_window and policy.warn_window.to_timedelta()

    # Without settings too: Dagster loads the definitions in any case.
    assert window() == (timedelta(hours=48), timedelta(hours=36))
    (tmp_path / "organizations.toml").write_text(
        '[north]\nraise_token_name = "NORTH"\n[south]\nraise_token_name = "SOUTH"\nstale_after_hours = 8\n'
    )
    monkeypatch.setenv("ORGANIZATIONS_FILE", "organizations.toml")
    monkeypatch.setenv("NORTH", "secret-north")
    monkeypatch.setenv("SOUTH", "secret-south")
    assert window() == (timedelta(hours=8), timedelta(hours=6))
