from __future__ import annotations

import socket
from pathlib import Path

import pytest

_TIERS = ("unit", "contract", "integration", "oracle")
_COSTLY = ("after_one_run", "defs")
"""Fixtures of a session that take long: the tests that ask for one share a worker, as those of one file do."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test belongs to the tier in whose folder it stands, and to a worker."""
    tests = Path(__file__).parent
    for item in items:
        file = item.path.relative_to(tests)
        if file.parts[0] in _TIERS:
            item.add_marker(file.parts[0])
        asked = getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group(next((name for name in _COSTLY if name in asked), str(file))))


@pytest.fixture
def unused_tcp_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
