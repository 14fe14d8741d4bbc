"""A pipeline's bad days: what is told of them, once each, and that no secret is left behind anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from pytest_httpserver import HTTPServer

from ingestion.sandbox import Handle
from tests.integration.conftest import Workplace
from tests.secrets import found_in

HOOK = "/services/marked-alert-path"
WRONG = "marked-wrong-token"
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
def alerted(place: Workplace, receiver: Receiver, unused_tcp_port: int) -> Workplace:
    place.environment |= {
        "ALERT_WEBHOOK_URL": receiver.server.url_for(HOOK),
        # Nobody listens: that no mail can be sent fails nothing.
        "ALERT_EMAIL_TO": "ops@example.org",
        "ALERT_EMAIL_FROM": "tieout@example.org",
        "ALERT_SMTP_HOST": "127.0.0.1",
        "ALERT_SMTP_PORT": str(unused_tcp_port),
        "ALERT_SMTP_USER": "tieout",
        "ALERT_SMTP_PASSWORD": PASSWORD,
    }
    return place


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


def test_a_bad_day(alerted: Workplace, sandbox: Handle, receiver: Receiver) -> None:
    place = alerted
    # A token is revoked.
    (line,) = ended(place.tieout("run", "--only", "ingest", RAISE_API_TOKEN=WRONG), 1)
    assert "Raise refused the credential (401)" in line
    (failed,) = [text for text in receiver.new() if "A run failed" in text]
    assert failed.splitlines() == [
        "tieout: A run failed",
        "• all organizations: Raise refused the credential (401): check RAISE_API_TOKEN, or make a new one in Raise.",
        "What to do: docs/runbook.md, run_failed",
    ]

    # It is replaced, but now the other one is wrong, and the API has a bad day: still the same trouble.
    faults = {"raise_5xx": 0.3, "dropped_connections": 0.1, "cut_bodies": 0.1, "html_200": 0.3}
    sandbox.set_faults(faults)
    place.tieout("run", "--only", "ingest", CRM_PLUS_API_KEY=WRONG)
    sandbox.set_faults(dict.fromkeys(faults, False))
    assert "A run failed" not in titles(receiver.new())

    # All is well, and how things stand is told.
    assert ended(place.tieout("run"), 0) == []
    told = titles(receiver.new())
    assert "Runs succeed again" in told
    assert len(told) == len(set(told))

    tested = place.tieout("doctor", "--send-test-alert")
    assert "alerts: the webhook at localhost took a test alert" in tested.stdout
    assert tested.returncode == 1, "the mail server is not there"

    nothing_is_left_behind(place, sandbox, receiver)


def nothing_is_left_behind(place: Workplace, sandbox: Handle, receiver: Receiver) -> None:
    marks = {sandbox.raise_token, sandbox.crm_plus_key, HOOK, "marked-alert-path", WRONG, PASSWORD}
    searched = {file.name for file in place.folder.rglob("*") if file.is_file()}
    assert {"warehouse.duckdb", "tieout.duckdb", "runs.db", "webhook.json", "dbt.log"} <= searched
    assert found_in(place.folder, marks) == []
    told = "\n".join([*place.log, *receiver.all()])
    assert [mark for mark in marks if mark in told] == []
    donors = place.query("select first_name || ' ' || last_name, email from raw_raise.donors")
    bodies = "\n".join(receiver.all())
    assert len(bodies) > 1000
    assert [value for donor in donors for value in donor if value and value in bodies] == []
    _plant_and_find(place.folder, WRONG)


def _plant_and_find(folder: Path, mark: str) -> None:
    """The search can fail: it sees what is put where logs are."""
    (folder / "data/warehouse.state/logs/planted.log").write_text(f"Bearer {mark}")
    assert len(found_in(folder, [mark])) == 1
