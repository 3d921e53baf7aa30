"""Watches a drill's abort conditions: what users get, held against abort.py's limits, as often as that costs little."""

from __future__ import annotations

from failover_drill import abort
from failover_drill.changes import Changes
from failover_drill.clock import Clock
from failover_drill.judging import Judging

COST_MAX = 4  # looking takes at most one part in so many of the time between two looks


class AbortWatch:
    """Of one drill. Nothing counts before its first disruptive change."""

    def __init__(
        self, conditions: abort.Conditions, judging: Judging, changes: Changes, clock: Clock, glance_s: float
    ) -> None:
        """`glance_s`: at least so long between two looks."""
        self._conditions, self._glance_ns = conditions, int(glance_s * 1e9)
        self._judging, self._changes, self._clock = judging, changes, clock
        self._due_ns = 0

    def add(self, **limits: float) -> None:
        """Add abort conditions to those of drill.toml (abort.Conditions names them; shares are fractions)."""
        self._conditions = self._conditions.with_(**limits)

    def breach(self) -> str:
        """Say which limit is broken now, and by what; "" where none is."""
        if not self._conditions.any or not self._changes.begun:
            return ""
        seen = self._judging.seen(self._clock.wall_s(), self._conditions.availability_for_s)
        return abort.breach(self._conditions, seen)

    def breach_if_due(self) -> str:
        """The same, where it is time to look again; "" otherwise."""
        began_ns = self._clock.now_ns()
        if not self._conditions.any or began_ns < self._due_ns:
            return ""
        reason = self.breach()
        ended_ns = self._clock.now_ns()
        self._due_ns = ended_ns + max(COST_MAX * (ended_ns - began_ns), self._glance_ns)
        return reason
