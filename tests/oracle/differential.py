"""Random organizations through one dbt build, compared row by row with the second reading of the contract."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer

from tests.building import BUILD, PROJECT
from tests.oracle.contract import differences
from tests.oracle.organization import Organization, Row, write
from tests.oracle.worlds import organizations

MARTS = ("donors", "gifts", "recurring_gifts")
Key = tuple[int | None, int | None]


def build(folder: Path, of: list[Organization]) -> Path:
    """The warehouse of the organizations, built by dbt from a copy of the project that knows their overrides."""
    warehouse = folder / "warehouse.duckdb"
    write(of, warehouse)
    project = folder / "transform"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    with (project / "seeds" / "match_overrides.csv").open("a", newline="") as seed:
        lines = csv.writer(seed, lineterminator="\n")
        for o in of:
            lines.writerows(
                [o.name, raise_id, crm_id, "decided", "somebody"] for crm_id, raise_id in o.overrides.items()
            )
    dbt = Path(sysconfig.get_path("scripts")) / "dbt"
    command = [str(dbt), "--quiet", *BUILD, "--project-dir", str(project), "--profiles-dir", str(project)]
    command += ["--target-path", str(folder / "target"), "--log-path", str(folder)]
    environment = os.environ | {"WAREHOUSE_PATH": str(warehouse), "HOME": str(folder)}
    finished = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return warehouse


def marts(warehouse: Path) -> dict[str, dict[str, dict[Key, Row]]]:
    """Rows of the three marts, by organization, entity and key."""
    found: dict[str, dict[str, dict[Key, Row]]] = defaultdict(lambda: {mart: {} for mart in MARTS})
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        for mart in MARTS:
            result = connection.execute(f"select * from marts.recon_{mart}")
            names = [column[0] for column in result.description]
            for values in result.fetchall():
                row = dict(zip(names, values, strict=True))
                key = (row["raise_id"], row["crm_id"] if row["raise_id"] is None else None)
                found[row["organization"]][mart][key] = row
    return found


def compare(of: list[Organization], warehouse: Path) -> Iterator[tuple[Organization, str, Key, str, Any, Any, Any]]:
    found = marts(warehouse)
    for organization in of:
        for entity, key, column, ours, theirs in differences(organization, found[organization.name]):
            row = found[organization.name][entity].get(key, {})
            yield organization, entity, key, column, ours, theirs, row.get("cause")


def main(
    folder: Annotated[Path, typer.Argument(help="An empty folder to work in.")],
    count: Annotated[int, typer.Option(help="How many organizations.")] = 400,
    seed: Annotated[int, typer.Option(help="Another seed, other organizations.")] = 1,
    examples: Annotated[int, typer.Option(help="Differences to show of each kind.")] = 2,
) -> None:
    of = organizations(seed, count)
    warehouse = folder / "warehouse.duckdb"
    if not warehouse.exists():
        folder.mkdir(parents=True, exist_ok=True)
        build(folder, of)
    kinds: Counter[str] = Counter()
    for organization, entity, key, column, ours, theirs, cause in compare(of, warehouse):
        kind = f"{entity}.{column}" + (f" {ours} | {theirs}" if column in ("status", "evidence", "confidence") else "")
        kinds[kind] += 1
        if kinds[kind] <= examples:
            print(f"{organization.name} {kind} {key}: contract {ours}, warehouse {theirs}: {cause}")
    for kind, number in kinds.most_common():
        print(f"{number:6} {kind}")
    statuses: Counter[str] = Counter()
    for per_organization in marts(warehouse).values():
        for entity, rows in per_organization.items():
            statuses.update(f"{entity}.{row['status']}" for row in rows.values())
    print(dict(sorted(statuses.items())))


if __name__ == "__main__":
    typer.run(main)
