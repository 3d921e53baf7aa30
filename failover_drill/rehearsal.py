"""A dry run: stands where the drill stands, plans what it would change, and changes nothing.

    step ──► Rehearsal.disable(primary) ──► acts.disable ──► stop app proseware-eastus: Running → Stopped; undo: …

The changes come from acts.py, as the drill's do. Verbs that only look, wait or verify need no plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from failover_drill import acts, changes
from failover_drill.changes import STOPPED, Change
from failover_drill.cost import Expected
from failover_drill.faults import Fault
from failover_drill.guards import Guards
from failover_drill.platform import Platform
from failover_drill.target import Role, Target, resource_name
from failover_drill.wording import duration


class Rehearsal:
    """The plan of one scenario, made by running its steps against it."""

    def __init__(
        self, target: Target, platform: Platform, guards: Guards, expected: Expected, left_s: float, *, locked: bool
    ) -> None:
        """`left_s`: error budget not yet spent. `locked`: the drill would hold a tag as its lock."""
        self.target, self._platform, self._guards = target, platform, guards
        self._expected, self._left_s, self._locked = expected, left_s, locked
        self._states: dict[str, str] = {}
        self._undos: list[str] = []
        self._faults: list[str] = []
        self.lines: list[str] = []

    def check(self) -> None:
        """Ask every guard. Raises Unsafe where one refuses."""
        self._guards.check()
        self.lines.append("every guard lets this drill pass")
        if self._locked:
            self.lines.append("  first: take the lock, a tag of the profile; undo: remove it, last of all")

    def begin_step(self, words: str) -> None:
        """Head what the step will change."""
        self.lines.append(words)

    def disable(self, role: Role) -> None:
        self._plan(acts.disable(self.target, role))

    def enable(self, role: Role) -> None:
        self._plan(acts.enable(self.target, role))

    def point_dns_at(self, role: Role) -> None:
        state = self._platform.endpoint_state(self.target.region(role).endpoint_id)
        if state.enabled and state.health == STOPPED:
            self._plan(acts.wake(self.target, role))
        self._plan(acts.point_dns_at(self.target, role))

    def make_hot_standby(self, role: Role) -> None:
        self._plan(acts.enable(self.target, role))
        self._plan(acts.enlist(self.target, role))

    def move_users(self, role: Role) -> None:
        self._plan(acts.enable(self.target, role))
        self._plan(acts.point_dns_at(self.target, role))
        for other in (each for each in Role if each is not role):
            self._plan(acts.disable(self.target, other))

    def inject(self, fault: Fault) -> None:
        where = fault.resource(self.target)
        undo = f"undo of it: fault {fault.kind} → over"
        self._faults.append(undo)
        self.lines += [f"  inject {fault} upon {resource_name(where)}", f"    {undo}", f"    {where}"]

    def end_faults(self) -> None:
        self.lines += [f"  {undo}" for undo in reversed(self._faults)]
        self._faults = []

    def put_back(self) -> None:
        self.end_faults()
        self.lines += [f"  {undo}" for undo in reversed(self._undos)]
        self._undos, self._states = [], {}

    def __getattr__(self, verb: str) -> Callable[..., None]:
        """Everything else that a step may ask of a drill looks, waits or verifies."""
        if verb.startswith("_"):
            raise AttributeError(verb)
        return _nothing

    def _plan(self, wanted: Iterable[Change]) -> None:
        for change in wanted:
            before = self._states.get(change.resource) or changes.current(self._platform, change.kind, change.resource)
            if before == change.wanted:
                self.lines.append(f"  {change}: it is {before} already")
                continue
            undo = f"undo of it: {change.kind} {resource_name(change.resource)} → {before}"
            if change.resource not in self._states:  # it goes straight back to what it was first
                self._undos.append(undo)
            self._states[change.resource] = change.wanted
            self.lines += [f"  {change}: {before} → {change.wanted}", f"    {undo}", f"    {change.resource}"]

    def close(self) -> list[str]:
        """Return the whole plan, forecast included, one line each."""
        if self._undos or self._faults:
            self.lines.append("at the end, whatever happens, newest first:")
            self.put_back()
        expected = self._expected
        return [
            *self.lines,
            f"forecast: recovery time {duration(expected.recovery_s)}, downtime {duration(expected.cost_s)} "
            f"of the {duration(self._left_s)} of error budget that are left ({expected.why})",
            "dry run: nothing was changed",
        ]


def _nothing(*_: Any, **__: Any) -> None:
    return None
