"""How a change is made: promised with its undo, on the disk before it is sent; then sent; then its outcome.

    promise {id, verb, resource, before, undo}   fsync
    ── call ──►                                  t0, for the first disruptive one
    outcome {id, ok | failed | unknown}          fsync; unknown (timeout, reset) is settled by reading again

The same code serves the drill, and whoever puts things back after it: each with a journal of its own. An undo owes nothing, so
it is made even where nothing can be written down: a full disk keeps a drill from acting, and nobody from putting back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from failover_drill import telemetry
from failover_drill.clock import Clock
from failover_drill.errors import JournalError, PlatformError, Unsafe
from failover_drill.facts import Mark, Segment
from failover_drill.platform import Faults, Platform, Receipt
from failover_drill.promises import APP, DEED, ENDPOINT, FAULT, INJECTION, LOCK, LOCK_TAG, PREPARATION, UNDO
from failover_drill.target import Target, resource_name

ENABLED, DISABLED = "Enabled", "Disabled"
RUNNING, STOPPED = "Running", "Stopped"
ON = "on"  # of a fault; "" is over
ACTS = frozenset({DEED, PREPARATION, INJECTION})  # what a drill does of its own will
DISRUPTIVE = frozenset({DEED, INJECTION})  # the first of them is t0
VERBS = {
    (APP, RUNNING): "start app",
    (APP, STOPPED): "stop app",
    (ENDPOINT, ENABLED): "enable endpoint",
    (ENDPOINT, DISABLED): "disable endpoint",
}


@dataclass(frozen=True, slots=True)
class Change:
    """Bring one resource, an app or an endpoint, to the wanted state; or a fault upon it.

    For a lock, `wanted` is the tag's value, "" to free it, and `held` the value that is ours to take away. For a fault, `wanted`
    is "on", or "" to end it, `held` its id, "KIND.…", and `request` what the estate is asked for.
    """

    kind: str
    resource: str
    wanted: str
    segment: Segment | None = None
    held: str = ""
    request: Mapping[str, object] = field(default_factory=dict)

    @property
    def verb(self) -> str:
        if self.kind == FAULT:
            return f"{'inject' if self.wanted else 'end'} {self.held.partition('.')[0]}"
        if self.kind == LOCK:
            return "take lock" if self.wanted else "free lock"
        return VERBS[self.kind, self.wanted]

    def __str__(self) -> str:
        return f"{self.verb} {resource_name(self.resource)}"


def current(platform: Platform, kind: str, resource: str) -> str:
    """Return the state of an app, the enabled status of an endpoint, or the value of the lock's tag. Raises PlatformError."""
    if kind == LOCK:
        return platform.tags(resource).get(LOCK_TAG, "")
    if kind == APP:
        return platform.app_state(resource).state
    return ENABLED if platform.endpoint_state(resource).enabled else DISABLED


class Pen(Protocol):
    """What lines are written with: a journal."""

    @property
    def path(self) -> Path: ...

    def append(self, kind: str, fields: Mapping[str, Any], *, sync: bool = False) -> object:
        """Write one line. Raises JournalError where it cannot be written."""


