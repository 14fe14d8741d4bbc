"""Mornings of an operator with three organizations: `make fortnight` goes through them after those with one.

One is refused, mended and backfilled from the UI, one is added, one removed, and one loses its CRM+. Of each morning
the alerts, the state of the run, the colours of the partitions and what the summary says of the readings are known in
advance. Every act is a process of its own, as a scheduler's runs are: it reads at its start which organizations there
are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from pytest_httpserver import HTTPServer
from rich.console import Console

from ingestion.sandbox import Handle, running_several
from orchestration.alerts.changes import Kind
from tests.days import Days, compare
from tests.fortnight import HOOK, WRONG, Lines, Readers, differences, look_of_sensor, run_of_schedule
from tests.organizations import write_settings

FIRST = ("east", "north", "south")
ADDED = ("east", "north", "south", "west")
LEFT = ("east", "north", "west")
_NORTH = r"north: Raise refused the credential \(401\): check NORTH_TOKEN.*"
_EAST = r"east: CRM\+ refused the credential \(401\): check EAST_KEY.*"
_STALE = r"east: CRM\+: .* were last read completely on .*"
_RESTS = r"intermediate/int_recon__assessability: every_comparison_rests_on_complete_and_recent_reads( \(warning\))?.*"
_UNBALANCED = r"marts/recon_daily_totals: days_balance \(warning\): west: .*"
_UNMAPPED = r"marts/enum_labels: states_and_frequencies_are_mapped \(warning\)"


@dataclass(frozen=True)
class Morning:
    """What is so on a day, and what is known of it in advance."""

    what: str
    organizations: Sequence[str] = FIRST
    told: Lines = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    backfilled: str | None = None
    """The one organization that an operator reads from the UI, instead of the nightly run."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """By organization: the product that cannot be read. Its partitions are red, and the run has failed."""


_REFUSED = {"NORTH_TOKEN": WRONG}
_NO_CRM_PLUS = {"EAST_KEY": WRONG}

MORNINGS = (
    Morning("The first run", told={Kind.CHECK_FAILED: (_UNMAPPED,)}),
    Morning("A quiet day"),
    Morning(
        "North's token was revoked",
        told={Kind.RUN_FAILED: (_NORTH,)},
        settings=_REFUSED,
        unread={"north": "raise"},
    ),
    Morning("It still is: no news", settings=_REFUSED, unread={"north": "raise"}),
    Morning(
        "North is backfilled, and refused again: no news",
        settings=_REFUSED,
        backfilled="north",
        unread={"north": "raise"},
    ),
    Morning("A new token was set, and north is backfilled", told={Kind.RUN_RECOVERED: (r"north",)}, backfilled="north"),
    Morning("A quiet night follows"),
    Morning("West is added", ADDED, told={Kind.CHECK_FAILED: (_UNBALANCED,)}),
    Morning("South is removed", LEFT),
    Morning(
        "East lost its CRM+", LEFT, told={Kind.RUN_FAILED: (_EAST,)}, settings=_NO_CRM_PLUS, unread={"east": "crm_plus"}
    ),
    Morning("It still has none: no news", LEFT, settings=_NO_CRM_PLUS, unread={"east": "crm_plus"}),
    Morning(
        "What was read of it is stale",
        LEFT,
        told={Kind.DATA_STALE: (_STALE,), Kind.CHECK_FAILED: (_RESTS,)},
        settings=_NO_CRM_PLUS,
        unread={"east": "crm_plus"},
    ),
    Morning(
        "East has its CRM+ back",
        LEFT,
        told={Kind.RUN_RECOVERED: (r"east",), Kind.DATA_FRESH: (r"east: CRM\+: .*",), Kind.CHECK_RECOVERED: (_RESTS,)},
    ),
    Morning("The last day", LEFT),
)


def backfill(slug: str) -> None:
    """Reads one organization as the UI does where somebody materializes its partition of the raw tables."""
    from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

    from orchestration.assets.ingest import is_raw
    from orchestration.definitions import defs
    from orchestration.instance import LOCATION_TAGS, open_instance

    job = defs.resolve_implicit_global_asset_job_def()
    raw = [key for key in job.asset_layer.executable_asset_keys if is_raw(key)]
    with open_instance() as instance:
        job.execute_in_process(
            instance=instance,
            asset_selection=raw,
            tags={
                ASSET_PARTITION_RANGE_START_TAG: slug,
                ASSET_PARTITION_RANGE_END_TAG: slug,
                **LOCATION_TAGS,
            },
            raise_on_error=False,
        )


def colours() -> dict[str, Any]:
    """The state of the newest run, and of each product the organizations of which a table's partition is red."""
    from dagster._core.storage.partition_status_cache import AssetPartitionStatus

    from orchestration.assets.ingest import is_raw
    from orchestration.definitions import defs
    from orchestration.instance import open_instance

    graph = defs.resolve_asset_graph()
    red: dict[str, set[str]] = {}
    with open_instance() as instance:
        (record,) = instance.get_run_records(limit=1)
        for key in filter(is_raw, graph.executable_asset_keys):
            if not (partitions := graph.get(key).partitions_def):
                continue
            slugs = partitions.get_partition_keys()
            found = instance.get_status_by_partition(key, slugs, partitions) or {}
            red.setdefault(key.path[0].removeprefix("raw_"), set()).update(
                slug for slug, status in found.items() if status is AssetPartitionStatus.FAILED
            )
    return {"state": record.dagster_run.status.value, "red": {name: sorted(slugs) for name, slugs in red.items()}}


