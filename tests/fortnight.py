"""Two weeks of mornings: what happens, what is told of it, and what readers see meanwhile: `make fortnight`.

Every morning the nightly schedule's tick is evaluated, its run is made, and the alerts' sensor looks twice. Of each
morning everything that is told is known in advance: once each, and nothing else. What readers have is compared with
what the sandbox planted whenever both sides could be read, and accuses nobody in between.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import typer
from pytest_httpserver import HTTPServer
from rich.console import Console

from ingestion.sandbox import Handle, running
from orchestration.alerts.changes import Kind
from orchestration.cli.terminal import chatter_kept_in
from tests.building import query
from tests.days import Days, adopt, compare, follow_in_part

NAME = "default"
WRONG = "a-revoked-token"
HOOK = "/services/alerts"

Lines = Mapping[Kind, tuple[str, ...]]
"""Of each alert that is told, a regular expression for each of its lines."""


@dataclass(frozen=True)
class Morning:
    """What is so on a day, and what is told of it besides new exceptions and labels, which follow from the data."""

    what: str
    told: Lines = field(default_factory=dict)
    faults: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    is_killed: bool = False
    is_read: bool = True
    """Whether both sides can be read wholly."""
    sees_raise: bool = True
    is_published: bool = True


_RESTS = r"intermediate/int_recon__assessability: every_comparison_rests_on_complete_and_recent_reads( \(warning\))?"
_DRIFTS = r"marts/schema_drift: schema_does_not_drift"
_FILE = r"The readers' file is that of .* UTC\."
_CRM_PLUS_IS_DOWN = {"crm_plus_5xx": 1.0}
_DRIFT = {"new_fields": 1.0, "changed_types": 1.0}

MORNINGS = (
    Morning(
        "The first run", {Kind.CHECK_FAILED: (r"marts/enum_labels: states_and_frequencies_are_mapped \(warning\)",)}
    ),
    Morning("A quiet day"),
    Morning(
        "CRM+ is down",
        {Kind.RUN_FAILED: (r"all organizations: CRM\+ fails on .*",)},
        faults=_CRM_PLUS_IS_DOWN,
        is_read=False,
    ),
    Morning("It is still down: no news", faults=_CRM_PLUS_IS_DOWN, is_read=False),
    Morning(
        "Now what was read of it is stale",
        {
            Kind.DATA_STALE: (r"default: CRM\+: .* were last read completely on .*",),
            Kind.CHECK_FAILED: (_RESTS,),
        },
        faults=_CRM_PLUS_IS_DOWN,
        is_read=False,
    ),
    Morning(
        "It is back",
        {
            Kind.RUN_RECOVERED: (r"all organizations",),
            Kind.DATA_FRESH: (r"default: CRM\+: .*",),
            Kind.CHECK_RECOVERED: (_RESTS,),
        },
    ),
    Morning(
        "The token of Raise was revoked",
        {Kind.RUN_FAILED: (r"all organizations: Raise refused the credential \(401\): check RAISE_API_TOKEN.*",)},
        settings={"RAISE_API_TOKEN": WRONG},
        is_read=False,
        sees_raise=False,
    ),
    Morning("A new token was set", {Kind.RUN_RECOVERED: (r"all organizations",)}),
    Morning(
        "Raise and CRM+ send another field, and amounts as text",
        {Kind.CHECK_FAILED: (rf"{_DRIFTS} \(warning\): default: crm_plus campaigns sandboxNovelty: new field; .*",)},
        faults=_DRIFT,
    ),
    Morning("That stays, and is known by now", {Kind.CHECK_RECOVERED: (_DRIFTS,)}, faults=_DRIFT),
    Morning(
        "Four in ten gifts are gone",
        {Kind.RUN_FAILED: (r"all organizations: \d+ of \d+ gifts are gone from Raise, more than 20%: .*",)},
        faults={**_DRIFT, "raise_mass_deletion": 0.4},
        is_read=False,
    ),
    Morning("They are there again", {Kind.RUN_RECOVERED: (r"all organizations",)}, faults=_DRIFT),
    Morning(
        "The run is killed in dbt",
        {
            Kind.RUN_FAILED: (r"all organizations: It ended without a word: its process was killed, .*",),
            Kind.PUBLISH_BLOCKED: (_FILE,),
        },
        faults=_DRIFT,
        is_killed=True,
        is_published=False,
    ),
    Morning(
        "The next one goes through",
        {Kind.RUN_RECOVERED: (r"all organizations",), Kind.PUBLISHED_AGAIN: (_FILE,)},
        faults=_DRIFT,
    ),
    Morning("The last day", faults=_DRIFT),
)


def run_of_schedule() -> None:
    """The run that the nightly schedule asks for, in this process."""
    import dagster as dg

    from orchestration.definitions import defs
    from orchestration.instance import LOCATION_TAGS, give_sign_of_life, open_instance

    schedule, job = defs.resolve_schedule_def("nightly"), defs.resolve_job_def("reconcile")
    with open_instance() as instance:
        tick = schedule.evaluate_tick(dg.build_schedule_context(instance=instance))
        (due,) = tick.run_requests or []
        run_id = str(uuid4())
        give_sign_of_life(instance, run_id)
        job.execute_in_process(
            instance=instance,
            run_id=run_id,
            run_config=due.run_config,
            tags={**due.tags, **LOCATION_TAGS},
            raise_on_error=False,
        )


def look_of_sensor() -> None:
    """One tick of the alerts' sensor."""
    import dagster as dg

    from orchestration.definitions import defs
    from orchestration.instance import open_instance
    from orchestration.sensors import alerts

    with open_instance() as instance:
        alerts.evaluate_tick(dg.build_sensor_context(instance=instance, repository_def=defs.get_repository_def()))


