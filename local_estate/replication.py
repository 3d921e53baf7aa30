"""How writes leave the region that took them: late, in order, and never once the app that took them has ended. Pure.

    put ──► outbox ── lag_s after the write, unless paused ──► take ──► the other regions
               └──── lose: the app was stopped or restarted (a killed process takes its outbox with it)

Time is an argument, ns of CLOCK_MONOTONIC. The lag is in real seconds: like the TTL it is never divided by the time scale,
because what it costs is measured in users' seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Written:
    """One write that a region acknowledged. `seq` counts from 1 for each life of the region's process."""

    seq: int
    key: str
    value: str
    app: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How replication goes out of one region."""

    lag_s: float = 1.0
    paused: bool = False


STEADY = Pace()


@dataclass(frozen=True, slots=True)
class Hindrance:
    """What a fault does to the replication out of one region, or (None) of every region."""

    region: str | None = None
    late_s: float = 0.0
    paused: bool = False


def hindered(pace: Pace, region: str, hindrances: Iterable[Hindrance]) -> Pace:
    """Return the pace out of *region*: hindrances add up."""
    for each in hindrances:
        if each.region in (None, region):
            pace = replace(pace, lag_s=pace.lag_s + each.late_s, paused=pace.paused or each.paused)
    return pace


@dataclass(slots=True)
class Outbox:
    """The writes of one region that no other region has yet, oldest first."""

    pace: Pace = STEADY
    waiting: deque[Written] = field(default_factory=deque)
    last_seq: int = 0

    def put(self, app: str, key: str, value: str, now_ns: int) -> Written:
        """Take in a write that is acknowledged at *now_ns*."""
        self.last_seq += 1
        written = Written(self.last_seq, key, value, app, now_ns)
        self.waiting.append(written)
        return written

    def due_ns(self) -> int | None:
        """Return when `take` will give the next write; None: there is none, or replication is paused."""
        if self.pace.paused or not self.waiting:
            return None
        return self.waiting[0].at_ns + round(self.pace.lag_s * 1e9)

    def take(self, now_ns: int) -> tuple[Written, ...]:
        """Take out the writes that leave the region by *now_ns*."""
        leaving: list[Written] = []
        while (due_ns := self.due_ns()) is not None and due_ns <= now_ns:
            leaving.append(self.waiting.popleft())
        return tuple(leaving)

    def lose(self, app: str) -> tuple[Written, ...]:
        """Take out, for good, what *app* had still to send."""
        lost = tuple(each for each in self.waiting if each.app == app)
        self.waiting = deque(each for each in self.waiting if each.app != app)
        return lost
