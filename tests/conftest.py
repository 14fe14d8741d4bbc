from __future__ import annotations

import socket
from pathlib import Path

import pytest

_TIERS = ("unit", "contract", "integration", "oracle")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test belongs to the tier in whose folder it stands."""
    tests = Path(__file__).parent
    for item in items:
        tier = item.path.relative_to(tests).parts[0]
        if tier in _TIERS:
            item.add_marker(tier)


@pytest.fixture
def unused_tcp_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
