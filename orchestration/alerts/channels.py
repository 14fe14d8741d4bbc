"""How an alert gets out: by webhook, by e-mail. An address and a password are credentials and never show."""

import logging
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import urlsplit

import httpx
import stamina

from ingestion import masking
from ingestion.errors import TieoutError
from ingestion.masking import masked
from ingestion.settings import Settings, is_loopback, is_loopback_host

_ATTEMPTS = 3
_SECONDS_TO_ANSWER = 10.0
_IMPLICIT_TLS = 465

stamina.instrumentation.set_on_retry_hooks([])


class AlertNotSent(TieoutError):
    """An alert was not accepted; it goes out with the next attempt. `is_doubtful`: it may have arrived all the same."""

    def __init__(self, line: str, is_doubtful: bool = False) -> None:
        self.is_doubtful = is_doubtful
        super().__init__(line)


class _Transient(Exception):
    """Worth another try."""

    def __init__(self, reason: str, is_doubtful: bool = False) -> None:
        self.is_doubtful = is_doubtful
        super().__init__(reason)


@dataclass(frozen=True)
class Channel:
    """A way out. `name` stands for it in files, `about` in what people read."""

    name: str
    about: str
    send: Callable[[str, str], None]
    """Title and text. Raises `AlertNotSent`."""


def channels(settings: Settings) -> list[Channel]:
    """Those that are set up. What they are sent holds no secret of these settings."""
    masking.learn(settings.secrets().values())
    found = []
    if url := settings.alert_webhook_url:
        address = url.get_secret_value()
        about = f"the webhook at {urlsplit(address).hostname}"
        found.append(Channel("webhook", about, lambda title, text: _post(address, masked(text))))
    if settings.alert_email_to:
        about = f"e-mail by {settings.alert_smtp_host}"
        found.append(Channel("email", about, lambda title, text: _mail(settings, title, masked(text))))
    return found


def _post(url: str, text: str) -> None:
    def once() -> None:
        try:
            with _Unlogged("httpx"), httpx.Client(timeout=_SECONDS_TO_ANSWER, trust_env=not is_loopback(url)) as client:
                # https://docs.slack.dev/messaging/formatting-message-text: what Slack reads as its own.
                escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
                status = client.post(url, json={"text": escaped}).status_code
        except httpx.RequestError as error:
            is_doubtful = not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError))
            reason = f"cannot be reached ({type(error).__name__}): check the network and the proxy"
            raise _Transient(reason, is_doubtful) from None
        except (ImportError, ValueError, httpx.InvalidURL):
            raise AlertNotSent("The alert webhook cannot be called: check ALERT_WEBHOOK_URL and the proxy.") from None
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise _Transient(f"answers {status}: see what is wrong there")
        if not httpx.codes.is_success(status):
            raise AlertNotSent(f"The alert webhook answers {status}: check ALERT_WEBHOOK_URL, or have a new one made.")

    _patiently(once, "The alert webhook")


def _mail(settings: Settings, title: str, text: str) -> None:
    assert settings.alert_smtp_host
    host, port, user = settings.alert_smtp_host, settings.alert_smtp_port, settings.alert_smtp_user
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = title, settings.alert_email_from, settings.alert_email_to
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="tieout.invalid")
    mail.set_content(text)

    def once() -> None:
        context = ssl.create_default_context()
        try:
            with (
                smtplib.SMTP_SSL(host, port, timeout=_SECONDS_TO_ANSWER, context=context)
                if port == _IMPLICIT_TLS
                else smtplib.SMTP(host, port, timeout=_SECONDS_TO_ANSWER)
            ) as server:
                if port != _IMPLICIT_TLS and not is_loopback_host(host):
                    server.starttls(context=context)
                if user and settings.alert_smtp_password:
                    server.login(user, settings.alert_smtp_password.get_secret_value())
                server.send_message(mail)
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPNotSupportedError):
            raise AlertNotSent(
                f"The mail server {host} refuses ALERT_SMTP_USER, its password or encryption: correct the settings."
            ) from None
        except smtplib.SMTPRecipientsRefused:
            raise AlertNotSent(f"The mail server {host} refuses the recipients: check ALERT_EMAIL_TO.") from None
        except smtplib.SMTPSenderRefused:
            raise AlertNotSent(f"The mail server {host} refuses the sender: check ALERT_EMAIL_FROM.") from None
        except OSError as error:
            # Of smtplib's errors those that are left: also one that comes when the mail may have been taken.
            is_doubtful = isinstance(error, (smtplib.SMTPException, TimeoutError, ConnectionResetError))
            reason = f"cannot be used ({type(error).__name__}): check ALERT_SMTP_HOST and its port"
            raise _Transient(reason, is_doubtful) from None

    _patiently(once, f"The mail server {host}")


def _patiently(once: Callable[[], None], about: str) -> None:
    is_doubtful = False
    try:
        for attempt in stamina.retry_context(
            on=_Transient, attempts=_ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=4.0
        ):
            with attempt:
                try:
                    once()
                except _Transient as fault:
                    is_doubtful |= fault.is_doubtful
                    raise
    except _Transient as fault:
        raise AlertNotSent(f"{about} {fault}; the alert goes out with the next attempt.", is_doubtful) from None


class _Unlogged:
    """Keeps a library from logging the address that it calls."""

    def __init__(self, logger: str) -> None:
        self._logger = logging.getLogger(logger)

    def __enter__(self) -> None:
        self._logger.addFilter(_nothing)

    def __exit__(self, *_: object) -> None:
        self._logger.removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    return False
