"""Small sandboxes in this process, and readers of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ingestion.sandbox import Options, Sandbox

from .reading import Reader


@pytest.fixture
def open_sandbox() -> Callable[..., Reader]:
    def start(seed: int = 1, scale: str = "small", faults: tuple[str, ...] = (), **options: object) -> Reader:
        return Reader(Sandbox(seed, scale, faults, Options(**options)))

    return start


@pytest.fixture
def fresh(open_sandbox: Callable[..., Reader]) -> Reader:
    """For a test that changes its sandbox."""
    return open_sandbox()


@pytest.fixture(scope="session")
def reader() -> Reader:
    """For tests that only read."""
    return Reader(Sandbox())
