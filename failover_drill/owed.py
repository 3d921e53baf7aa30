"""What a drill owes by its own journal, and its ways to pay while it lives. A dead drill's debts are restoration.py's.

promises outstanding ── faults ──► end_faults    a step, or
                     ── all but the lock ──► put_back, compared with the snapshot
                     ── the lock, last of all ──► free_lock
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from failover_drill import interrupts, restoration
from failover_drill.changes import Changes
from failover_drill.errors import DrillError
from failover_drill.journal import Journal
from failover_drill.promises import FAULT, LOCK, Promise, outstanding
from failover_drill.restoration import Snapshot, World
from failover_drill.undo import Limits


class Owed:
    """Of one drill. `put_back_at`: how many changes there were when the estate was last put back and compared; 0: never."""

    def __init__(
        self, world: World, changes: Changes, own: Journal, limits: Limits, say: Callable[[str], None]
    ) -> None:
        self._world, self._changes, self._journal, self._limits, self._say = world, changes, own, limits, say
        self.put_back_at = 0

    def promises(self) -> list[Promise]:
        """Return what is still not put back, the lock included, oldest first."""
        return outstanding(self._journal.entries)

    def end_faults(self) -> None:
        """End every fault that this drill injected, newest first. Raises DrillError where one goes on."""
        failures = self._redeem([p for p in self.promises() if p.kind == FAULT])
        if failures:
            raise DrillError(f"a fault is not over: {'; '.join(failures)}")

    def put_back(self, snapshot: Snapshot) -> None:
        """Redeem every promise but the lock's, newest first, and compare with *snapshot*. Idempotent.

        Raises DrillError, after having tried everything, where something is still not as it was, or that is not written down.
        """
        owed = [p for p in self.promises() if p.kind != LOCK]
        if not owed and self.put_back_at and self.put_back_at == self._changes.made:
            return  # compared already, and nothing was changed since
        with interrupts.held():  # an undo that is cut off in the middle would have to be sent twice
            differences = restoration.put_back(owed, snapshot, self._world, self._changes, self._limits, self._say)
        self.put_back_at = self._changes.made
        if differences:
            raise DrillError(f"the estate is not as it was: {'; '.join(differences)}")
        if self._changes.unwritten:
            raise DrillError(f"the estate is as it was, but that is not written down: {self._changes.unwritten}")

    def free_lock(self) -> None:
        """Let others drill. Raises DrillError where the lock cannot be removed: it then counts until it expires."""
        owed = self.promises()
        if any(p.kind != LOCK for p in owed):
            return  # what could not be put back is nobody else's to drill
        failures = self._redeem(owed)
        if failures:
            raise DrillError(f"the lock is not freed: {'; '.join(failures)}")

    def _redeem(self, owed: Sequence[Promise]) -> list[str]:
        return restoration.redeem(owed, self._world, self._changes, self._limits, self._say)
