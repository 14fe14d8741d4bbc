"""Where others could reach the UI, they are asked for a password, or it is not served."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ingestion.errors import SettingsError
from orchestration.ui.access import AddressInUse, access_at, check_address

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("UI_ALLOWED_HOSTS", "UI_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_this_machine_alone_needs_nothing(host: str) -> None:
    access = access_at(host)
    assert (access.hosts, access.password) == (frozenset(), None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "tieout.example.org", "10.0.0.1"])
def test_others_are_asked(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="set UI_PASSWORD"):
        access_at(host)
    monkeypatch.setenv("UI_PASSWORD", PASSWORD)
    monkeypatch.setenv("UI_ALLOWED_HOSTS", "Tieout.example.org, b.example:8443")
    access = access_at(host)
    assert {"tieout.example.org", "b.example:8443"} <= access.hosts
    assert access.password == PASSWORD


def test_an_address_is_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UI_PASSWORD", PASSWORD)
    assert access_at("192.0.2.7").hosts == {"192.0.2.7"}
    with pytest.raises(SettingsError, match="needs UI_ALLOWED_HOSTS"):
        access_at("0.0.0.0")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("UI_PASSWORD", "short", "UI_PASSWORD must have 12 characters or more"),
        ("UI_ALLOWED_HOSTS", "https://tieout.example.org", "UI_ALLOWED_HOSTS must be host names"),
        ("UI_ALLOWED_HOSTS", "*", "UI_ALLOWED_HOSTS must be host names"),
    ],
)
def test_what_is_wrong_is_one_line(name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as found:
        access_at("127.0.0.1")
    assert says in str(found.value)
    assert name == "UI_ALLOWED_HOSTS" or value not in str(found.value)


def test_a_port_that_is_taken_is_named(unused_tcp_port: int) -> None:
    check_address("127.0.0.1", unused_tcp_port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", unused_tcp_port))
        other.listen()
        with pytest.raises(AddressInUse, match=f"127.0.0.1:{unused_tcp_port}"):
            check_address("127.0.0.1", unused_tcp_port)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.7"])
def test_an_address_of_another_machine_is_named(host: str, unused_tcp_port: int) -> None:
    with pytest.raises((SettingsError, AddressInUse), match=host):
        check_address(host, unused_tcp_port)
