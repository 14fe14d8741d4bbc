"""A pipeline's bad days: what is told of them, once each, and that no secret is left behind anywhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import duckdb
import pytest
from pytest_httpserver import HTTPServer

from ingestion.sandbox import Handle
from tests.integration.conftest import Workplace
from tests.secrets import found_in

HOOK = "/services/marked-alert-path"
WRONG = "marked-wrong-token"
SALT = "marked-salt"
PASSWORD = "marked-mail-password"


@dataclass
class Receiver:
    """The chat that alerts are posted to."""

    server: HTTPServer
    read: int = 0

    def new(self) -> list[str]:
        """What came since the last time, in Slack's body."""
        bodies = [request.get_json() for request, _ in self.server.log[self.read :]]
        self.read = len(self.server.log)
        assert all(list(body) == ["text"] for body in bodies)
        return [body["text"] for body in bodies]

    def all(self) -> list[str]:
        return [request.get_data(as_text=True) for request, _ in self.server.log]


@pytest.fixture
def receiver(httpserver: HTTPServer) -> Receiver:
    httpserver.expect_request(HOOK, method="POST").respond_with_data("ok")
    return Receiver(httpserver)


@pytest.fixture
def place(
    workplaces: Callable[[Handle], Workplace], sandbox: Handle, receiver: Receiver, unused_tcp_port: int
) -> Workplace:
    made = workplaces(sandbox)
    made.environment |= {
        "ALERT_WEBHOOK_URL": receiver.server.url_for(HOOK),
        # Nobody listens: that no mail can be sent fails nothing.
        "ALERT_EMAIL_TO": "ops@example.org",
        "ALERT_EMAIL_FROM": "tieout@example.org",
        "ALERT_SMTP_HOST": "127.0.0.1",
        "ALERT_SMTP_PORT": str(unused_tcp_port),
        "ALERT_SMTP_USER": "tieout",
        "ALERT_SMTP_PASSWORD": PASSWORD,
        "PII_MODE": "hash",
        "PII_SALT": SALT,
    }
    return made


def titles(texts: list[str]) -> list[str]:
    return [text.splitlines()[0].removeprefix("tieout: ") for text in texts]


def ended(done: CompletedProcess[str], code: int) -> list[str]:
    """The lines on standard error, without the one on the mail server."""
    assert done.returncode == code, done.stdout + done.stderr
    warnings, lines = [], []
    for line in done.stderr.splitlines():
        (warnings if line.startswith("Warning: ") else lines).append(line)
    assert len(warnings) == 1, warnings
    assert "The mail server 127.0.0.1 cannot be used" in warnings[0]
    return lines


@pytest.fixture
def holder(place: Workplace) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def hold() -> subprocess.Popen[str]:
        program = f"import duckdb; c = duckdb.connect({str(place.warehouse)!r}); print('open', flush=True); input()"
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.timeout(1800)
def test_bad_days(
    place: Workplace, sandbox: Handle, receiver: Receiver, holder: Callable[[], subprocess.Popen[str]]
) -> None:
    # The first run: how things stand.
    assert ended(place.tieout("run"), 0) == []
    first = receiver.new()
    assert {"New exceptions of severity error", "Webhook event labels are new or changed"} <= set(titles(first))
    assert "A run failed" not in titles(first)
    assert len(titles(first)) == len(set(titles(first)))

    # A token is revoked, stays so, and is replaced.
    (line,) = ended(place.tieout("run", "--only", "ingest", RAISE_API_TOKEN=WRONG), 1)
    assert "Raise refused the credential (401)" in line
    (failed,) = receiver.new()
    assert failed.splitlines() == [
        "tieout: A run failed",
        "• all organizations: Raise refused the credential (401): check RAISE_API_TOKEN, or make a new one in Raise.",
        "What to do: docs/runbook.md, run_failed",
    ]
    ended(place.tieout("run", "--only", "ingest", RAISE_API_TOKEN=WRONG), 1)
    assert receiver.new() == []
    ended(place.tieout("run", "--only", "ingest"), 0)
    assert titles(receiver.new()) == ["Runs succeed again"]

    # Somebody has the warehouse open.
    held_by = holder()
    ended(place.tieout("run"), 1)
    (failed,) = receiver.new()
    assert "is in use by" in failed
    held_by.communicate("\n")

    # dbt fails, and then it does not.
    change(place, "ALTER TABLE raw_raise.webhook_logs RENAME TO hidden")
    (line,) = ended(place.tieout("run", "--only", "transform"), 1)
    assert "Error: dbt: " in line
    blocked = titles(receiver.new())
    assert "Nothing new was published" in blocked
    assert "A run failed" not in blocked, "that was told before"
    change(place, "ALTER TABLE raw_raise.hidden RENAME TO webhook_logs")
    ended(place.tieout("run", "--only", "transform"), 0)
    recovered = titles(receiver.new())
    assert {"Runs succeed again", "The readers' file is up to date again"} <= set(recovered)

    # The APIs have a bad day.
    faults = {"raise_5xx": 0.3, "crm_plus_5xx": 0.3, "dropped_connections": 0.1, "cut_bodies": 0.1, "html_200": 0.3}
    sandbox.set_faults(faults)
    place.tieout("run", "--only", "ingest")
    place.tieout("run", "--only", "ingest", CRM_PLUS_API_KEY=WRONG)
    sandbox.set_faults(dict.fromkeys(faults, False))
    assert "A run failed" in titles(receiver.new())

    tested = place.tieout("doctor", "--send-test-alert")
    assert "alerts: the webhook at localhost took a test alert" in tested.stdout
    assert tested.returncode == 1, "the mail server is not there"

    nothing_is_left_behind(place, sandbox, receiver)


def change(place: Workplace, statement: str) -> None:
    with duckdb.connect(str(place.warehouse)) as connection:
        connection.execute(statement)


def nothing_is_left_behind(place: Workplace, sandbox: Handle, receiver: Receiver) -> None:
    marks = {sandbox.raise_token, sandbox.crm_plus_key, HOOK, "marked-alert-path", WRONG, SALT, PASSWORD}
    searched = {file.name for file in place.folder.rglob("*") if file.is_file()}
    assert {"warehouse.duckdb", "tieout.duckdb", "runs.db", "webhook.json", "dbt.log"} <= searched
    assert found_in(place.folder, marks) == []
    told = "\n".join([*place.log, *receiver.all()])
    assert [mark for mark in marks if mark in told] == []
    donors = place.query("select first_name, last_name, email from raw_raise.donors")
    bodies = "\n".join(receiver.all())
    assert len(bodies) > 1000
    assert [value for donor in donors for value in donor if value and value in bodies] == []
    _plant_and_find(place.folder, WRONG)


def _plant_and_find(folder: Path, mark: str) -> None:
    """The search can fail: it sees what is put where logs are."""
    (folder / "data/warehouse.state/logs/planted.log").write_text(f"Bearer {mark}")
    assert len(found_in(folder, [mark])) == 1
