"""Who may reach the UI."""

import ipaddress
import socket
from dataclasses import dataclass

from ingestion.errors import SettingsError, TieoutError
from ingestion.settings import is_loopback_host, load_ui


class AddressInUse(TieoutError):
    """Something else listens where the UI is to."""


@dataclass(frozen=True)
class Access:
    """The names that the UI answers to besides the loopback ones, and what it asks for first."""

    hosts: frozenset[str]
    password: str | None


def access_at(host: str) -> Access:
    """As the settings say. Raises `SettingsError` where others could reach the UI and nothing would ask them."""
    ui = load_ui()
    hosts = frozenset(ui.ui_allowed_hosts.split(",")) - {""}
    password = ui.ui_password.get_secret_value() if ui.ui_password else None
    if is_loopback_host(host):
        return Access(hosts, password)
    if password is None:
        raise SettingsError(
            f"--host {host} lets others reach the UI, by which they can run programs as this user: set UI_PASSWORD,"
            " or leave --host out and put a proxy with a log-in before it (docs/deploy.md)."
        )
    if not _is_any(host):
        hosts |= {host.lower()}
    if not hosts:
        raise SettingsError(f"--host {host} needs UI_ALLOWED_HOSTS: the names by which browsers will ask for the UI.")
    return Access(hosts, password)


def check_address(host: str, port: int) -> None:
    """Raises `AddressInUse` or `SettingsError` where nothing could listen there."""
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            # As the server does: a port whose last connections are not quite over can be listened on.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except socket.gaierror:
        raise SettingsError(f"--host {host} is no address of this machine.") from None
    except PermissionError:
        raise SettingsError(f"--port {port} needs more rights than this user has: choose one above 1023.") from None
    except OSError as error:
        raise AddressInUse(
            f"The UI cannot listen on {host}:{port} ({error.strerror}): end what does, or choose another --port."
        ) from None


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
