"""What Dagster is told: the graph from the APIs to the readers' file, and what the commands are called."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.metadata import TableMetadataSet
from dagster._core.storage.tags import PRIORITY_TAG

from ingestion.sources import SOURCES

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


@pytest.fixture(scope="module")
def specs(defs: dg.Definitions) -> dict[dg.AssetKey, dg.AssetSpec]:
    return {spec.key: spec for spec in defs.resolve_all_asset_specs()}


def upstream(specs: dict[dg.AssetKey, dg.AssetSpec], key: dg.AssetKey) -> set[dg.AssetKey]:
    found: set[dg.AssetKey] = set()
    waiting = [key]
    while waiting:
        parents = {dep.asset_key for dep in specs[waiting.pop()].deps}
        waiting.extend(parents - found)
        found |= parents
    return found


def test_no_run_configuration_changes_more_than_the_options(defs: dg.Definitions) -> None:
    """Whoever reaches the UI writes it: it must not say what program is executed, and not what is deleted."""
    job = defs.resolve_job_def("reconcile")
    options = {"organizations": ["default"], "full": True, "payloads": False, "wait_at_most": 1.0}
    assert dg.validate_run_config(job, {"resources": {"options": {"config": options}}})
    for resource, config in {
        "transformer": {"dbt_executable": "/bin/sh", "global_config_flags": ["-c", "true"], "project_dir": "."},
        "loader": {"pipeline": "x"},
        "turn": {"on_wait": "x"},
        "options": {"accept_deletions": ["raise.gifts"], "accept_organization": ["raise"]},
    }.items():
        for name, value in config.items():
            with pytest.raises(dg.DagsterInvalidConfigError):
                dg.validate_run_config(job, {"resources": {resource: {"config": {name: value}}}})
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(job, {"ops": {"transform": {"config": {"dbt": "/bin/sh"}}}})


def test_the_definitions_can_be_executed(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


@pytest.mark.parametrize(
    ("organizations", "partitions"), [("[north]\n[south]\n", "['north', 'south']"), ("[north", "None")]
)
@pytest.mark.usefixtures("defs")
def test_the_definitions_load_with_wrong_settings(
    tmp_path: Path, nowhere: Path, organizations: str, partitions: str
) -> None:
    (tmp_path / "o.toml").write_text(organizations)
    wrong = {"ORGANIZATIONS_FILE": str(tmp_path / "o.toml"), "PII_MODE": "blur", "RAISE_BASE_URL": "nonsense"}
    wrong |= {"WAREHOUSE_PATH": str(nowhere)}
    code = (
        "from orchestration.definitions import defs\n"
        "job = defs.resolve_job_def('reconcile')\n"
        "print(job.partitions_def and list(job.partitions_def.get_partition_keys()))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **wrong}, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines()[-1] == partitions


def test_every_asset_says_what_it_is(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    assert [key for key, spec in specs.items() if not spec.description] == []


def test_every_check_says_what_it_means(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    assert [key for key in graph.asset_check_keys if not graph.get_check_spec(key).description] == []


def test_every_asset_that_is_read_is_an_asset(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    missing = {dep.asset_key for spec in specs.values() for dep in spec.deps} - specs.keys()
    assert not missing, "a dbt source has no raw table behind it"


def test_every_raw_table_comes_from_its_api(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    for source in ("raise", "crm_plus"):
        raw = [spec for key, spec in specs.items() if key.path[0] == f"raw_{source}"]
        assert raw
        assert all({dep.asset_key for dep in spec.deps} == {dg.AssetKey(f"{source}_api")} for spec in raw)


def test_raise_is_read_before_crm_plus(defs: dg.Definitions) -> None:
    """A key that Raise shows was made in CRM+ before; read the other way round, it would seem to lead nowhere."""
    steps = defs.resolve_job_def("reconcile").graph.node_dict
    priorities = [int(steps[f"ingest_{source}"].definition.tags[PRIORITY_TAG]) for source in SOURCES]
    assert SOURCES == ("raise", "crm_plus")
    assert priorities == sorted(priorities, reverse=True)
    assert len(set(priorities)) == len(priorities)


def test_the_published_file_comes_from_both_apis(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    assert {dg.AssetKey("raise_api"), dg.AssetKey("crm_plus_api")} <= upstream(specs, dg.AssetKey("published"))


def test_every_mart_is_published(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    marts = {key for key in specs if key.path[0] == "marts"}
    assert marts == {dep.asset_key for dep in specs[dg.AssetKey("published")].deps}


def test_every_asset_that_opens_the_warehouse_waits_for_its_turn(defs: dg.Definitions) -> None:
    steps = {
        node.name: node.definition.pool
        for node in defs.resolve_job_def("reconcile").graph.nodes
        if isinstance(node.definition, dg.OpDefinition)
    }
    names = ("ingest_raise", "ingest_crm_plus", "transform", "verdict", "published")
    assert steps == dict.fromkeys(names, "warehouse")


def test_the_promise_to_read_every_row_again_is_checked_on_both_sources(defs: dg.Definitions) -> None:
    checks = {key for key in defs.resolve_asset_graph().asset_check_keys if key.name == "read_again_in_time"}
    assert {key.asset_key for key in checks} == {
        dg.AssetKey([dataset, "read_progress"]) for dataset in ("raw_raise", "raw_crm_plus")
    }


def test_every_asset_has_a_group_and_a_kind_and_no_owner_that_nobody_is(
    specs: dict[dg.AssetKey, dg.AssetSpec],
) -> None:
    assert [key for key, spec in specs.items() if not (spec.kinds and spec.group_name)] == []
    assert [key for key, spec in specs.items() if spec.owners] == []


def test_no_description_shows_raw_sql(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    assert [key for key, spec in specs.items() if "```" in (spec.description or "")] == []


def test_no_two_assets_are_one_table(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    """Dagster links assets whose tables have the same name: the gifts of the two products are not the same."""
    tables: dict[str, set[dg.AssetKey]] = {}
    for key, spec in specs.items():
        if table := TableMetadataSet.extract_normalized_table_name(spec.metadata):
            tables.setdefault(table, set()).add(key)
    assert "raw_raise.gifts" in tables
    assert {table: keys for table, keys in tables.items() if len(keys) > 1} == {}


def test_the_job_is_the_whole(defs: dg.Definitions) -> None:
    whole = defs.resolve_asset_graph().materializable_asset_keys
    assert defs.resolve_job_def("reconcile").asset_layer.executable_asset_keys == whole


def test_every_make_target_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)\b", "\n".join(code_of(README.read_text(encoding="utf-8")))))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= named
    assert named <= targets


def test_help_lists_every_command_that_the_readme_names() -> None:
    named = set(re.findall(r"\btieout ([a-z]+)\b", "\n".join(code_of(README.read_text(encoding="utf-8")))))
    shown = subprocess.run(
        [sys.executable, "-c", "from orchestration.cli import main; main()", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    commands = set(re.findall(r"^│ ([a-z]+) ", shown, re.MULTILINE))
    assert named
    assert named <= commands


def code_of(markdown: str) -> list[str]:
    """The fenced blocks and the spans of code."""
    fenced = re.findall(r"^```.*?$(.*?)^```", markdown, re.MULTILINE | re.DOTALL)
    return [*fenced, *re.findall(r"`([^`\n]+)`", markdown)]
