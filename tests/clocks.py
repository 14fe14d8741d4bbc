"""Clocks for readers that do not really wait."""

from __future__ import annotations

import time
from collections.abc import Callable

from ingestion.sandbox import Handle


class LeapingClock:
    """Leaps over what one sleeps, and notes it. `on_leap` is told of each leap."""

    def __init__(self, on_leap: Callable[[float], None] = lambda _: None) -> None:
        self.slept: list[float] = []
        self._leaped = 0.0
        self._on_leap = on_leap

    def time(self) -> float:
        return time.time() + self._leaped

    def monotonic(self) -> float:
        return time.monotonic() + self._leaped

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._on_leap(seconds)
        self._leaped += seconds


def clock_of(sandbox: Handle) -> LeapingClock:
    """A clock that takes a sandbox along when it leaps."""
    return LeapingClock(sandbox.leap)
