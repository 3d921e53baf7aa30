"""Putting the estate back: what was promised (promises.py), newest first, each until it holds.

    debts ── of promises outstanding, faults first, then what gives service back, then what takes it away
       ▼
    compensate ── read; if it is as wanted, done; else wait for what it needs, set it, read again
       ▼
    look again ── at what nobody knows the outcome of: a call that was under way may take effect late

Two needs are waited for: an endpoint is re-enabled only when its app answers directly, since Traffic Manager serves it before
any probe has passed (azure-facts §3.6); an app is stopped again only when names have led elsewhere for a TTL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from failover_drill.clock import Clock
from failover_drill.errors import DrillError, JournalError, PlatformError
from failover_drill.platform import Direct, Faults, Names, Platform
from failover_drill.promises import APP, ENDPOINT, FAULT, LOCK, LOCK_TAG, TAKING, UNDO, WAKING, Debt, Promise, debts
from failover_drill.target import Region, Target

DRAIN_MARGIN_S = 1.5  # resolvers keep an answer for up to TTL + 1 s (prototypes-estate §5)
BACKOFF_S = 0.2
BACKOFF_MAX_S = 3.0
HOLD_EVERY_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a restoration tries. Seconds. `doubt_s`: how long a call of unknown outcome may still take effect."""

    each_s: float = 60.0
    serve_s: float = 60.0
    poll_s: float = 0.1
    doubt_s: float = 10.0


