"""The clock of a worker against the master's: how far apart, and how surely.

    master ── ping t0 ──► worker          the worker's clock read `tw` at some moment between t0 and t1,
    master ◄─ pong t0, tw ── worker       so its offset is tw − (t0 + t1)/2, give or take (t1 − t0)/2

The exchange with the least round trip says most. Clocks drift apart over a run, so it is taken early and late, and
the difference goes into the bound.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

CLOCK_VARIABLE = "FAILOVER_DRILL_CLOCK"
_LATE_NS = 10_000_000_000  # what counts as "late": the last ten seconds


@dataclass(frozen=True, slots=True)
class Exchange:
    """One ping and pong: when it went out and came back on the master's clock, and what the worker's clock said."""

    out_ns: int
    back_ns: int
    theirs_ns: int

    @property
    def round_trip_ns(self) -> int:
        return self.back_ns - self.out_ns

    @property
    def offset_ns(self) -> int:
        """The worker's clock minus the master's."""
        return self.theirs_ns - (self.out_ns + self.back_ns) // 2


@dataclass(frozen=True, slots=True)
class Offset:
    """The worker's clock minus the master's, ns; the truth lies within `bound_ns` of it."""

    ns: int = 0
    bound_ns: int = 0


class OffsetEstimate:
    """Holds few exchanges however long the run: the best of the beginning, and the best of each late window."""

    def __init__(self) -> None:
        self._early: list[Exchange] = []
        self._late: list[Exchange] = []

    @property
    def count(self) -> int:
        return len(self._early) + len(self._late)

    def add(self, exchange: Exchange) -> None:
        if not self._early or exchange.back_ns - self._early[0].back_ns < _LATE_NS:
            self._early.append(exchange)
        else:
            self._late = [e for e in self._late if exchange.back_ns - e.back_ns < _LATE_NS] + [exchange]

    def offset(self) -> Offset:
        """Return what is known by now. Raises `ValueError` before the first exchange."""
        early = min(self._early, key=lambda e: e.round_trip_ns)
        late = min(self._late, key=lambda e: e.round_trip_ns) if self._late else early
        apart = abs(late.offset_ns - early.offset_ns)
        trip = max(late.round_trip_ns, early.round_trip_ns)
        return Offset((early.offset_ns + late.offset_ns) // 2, (apart + trip + 1) // 2)


def clock_id() -> str:
    """Name the clock that CLOCK_MONOTONIC reads here: equal names are the same clock, with no offset at all."""
    if told := os.environ.get(CLOCK_VARIABLE):
        return told
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.stat('/proc/self/ns/time').st_ino}"
    except OSError:
        return f"unknown/{os.uname().nodename}/{os.getpid()}"