class Office:
    """A pipeline that runs by itself, and the chat that its alerts are posted to."""

    def __init__(self, folder: Path, sandbox: Handle, chat: HTTPServer) -> None:
        self.warehouse, self.published = folder / "warehouse.duckdb", folder / "published.duckdb"
        self._folder, self._sandbox, self._chat = folder, sandbox, chat
        chat.expect_request(HOOK, method="POST").respond_with_data("ok")
        os.environ |= {
            "HOME": str(folder),
            "DLT_DATA_DIR": str(folder / "dlt"),
            "DAGSTER_HOME": str(folder / "dagster"),
            "WAREHOUSE_PATH": str(self.warehouse),
            "PUBLISHED_PATH": str(self.published),
            "ALERT_WEBHOOK_URL": chat.url_for(HOOK),
            "WEBHOOK_PAYLOADS_PER_RUN": "1000",
        }
        self.arrive({})

    def arrive(self, settings: Mapping[str, str]) -> None:
        """A new day: the settings are those of the sandbox as it is now, but for what is said."""
        os.environ |= {**self._sandbox.env(), **settings}

    def work(self) -> None:
        """The run that the schedule asks for."""
        run_of_schedule()

    def die(self) -> None:
        """A run that is killed while dbt writes."""
        command = [Path(sys.executable).with_name("tieout"), "run"]
        process = subprocess.Popen(command, cwd=self._folder, start_new_session=True, stdout=subprocess.DEVNULL)
        # dbt writes what it compiled of a model just before it builds it.
        compiled = self._folder / "warehouse.state/dbt/run/run/tieout/models/marts"
        before = time.time()
        while not any(file.stat().st_mtime > before for file in compiled.rglob("*.sql")):
            assert process.poll() is None, "the run ended before it was killed"
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def told(self) -> list[str]:
        """What the sensor has to say."""
        said = len(self._chat.log)
        look_of_sensor()
        return [request.get_json()["text"] for request, _ in self._chat.log[said:]]


@dataclass
class Readers:
    """What the readers' file said last of what the alerts follow: by subject, its mark and the line it counts under."""

    exceptions: dict[str, tuple[int, str]] = field(default_factory=dict)
    labels: dict[str, tuple[str, str]] = field(default_factory=dict)

    def news(self, published: Path) -> dict[Kind, Counter[str]]:
        """Lines of the alerts that are due since, with how many subjects each counts."""
        exceptions = {
            id: (reopened, f"{organization}: {entity.replace('_', ' ')}: {title}")
            for id, reopened, organization, entity, title in query(
                published,
                "select exception_id, reopened_count, organization, entity, title from marts.recon_exceptions"
                " inner join marts.recon_statuses using (entity, code)"
                " where recon_exceptions.state = 'open' and recon_exceptions.severity = 'error'",
            )
        }
        labels = {
            f"{organization} {number}": (
                f"{status} {label}",
                f"{organization}: {number} is called “{label}” ({status})",
            )
            for organization, number, label, status in query(
                published,
                "select organization, event_type, observed_label, status from marts.event_type_labels"
                " where observed_label is not null",
            )
        }
        known = {subject.split()[0] for subject in self.labels}
        found = {
            Kind.NEW_EXCEPTIONS: Counter(line for id, (mark, line) in exceptions.items() if self._new(id, mark)),
            Kind.LABELS_CHANGED: Counter(
                line
                for subject, (mark, line) in labels.items()
                # The first labels of an organization are no news.
                if subject.split()[0] in known and self.labels.get(subject, ("",))[0] != mark
            ),
        }
        self.exceptions, self.labels = exceptions, labels
        return {kind: lines for kind, lines in found.items() if lines}

    def _new(self, id: str, reopened: int) -> bool:
        return id not in self.exceptions or self.exceptions[id][0] != reopened


