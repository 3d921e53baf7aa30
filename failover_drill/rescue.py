"""Puts a dead drill's estate back and writes the report that it could not: what guardian and `restore` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from failover_drill import record
from failover_drill.adapters.arm import ArmPlatform
from failover_drill.adapters.direct import DirectAsker
from failover_drill.adapters.resolver import NameAsker
from failover_drill.clock import SystemClock
from failover_drill.findings import analyse
from failover_drill.journal import FILE, alone_with
from failover_drill.reports import write_reports
from failover_drill.restoration import World, restore, seal, state_of, unrestored
from failover_drill.target import Target

Say = Callable[[str], None]


def world_of(target: Target) -> World:
    """Return what a restoration talks to, made from the target that a journal names."""
    return World(ArmPlatform(target), DirectAsker(target), NameAsker(target), SystemClock())


def rescue(directory: Path, by: str, say: Say) -> int:
    """Put back what a dead drill left, report and seal; the caller holds the lock. Returns an exit status."""
    state = state_of(directory)
    for promise in reversed(state.promises):
        say(f"outstanding: {promise}")
    differences = restore(directory, world_of(state.target), by, say)
    write_reports(directory, analyse(record.read_facts(directory), record.read_objectives(directory)))
    seal(directory, by)
    record.point_latest(directory.parent.parent, directory)
    say(f"not as it was: {'; '.join(differences)}" if differences else "the estate is as it was")
    return 1 if differences else 0


def rescue_alone(directory: Path, say: Say, *, dry_run: bool) -> int:
    """Put back a run from outside: beside a guardian, and never while its drill lives. Returns an exit status."""
    path = directory / FILE
    with alone_with(path, wait=False) as alone:
        if not alone:
            say("the drill, or its guardian, is still at work on this run; waiting for it to end")
    with alone_with(path, wait=not dry_run):
        state = state_of(directory)
        if state.restored:
            say(f"{directory}: nothing outstanding; the estate was put back")
            return 0
        if dry_run:
            for promise in reversed(state.promises):
                say(f"would put back: {promise}")
            say("would compare the estate with the snapshot taken at the start")
            return 1
        return rescue(directory, "restore", say)


def newest_unrestored(reports: Path) -> Path | None:
    """Return the newest run, of any target, that is not put back."""
    return unrestored(reports.absolute(), None)