def act(morning: Morning, folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """What happens on a morning, in a process of its own."""
    command = [sys.executable, "-m", "tests.fortnight_of_three", "--act", morning.backfilled or "nightly"]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def summary(folder: Path, environment: Mapping[str, str]) -> dict[str, set[str]]:
    """By organization: the products whose last reading the summary calls incomplete."""
    command = [Path(sys.executable).with_name("tieout"), "summary", "--format", "json"]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    organizations = found if isinstance(found, list) else found["organizations"]
    return {
        one["organization"]: {read["source"] for read in one["reads"] if not read["is_complete"]}
        for one in organizations
    }


def live(folder: Path, sandboxes: Mapping[str, Handle], chat: HTTPServer, console: Console) -> list[str]:
    """All mornings. Returns what was other than expected."""
    readers, days, found = Readers(), Days(), list[str]()
    chat.expect_request(HOOK, method="POST").respond_with_data("ok")
    published = folder / "published.duckdb"
    ours = {
        "HOME": str(folder),
        "DLT_DATA_DIR": str(folder / "dlt"),
        "DAGSTER_HOME": str(folder / "dagster"),
        "WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
        "PUBLISHED_PATH": str(published),
        "ALERT_WEBHOOK_URL": chat.url_for(HOOK),
        "WEBHOOK_PAYLOADS_PER_RUN": "1000",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    for day, morning in enumerate(MORNINGS, start=1):
        for sandbox in sandboxes.values() if day > 1 and not morning.backfilled else ():
            sandbox.advance(hours=24)
        secrets = write_settings({slug: sandboxes[slug] for slug in morning.organizations}, folder)
        now = sandboxes[morning.organizations[0]].env()["TIEOUT_NOW"]
        environment = {**ours, **secrets, "TIEOUT_NOW": now, **morning.settings}
        said = len(chat.log)
        done = act(morning, folder, environment)
        for slug in morning.organizations:
            if morning.unread.get(slug) != "raise" and morning.backfilled in (None, slug):
                sandboxes[slug].observed()
        told = [request.get_json()["text"] for request, _ in chat.log[said:]]
        wrong = list(_wrong(day, morning, done, summary(folder, environment), days, published, sandboxes))
        wrong += differences(told, morning.told, readers.news(published))
        console.print("\n     ".join([f"{day:2} {morning.what}: {len(told)} alerts", *wrong]), markup=False)
        found += wrong
    console.print(f"{days.compared:,} records compared")
    return found


def _wrong(
    day: int,
    morning: Morning,
    done: Mapping[str, Any],
    read: Mapping[str, set[str]],
    days: Days,
    published: Path,
    sandboxes: Mapping[str, Handle],
) -> Iterator[str]:
    """What is wrong with the run, the partitions, the summary and the readers' file."""
    state = "FAILURE" if morning.unread else "SUCCESS"
    if done["state"] != state:
        yield f"the run is {done['state']}, expected {state}"
    for product in ("raise", "crm_plus"):
        red = sorted(slug for slug, unread in morning.unread.items() if unread == product)
        if done["red"][product] != red:
            yield f"red of {product}: {done['red'][product]}, expected {red}"
    if morning.backfilled:
        return
    for slug in morning.organizations:
        unread = {morning.unread[slug]} if slug in morning.unread else set()
        if read.get(slug, set()) != unread:
            yield f"the summary calls {read.get(slug)} of {slug} incomplete, expected {unread}"
        if slug not in morning.unread and slug not in _unsettled(day):
            known = len(days.differences)
            compare(days, day, slug, published, sandboxes[slug].truth())
            yield from days.differences[known:]


def _unsettled(day: int) -> set[str]:
    """Organizations that could not be read on an earlier morning: their register is not that of a sandbox's truth."""
    return {slug for morning in MORNINGS[:day] for slug in morning.unread}


def main(act: Annotated[str, typer.Option(help="Of a child: what it does.")] = "") -> None:
    """Lives through the mornings and prints what was told."""
    if act:
        run_of_schedule() if act == "nightly" else backfill(act)
        look_of_sensor()
        look_of_sensor()
        print(json.dumps(colours()))
        return
    with tempfile.TemporaryDirectory() as folder, running_several(ADDED, "small") as sandboxes, HTTPServer() as chat:
        wrong = live(Path(folder), sandboxes, chat, Console())
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)