def differences(told: list[str], expected: Lines, news: Mapping[Kind, Counter[str]]) -> Iterator[str]:
    """How what was told differs from what should have been."""
    alerts: dict[str, list[str]] = {}
    for text in told:
        _, *lines, what_to_do = text.splitlines()
        kind = what_to_do.rsplit(", ", 1)[1]
        if kind in alerts:
            yield f"{kind} was told twice"
        alerts[kind] = [line.removeprefix("• ") for line in lines]
    for kind in Kind:
        lines = alerts.pop(kind, [])
        if kind in news:
            counts, left_out = Counter[str](), 0
            for line in lines:
                if more := re.fullmatch(r"and ([\d,]+) more", line):
                    left_out = int(more[1].replace(",", ""))
                    continue
                counted = re.fullmatch(r"(.*?)(?:: ([\d,]+)(?:, worth .*)?)?", line)
                assert counted
                counts[counted[1]] = int((counted[2] or "1").replace(",", ""))
            if not counts.items() <= news[kind].items() or len(counts) + left_out != len(news[kind]):
                yield f"{kind}: told {dict(counts)}, expected {dict(news[kind])}"
            continue
        patterns = expected.get(kind, ())
        if len(lines) != len(patterns) or not all(
            any(re.fullmatch(pattern, line) for line in lines) for pattern in patterns
        ):
            yield f"{kind}: told {lines}, expected {list(patterns)}"
    assert not alerts, alerts


def live(folder: Path, sandbox: Handle, chat: HTTPServer, console: Console) -> list[str]:
    """The two weeks. Returns what was other than expected."""
    office, readers, days = Office(folder, sandbox, chat), Readers(), Days()
    found: list[str] = []
    os.chdir(folder)
    for day, morning in enumerate(MORNINGS, start=1):
        if day > 1:
            sandbox.advance(hours=24)
        office.arrive(morning.settings)
        before = office.published.stat() if day > 1 else None
        sandbox.set_faults(morning.faults)
        office.die() if morning.is_killed else office.work()
        sandbox.set_faults(dict.fromkeys(morning.faults, 0.0))
        if morning.sees_raise:
            sandbox.observed()
        wrong = list(_wrong(day, morning, office, before, days, sandbox.truth()))
        told = office.told()
        wrong += differences(told, morning.told, readers.news(office.published))
        wrong += [f"told again: {text}" for text in office.told()]
        console.print("\n     ".join([f"{day:2} {morning.what}: {len(told)} alerts", *wrong]), markup=False)
        found += wrong
    console.print(f"{days.compared:,} records compared")
    return found


def _wrong(
    day: int, morning: Morning, office: Office, before: os.stat_result | None, days: Days, truth: dict[str, Any]
) -> Iterator[str]:
    """What is wrong with the readers' file."""
    now = office.published.stat()
    is_new = before is None or now.st_ino != before.st_ino
    if is_new != morning.is_published:
        yield f"published: {is_new}"
    if not is_new:
        # The run may have come as far as the register before it died.
        adopt(days, NAME, office.warehouse)
        return
    known = len(days.differences)
    if morning.is_read:
        compare(days, day, NAME, office.published, truth)
    else:
        follow_in_part(days, day, NAME, office.warehouse, truth)
    yield from days.differences[known:]


def main() -> None:
    """Lives through the two weeks and prints what was told."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(seed=1, scale="small") as sandbox,
        HTTPServer() as chat,
        chatter_kept_in(Path(folder) / "chatter.log") as console,
    ):
        wrong = live(Path(folder), sandbox, chat, console)
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)
