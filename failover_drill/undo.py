"""Putting the estate back: what was promised, newest first, each until it holds.

    promise ── the change and its undo, on the disk before the change is sent
       │           deed: stop app eastus          undo: app eastus → Running
       │           deed: disable endpoint eastus  undo: endpoint eastus → Enabled
       ▼
    compensate ── read; if it is as wanted, done; else wait for what it needs, set it, read again

Two needs bend the order (azure-facts §3.6): an endpoint is re-enabled only when its app answers directly, since Traffic
Manager serves it before any probe has passed; an app is stopped again only when names have led elsewhere for a TTL.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from failover_drill.clock import Clock
from failover_drill.errors import PlatformError
from failover_drill.journal import Entry
from failover_drill.platform import Direct, Names, Platform
from failover_drill.target import Region, Target

APP, ENDPOINT = "app", "endpoint"
DRAIN_MARGIN_S = 1.5  # resolvers keep an answer for up to TTL + 1 s (prototypes-estate §5)
BACKOFF_S = 0.2
BACKOFF_MAX_S = 3.0


@dataclass(frozen=True, slots=True)
class Promise:
    """One undo: make *resource*, an app or an endpoint, be as it was. `wanted` is a state or an enabled status."""

    id: str
    kind: str  # APP or ENDPOINT
    resource: str
    region: str
    wanted: str  # "Running", "Stopped"; "Enabled", "Disabled"

    def __str__(self) -> str:
        return f"{self.kind} {self.resource.rsplit('/', 1)[-1]} → {self.wanted}"


def outstanding(entries: Iterable[Entry]) -> list[Promise]:
    """Return the promises not yet redeemed, oldest first.

    A deed that surely failed changed nothing; any other may have, so it is undone.
    """
    open_: dict[str, Promise] = {}
    for entry in entries:
        if entry.kind == "promise" and entry.fields["purpose"] == "deed":
            open_[entry.fields["id"]] = _promise(entry.fields)
        elif (entry.kind == "outcome" and entry.fields["outcome"] == "failed") or entry.kind == "redeemed":
            open_.pop(entry.fields["id"], None)
    return list(open_.values())


def _promise(fields: Mapping[str, Any]) -> Promise:
    undo = fields["undo"]
    return Promise(fields["id"], undo["kind"], undo["resource"], fields["region"], undo["wanted"])


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a restoration tries. Seconds."""

    each_s: float = 60.0
    serve_s: float = 60.0
    poll_s: float = 0.1


class Compensator:
    """Redeems promises against the platform. `act` performs one journalled change; `note` writes one journal line."""

    def __init__(
        self,
        target: Target,
        platform: Platform,
        direct: Direct,
        names: Names,
        clock: Clock,
        *,
        act: Callable[[str, str, str], None],
        note: Callable[[str, Mapping[str, Any]], None],
        say: Callable[[str], None],
        limits: Limits,
    ) -> None:
        self._target, self._platform, self._direct, self._names, self._clock = target, platform, direct, names, clock
        self._act, self._note, self._say, self._limits = act, note, say, limits
        self._failures: list[str] = []
        self._done: set[str] = set()

    def run(self, promises: Sequence[Promise]) -> list[str]:
        """Redeem all, newest first; return what could not be, one line each. One failure does not stop the others."""
        self._promises = list(promises)
        for promise in reversed(promises):
            self._redeem(promise)
        return self._failures

    def _redeem(self, promise: Promise) -> None:
        if promise.id in self._done:
            return
        self._done.add(promise.id)
        try:
            self._prepare(promise)
            self._insist(promise.kind, promise.resource, promise.wanted)
            self._settle(promise)
        except PlatformError as error:
            self._failures.append(f"{promise}: {error}")
            self._say(f"could not put back {promise}: {error}")
        else:
            self._note("redeemed", {"id": promise.id, "undo": str(promise)})
            self._say(f"put back: {promise}")

    def _prepare(self, promise: Promise) -> None:
        """See to what this undo needs before it may happen."""
        region = self._region(promise.region)
        if (promise.kind, promise.wanted) == (ENDPOINT, "Enabled"):
            for other in self._promises:
                if other.kind == APP and other.region == promise.region and other.wanted == "Running":
                    self._redeem(other)
            self._until_serving(region)
        elif promise.wanted in {"Stopped", "Disabled"}:
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
            self._insist(ENDPOINT, region.endpoint_id, "Disabled")
            self._insist(ENDPOINT, region.endpoint_id, "Enabled")

    def _insist(self, kind: str, resource: str, wanted: str) -> None:
        """Set *resource* until reading it shows *wanted*; PlatformError when the budget is spent."""
        deadline = self._clock.now_ns() + int(self._limits.each_s * 1e9)
        pause = BACKOFF_S
        while True:
            try:
                if self._reads(kind, resource) == wanted:
                    return
                self._act(kind, resource, wanted)
                if self._reads(kind, resource) == wanted:
                    return
                reason = PlatformError(f"still not {wanted}", operation=f"set {kind}", resource_id=resource)
            except PlatformError as error:
                reason = error
            if self._clock.now_ns() >= deadline:
                raise reason
            self._clock.wait(pause)
            pause = min(pause * 2, BACKOFF_MAX_S)

    def _reads(self, kind: str, resource: str) -> str:
        if kind == APP:
            return self._platform.app_state(resource).state
        return "Enabled" if self._platform.endpoint_state(resource).enabled else "Disabled"

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
        if not self._until(lambda: self._names.ask("authority").region != region.name, self._limits.serve_s):
            raise PlatformError(
                f"DNS still leads to {region.name}", operation="ask the authority", resource_id=self._target.profile_id
            )
        if drained:
            self._clock.wait(self._platform.profile_state(self._target.profile_id).ttl_s + DRAIN_MARGIN_S)

    def _until(self, holds: Callable[[], bool], budget_s: float) -> bool:
        deadline = self._clock.now_ns() + int(budget_s * 1e9)
        while not holds():
            if self._clock.now_ns() >= deadline:
                return False
            self._clock.wait(self._limits.poll_s)
        return True

    def _region(self, name: str) -> Region:
        return next(r for r in self._target.regions if r.name == name)


def drift(before: Mapping[str, Mapping[str, object]], after: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return each difference between two snapshots of the same resources, one line each. Null and absent are the same."""
    lines = []
    for resource in sorted({*before, *after}):
        was, now = flat(before.get(resource, {})), flat(after.get(resource, {}))
        for key in sorted({*was, *now}):
            if was.get(key) != now.get(key):
                lines.append(f"{resource.rsplit('/', 1)[-1]}: {key} was {was.get(key)}, is {now.get(key)}")
    return lines


def flat(value: object, at: str = "") -> dict[str, str]:
    """Return every leaf of nested mappings and lists by its dotted path, as JSON writes it; without what is null."""
    if isinstance(value, Mapping) and value:
        pairs: Iterable[tuple[str, object]] = ((str(k), v) for k, v in value.items())
    elif isinstance(value, list | tuple) and value:
        pairs = ((str(i), v) for i, v in enumerate(value))
    else:
        return {} if value is None else {at: json.dumps(value)}
    found: dict[str, str] = {}
    for key, inner in pairs:
        found.update(flat(inner, f"{at}.{key}" if at else key))
    return found
