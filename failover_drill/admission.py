"""Admits a drill to its estate: what must come before its first change, and what must still be so before each one.

guards ──► snapshot, journalled ──► lock ──► settle ──► still ours? nothing else changed?
   └──────────── any of them refuses: Unsafe, and nothing but our lock was written
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from failover_drill import lock, restoration
from failover_drill.abort import Conditions
from failover_drill.changes import Change, Changes
from failover_drill.errors import Unsafe
from failover_drill.guards import Guards, resources
from failover_drill.journal import Journal
from failover_drill.promises import LOCK, LOCKING
from failover_drill.restoration import World
from failover_drill.undo import Limits


@dataclass(frozen=True, slots=True)
class Safety:
    """What keeps a drill safe: guards, how long an undo tries, how long the lock counts (0: no tag), what ends it. Seconds."""

    guards: Guards
    undo: Limits = field(default_factory=Limits)
    lock_s: float = 7_200.0
    lock_settle_s: float = 2.0
    abort: Conditions = field(default_factory=Conditions)


class Admission:
    """Of one drill. `given`: was it admitted? `snapshot`: of the estate as it was then. `lock`: our tag's value; "" before."""

    def __init__(self, world: World, changes: Changes, journal: Journal, safety: Safety) -> None:
        self._target, self._platform, self._clock = world.target, world.platform, world.clock
        self._changes, self._journal, self._safety = changes, journal, safety
        self.snapshot: dict[str, Mapping[str, object]] = {}
        self.lock = ""
        self.given = False

    def seek(self) -> None:
        """Ask every guard, take the snapshot and the lock, once. Raises Unsafe; nothing but our lock was written then."""
        if self.given:
            return
        self._safety.guards.check()
        self.snapshot = {i: self._platform.snapshot(i) for i in resources(self._target)}
        self._journal.append("snapshot", {"resources": self.snapshot}, sync=True)
        if self._safety.lock_s:
            self._take_lock()
        self.given = True

    def _take_lock(self) -> None:
        """Write the lock, and see whether it is still ours once every other write that began meanwhile has landed."""
        mine = lock.Lock(self._journal.path.parent.name, lock.owner(), self._clock.wall_s() + self._safety.lock_s)
        take = Change(LOCK, self._target.profile_id, str(mine))
        before = self._changes.read(take)
        reason = lock.refusal(before, self._clock.wall_s())
        if reason:
            raise Unsafe(reason)
        self.lock = str(mine)
        self._changes.make(take, before, LOCKING)
        self._clock.wait(self._safety.lock_settle_s)
        found = self._changes.read(take)
        if found != self.lock:
            raise Unsafe(f"another drill took the lock at the same moment: {found or 'it was removed'}")
        changed = restoration.differing(self.snapshot, self._platform)
        if changed:
            raise Unsafe(f"somebody changed the estate while the lock was taken: {'; '.join(changed)}")

    def withdrawn(self) -> str:
        """Say why the drill must not go on: drills were stopped, or guardian or lock were lost; "" where it may."""
        guards = self._safety.guards
        return guards.stop_requested() or guards.unguarded() or self._lock_lost()

    def _lock_lost(self) -> str:
        if not self.lock:
            return ""
        found = self._safety.guards.lock_value()
        return "" if found == self.lock else f"the lock was lost: it is now {found or 'removed'}"
