"""One trial: a drill is struck, and what is left of the estate is held against what it was.

drill ── journal tailed ──► the instant ──► signal ──► estate as before? journal restored? report there, and says so?
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks.safety.evidence import Growing, doubled, in_call, last_writes_s, must_name, undo_after_s
from failover_drill import record
from failover_drill.errors import DrillError
from failover_drill.restoration import state_of
from tests.stage import ROOT, Estate, latest, start_drill

ACTS = "benchmarks/safety/acts.feature"
WITHIN_S = 30.0  # what issue 5 allows
UNDER_FAULTS_S = 30.0  # the longest fault lasts 20 s
PATIENCE_S = 90.0  # how long a trial goes on looking, to tell late from never
DRILL_S = 120.0
QUICKER = {
    "FAILOVER_DRILL__TRAFFIC__RATE": "20",
    "FAILOVER_DRILL__TRAFFIC__SETTLE_S": "0.7",
    "FAILOVER_DRILL__OBJECTIVES__STABILISATION_S": "0.5",
    "FAILOVER_DRILL__OBJECTIVES__AVAILABILITY": "80",  # these trials are not about the verdict
    "FAILOVER_DRILL__SAFETY__DOUBT_S": "5",
    "FAILOVER_DRILL__WAIT__RESTORE_S": "60",
    "FAILOVER_DRILL__WAIT__SERVE_S": "20",
}
OF_USERS = {  # who serves users is told by the last three seconds, and what was lost by what was kept before
    "FAILOVER_DRILL__OBJECTIVES__STABILISATION_S": "4",
    "FAILOVER_DRILL__TRAFFIC__SETTLE_S": "3",
}
MOVING = {"health", "modified_ns", "version", "served", "mono_ns", "wall_ns", "calls", "pid", "answers"}


@dataclass(frozen=True, slots=True)
class Strike:
    """What is done to a drill, and when: at the begin of a step, or so many seconds after its guards let it pass."""

    signal: str  # "INT", "TERM", "HUP", "KILL", or "KILL both": the guardian, too; "none"
    step: int | None = None
    after_s: float = 0.0
    faults: tuple[Mapping[str, Any], ...] = ()
    set_name: str = ""
    feature: str = ACTS
    n: int = 0

    @property
    def when(self) -> str:
        return f"step {self.step}" if self.step is not None else f"{self.after_s:.1f} s"


@dataclass(slots=True)
class Found:
    """What came of it."""

    strike: Strike
    reached: bool = False
    began_s: float | None = None  # from the signal until the undo began
    restored_s: float | None = None  # … until the last write that made apps and endpoints as before
    freed_s: float | None = None  # … until the last write of all, the freeing of the lock
    reported_s: float | None = None  # … until journal, findings and report said so
    owed: int = 0  # undos outstanding when everything was dead
    interrupted: str = ""
    in_call: bool = False  # was a control-plane call under way?
    kept: str = ""  # where the run is, if it is of interest
    trouble: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Restored, and in time where nobody had to do anything for it."""
        limit_s = WITHIN_S + (UNDER_FAULTS_S if self.strike.set_name.startswith("undo") else 0.0)
        unlimited = self.strike.signal == "KILL both" or self.restored_s is None
        return self.reached and not self.trouble and (unlimited or (self.restored_s or 0.0) <= limit_s)

    def to_json(self) -> dict[str, Any]:
        strike = {k: getattr(self.strike, k) for k in ("n", "signal", "when")} | {"set": self.strike.set_name}
        own = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "strike"}
        return {**strike, **own, "good": self.good}


def settled_state(estate: Estate) -> Any:
    """The estate's own word on apps, profiles and endpoints, less what moves by itself."""

    def still(found: Any) -> Any:
        if isinstance(found, dict):
            return {k: still(v) for k, v in found.items() if k not in MOVING}
        return [still(v) for v in found] if isinstance(found, list) else found

    whole = estate.control("GET", "/_state")
    return still({k: whole[k] for k in ("apps", "profiles")} | {"health": [_statuses(p) for p in whole["profiles"]]})


def _statuses(profile: Mapping[str, Any]) -> Any:
    return {name: found[0] for name, found in profile["endpoints"].items()}


def without_health(state: Any) -> Any:
    """Endpoints as operators set them: what probing found follows by itself."""
    for profile in state["profiles"]:
        profile.pop("endpoints", None)
    return state


def run(strike: Strike, estate: Estate, where: Path) -> Found:
    """Carry out one trial in a directory of its own."""
    found = Found(strike)
    before = without_health(settled_state(estate))
    writes = len(estate.truth("write"))
    environment = QUICKER if strike.feature == ACTS else {**QUICKER, **OF_USERS}
    process, struck_at = start_drill(where, estate.file, "-q", environment=environment, feature=strike.feature), None
    try:
        struck_at = _strike(found, strike, process, estate, where)
        if struck_at is not None:
            _await_end(found, before, estate, where, struck_at)
            _read_journals(found, where, struck_at)
    finally:
        estate.control("DELETE", "/_faults")
        output = _ended(process)
    found.doubled = doubled([e for e in estate.truth("write")[writes:] if e.get("carried_out")])
    if struck_at is not None and strike.signal != "KILL both":
        _read_report(found, where, struck_at)
    if "Traceback" in output or "INTERNALERROR" in output:
        found.trouble.append(f"a traceback: {output.strip().splitlines()[-1][:200]}")
    return found