class Changes:
    """The only way to the platform's writing verbs."""

    def __init__(
        self,
        target: Target,
        platform: Platform,
        faults: Faults,
        clock: Clock,
        journal: Pen,
        say: Callable[[str], None],
    ) -> None:
        self._target, self._platform, self._faults = target, platform, faults
        self._clock, self._journal, self._say = clock, journal, say
        self.made = 0  # how many changes were promised
        self.begun = False  # has the first deed been sent?
        self.newest_s = 0.0  # when the newest change was sent, epoch seconds
        self.unwritten = ""  # why what was put back is not, or not wholly, written down
        self.before_deed: Callable[[], None] = lambda: None  # what must be so before a deed; raises where it is not

    def read(self, change: Change) -> str:
        """Return the present state of what *change* is about, as `current` does; of a fault "on" or "". Raises PlatformError."""
        if change.kind == FAULT:
            return ON if self._faults.on(change.held) else ""
        return current(self._platform, change.kind, change.resource)

    def ensure(self, change: Change, purpose: str = DEED) -> None:
        """Make *change* unless it is so already. Raises Unsafe outside the blast radius, PlatformError where it is refused."""
        if purpose in ACTS:
            self.before_deed()
        before = self.read(change)
        if before == change.wanted:
            self._say(f"{resource_name(change.resource)} is {before} already")
        else:
            self.make(change, before, purpose)

    def make(self, change: Change, before: str, purpose: str) -> str:
        """Promise, send and record one change; return the promise's id. Raises as `ensure` does."""
        if change.resource.lower() not in self._target.blast_radius:
            raise Unsafe(f"{change.resource} is outside the blast radius: only what drill.toml lists may be changed")
        promise = self._promise(change, before, purpose)
        sent_ns, self.newest_s = self._clock.now_ns(), self._clock.wall_s()
        if purpose in DISRUPTIVE and not self.begun:
            self.begun = True
            self._journal.append("milestone", {"mark": Mark.FAULT.value, "at_ns": sent_ns, "note": str(change)})
        with telemetry.within(str(change), resource_id=change.resource, promise=promise):
            try:
                receipt = self._call(change)
            except PlatformError as error:
                self._refused(promise, sent_ns, change, purpose, error)
            else:
                self._outcome(promise, sent_ns, change, purpose, "ok", request_id=receipt.request_id)
                self._say(f"{change} ✓")
        return promise

    def note(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Write a line about putting back. Where that cannot be, say so, and write none that would follow from it."""
        if self.unwritten:
            return
        try:
            self._journal.append(kind, fields, sync=True)
        except JournalError as error:
            self.unwritten = str(error)
            self._say(f"{error}; the estate is put back all the same")

    def _write(self, purpose: str, kind: str, fields: Mapping[str, Any]) -> None:
        if purpose == UNDO:
            self.note(kind, fields)
        else:
            self._journal.append(kind, fields, sync=True)

    def _promise(self, change: Change, before: str, purpose: str) -> str:
        self.made += 1
        promise = f"{self._journal.path.stem}-{purpose}-{self.made}"
        fields = {
            "id": promise,
            "verb": change.verb,
            "resource": change.resource,
            "region": self._region(change.resource),
            "purpose": purpose,
            "before": {"state": before},
            "segment": change.segment.value if change.segment else None,
            "undo": _undo(change, before),
            **({"request": change.request} if change.request else {}),
        }
        self._write(purpose, "promise", fields)
        return promise

    def _region(self, resource: str) -> str:
        return next((r.name for r in self._target.regions if resource in {r.app_id, r.endpoint_id}), "")

    def _call(self, change: Change) -> Receipt:
        if change.kind == FAULT:
            return self._switch(change)
        if change.kind == LOCK and change.wanted:
            return self._platform.set_tag(change.resource, LOCK_TAG, change.wanted)
        if change.kind == LOCK:
            return self._platform.remove_tag(change.resource, LOCK_TAG, change.held)
        if change.kind == ENDPOINT:
            return self._platform.set_endpoint(change.resource, enabled=change.wanted == ENABLED)
        if change.wanted == RUNNING:
            return self._platform.start(change.resource)
        return self._platform.stop(change.resource)

    def _switch(self, change: Change) -> Receipt:
        if change.wanted:
            self._faults.set(change.request)
        else:
            self._faults.end(change.held)
        return Receipt()

    def _refused(self, promise: str, sent_ns: int, change: Change, purpose: str, error: PlatformError) -> None:
        """Record a call that ended in an error; go on where reading again shows that it happened all the same."""
        if error.outcome_known:
            self._outcome(promise, sent_ns, change, purpose, "failed", error=str(error))
            raise error
        if self._settled(change) != change.wanted:
            self._outcome(promise, sent_ns, change, purpose, "unknown", error=str(error))
            raise error
        self._outcome(promise, sent_ns, change, purpose, "ok", error=f"settled by reading again after: {error}")

    def _settled(self, change: Change) -> str:
        """Read again after an unknown outcome; "" where even that fails."""
        try:
            return self.read(change)
        except PlatformError:
            return ""

    def _outcome(
        self,
        promise: str,
        sent_ns: int,
        change: Change,
        purpose: str,
        outcome: str,
        *,
        request_id: str = "",
        error: str = "",
    ) -> None:
        fields = {
            "id": promise,
            "outcome": outcome,
            "sent_ns": sent_ns,
            "done_ns": self._clock.now_ns(),
            "after": {"state": change.wanted if outcome == "ok" else ""},
            "request_id": request_id,
            "error": error,
        }
        self._write(purpose, "outcome", fields)
        telemetry.note(outcome=outcome, request_id=request_id)


def _undo(change: Change, before: str) -> dict[str, str]:
    """Return how to undo *change*. A lock is freed, not given back: one that was stolen had expired."""
    if change.kind == LOCK:
        return {"kind": LOCK, "resource": change.resource, "wanted": "", "held": change.wanted}
    if change.kind == FAULT:
        return {"kind": FAULT, "resource": change.resource, "wanted": "", "held": change.held}
    return {"kind": change.kind, "resource": change.resource, "wanted": before}
