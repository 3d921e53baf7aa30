"""Putting back what a dead drill left: by its guardian, or by `failover-drill restore` when the machine went, too.

journal.jsonl ── locked by the drill while it lives
     │ the kernel lets go of the lock: closed, or dead by any means
     ▼
read ─► outstanding promises ─► redeem, newest first ─► compare with the snapshot ─► report, seal
                                restoration-N.jsonl, a journal of its own
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from failover_drill import journal, record
from failover_drill.changes import UNDO, Change, Changes
from failover_drill.clock import Clock, anchor
from failover_drill.errors import DrillError, PlatformError
from failover_drill.journal import Entry, Journal
from failover_drill.platform import Direct, Names, Platform
from failover_drill.target import Target, target_from
from failover_drill.undo import Compensator, Limits, Promise, drift, outstanding

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class World:
    """What a restoration talks to; made from the target that the journal names."""

    platform: Platform
    direct: Direct
    names: Names
    clock: Clock


@dataclass(frozen=True, slots=True)
class State:
    """What a run's journals say of it."""

    target: Target
    limits: Limits
    promises: tuple[Promise, ...]
    snapshot: Mapping[str, Mapping[str, object]]
    settled: bool  # put back and compared, or nothing was ever changed
    sealed: bool

    @property
    def restored(self) -> bool:
        return not self.promises and self.settled


def state_of(directory: Path) -> State:
    """Read what is outstanding in a run. Raises JournalError where its journals cannot be believed."""
    entries = record.entries_of(directory)
    header = entries[0].fields
    snapshots = [e.fields["resources"] for e in entries if e.kind == "snapshot"]
    return State(
        target_from(header["target"]),
        Limits(**header["limits"]),
        tuple(outstanding(entries)),
        snapshots[0] if snapshots else {},
        _settled(entries),
        any(e.kind == "seal" for e in entries),
    )


def _settled(entries: list[Entry]) -> bool:
    last = {e.kind: (n, e) for n, e in enumerate(entries) if e.kind == "restored" or e.kind == "promise"}
    if "promise" not in last:
        return True
    return (
        "restored" in last and last["restored"][0] > last["promise"][0] and last["restored"][1].fields["said"] == "yes"
    )


def restore(directory: Path, world: World, by: str, say: Say) -> list[str]:
    """Redeem what is outstanding and compare with the snapshot; return what still differs. The caller holds the lock.

    Idempotent: where nothing is outstanding, only the comparison is made.
    """
    state = state_of(directory)
    own = Journal(_next(directory))
    own.append("header", _header(by), sync=True)
    try:
        failures = _compensator(state, world, own, say).run(state.promises)
        differences = failures or _differences(state, world.platform)
        own.append("restored", {"said": "; ".join(differences) or "yes", "by": by}, sync=True)
    finally:
        own.close()
    return differences


def seal(directory: Path, by: str) -> None:
    """Cover the run as it is now, in a journal of its own: the reports were written after the restoration."""
    own = Journal(_next(directory))
    own.append("header", _header(by), sync=True)
    own.seal()


def _header(by: str) -> dict[str, Any]:
    return {
        "schema": journal.FORMAT,
        "by": by,
        "pid": os.getpid(),
        "boot": record.boot_id(),
        "anchor": asdict(anchor()),
    }


def _next(directory: Path) -> Path:
    return directory / f"restoration-{len(journal.journals_of(directory)):03}.jsonl"


def _compensator(state: State, world: World, own: Journal, say: Say) -> Compensator:
    changes = Changes(state.target, world.platform, world.clock, own, say)

    def note(kind: str, fields: Mapping[str, Any]) -> None:
        own.append(kind, fields, sync=True)

    return Compensator(
        state.target,
        world.platform,
        world.direct,
        world.names,
        world.clock,
        act=lambda kind, resource, wanted: changes.make(
            Change(kind, resource, wanted), changes.read(kind, resource), UNDO
        ),
        note=note,
        say=say,
        limits=state.limits,
    )


def _differences(state: State, platform: Platform) -> list[str]:
    try:
        return drift(state.snapshot, {i: platform.snapshot(i) for i in state.snapshot})
    except PlatformError as error:
        return [f"could not be read again: {error}"]


def unrestored(reports: Path, profile_id: str | None) -> Path | None:
    """Return the newest run on this profile (None: on any) that is not put back, or None.

    A run whose journal cannot be believed counts as put back nowhere: its own message is raised as DrillError.
    """
    for path in sorted(reports.glob(f"*/*/{journal.FILE}"), reverse=True):
        state = _state_or_none(path.parent)
        if state is None or state.restored:
            continue
        if profile_id is None or state.target.profile_id.lower() == profile_id.lower():
            return path.parent
    return None


def _state_or_none(directory: Path) -> State | None:
    """Return the run's state; None where it died before its header was whole, so before anything was changed."""
    try:
        return state_of(directory)
    except DrillError as error:
        if "has no header" in str(error):
            return None
        raise
