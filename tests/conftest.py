from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

_TIERS = ("unit", "contract", "integration", "oracle")
_SHARING = ("runs", "contract")
"""Folders whose tests go on from one first run, or look at one parse of the dbt project."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test belongs to the tier in whose folder it stands."""
    tests = Path(__file__).parent
    for item in items:
        tier = item.path.relative_to(tests).parts[0]
        if tier in _TIERS:
            item.add_marker(tier)


class Together(LoadFileScheduling):
    """Deals out the tests by their files, and by their folder where its tests share what takes long to make."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(super()._split_scope(nodeid))
        return str(file.parent if file.parent.name in _SHARING else file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than cores: the long tests often wait, for a pause before a retry or for a process to be killed."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture
def unused_tcp_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
