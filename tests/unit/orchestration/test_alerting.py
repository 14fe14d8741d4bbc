"""Which ends of a command are told, and what the doctor does about alerts."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from ingestion.errors import SettingsError, WarehouseUnusable
from ingestion.settings import Settings
from orchestration import doctor
from orchestration.cli import alerting as subject
from orchestration.cli.alerting import RunFailed
from orchestration.scope import UnknownOrganization
from orchestration.turn import RunInProgress

LOCKED = WarehouseUnusable(Path("w.duckdb"), "it is damaged")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALERT_WEBHOOK_URL", raising=False)
    return Settings(_env_file=None)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (None, [(None, None)]),
        (RunFailed("Raise refused the credential."), [(None, None)]),
        (LOCKED, [("river", str(LOCKED))]),
        (SettingsError("RAISE_API_TOKEN is not set."), [("river", "RAISE_API_TOKEN is not set.")]),
        (ValueError("somebody@example.org"), [("river", "Unexpected ValueError.")]),
        (RunInProgress(), []),
        (UnknownOrganization("There is no organization brook."), []),
        (KeyboardInterrupt(), []),
    ],
)
def test_what_is_told_at_the_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, end: BaseException | None, told: list[tuple[str | None, ...]]
) -> None:
    heard: list[tuple[str | None, ...]] = []
    monkeypatch.setattr(subject, "_tell", lambda _, organization=None, error=None: heard.append((organization, error)))
    with suppress(*([type(end)] if end else [])), subject.told_at_the_end(settings, "river"):
        if end:
            raise end
    assert heard == told


def test_alerts_that_break_fail_no_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ValueError("somebody@example.org")

    monkeypatch.setattr("orchestration.instance.open_instance", broken)
    with subject.told_at_the_end(
        settings.model_copy(update={"alert_webhook_url": SecretStr("http://127.0.0.1:1/x")}), None
    ):
        pass
    assert capsys.readouterr().err == "Warning: No alert is sent: unexpected ValueError. Report this as a bug.\n"


def test_the_doctor_sends_only_when_asked(tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/marked-path").respond_with_data("ok")
    httpserver.expect_ordered_request("/marked-path").respond_with_data("gone", status=404)
    made = Settings(_env_file=None, alert_webhook_url=httpserver.url_for("/marked-path"))
    (looked,) = doctor._alerts(made, send=False)
    assert (looked.verdict, httpserver.log) == (doctor.Verdict.OK, [])
    (sent,) = doctor._alerts(made, send=True)
    assert (sent.verdict, sent.text) == (doctor.Verdict.OK, "the webhook at localhost took a test alert")
    assert "nothing is wrong" in httpserver.log[0][0].get_json()["text"]
    (refused,) = doctor._alerts(made, send=True)
    assert refused.verdict is doctor.Verdict.WRONG
    assert "marked" not in f"{looked} {sent} {refused}"


def test_the_doctor_says_that_nobody_is_told(settings: Settings) -> None:
    assert [finding.verdict for finding in doctor._alerts(settings, send=False)] == [doctor.Verdict.NOTE]
    assert [finding.verdict for finding in doctor._alerts(settings, send=True)] == [doctor.Verdict.WRONG]