def _ended(process: subprocess.Popen[str]) -> str:
    try:
        return process.communicate(timeout=DRILL_S)[0] or ""
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0] or ""


def _strike(found: Found, strike: Strike, process: subprocess.Popen[str], estate: Estate, where: Path) -> float | None:
    """Wait for the instant and send the signal; None where the drill was over before."""
    undoing = strike.set_name.startswith("undo")  # rehearses the undo under faults, not the acts
    _misbehave(estate, () if undoing else strike.faults)
    found.reached = _await_instant(strike, process, where)
    _misbehave(estate, strike.faults if undoing else ())
    if not found.reached:
        found.trouble.append("the drill ended before the instant came")
        return None
    if strike.signal == "KILL both":
        guardian = _guardian_of(process.pid)
        process.kill()
        if guardian:
            os.kill(guardian, signal.SIGKILL)
    elif strike.signal != "none":
        process.send_signal(getattr(signal, f"SIG{strike.signal}"))
    return time.monotonic()


def _misbehave(estate: Estate, faults: Iterable[Mapping[str, Any]]) -> None:
    for fault in faults:
        estate.control("POST", "/_faults", dict(fault))


def _guardian_of(pid: int) -> int | None:
    """The guardian is a child of the drill, which may be pytest's own process."""
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            if b"failover_drill.guardian" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    return None


def _await_instant(strike: Strike, process: subprocess.Popen[str], where: Path) -> bool:
    deadline, began = time.monotonic() + DRILL_S, None
    journal = Growing(where)
    while process.poll() is None and time.monotonic() < deadline:
        entries = journal.lines()
        if strike.step is not None:
            if any(e["kind"] == "step begins" and e["index"] == strike.step for e in entries):
                return True
            if strike.step < 0 and any(e["kind"] == "step ends" and e["index"] == -strike.step for e in entries):
                return True
        elif began is None and any(e["kind"] == "snapshot" for e in entries):
            began = time.monotonic()
        if began is not None and time.monotonic() - began >= strike.after_s:
            return True
        time.sleep(0.01)
    return False


def _read_journals(found: Found, where: Path, struck_at: float) -> None:
    """Tell from the run's own clock what the strike hit, and when the undo began."""
    directory, struck_ns = latest(where), int(struck_at * 1e9)
    assert directory is not None
    entries = record.entries_of(directory)
    found.in_call = in_call(entries, struck_ns)
    if found.strike.signal != "KILL both":
        found.began_s = undo_after_s(entries, struck_ns)


def _await_end(found: Found, before: Any, estate: Estate, where: Path, struck_at: float) -> None:
    if found.strike.signal == "KILL both":
        found.owed = len(state_of(latest(where) or where).promises)
        struck_at = _restore_by_hand(found, estate, where)
    if not _until(lambda: _restored(where), struck_at):
        found.trouble.append("the journal does not say that the estate was put back")
    found.reported_s = round(time.monotonic() - struck_at, 2)
    if not _until(lambda: without_health(settled_state(estate)) == before, struck_at):
        found.trouble.append(f"drift: {without_health(settled_state(estate))}")
        return
    found.restored_s, found.freed_s = last_writes_s(estate.truth("write"), struck_at)
    time.sleep(0.2)


def _until(holds: Callable[[], bool], since: float) -> bool:
    while not holds():
        if time.monotonic() - since > PATIENCE_S:
            return False
        time.sleep(0.2)
    return True


def _restored(where: Path) -> bool:
    directory = latest(where)
    if directory is None:
        return False
    try:
        state = state_of(directory)
    except DrillError:
        return False
    return state.restored and state.sealed and (directory / "report.html").exists()


def _restore_by_hand(found: Found, estate: Estate, where: Path) -> float:
    """The next drill must refuse and name the command; the command must restore. Returns when it began."""
    if found.owed:
        process = start_drill(where, estate.file, "-q", environment=QUICKER, feature=found.strike.feature)
        output = _ended(process)
        if process.returncode == 0 or "failover-drill restore" not in output:
            found.trouble.append(f"the next drill did not refuse: {output[-300:]}")
    began = time.monotonic()
    command = [sys.executable, "-c", "from failover_drill.cli import main; main()", "restore", str(latest(where))]
    done = subprocess.run([*command, "--estate", str(estate.file)], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        found.trouble.append(f"restore failed: {(done.stdout + done.stderr).strip()[-300:]}")
    return began


def _read_report(found: Found, where: Path, struck_at: float) -> None:
    """Restored, by the report's own word, and what happened is named in it."""
    directory = latest(where)
    assert directory is not None
    try:
        findings = json.loads((directory / "findings.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        found.trouble.append(f"no findings: {error}")
        return
    found.interrupted = findings["drill"]["interrupted"]
    if findings["drill"]["restored"] != "yes":
        found.trouble.append(f"the report says restored: {findings['drill']['restored']!r}")
    word = must_name(record.entries_of(directory), int(struck_at * 1e9), found.strike.signal)
    if word not in found.interrupted:
        found.trouble.append(f"the report does not name {word}: {found.interrupted!r}")
