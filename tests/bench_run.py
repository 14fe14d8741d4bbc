"""What a run of a small organization costs when nothing has changed, and where the time goes.

    python -m tests.bench_run [--repeat 3]

`tieout run` as a user calls it, the start of every process included: once to read everything, once more so that all is
warm, then as often as told. The median run is shown, part by part.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ingestion.sandbox import running
from orchestration.instance import open_instance

_WARMING = 2


@dataclass(frozen=True)
class Run:
    """Seconds of the whole, and of its parts in their order."""

    total: float
    parts: dict[str, float]


def timed(folder: Path, environment: dict[str, str]) -> Run:
    """One run, from the start of its process to its end."""
    began = time.time()
    subprocess.run(
        [Path(sys.executable).with_name("tieout"), "run"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    ended = time.time()
    with open_instance() as instance:
        (record,) = instance.get_run_records(limit=1)
        steps = {step.step_key: step for step in instance.get_run_step_stats(record.dagster_run.run_id)}
    seconds = {name: (step.end_time or 0) - (step.start_time or 0) for name, step in steps.items()}
    results = json.loads((folder / "data/warehouse.state/dbt/run/run_results.json").read_text())
    nodes: Counter[str] = Counter()
    for result in results["results"]:
        nodes["dbt: tests" if result["unique_id"].startswith("test.") else "dbt: seeds, snapshot, models"] += result[
            "execution_time"
        ]
    named = {
        "loading the modules": (record.start_time or 0) - began,
        "reading Raise": seconds["ingest_raise"],
        "reading CRM+": seconds["ingest_crm_plus"],
        **nodes,
        "dbt: its own start and end": seconds["transform"] - nodes.total(),
        "the other steps": sum(seconds.values())
        - seconds["ingest_raise"]
        - seconds["ingest_crm_plus"]
        - seconds["transform"],
        "the summary": ended - (record.end_time or 0),
    }
    return Run(ended - began, {**named, "between the steps": ended - began - sum(named.values())})


def main(repeat: Annotated[int, typer.Option(help="How many runs are measured.")] = 3) -> None:
    """Measures runs in which nothing is new."""
    with tempfile.TemporaryDirectory() as name, running(seed=1, scale="small") as sandbox:
        folder = Path(name)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DAGSTER_HOME": str(folder / "dagster"),
            "WEBHOOK_PAYLOADS_PER_RUN": "1000",
            **sandbox.env(),
        }
        os.environ["DAGSTER_HOME"] = environment["DAGSTER_HOME"]
        runs = [timed(folder, environment) for _ in range(_WARMING + repeat)][_WARMING:]
    median = sorted(runs, key=lambda run: run.total)[len(runs) // 2]
    table = Table("part", "seconds", "share", title="A run in which nothing is new")
    for part, seconds in median.parts.items():
        table.add_row(part, f"{seconds:.1f}", f"{seconds / median.total:.0%}")
    table.add_row("all", f"{median.total:.1f}", "")
    console = Console()
    console.print(table)
    console.print(f"{repeat} runs: {', '.join(f'{run.total:.1f}' for run in runs)} s, median {median.total:.1f} s")


if __name__ == "__main__":
    typer.run(main)
