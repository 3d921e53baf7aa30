"""Putting back what a dead drill left: by its guardian, or by `failover-drill restore` when the machine went, too.

journal.jsonl ── locked by the drill while it lives
     │ the kernel lets go of the lock: closed, or dead by any means
     ▼
read ─► outstanding promises ─► redeem, newest first ─► compare with the snapshot ─► report, seal
                                restoration-N.jsonl, a journal of its own
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from failover_drill import journal, record
from failover_drill.changes import Change, Changes, Pen
from failover_drill.clock import Clock, anchor
from failover_drill.drift import drift
from failover_drill.errors import DrillError, JournalError, PlatformError
from failover_drill.journal import Entry, Journal
from failover_drill.platform import Direct, Faults, Names, Platform
from failover_drill.promises import LOCK, LOCKING, OWED, Promise, outstanding
from failover_drill.target import Target, target_from
from failover_drill.undo import Compensator, Limits

Say = Callable[[str], None]
Snapshot = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class World:
    """What a drill talks to; and a restoration, made from the target that the journal names. `gone`: has it ended for good?"""

    target: Target
    platform: Platform
    faults: Faults
    direct: Direct
    names: Names
    clock: Clock
    gone: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class State:
    """What a run's journals say of it."""

    target: Target
    limits: Limits
    promises: tuple[Promise, ...]
    snapshot: Snapshot
    settled: bool  # put back and compared, or nothing was ever changed
    sealed: bool
    began_s: float  # epoch seconds

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
        header["anchor"]["wall_ns"] / 1e9,
    )


def _settled(entries: list[Entry]) -> bool:
    changed = [n for n, e in enumerate(entries) if e.kind == "promise" and e.fields["purpose"] in OWED - {LOCKING}]
    restored = [(n, e.fields["said"]) for n, e in enumerate(entries) if e.kind == "restored"]
    return not changed or bool(restored and restored[-1][0] > changed[-1] and restored[-1][1] == "yes")


def put_back(
    promises: Sequence[Promise],
    snapshot: Snapshot,
    world: World,
    changes: Changes,
    limits: Limits,
    say: Say,
    by: str = "",
) -> list[str]:
    """Redeem *promises* and compare with *snapshot*; return what still differs, one line each.

    Of the drill and of whoever comes after it: there is no other way back.
    """
    failures = redeem(promises, world, changes, limits, say)
    differences = failures or differing(snapshot, world.platform)
    changes.note("restored", {"said": "; ".join(differences) or "yes", **({"by": by} if by else {})})
    return differences


def redeem(promises: Sequence[Promise], world: World, changes: Changes, limits: Limits, say: Say) -> list[str]:
    """Redeem *promises*, newest first; return what could not be, one line each."""
    return _compensator(world, changes, limits, say).run(promises)


def _compensator(world: World, changes: Changes, limits: Limits, say: Say) -> Compensator:
    def act(kind: str, resource: str, wanted: str, held: str, purpose: str) -> str:
        change = Change(kind, resource, wanted, held=held)
        return changes.make(change, changes.read(change), purpose)

    return Compensator(
        world.target,
        world.platform,
        world.faults,
        world.direct,
        world.names,
        world.clock,
        act=act,
        note=changes.note,
        say=say,
        limits=limits,
        gone=world.gone,
    )


def differing(snapshot: Snapshot, platform: Platform) -> list[str]:
    """Return how the estate differs from a snapshot of it, one line each."""
    try:
        return drift(snapshot, {i: platform.snapshot(i) for i in snapshot})
    except PlatformError as error:
        return [f"could not be read again: {error}"]


def restore(directory: Path, world: World, by: str, say: Say) -> list[str]:
    """Redeem what is outstanding and compare with the snapshot; return what still differs. The caller holds the lock.

    Idempotent: where nothing is outstanding, only the comparison is made. What cannot be written down is put back all the same,
    and is said to be outstanding until it is.
    """
    state = state_of(directory)
    locks = [p for p in state.promises if p.kind == LOCK]
    others = [p for p in state.promises if p.kind != LOCK]
    with _journal_if_possible(directory, by) as own:
        changes = Changes(state.target, world.platform, world.faults, world.clock, own, say)
        found = put_back(others, state.snapshot, world, changes, state.limits, say, by)
        owed = bool(found) if changes.unwritten else _owed(directory)
        if not owed:  # what is left is nobody else's to drill
            found += redeem(locks, world, changes, state.limits, say)
    return found + ([f"what was put back is not written down: {changes.unwritten}"] if changes.unwritten else [])


def _owed(directory: Path) -> bool:
    return any(p.kind != LOCK for p in outstanding(record.entries_of(directory)))


def settle(directory: Path, by: str, said: str) -> None:
    """Write down that nothing is left to put back, and why."""
    with _journal(directory, by) as own:
        for promise in state_of(directory).promises:
            own.append("redeemed", {"id": promise.id, "undo": said}, sync=True)
        own.append("restored", {"said": "yes", "by": by, "note": said}, sync=True)


@contextmanager
def _journal(directory: Path, by: str) -> Iterator[Journal]:
    own = _begun(_next(directory), by)
    try:
        yield own
    finally:
        own.close()


@dataclass(frozen=True, slots=True)
class Unwritable:
    """In place of a journal that could not be begun: no line can be written to it."""

    path: Path
    reason: JournalError

    def append(self, kind: str, fields: Mapping[str, Any], *, sync: bool = False) -> None:  # noqa: ARG002 - a journal's
        raise self.reason


@contextmanager
def _journal_if_possible(directory: Path, by: str) -> Iterator[Pen]:
    try:
        own = _begun(_next(directory), by)
    except JournalError as error:
        yield Unwritable(_next(directory), error)
        return
    try:
        yield own
    finally:
        own.close()


def _begun(path: Path, by: str) -> Journal:
    """Return a restoration's journal with its header; where that cannot be written, no file is left."""
    own = Journal(path)
    try:
        own.append("header", _header(by), sync=True)
    except JournalError:
        own.close()
        path.unlink(missing_ok=True)
        raise
    return own


def seal(directory: Path, by: str) -> None:
    """Cover the run as it is now, in a journal of its own: the reports were written after the restoration."""
    _begun(_next(directory), by).seal()


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


def unrestored(reports: Path, profile_id: str | None) -> Path | None:
    """Return the newest run on this profile (None: on any) that is not put back, or None.

    A run whose journal cannot be believed counts as put back nowhere: DrillError says so, and what to do.
    """
    for path in sorted(reports.glob(f"*/*/{journal.FILE}"), key=lambda path: path.parent.name, reverse=True):
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
        raise DrillError(
            f"{error}; so nobody can tell whether that run is put back: see to the estate by hand (docs/runbook.md), "
            f"then move {directory} away"
        ) from error
