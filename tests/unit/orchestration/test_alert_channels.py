"""What is sent over real sockets: the bodies, the patience, and that no credential shows."""

from __future__ import annotations

import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.errors import SettingsError
from ingestion.settings import Settings, load_settings
from orchestration.alerts.channels import AlertNotSent, channels

PATH = "/services/marked-path"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def send(title: str, text: str, **values: object) -> None:
    (channel,) = channels(Settings(_env_file=None, **values))
    channel.send(title, text)


def test_the_body_is_what_slack_takes(httpserver: HTTPServer) -> None:
    bodies: list[object] = []

    def take(request: Request) -> Response:
        bodies.append(request.get_json())
        return Response("ok")

    httpserver.expect_request(PATH, method="POST").respond_with_handler(take)
    send("t", "a <b> & “c”", alert_webhook_url=httpserver.url_for(PATH))
    assert bodies == [{"text": "a &lt;b&gt; &amp; “c”"}]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_tried_again(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_data("later", status=status)
    httpserver.expect_ordered_request(PATH).respond_with_data("ok")
    send("t", "text", alert_webhook_url=httpserver.url_for(PATH))
    assert [answer.status_code for _, answer in httpserver.log] == [status, 200]


@pytest.mark.parametrize("status", [301, 400, 403, 404])
def test_what_stays_is_not(httpserver: HTTPServer, status: int) -> None:
    httpserver.expect_request(PATH).respond_with_data("no", status=status, headers={"Location": "/elsewhere"})
    with pytest.raises(AlertNotSent, match=f"answers {status}: check ALERT_WEBHOOK_URL"):
        send("t", "text", alert_webhook_url=httpserver.url_for(PATH))
    assert len(httpserver.log) == 1


def test_the_address_shows_nowhere(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture, unused_tcp_port: int
) -> None:
    caplog.set_level(logging.DEBUG)
    for logger in ("httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, logger)
    httpserver.expect_request(PATH).respond_with_data("ok")
    send("t", "text", alert_webhook_url=httpserver.url_for(PATH))
    with pytest.raises(AlertNotSent) as caught:
        send("t", "text", alert_webhook_url=f"http://127.0.0.1:{unused_tcp_port}{PATH}")
    assert caught.value.__suppress_context__
    assert "cannot be reached" in str(caught.value)
    told = [record.getMessage() for record in caplog.records if record.name != "werkzeug"]
    assert told, "there is a log to look into"
    assert "marked-path" not in " ".join([*told, str(caught.value)])


def test_no_credential_is_in_a_text(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_data("ok")
    url = httpserver.url_for(PATH)
    send("t", f"said token-abc-1, token-abc and {url}", alert_webhook_url=url, raise_api_token="token-abc")
    body = json.loads(httpserver.log[0][0].get_data())
    assert body == {"text": "said ***-1, *** and ***"}


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mail, and refuses recipients that say so."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MailSession)
        self.mails: list[EmailMessage] = []


class _MailSession(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "DATA":
                self._say("354 go on")
                mail = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.mails.append(message_from_bytes(mail, policy=policy.default))  # type: ignore[arg-type]
                self._say("250 taken")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("550 unknown" if "nobody@" in line else "250 well")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def mail_settings(port: int, to: str = "one@example.org, two@example.org") -> dict[str, object]:
    return {
        "alert_email_to": to,
        "alert_email_from": "tieout@example.org",
        "alert_smtp_host": "127.0.0.1",
        "alert_smtp_port": port,
    }


def test_a_mail(mail_server: MailServer) -> None:
    send("tieout: A run failed", "tieout: A run failed\n• “why”", **mail_settings(mail_server.server_address[1]))
    (mail,) = mail_server.mails
    assert (mail["Subject"], mail["To"]) == ("tieout: A run failed", "one@example.org, two@example.org")
    assert mail.get_content().strip().endswith("• “why”")


def test_recipients_that_are_refused(mail_server: MailServer) -> None:
    with pytest.raises(AlertNotSent, match="check ALERT_EMAIL_TO"):
        send("t", "x", **mail_settings(mail_server.server_address[1], to="nobody@example.org"))


def test_a_password_goes_to_no_server_that_cannot_take_it(mail_server: MailServer) -> None:
    user = {"alert_smtp_user": "me", "alert_smtp_password": "marked-password"}
    with pytest.raises(AlertNotSent, match="correct the settings") as caught:
        send("t", "x", **mail_settings(mail_server.server_address[1]), **user)
    assert "marked" not in str(caught.value)


def test_no_mail_server(unused_tcp_port: int) -> None:
    with pytest.raises(AlertNotSent, match=r"127\.0\.0\.1 cannot be used \(ConnectionRefusedError\)"):
        send("t", "x", **mail_settings(unused_tcp_port))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"ALERT_WEBHOOK_URL": "http://hooks.example.org/marked"}, "ALERT_WEBHOOK_URL must start with https://"),
        ({"ALERT_WEBHOOK_URL": "marked"}, "ALERT_WEBHOOK_URL must look like https://host/path"),
        ({"ALERT_WEBHOOK_URL": "https://u:marked@h.org/x"}, "ALERT_WEBHOOK_URL must look like"),
        ({"ALERT_EMAIL_TO": "me"}, "ALERT_EMAIL_TO must be mail addresses"),
        ({"ALERT_EMAIL_TO": "me@example.org"}, "ALERT_EMAIL_TO needs ALERT_EMAIL_FROM and ALERT_SMTP_HOST"),
        ({"ALERT_SMTP_PASSWORD": "marked"}, "ALERT_SMTP_USER and ALERT_SMTP_PASSWORD belong together"),
        ({"ALERT_SMTP_PORT": "70000"}, "ALERT_SMTP_PORT input should be less than or equal to 65535"),
    ],
)
def test_wrong_settings_are_told(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], says: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert says in str(caught.value)
    assert "marked" not in str(caught.value)


def test_nothing_is_set() -> None:
    assert channels(Settings(_env_file=None)) == []
