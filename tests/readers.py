"""Readers of the published file while runs go through: none is blocked, and none sees half a run.

    python -m tests.readers [--readers 20] [--runs 10]

Each reader is a process with nothing but the duckdb package. Every second it opens the file and adds up in three
ways how many records there are of each kind; they have to agree, of one run. An hour passes before each run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ingestion.sandbox import Handle, running

_READER = """
import duckdb, sys, time
path, stop, reads, longest, seen = sys.argv[1], sys.argv[2], 0, 0.0, set()
while not __import__("os").path.exists(stop):
    began = time.monotonic()
    with duckdb.connect(path, read_only=True) as c:
        told = c.execute("select sum(records), max(as_of) from marts.recon_summary").fetchone()
        rows = c.execute(
            "select sum(n), max(t) from (select count(*) as n, max(as_of) as t from marts.recon_donors union all"
            " select count(*), max(as_of) from marts.recon_gifts union all"
            " select count(*), max(as_of) from marts.recon_recurring_gifts)"
        ).fetchone()
        days = c.execute("select sum(records) from marts.recon_daily_totals").fetchone()
        gifts = c.execute("select sum(records) from marts.recon_summary where entity = 'gift'").fetchone()
    assert told == rows and days == gifts, (told, rows, days, gifts)
    reads, longest = reads + 1, max(longest, time.monotonic() - began)
    seen.add(told[1])
    time.sleep(1)
print(reads, longest, len(seen))
"""


def _run(folder: Path, environment: Mapping[str, str]) -> None:
    command = [Path(sys.executable).with_name("tieout"), "run"]
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)


def watched(folder: Path, sandbox: Handle, readers: int, runs: int) -> list[tuple[int, float, int]]:
    """Of each reader how often it read, the longest time that took in seconds, and how many runs it saw."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "DAGSTER_HOME": str(folder / "data/dagster")}
    published, stop = folder / "data/published/tieout.duckdb", folder / "stop"
    _run(folder, environment | sandbox.env())
    started = [
        subprocess.Popen([sys.executable, "-c", _READER, published, stop], stdout=subprocess.PIPE, text=True)
        for _ in range(readers)
    ]
    for _ in range(runs):
        sandbox.advance(hours=1)
        _run(folder, environment | sandbox.env())
    stop.touch()
    told = [(reader, reader.communicate(timeout=60)[0].split()) for reader in started]
    assert all(reader.returncode == 0 for reader, _ in told), "a reader saw half a run, or an error"
    return [(int(reads), float(longest), int(seen)) for _, (reads, longest, seen) in told]


def main(
    readers: Annotated[int, typer.Option(help="How many read at a time.")] = 20,
    runs: Annotated[int, typer.Option(help="How many runs go through meanwhile.")] = 10,
) -> None:
    """Reads and runs, and prints what the readers met."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, running(seed=1, scale="small") as sandbox:
        told = watched(Path(folder), sandbox, readers, runs)
    reads, longest, seen = zip(*told, strict=True)
    Console().print(
        f"{readers} readers, {runs} runs in {time.monotonic() - began:.0f} s: {sum(reads):,} reads, 0 torn, 0 errors;"
        f" the longest took {max(longest):.2f} s; each saw {min(seen)} to {max(seen)} of the {runs + 1} states"
    )


if __name__ == "__main__":
    typer.run(main)
