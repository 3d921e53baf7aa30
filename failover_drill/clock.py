"""Time as a parameter. `Clock` is the protocol, `SystemClock` the real one; tests bring a clock that they move themselves."""

from __future__ import annotations

import time
from typing import Protocol

from failover_drill.facts import ClockAnchor


class Clock(Protocol):
    """One monotonic clock, and waiting on it."""

    def now_ns(self) -> int:
        """Return CLOCK_MONOTONIC in ns."""

    def wall_s(self) -> float:
        """Return the time of day, epoch seconds: for what other machines must understand."""

    def wait(self, seconds: float) -> None:
        """Let *seconds* pass."""


class SystemClock:
    """The machine's own."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def wall_s(self) -> float:
        return time.time()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: TID251 - the one place that waits


def anchor() -> ClockAnchor:
    """Read both clocks at one instant; taken once per run."""
    return ClockAnchor(wall_ns=time.time_ns(), mono_ns=time.monotonic_ns())
