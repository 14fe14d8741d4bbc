"""Everything that Dagster is told, as text that reads well as a diff. Prints it; `make snapshot` keeps it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "tests/contract/definitions.txt"


def described(defs: dg.Definitions) -> str:
    """Assets with their checks, jobs, schedules and sensors, one paragraph each, in order."""
    paragraphs = [*_assets(defs), *_jobs(defs), *_schedules(defs), *_sensors(defs)]
    return "\n\n".join("\n  ".join(lines) for lines in sorted(paragraphs)) + "\n"


def _assets(defs: dg.Definitions) -> Iterator[list[str]]:
    graph = defs.resolve_asset_graph()
    checks: dict[dg.AssetKey, list[str]] = defaultdict(list)
    for key in graph.asset_check_keys:
        checks[key.asset_key].append(f"check {key.name}{', blocks' if graph.get_check_spec(key).blocking else ''}")
    for spec in defs.resolve_all_asset_specs():
        yield [
            f"asset {spec.key.to_user_string()}",
            f"group {spec.group_name}; kinds {_list(spec.kinds)}; owners {_list(spec.owners)}; tags {_tags(spec.tags)}",
            f"pool {_list(graph.get(spec.key).pools or ())}; partitions {_partitions(spec.partitions_def)}",
            f"fresh {_freshness(spec.freshness_policy)}",
            *sorted(f"from {dep.asset_key.to_user_string()}" for dep in spec.deps),
            *sorted(checks[spec.key]),
        ]


def _jobs(defs: dg.Definitions) -> Iterator[list[str]]:
    for job in defs.resolve_all_job_defs():
        # One that Dagster makes for itself.
        if job.name.startswith("__"):
            continue
        nodes = [node for node in job.graph.nodes if isinstance(node.definition, dg.OpDefinition)]
        yield [
            f"job {job.name}",
            f"executor {job.executor_def.name}; partitions {_partitions(job.partitions_def)}",
            f"assets {len(job.asset_layer.executable_asset_keys)}",
            *sorted(f"step {node.name}; pool {node.definition.pool or 'none'}" for node in nodes),
        ]


def _schedules(defs: dg.Definitions) -> Iterator[list[str]]:
    for schedule in defs.get_repository_def().schedule_defs:
        yield [
            f"schedule {schedule.name}",
            f"job {schedule.job_name}; {schedule.cron_schedule} {schedule.execution_timezone or 'UTC'};"
            f" {schedule.default_status.value.lower()}",
        ]


def _sensors(defs: dg.Definitions) -> Iterator[list[str]]:
    for sensor in defs.get_repository_def().sensor_defs:
        yield [
            f"sensor {sensor.name}",
            f"{sensor.sensor_type.value.lower()}; jobs {_list(target.job_name for target in sensor.targets)};"
            f" every {sensor.minimum_interval_seconds or 'usual'} seconds; {sensor.default_status.value.lower()}",
        ]


def _freshness(policy: dg.FreshnessPolicy | None) -> str:
    if policy is None:
        return "none"
    windows: Any = policy
    warn = windows.warn_window.to_timedelta() if windows.warn_window else "never"
    return f"warn after {warn}, fail after {windows.fail_window.to_timedelta()}"


def _partitions(partitions: dg.PartitionsDefinition[Any] | None) -> str:
    return getattr(partitions, "name", None) or type(partitions).__name__ if partitions else "none"


def _tags(tags: Any) -> str:
    return _list(f"{name}={value}" for name, value in tags.items() if not name.startswith("dagster/"))


def _list(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"


def main() -> None:
    """Of the definitions as they are without any setting. A warehouse's path, where one is given, saves the parse."""
    with tempfile.TemporaryDirectory() as folder:
        warehouse = sys.argv[1] if len(sys.argv) > 1 else f"{folder}/w.duckdb"
        for name in set(os.environ) - {"PATH", "LANG", "PYTHONPATH"}:
            del os.environ[name]
        os.environ.update(HOME=folder, DAGSTER_HOME=f"{folder}/dagster", WAREHOUSE_PATH=warehouse)
        # A `.env` here would be read.
        os.chdir(folder)
        from orchestration.definitions import defs

        sys.stdout.write(described(defs))


if __name__ == "__main__":
    main()
