"""Puts a drill together: settings and target in, a run with its drill out. The only place that chooses estate or Azure.

settings ─► target ─► platform, direct, names, load ─► Drill, in a directory of its own
                                                        │
                           close: undo, stop the traffic, judge, report, seal
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from failover_drill import guardian, guards, lock, notify_post, record, telemetry
from failover_drill.abort import conditions
from failover_drill.adapters.arm import ArmPlatform
from failover_drill.adapters.direct import DirectAsker
from failover_drill.adapters.estate import EstateFaults
from failover_drill.adapters.read_back import Reader
from failover_drill.adapters.resolver import NameAsker
from failover_drill.adapters.watch import watches
from failover_drill.admission import Safety
from failover_drill.clock import SystemClock, anchor
from failover_drill.drill import Drill
from failover_drill.environment import environment
from failover_drill.errors import DrillError, JournalError
from failover_drill.facts import ClockAnchor
from failover_drill.findings import Findings, analyse
from failover_drill.forecast import Kind
from failover_drill.interrupts import held
from failover_drill.journal import FILE, FORMAT, Journal
from failover_drill.planned_load import PlannedLoad, own_load, traffic_plan
from failover_drill.predict import Foreteller
from failover_drill.preflight import NOTHING, admission, readiness, refuse_if_unrestored
from failover_drill.reports import write_reports
from failover_drill.restoration import World
from failover_drill.samples import archive
from failover_drill.settings import Settings
from failover_drill.settings_shown import shown
from failover_drill.target import Target
from failover_drill.undo import Limits
from failover_drill.waiting import Waits

UNASKED = guards.Consent()
Say = Callable[[str], None]


class Run:
    """One drill in its directory, from the header of its journal to the seal."""

    def __init__(
        self,
        settings: Settings,
        target: Target,
        name: str,
        say: Say,
        consent: guards.Consent = UNASKED,
        passing: Say | None = None,
        state: Mapping[str, Any] = NOTHING,
    ) -> None:
        """Create directory and journal, and set the guardian beside them. `passing` tells what a later line supersedes.

        `state` is what the local estate tells of itself (`GET /_state`); a forecast is made with it.

        Raises Unsafe where no drill may begin, DrillError where the directory cannot be, PlatformError where ARM refuses.
        """
        self.settings, self.target, self.say, self._passing = settings, target, say, passing or say
        self.objectives = settings.objectives_for(target)
        self.reports = Path(settings.drill.reports).absolute()
        self._steps: list[str] = []
        self._undone = False
        self._trouble: DrillError | None = None
        self._clock = SystemClock()
        self._held = ExitStack()  # what this process must let go of, so that others may go on
        self._span = self._step_span = telemetry.Stretch()
        try:
            self._begin(name, consent, state)
        except BaseException:
            self._held.close()
            raise

    def _begin(self, name: str, consent: guards.Consent, state: Mapping[str, Any]) -> None:
        settings, target, say = self.settings, self.target, self.say
        taken = anchor()
        self._began_ns = taken.mono_ns
        guards.refuse_outright(target, settings.safety, settings.calendar, consent, self._clock.wall_s())
        guards.refuse_unmeasured(target, self.objectives)
        self._held.enter_context(lock.alone_here(target.profile_id))
        refuse_if_unrestored(self.reports, target)
        load = own_load(settings.traffic)
        self.platform = ArmPlatform(target)
        ttl_s = self.platform.profile_state(target.profile_id).ttl_s
        signed_in = guards.signed_in(target, self.platform, lock_by_tag=settings.safety.lock == "tag")
        say(f"signed in: {signed_in}")
        names = NameAsker(target, timeout_s=settings.watch.timeout_s)
        self._foretold = Foreteller(self.platform, names, target, settings, state)
        self.directory = record.new_directory(self.reports, name, taken)
        self._open_span(name)
        self.journal = Journal(self.directory / FILE)
        self._held.callback(self.journal.close)
        with held():  # from here on a run exists, and somebody must see it to its end
            self.journal.append("header", self._header(name, taken, ttl_s, signed_in), sync=True)
            self._guardian = guardian.Guardian(self.directory, settings.notify)
        self._load = PlannedLoad(traffic_plan(settings, target, self.directory), self.directory, load)
        self._watches = watches(self.directory, names, self.platform, target, settings.watch)
        direct = DirectAsker(target, timeout_s=settings.watch.timeout_s)
        self.drill = Drill(
            World(target, self.platform, EstateFaults(target.control_url), direct, names, self._clock),
            readiness(settings, target, say),
            self._load,
            self.journal,
            self.objectives,
            Waits(**settings.wait.model_dump(), settle_s=settings.traffic.settle_s),
            self._safety(direct, names, ttl_s),
            say,
            Reader(target, target.data_probe, self.directory.name) if target.data_probe else None,
        )
        for watch in self._watches:
            watch.start()

    def _open_span(self, name: str) -> None:
        """Begin the drill's span, where somebody listens."""
        telemetry.listen(self.say)
        target = self.target
        self._span = telemetry.stretch(
            f"drill {name}",
            drill=name,
            run=self.directory.name,
            target=target.name,
            profile=target.profile_id,
            primary=target.primary.app_id,
            secondary=target.secondary.app_id,
        )
        self._held.callback(lambda: telemetry.deliver(self.say))
        self._held.callback(lambda: self._span.end())

    def _safety(self, direct: DirectAsker, names: NameAsker, ttl_s: float) -> Safety:
        """Return the guards, and the limits that end the drill."""
        safety = self.settings.safety
        found, _, _ = admission(
            self.settings,
            self.target,
            self.platform,
            direct,
            names,
            self.reports,
            ttl_s,
            self._foretold.forecasts.get(Kind.PLANNED),
            self._guardian.trouble,
            self._clock.wall_s,
        )
        tag_s = safety.lock_s if safety.lock == "tag" else 0.0
        settle_s = safety.lock_settle_s / self.target.time_scale
        return Safety(found, self._limits(), tag_s, settle_s, conditions(self.settings.abort))

    def _limits(self) -> Limits:
        wait = self.settings.wait
        return Limits(wait.restore_s, wait.serve_s, wait.poll_s, self.settings.safety.doubt_s)

    def _header(self, name: str, taken: ClockAnchor, ttl_s: int, signed_in: str) -> dict[str, object]:
        objectives = asdict(self.objectives) | {"judged": [p.name for p in self.objectives.judged]}
        return {
            "schema": FORMAT,
            "drill": name,
            "run": self.directory.name,
            "anchor": asdict(taken),
            "boot": record.boot_id(),
            "pid": os.getpid(),
            "limits": asdict(self._limits()),
            "patience_s": self.settings.safety.patience_s,
            "target": asdict(self.target),
            "primary": self.target.primary.name,
            "secondary": self.target.secondary.name,
            "interval_ns": round(1e9 / self.settings.traffic.rate),
            "latency_limit_ns": round(self.settings.traffic.slow_s * 1e9),
            "time_scale": self.target.time_scale,
            "ttl_s": ttl_s,
            "forecasts": self._foretold.plain(),
            "objectives": objectives,
            "environment": environment(self.target) | {"signed in": signed_in} | self._trace(),
            "traceparent": self._span.traceparent,
            "settings": shown(self.settings, self.target.name),
        }

    def _trace(self) -> dict[str, str]:
        return {"trace": self._span.trace_id} if self._span.trace_id else {}

    # ---- steps, as they come -----------------------------------------------------------------------------------

    def plan(self, steps: Sequence[tuple[str, str]], **playbook: str) -> None:
        """Write down the scenario's steps, keyword and text each, and whose they are, before the first one runs."""
        self._steps = [f"{keyword} {text}" for keyword, text in steps]
        told = [{"keyword": keyword, "text": text} for keyword, text in steps]
        self.journal.append("plan", {"steps": told, "playbook": playbook}, sync=True)

    def step_begins(self, index: int) -> None:
        """Note the step; raise Aborted where the drill must not go on to it."""
        self.journal.append("step begins", {"index": index})
        self._step_span = telemetry.stretch(self._steps[index], step=index)
        self._passing(f"{self._elapsed():7.1f} s  … {self._steps[index]}")
        self.drill.check_before_step()

    def step_ends(self, index: int, outcome: str, error: str = "") -> None:
        self.journal.append("step ends", {"index": index, "outcome": outcome, "error": error})
        self._step_span.end(error)
        mark = "✓" if outcome == "passed" else "✗"
        self.say(f"{self._elapsed():7.1f} s  {mark} {self._steps[index]}" + (f": {error}" if error else ""))
        if self._foretold.again_after(self.drill.prepared):
            self.journal.append("forecasts", self._foretold.plain())

    def _elapsed(self) -> float:
        return (self._clock.now_ns() - self._began_ns) / 1e9

    # ---- the end -----------------------------------------------------------------------------------------------

    def undo(self, interrupted: Callable[[], str] = lambda: "") -> None:
        """Put the estate back, once; what could not be is raised by `close`.

        `interrupted` names the signal that ended the drill, "" where none did.
        """
        if self._undone:
            return
        self._undone = True
        self._step_span.end("interrupted")  # one that did not come to its own end
        if interrupted():
            self._tried(lambda: self.journal.append("interrupted", {"reason": interrupted()}, sync=True))
            self.say(f"interrupted by {interrupted()}: putting the estate back")
        with telemetry.within("put back"):
            self._trouble = self._tried(self.drill.put_back)

    def close(self) -> Findings:
        """Put the estate back, end the traffic, judge, report and seal. Returns the findings.

        Raises DrillError, after everything is written, where the estate is not as it was. Where something is still owed, or is
        not written down, the journal is not sealed: the guardian takes that for unfinished, and goes on from here.
        """
        try:
            self.undo()
            return self._close()
        except (JournalError, OSError) as error:
            raise self._left(str(self._trouble or unwritable(error))) from None
        finally:
            self._held.close()

    def _left(self, trouble: str) -> DrillError:
        """Leave what is left to the guardian; return what to tell people."""
        lost, again = self._guardian.ended(), f"failover-drill restore {self.directory}"
        self._guardian.leave()
        if lost:
            return DrillError(f"{trouble}; {lost}; when that is mended: {again}")
        return DrillError(
            f"{trouble}; the guardian goes on trying ({self.directory / guardian.LOG}); where it cannot: {again}"
        )

    def alone(self) -> str:
        """Say why nobody else would put the estate back; "" where somebody would, or nothing is owed."""
        return self._guardian.ended() if self.drill.owed.promises() else ""

    def _close(self) -> Findings:
        self.drill.users.let_recover()
        self._load.stop()
        self.journal.append("traffic ended", {})
        for watch in self._watches:
            watch.stop()
        trouble = self._tried(self.drill.owed.free_lock) or self._trouble
        findings = self._write()
        self._span.note(verdict=findings.verdict, restored=findings.drill.restored, reasons="; ".join(findings.reasons))
        if self.drill.owed.promises():
            raise self._left(str(trouble))
        self.journal.seal()
        self._guardian.dismiss()
        notify_post.tell(self.directory, self.settings.notify, self.say)
        if trouble is not None:
            raise trouble
        return findings

    def _tried(self, deed: Callable[[], object]) -> DrillError | None:
        try:
            deed()
        except DrillError as error:
            return error
        return None

    def _write(self) -> Findings:
        archive(self.directory)
        findings = analyse(record.read_facts(self.directory), self.objectives)
        write_reports(self.directory, findings)
        record.point_latest(self.reports, self.directory)
        return findings


def unwritable(error: JournalError | OSError) -> str:
    """Say in one line what could not be written."""
    return str(error) if isinstance(error, JournalError) else f"{error.filename}: cannot be written: {error.strerror}"
