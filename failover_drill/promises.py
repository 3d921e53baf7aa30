"""What a run promised to undo, and what of it is outstanding. Pure: a journal's lines are the argument.

    promise ── the change and its undo, on the disk before the change is sent
       │           deed: stop app eastus          undo: app eastus → Running
       │           deed: disable endpoint eastus  undo: endpoint eastus → Enabled
       ▼
    outstanding ── neither redeemed nor surely failed ──► debts, one to a resource, in the order of undoing

Faults are ended first: they may stand in the way of all else. What gives service back comes before what takes it away, since
names leave a region only for one that serves. A resource that was changed more than once goes straight back to what it was first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from failover_drill.journal import Entry
from failover_drill.target import resource_name

APP, ENDPOINT, LOCK, FAULT = "app", "endpoint", "lock", "fault"
DEED, UNDO, LOCKING, WAKING = "deed", "undo", "lock", "wake"
PREPARATION, INJECTION = "preparation", "fault"  # what a scenario needs beforehand; a fault that users feel
# The purposes of changes that need an undo; an undo needs none.
OWED = frozenset({DEED, LOCKING, WAKING, PREPARATION, INJECTION})
TAKING = frozenset({"Stopped", "Disabled"})
LOCK_TAG = "failover-drill-lock"


@dataclass(frozen=True, slots=True)
class Promise:
    """One undo: make *resource*, an app or an endpoint, be as it was. `wanted` is a state or an enabled status.

    A lock's undo removes the tag only while its value is `held`: another's lock is not ours to take away. A fault's ends the one
    whose id is `held`. `doubtful`: nobody knows whether the deed took effect, or will.
    """

    id: str
    kind: str  # APP, ENDPOINT, LOCK or FAULT
    resource: str
    region: str
    wanted: str  # "Running", "Stopped"; "Enabled", "Disabled"; "" for a lock and a fault
    held: str = ""
    doubtful: bool = True

    def __str__(self) -> str:
        if self.kind == FAULT:
            return f"fault {self.held} → over"
        return f"{self.kind} {resource_name(self.resource)} → {self.wanted or 'free'}"


def outstanding(entries: Iterable[Entry]) -> list[Promise]:
    """Return the promises not yet redeemed, oldest first.

    A deed that surely failed changed nothing; any other may have, so it is undone.
    """
    open_: dict[str, Promise] = {}
    for entry in entries:
        name = entry.fields.get("id", "")
        if entry.kind == "promise" and entry.fields["purpose"] in OWED:
            open_[name] = _promise(entry.fields)
        elif (entry.kind == "outcome" and entry.fields["outcome"] == "failed") or entry.kind == "redeemed":
            open_.pop(name, None)
        elif entry.kind == "outcome" and name in open_:
            open_[name] = replace(open_[name], doubtful=entry.fields["outcome"] != "ok")
    return list(open_.values())


def _promise(fields: Mapping[str, Any]) -> Promise:
    undo = fields["undo"]
    return Promise(fields["id"], undo["kind"], undo["resource"], fields["region"], undo["wanted"], undo.get("held", ""))


@dataclass(frozen=True, slots=True)
class Debt:
    """What one resource is owed: the state it was in first. `promises` are all that this redeems."""

    final: Promise
    promises: tuple[Promise, ...]

    @property
    def doubtful(self) -> bool:
        return any(p.doubtful for p in self.promises)

    def __str__(self) -> str:
        return str(self.final)


def debts(promises: Sequence[Promise]) -> list[Debt]:
    """Return what is owed to each resource: first faults, each apart, then what gives service back, then what takes it away.

    Newest first in each.
    """
    owed: dict[tuple[str, str, str], list[Promise]] = {}
    for promise in reversed(promises):
        which = promise.held if promise.kind == FAULT else ""
        owed.setdefault((promise.kind, promise.resource.lower(), which), []).append(promise)
    found = [Debt(own[-1], tuple(own)) for own in owed.values()]
    return sorted(found, key=lambda debt: (debt.final.kind != FAULT, debt.final.wanted in TAKING))
