"""Five ways from the same pages to the same table, side by side in one run, as ratios.

    python -m tests.bench [--rows 200000] [--repeat 1] [--ways arrow,bare] [--again]

A sandbox serves `--rows` gifts of 56 fields in a process of its own. Each way runs in a fresh process, so that its
peak memory is its own; with `--repeat` the median counts. Seconds are noisy, ratios of one run are not:

- `rest_api`: dlt's own REST source as its documentation shows it: rows are merged, lists become tables of their own.
- `rest_api tuned`: the same with all that makes it faster: no tables for lists, upserts, its fastest file format.
- `dicts`: httpx, a Python dict per row, dlt.
- `arrow`: the project's way, as every run goes: pages, DuckDB `from_json`, Arrow, dlt.
- `bare`: the same without dlt and without comparing: DuckDB alone, inserting into a table.

With `--again` the project's way then reads everything a second time with nothing changed, and a third time after one
row in a hundred was changed; `stored` is how many rows each reading loaded.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ingestion.sandbox import Handle, running

PAGE = 500
PARAMETERS = {"SortBy": "id", "IncludeDetails": "true"}
PAGES_PER_BATCH = 40
_UPSERT: Any = {"disposition": "merge", "strategy": "upsert"}


def _dlt_home(folder: Path) -> None:
    os.environ["DLT_DATA_DIR"] = str(folder / "dlt")
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"


def _rest_source(url: str, token: str, **resource: Any) -> Any:
    from dlt.sources.rest_api import rest_api_source

    return rest_api_source(
        {
            "client": {
                "base_url": url,
                "auth": {"type": "bearer", "token": token},
                "paginator": {
                    "type": "offset",
                    "limit": PAGE,
                    "offset_param": "Skip",
                    "limit_param": "Take",
                    "total_path": "total",
                },
            },
            "resources": [
                {
                    "name": "gifts",
                    "primary_key": "id",
                    "endpoint": {"path": "api/Gift/list", "params": PARAMETERS, "data_selector": "items"},
                    **resource,
                }
            ],
        }
    )


def rest_api(url: str, token: str, folder: Path) -> None:
    _run_dlt(_rest_source(url, token, write_disposition="merge"), folder)


def rest_api_tuned(url: str, token: str, folder: Path) -> None:
    source = _rest_source(url, token, write_disposition=_UPSERT, max_table_nesting=0)
    _run_dlt(source, folder, loader_file_format="parquet")


def dicts(url: str, token: str, folder: Path) -> None:
    import dlt
    import httpx

    def pages() -> Any:
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
            skip = 0
            while True:
                params = {**PARAMETERS, "Skip": str(skip), "Take": str(PAGE)}
                items = client.get("/api/Gift/list", params=params).json()["items"]
                if not items:
                    return
                yield items
                skip += len(items)

    gifts = dlt.resource(
        pages,
        name="gifts",
        primary_key="id",
        max_table_nesting=0,
        write_disposition=_UPSERT,
    )
    _run_dlt(gifts, folder, loader_file_format="parquet")


def _run_dlt(data: Any, folder: Path, **options: Any) -> None:
    import dlt

    pipeline = dlt.pipeline(
        "bench", destination=dlt.destinations.duckdb(str(folder / "warehouse.duckdb")), dataset_name="raw_raise"
    )
    pipeline.run(data, **options)


def _settings(url: str, token: str, folder: Path) -> Any:
    from ingestion.settings import load_settings

    os.environ |= {
        "RAISE_BASE_URL": url,
        "RAISE_API_TOKEN": token,
        "RAISE_REQUESTS_PER_SECOND": "0",
        "WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
    }
    return load_settings()


def arrow(url: str, token: str, folder: Path) -> int:
    """Returns how many rows were loaded."""
    from ingestion.landing import dlt_source
    from ingestion.reading import Reading
    from ingestion.sources import pipeline_for
    from ingestion.virtuous_raise import DATASET, ROWS
    from ingestion.virtuous_raise.client import RaiseClient
    from ingestion.virtuous_raise.resources import GIFTS, WEBHOOK_LOGS

    settings = _settings(url, token, folder)
    # Which gifts changed, the log of deliveries tells; here it is empty.
    resources = (WEBHOOK_LOGS, GIFTS)
    organization = settings.organizations[0]
    reading = Reading(
        source="raise",
        dataset=DATASET,
        organization=organization.slug,
        time_zone=organization.raise_time_zone,
        settings=settings,
        run_id="bench",
        client=RaiseClient(organization),
        rows_name=ROWS,
        resources=resources,
        full=True,
    )
    pipeline = pipeline_for("raise", organization.slug, settings)
    while reading.begin_package():
        pipeline.run(dlt_source(DATASET, resources, reading))
    outcome = reading.outcomes["gifts"]
    assert outcome.is_complete, outcome
    return outcome.rows_new + outcome.rows_changed


def bare(url: str, token: str, folder: Path) -> None:
    import duckdb

    from ingestion.pages import prefetched
    from ingestion.virtuous_raise.client import RaiseClient
    from ingestion.virtuous_raise.resources import GIFTS

    client = RaiseClient(_settings(url, token, folder).organizations[0])
    pages = prefetched(client.pages(GIFTS), 16)
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        while batch := list(itertools.islice(pages, PAGES_PER_BATCH)):
            _bare_insert(connection, batch, GIFTS)


def _bare_insert(connection: Any, batch: Any, gifts: Any) -> None:
    import pyarrow as pa

    names = json.loads(batch[0].body)["items"][0]
    declared = {column.wire: column.kind.value for column in gifts.columns}
    fields = json.dumps([{name: declared.get(name, "JSON") for name in names}])
    connection.register("bodies", pa.Table.from_batches([pa.record_batch({"body": [page.body]}) for page in batch]))
    items = f"select unnest(from_json(body, '{{\"items\":{fields}}}')['items']) as item from bodies"
    select = f"select unnest(item) from ({items})"
    connection.execute(f"create table if not exists gifts as from ({select}) limit 0")
    connection.execute(f"insert into gifts {select}")
    connection.unregister("bodies")


WAYS: dict[str, Callable[[str, str, Path], int | None]] = {
    "rest_api": rest_api,
    "rest_api tuned": rest_api_tuned,
    "dicts": dicts,
    "arrow": arrow,
    "bare": bare,
}


@dataclass
class Measured:
    """Seconds, peak memory in MiB, and how many rows were loaded where the way tells it."""

    seconds: float
    mebibytes: int
    stored: int | None


def _measure(way: str, sandbox: Handle, folder: str) -> Measured:
    """One way in a process of its own."""
    where = ["--url", sandbox.raise_base_url, "--token", sandbox.raise_token, "--folder", folder]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--way", way, *where], check=True, capture_output=True, text=True
    )
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def _again(sandbox: Handle, folder: str) -> Iterator[tuple[str, Measured]]:
    yield "arrow, nothing changed", _measure("arrow", sandbox, folder)
    sandbox.advance(hours=1)
    yield "arrow, 1 % changed", _measure("arrow", sandbox, folder)


def main(
    rows: Annotated[int, typer.Option(help="Gifts to serve.")] = 200_000,
    repeat: Annotated[int, typer.Option(help="Runs of each way; the median counts.")] = 1,
    ways: Annotated[str, typer.Option(help="Which ways, comma-separated.")] = ",".join(WAYS),
    again: Annotated[bool, typer.Option("--again", help="Read again, with nothing and with 1 % changed.")] = False,
    way: Annotated[str, typer.Option(hidden=True)] = "",
    url: Annotated[str, typer.Option(hidden=True)] = "",
    token: Annotated[str, typer.Option(hidden=True)] = "",
    folder: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Measures the ways and prints seconds, rows per second, peak memory and ratios."""
    if not way:
        _compare(rows, repeat, ways.split(","), again)
        return
    _dlt_home(Path(folder))
    # Before the clock starts: what every process pays once, whatever it reads.
    for module in ("dlt.sources.rest_api", "ingestion.sources"):
        importlib.import_module(module)
    started = time.perf_counter()
    stored = WAYS[way](url, token, Path(folder))
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(asdict(Measured(seconds, peak, stored))))


def _compare(rows: int, repeat: int, ways: list[str], again: bool) -> None:
    results: dict[str, list[Measured]] = defaultdict(list)
    for _ in range(repeat):
        with running(seed=1, scale=f"gifts:{rows}") as sandbox:
            for name in ways:
                with tempfile.TemporaryDirectory() as folder:
                    results[name].append(_measure(name, sandbox, folder))
                    if again and name == "arrow":
                        for title, measured in _again(sandbox, folder):
                            results[title].append(measured)
    seconds = {name: statistics.median(one.seconds for one in runs) for name, runs in results.items()}
    headings = ("way", "seconds", "rows/s", "stored", "peak MiB", "x rest_api", "x bare")
    table = Table(*headings, title=f"{rows:,} gifts, median of {repeat}")
    for name, runs in results.items():
        table.add_row(
            name,
            f"{seconds[name]:.1f}",
            f"{rows / seconds[name]:,.0f}",
            "-" if runs[0].stored is None else f"{runs[0].stored:,}",
            str(max(one.mebibytes for one in runs)),
            f"{seconds['rest_api'] / seconds[name]:.1f}" if "rest_api" in seconds else "-",
            f"{seconds['bare'] / seconds[name]:.2f}" if "bare" in seconds else "-",
        )
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
