"""Puts a dead drill's estate back and writes the report that it could not: what guardian and `restore` share."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from failover_drill import journal, record
from failover_drill.adapters.arm import ArmPlatform
from failover_drill.adapters.direct import DirectAsker
from failover_drill.adapters.estate import EstateFaults
from failover_drill.adapters.resolver import NameAsker
from failover_drill.clock import SystemClock
from failover_drill.errors import JournalError
from failover_drill.findings import analyse
from failover_drill.journal import FILE, alone_with
from failover_drill.restoration import World, restore, seal, settle, state_of, unrestored
from failover_drill.target import Target

Say = Callable[[str], None]
PAUSE_S = 5.0  # between two rounds
GONE = "the local estate ended with the drill: there is nothing left to put back"


def world_of(target: Target) -> World:
    """Return what a restoration talks to, made from the target that a journal names."""
    faults, asker, names = EstateFaults(target.control_url), DirectAsker(target), NameAsker(target)
    return World(target, ArmPlatform(target), faults, asker, names, SystemClock(), lambda: gone(target))


def prepare(directory: Path) -> World:
    """Return what a rescue will need, tried once: what cannot work is known while the drill has changed nothing.

    The token that it takes is kept, so that a rescue does not wait for an identity endpoint that is down by then.
    Raises DrillError where the control plane cannot be read.
    """
    world = world_of(state_of(directory).target)
    world.platform.profile_state(world.target.profile_id)
    return world


def rescue_patiently(directory: Path, by: str, say: Say, world: World, tell: Callable[[], None]) -> int:
    """Rescue, again and again until nothing is outstanding or the patience that the run's header states is spent.

    `tell` is called after the first round, because people must not wait for the last, and after the last.
    """
    clock = SystemClock()
    deadline_ns = clock.now_ns() + int(patience_s(directory) * 1e9)
    first = True
    while True:
        code = _round(directory, by, say, world)
        last = _over(directory) or clock.now_ns() >= deadline_ns
        if first or last:
            tell()
        if last:
            return code
        first = False
        say(f"trying again in {PAUSE_S:g} s")
        clock.wait(PAUSE_S)


def _round(directory: Path, by: str, say: Say, world: World) -> int:
    """Rescue; whatever goes wrong while something is owed is said, because the next round may do better."""
    try:
        return rescue(directory, by, say, world)
    except Exception as error:
        if not state_of(directory).promises:
            raise
        say(f"{type(error).__name__}: {error}")
        return 1


def _over(directory: Path) -> bool:
    """Is nothing outstanding, and the run reported and sealed?"""
    state = state_of(directory)
    return not state.promises and state.sealed


def settled(directory: Path) -> bool:
    """Is there nothing left to do in a run that has ended: because it sealed its own journal, or others put it back since?"""
    state = state_of(directory)
    own = journal.read(directory / FILE)
    return any(entry.kind == "seal" for entry in own) or (state.restored and state.sealed)


def patience_s(directory: Path) -> float:
    """Return how long the run's guardian is to try."""
    return float(journal.read(directory / FILE)[0].fields.get("patience_s", 0.0))


def rescue(directory: Path, by: str, say: Say, world: World | None = None) -> int:
    """Put back what a dead drill left, report and seal; the caller holds the lock. Returns an exit status.

    `world`: what the restoration talks to, where that is made already.
    """
    state = state_of(directory)
    for promise in reversed(state.promises):
        say(f"outstanding: {promise}")
    differences = [] if gone(state.target) else restore(directory, world or world_of(state.target), by, say)
    if gone(state.target):
        settle(directory, by, GONE)
        say(GONE)
        differences = []
    say(f"not as it was: {'; '.join(differences)}" if differences else "the estate is as it was")
    trouble = _reported(directory, by)
    if trouble:
        say(trouble)
    return 1 if differences or trouble else 0


def _reported(directory: Path, by: str) -> str:
    """Write the report and seal the run; say why that cannot be, "" where it can."""
    from failover_drill.reports import write_reports  # heavy, and nothing that an undo needs

    try:
        write_reports(directory, analyse(record.read_facts(directory), record.read_objectives(directory)))
        seal(directory, by)
        record.point_latest(directory.parent.parent, directory)
    except OSError as error:
        return f"no report: {error.filename}: cannot be written: {error.strerror}"
    except JournalError as error:
        return f"no report: {error}"
    return ""


def gone(target: Target) -> bool:
    """Did a local estate end? Nobody listens where its control plane and its switches were; it never comes back there."""
    return target.local and not any(_listens(url) for url in (target.arm_url, target.control_url))


def _listens(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), 2.0).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return True
    return True


def rescue_alone(directory: Path, say: Say, *, dry_run: bool, accept: bool = False) -> int:
    """Put back a run from outside: beside a guardian, and never while its drill lives. Returns an exit status."""
    path = directory / FILE
    with alone_with(path, wait=False) as alone:
        if not alone:
            say("the drill, or its guardian, is still at work on this run; waiting for it to end")
    with alone_with(path, wait=not dry_run) as alone:
        if not alone:
            return 1
        state = state_of(directory)
        if state.restored and state.sealed:
            say(f"{directory}: nothing outstanding; the estate was put back")
            return 0
        if dry_run:
            for promise in reversed(state.promises):
                say(f"would put back: {promise}")
            say("would compare the estate with the snapshot taken at the start")
            return 1
        code = rescue(directory, "restore", say)
        if code and accept and not state_of(directory).promises:
            settle(directory, "restore", "a person accepted what others have changed since")
            seal(directory, "restore")
            say("accepted: the run counts as put back")
            return 0
        return code


def newest_unrestored(reports: Path) -> Path | None:
    """Return the newest run, of any target, that is not put back."""
    return unrestored(reports.absolute(), None)