class Compensator:
    """Redeems promises against the platform.

    `act(kind, resource, wanted, held, purpose)` performs one journalled change and returns its promise's id; `note` writes
    one journal line; `gone` says that there is nothing left to wait for.
    """

    def __init__(
        self,
        target: Target,
        platform: Platform,
        faults: Faults,
        direct: Direct,
        names: Names,
        clock: Clock,
        *,
        act: Callable[[str, str, str, str, str], str],
        note: Callable[[str, Mapping[str, Any]], None],
        say: Callable[[str], None],
        limits: Limits,
        gone: Callable[[], bool] = lambda: False,
    ) -> None:
        self._gone = gone
        self._target, self._platform, self._faults = target, platform, faults
        self._direct, self._names, self._clock = direct, names, clock
        self._act, self._note, self._say, self._limits = act, note, say, limits
        self._failures: list[str] = []
        self._tried: dict[str, bool] = {}
        self._debts: list[Debt] = []
        self._holding = False
        self._held_ns = 0

    def run(self, promises: Sequence[Promise]) -> list[str]:
        """Redeem all; return what could not be, one line each. One failure does not stop the others."""
        began_ns = self._clock.now_ns()
        self._debts = debts(promises)
        for debt in self._debts:
            self._redeem(debt)
        doubtful = [d for d in self._debts if d.doubtful and self._tried[d.final.id]]
        if doubtful:
            self._look_again(doubtful, began_ns)
        return self._failures

    def _redeem(self, debt: Debt) -> None:
        if debt.final.id in self._tried or self._gone():
            return
        self._tried[debt.final.id] = False
        self._tried[debt.final.id] = self._attempt(debt.final)
        if self._tried[debt.final.id] and not debt.doubtful:
            self._paid(debt)

    def _paid(self, debt: Debt) -> None:
        for promise in debt.promises:
            self._note("redeemed", {"id": promise.id, "undo": str(debt)})
        self._say(f"put back: {debt}")

    def _look_again(self, doubtful: Sequence[Debt], began_ns: int) -> None:
        """A call that was cut off may still be under way: look once more when it no longer can be."""
        left_s = self._limits.doubt_s - (self._clock.now_ns() - began_ns) / 1e9
        if left_s > 0:
            self._say(f"looking again in {left_s:.0f} s: a call of unknown outcome may still take effect")
            self._clock.wait(left_s)
        for debt in doubtful:
            if self._attempt(debt.final):
                self._paid(debt)

    def _hold_doubtful(self) -> None:
        """Put back again what a late call has changed meanwhile: waiting for names is in vain while it stands."""
        now = self._clock.now_ns()
        if self._holding or now - self._held_ns < HOLD_EVERY_NS:
            return
        self._holding, self._held_ns = True, now
        try:
            for debt in [d for d in self._debts if d.doubtful and self._tried.get(d.final.id)]:
                final = debt.final
                if not self._holds(final.kind, final.resource, final.wanted, final.held):
                    self._say(f"took effect late, so it is put back again: {debt}")
                    self._attempt(final)
        finally:
            self._holding = False

    def _attempt(self, promise: Promise) -> bool:
        """Try until it holds or the budget is spent; every try is harmless where it holds already."""
        deadline = self._clock.now_ns() + int(self._limits.each_s * 1e9)
        pause = BACKOFF_S
        while True:
            try:
                self._prepare(promise)
                self._insist(promise.kind, promise.resource, promise.wanted, promise.held)
                self._settle(promise)
            except DrillError as error:
                reason = str(error)
            except Exception as error:  # ours, or an answer that nobody foresaw: it must not stop the other undos
                reason = f"{type(error).__name__}: {error}"
            else:
                return True
            self._clock.wait(pause)
            if self._clock.now_ns() >= deadline or self._gone():
                self._failures.append(f"{promise}: {reason}")
                self._say(f"could not put back {promise}: {reason}")
                return False
            pause = min(pause * 2, BACKOFF_MAX_S)

    def _prepare(self, promise: Promise) -> None:
        """See to what this undo needs before it may happen; nothing where it holds already."""
        if promise.kind in (LOCK, FAULT) or self._holds(promise.kind, promise.resource, promise.wanted, promise.held):
            return
        region = self._region(promise.region)
        if (promise.kind, promise.wanted) == (ENDPOINT, "Enabled"):
            for other in self._debts:
                if (other.final.kind, other.final.region, other.final.wanted) == (APP, region.name, "Running"):
                    self._redeem(other)
            self._until_serving(region)
        elif promise.wanted in TAKING:
            self._until_names_leave(region, drained=promise.kind == APP)

    def _settle(self, promise: Promise) -> None:
        if (promise.kind, promise.wanted) == (APP, "Running"):
            region = self._region(promise.region)
            self._until_serving(region)
            self._wake_probing(region)

    def _wake_probing(self, region: Region) -> None:
        """Traffic Manager does not probe a stopped endpoint until it notices the restart; off and on makes it (§3.6)."""
        state = self._platform.endpoint_state(region.endpoint_id)
        if state.enabled and state.health == "Stopped":
            try:
                asleep = self._act(ENDPOINT, region.endpoint_id, "Disabled", "", WAKING)
            except (JournalError, PlatformError) as error:  # what cannot be promised is not done
                if isinstance(error, PlatformError) and not error.outcome_known:
                    raise
                self._say(f"{region.endpoint} is probed again only when Traffic Manager notices the restart: {error}")
                return
            self._insist(ENDPOINT, region.endpoint_id, "Enabled")
            self._note("redeemed", {"id": asleep, "undo": f"{region.endpoint} probed again"})

    def _insist(self, kind: str, resource: str, wanted: str, held: str = "") -> None:
        """Set *resource* unless reading shows *wanted*, and read again. Raises PlatformError where that did not help."""
        if self._holds(kind, resource, wanted, held):
            return
        self._act(kind, resource, wanted, held, UNDO)
        if not self._holds(kind, resource, wanted, held):
            raise PlatformError(
                f"still not {wanted or ('over' if kind == FAULT else 'free')}",
                operation=f"set {kind}",
                resource_id=resource,
            )

    def _holds(self, kind: str, resource: str, wanted: str, held: str) -> bool:
        if kind == FAULT:
            return not self._faults.on(held)
        if kind == LOCK:
            return self._platform.tags(resource).get(LOCK_TAG, "") != held
        if kind == APP:
            return self._platform.app_state(resource).state == wanted
        return self._platform.endpoint_state(resource).enabled == (wanted == "Enabled")

    def _until_serving(self, region: Region) -> None:
        """Wait until the region answers directly; PlatformError when the budget is spent: no user is sent to a dead app."""
        if not self._until(lambda: self._direct.ask(region).good, self._limits.serve_s):
            said = self._direct.ask(region).said
            raise PlatformError(
                f"{region.name} does not answer when asked directly: {said}",
                operation="ask directly",
                resource_id=region.app_id,
            )

    def _until_names_leave(self, region: Region, *, drained: bool) -> None:
        """Wait until the authority leads elsewhere and, with *drained*, every cache that honours the TTL has followed.

        PlatformError when it goes on leading here: a region is not taken from under its users.
        """

        def left() -> bool:
            self._hold_doubtful()
            return self._names.ask("authority").region != region.name

        if not self._until(left, self._limits.serve_s):
            raise PlatformError(
                f"DNS still leads to {region.name}", operation="ask the authority", resource_id=self._target.profile_id
            )
        if drained:
            self._clock.wait(self._platform.profile_state(self._target.profile_id).ttl_s + DRAIN_MARGIN_S)

    def _until(self, holds: Callable[[], bool], budget_s: float) -> bool:
        deadline = self._clock.now_ns() + int(budget_s * 1e9)
        while not holds():
            if self._clock.now_ns() >= deadline or self._gone():
                return False
            self._clock.wait(self._limits.poll_s)
        return True

    def _region(self, name: str) -> Region:
        return next(r for r in self._target.regions if r.name == name)
