"""The conductor: guards, promises the undo, acts, records. It judges nothing.

    step ──► Drill.disable(primary)
               0  admitted? not stopped or aborted?  guards, snapshot and lock, once; then before each deed
               1  inside the blast radius?          Unsafe, and nothing was sent
               2  promise the undo                  journalled and on the disk
               3  act                               one control-plane call
               4  record the outcome                ok, failed, or unknown until read again
               5  wait until it really happened     the region is silent, the region serves, the authority answers

Time comes from `Clock`, the world from the protocols of platform.py, the words of the steps from steps/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4

from failover_drill import abort, acts, findings, interrupts, lock, record, restoration
from failover_drill import journal as journals
from failover_drill.changes import DISABLED, ON, RUNNING, STOPPED, Change, Changes
from failover_drill.claims import Claim
from failover_drill.clock import Clock
from failover_drill.errors import Aborted, DrillError, Inconclusive, ObjectiveNotMet, Unsafe
from failover_drill.facts import Mark, Objectives
from failover_drill.faults import Fault
from failover_drill.findings import Findings, Verdict
from failover_drill.guards import Guards, resources
from failover_drill.journal import Journal
from failover_drill.looking import Looking
from failover_drill.lost_writes import data_probe_trouble
from failover_drill.platform import Direct, Faults, Names, Platform, ReadBacks, Traffic
from failover_drill.readiness import Readiness
from failover_drill.recovery import KNOWN_BAD
from failover_drill.target import Region, Role, Target
from failover_drill.undo import (
    DEED,
    DRAIN_MARGIN_S,
    ENDPOINT,
    FAULT,
    INJECTION,
    LOCK,
    LOCKING,
    PREPARATION,
    WAKING,
    Limits,
    outstanding,
)

RECENT_S = 3.0  # what "just now" means of users
ONLINE = "Online"
PROBE_PATIENCE_S = 5.0  # until the data probe's first writes must have been acknowledged


@dataclass(frozen=True, slots=True)
class Waits:
    """How long the drill waits for each thing before it says that it did not happen. Seconds."""

    confirm_s: float = 60.0
    serve_s: float = 60.0
    complete_s: float = 120.0
    restore_s: float = 120.0
    poll_s: float = 0.1
    settle_s: float = 5.0
    glance_s: float = 0.5  # between two looks at the samples


@dataclass(frozen=True, slots=True)
class Safety:
    """What keeps a drill safe: its guards, how long its lock counts (0: no tag), and the limits that end it. Seconds."""

    guards: Guards
    lock_s: float = 7_200.0
    lock_settle_s: float = 2.0
    doubt_s: float = 10.0
    abort: abort.Conditions = field(default_factory=abort.Conditions)


class Drill(Looking):
    """One run of one playbook on one target. Made by the composition root; steps call its verbs."""

    def __init__(
        self,
        target: Target,
        platform: Platform,
        faults: Faults,
        direct: Direct,
        names: Names,
        readiness: Readiness,
        traffic: Traffic,
        clock: Clock,
        journal: Journal,
        objectives: Objectives,
        waits: Waits,
        safety: Safety,
        say: Callable[[str], None],
        read_back: ReadBacks | None = None,
    ) -> None:
        super().__init__(target, platform, direct, names, readiness)
        self._read_back = read_back
        self._guards, self._safety, self._abort = safety.guards, safety, safety.abort
        self.directory: Path = journal.path.parent
        self._traffic, self._clock, self._journal = traffic, clock, journal
        self._objectives, self._waits, self._say = objectives, waits, say
        self._snapshot: dict[str, Mapping[str, object]] = {}
        self._world = restoration.World(target, platform, faults, direct, names, clock)
        self._changes = Changes(target, platform, faults, clock, journal, say)
        self._changes.before_deed = self.go_on
        self._admitted = False
        self._measuring = False  # were users ever to be measured?
        self._lock = ""
        self._limits_due_ns = 0
        self._put_back_at = 0  # how many changes there were when the estate was last put back and compared

    # ---- steady state ------------------------------------------------------------------------------------------

    def confirm_steady_state(self) -> None:
        """Ask every guard, take the snapshot and the lock. Raises Unsafe before anything is changed."""
        self.admit()

    def admit(self) -> None:
        """Do once what must come before the first change. Raises Unsafe; nothing but our lock was written then."""
        if self._admitted:
            return
        self._guards.check()
        self._snapshot = {i: self._platform.snapshot(i) for i in resources(self.target)}
        self._journal.append("snapshot", {"resources": self._snapshot}, sync=True)
        if self._safety.lock_s:
            self._take_lock()
        self._admitted = True

    def _take_lock(self) -> None:
        """Write the lock, and see whether it is still ours once every other write that began meanwhile has landed."""
        profile = self.target.profile_id
        mine = lock.Lock(self.directory.name, lock.owner(), self._clock.wall_s() + self._safety.lock_s)
        take = Change(LOCK, profile, str(mine))
        before = self._changes.read(take)
        reason = lock.refusal(before, self._clock.wall_s())
        if reason:
            raise Unsafe(reason)
        self._lock = str(mine)
        self._changes.make(take, before, LOCKING)
        self._clock.wait(self._safety.lock_settle_s)
        found = self._changes.read(take)
        if found != self._lock:
            raise Unsafe(f"another drill took the lock at the same moment: {found or 'it was removed'}")
        changed = restoration.differing(self._snapshot, self._platform)
        if changed:
            raise Unsafe(f"somebody changed the estate while the lock was taken: {'; '.join(changed)}")

    # ---- going on, or not --------------------------------------------------------------------------------------

    def abort_when(self, **limits: float) -> None:
        """Add abort conditions to those of drill.toml (abort.Conditions names them; shares are fractions)."""
        self._abort = self._abort.with_(**limits)

    def go_on(self) -> None:
        """Raise Aborted where drills were stopped, the lock was lost, or a limit is broken; Unsafe where it never may begin."""
        interrupts.look()
        self.admit()
        reason = self._guards.stop_requested() or self._lock_lost() or self._breach()
        if reason:
            self._abort_for(reason)

    def check_before_step(self) -> None:
        """What `go_on` does, between the admission and the end of putting back; nothing outside of it."""
        if self._admitted and not self._put_back_at:
            self.go_on()

    def _lock_lost(self) -> str:
        if not self._lock:
            return ""
        found = self._guards.lock_value()
        return "" if found == self._lock else f"the lock was lost: it is now {found or 'removed'}"

    def _breach(self) -> str:
        if not self._abort.any or not self._changes.begun:
            return ""
        facts = record.read_facts(self.directory)
        found = findings.analyse(facts, self._objectives)
        elapsed_s = 0.0 if found.recovery.began is None else self._clock.wall_s() - found.recovery.began
        return abort.breach(
            self._abort,
            abort.Seen(
                elapsed_s,
                record.availability(facts, self._objectives.judged, self._abort.availability_for_s),
                found.recovery.recovered,
                found.slo.consumed_share,
            ),
        )

    def _watch_limits(self) -> None:
        """Hold what users get against the abort conditions, as often as that costs little."""
        began_ns = self._clock.now_ns()
        if not self._abort.any or began_ns < self._limits_due_ns:
            return
        reason = self._breach()
        ended_ns = self._clock.now_ns()
        self._limits_due_ns = ended_ns + max(4 * (ended_ns - began_ns), int(self._waits.glance_s * 1e9))
        if reason:
            self._abort_for(reason)

    def _abort_for(self, reason: str) -> None:
        self._journal.append("aborted", {"reason": reason}, sync=True)
        raise Aborted(reason)

    @property
    def prepared(self) -> int:
        """How many changes prepared the estate so far, the lock's apart; 0 once the first disruptive one was sent."""
        return 0 if self._changes.begun else self._changes.made - bool(self._lock)

    # ---- users -------------------------------------------------------------------------------------------------

    def serve_users(self) -> None:
        """Start the traffic and watch it at rest for the settling time. Raises Unsafe where users are not served well."""
        self._traffic.start()
        self._measuring = True
        self._journal.append("traffic began", {})
        self._clock.wait(self._waits.settle_s)
        availability = self.findings().traffic.judged.share
        if availability is None or availability < self._objectives.availability:
            share = "nothing was measured" if availability is None else f"availability is {availability:.3%}"
            raise Unsafe(
                f"steady state does not hold: over {self._waits.settle_s:g} s before the drill {share}, "
                f"under the objective of {self._objectives.availability:.4g}"
            )
        self._check_data_probe()

    def _check_data_probe(self) -> None:
        """Raise Unsafe unless writes are acknowledged, and found again where they were taken."""
        deadline = self._clock.now_ns() + int(PROBE_PATIENCE_S * 1e9)
        while trouble := self._data_probe_trouble():
            if self._clock.now_ns() >= deadline:
                raise Unsafe(f"the data probe of {self.target.name} does not work: {trouble}")
            self._clock.wait(self._waits.glance_s)

    def _data_probe_trouble(self) -> str:
        if self._read_back is None:
            return ""
        found = self._read_back(self.target.primary)
        return found.error or data_probe_trouble(record.read_facts(self.directory).writes, found)

    # ---- what a scenario needs beforehand, and what it does to the estate ------------------------------------------

    def make_hot_standby(self, role: Role) -> None:
        """Let the region stand by: its app serves, its endpoint is enabled, and Traffic Manager finds it Online."""
        self._make(acts.enable(self.target, role), PREPARATION)
        self._await_serving(self.target.region(role))
        self._make(acts.enlist(self.target, role), PREPARATION)
        self.await_health(role, ONLINE)

    def move_users(self, role: Role) -> None:
        """Move users to the region without loss: it serves, names lead there, caches have followed; then the other is stopped.

        Preparation: the recovery time of what the scenario does later is measured apart from it, the downtime is not.
        """
        region = self.target.region(role)
        self._make(acts.enable(self.target, role), PREPARATION)
        self._await_serving(region)
        self._make(acts.point_dns_at(self.target, role), PREPARATION)
        for vantage in self._names.vantages:
            self._until_named(vantage, region)
        self.let_caches_follow()
        for other in (each for each in Role if each is not role):
            self._make(acts.disable(self.target, other), PREPARATION)
            self._await_silence(self.target.region(other))
        if self._measuring:
            self.await_users(role, self._waits.complete_s)

    def inject(self, fault: Fault) -> None:
        """Inject a fault, until the estate is put back or `end_faults`. Raises PlatformError on a target that has none."""
        serving = self._names.ask("authority").region
        held = f"{fault.kind}.{uuid4().hex[:12]}"
        request = fault.request(self.target, held)
        change = Change(FAULT, fault.resource(self.target), ON, held=held, request=request)
        self._changes.ensure(change, INJECTION if fault.disrupts(self.target, serving) else PREPARATION)

    def end_faults(self) -> None:
        """End every fault that this drill injected, newest first. Raises DrillError where one goes on."""
        owed = [p for p in outstanding(journals.read(self._journal.path)) if p.kind == FAULT]
        failures = restoration.redeem(owed, self._world, self._changes, self._journal, self.limits(), self._say)
        if failures:
            raise DrillError(f"a fault is not over: {'; '.join(failures)}")

    # ---- the playbook's acts -----------------------------------------------------------------------------------

    def disable(self, role: Role) -> None:
        """Stop the region's app and wait until it no longer serves (playbook 1)."""
        region = self.target.region(role)
        self._make(acts.disable(self.target, role))
        self._await_silence(region)
        self._mark(Mark.PRIMARY_DISABLED, f"{region.name} answers {self._direct.ask(region).said}")

    def enable(self, role: Role) -> None:
        """Start the region's app, where it is not running, and wait until it serves when asked directly (playbook 2)."""
        region = self.target.region(role)
        self._make(acts.enable(self.target, role))
        self._await_serving(region)
        self._mark(Mark.SECONDARY_ENABLED, f"{region.name} answers {self._direct.ask(region).said}")

    def point_dns_at(self, role: Role) -> None:
        """Enable the region's endpoint, disable the other's, and wait until the authority follows (playbook 3).

        An endpoint that was left enabled while its app was stopped is not probed, so not answered, until Traffic Manager notices
        the restart; disabled and enabled again it is at once (azure-facts §3.6).
        """
        region = self.target.region(role)
        state = self._platform.endpoint_state(region.endpoint_id)
        if state.enabled and state.health == "Stopped":
            self._make([Change(ENDPOINT, region.endpoint_id, DISABLED)], WAKING)
        self._make(acts.point_dns_at(self.target, role))
        self._until_named("authority", region)
        self._mark(Mark.AUTHORITY_SWITCHED, f"the authority answers {region.name}")

    def await_names(self, role: Role) -> None:
        """Wait until the authority and every watched resolver lead to the region. Raises ObjectiveNotMet."""
        region = self.target.region(role)
        authority, *resolvers = self._names.vantages
        self._until_named(authority, region)
        self._mark(Mark.AUTHORITY_SWITCHED, f"the authority answers {region.name}")
        for vantage in resolvers:
            self._until_named(vantage, region)
        self._mark(Mark.RESOLVERS_SWITCHED, f"every watched resolver answers {region.name}")

    def complete(self, role: Role) -> None:
        """Wait until names lead to the region everywhere and users are served steadily again.

        Raises ObjectiveNotMet where that has not happened within the waiting time.
        """
        self.await_names(role)
        self._until(
            self._recovered,
            self._waits.complete_s,
            lambda: f"users were not served steadily again within {self._waits.complete_s:g} s of the switch",
            self._waits.glance_s,
        )
        self._note_writes(self.target.region(role))

    def _note_writes(self, region: Region) -> None:
        """Write down which of the data probe's writes the region has now."""
        if self._read_back is not None:
            self._journal.append("read back", asdict(self._read_back(region)))

    def _recovered(self) -> bool:
        """Have users recovered, and been watched for the stabilisation time since the newest change? It may not show yet."""
        found = self.findings()
        watched_s = 0.0 if found.traffic.ended is None else found.traffic.ended - self._changes.newest_s
        return found.recovery.recovered and watched_s >= self._objectives.stabilisation_s

    def await_health(self, role: Role, health: str, within_s: float | None = None) -> None:
        """Wait until Traffic Manager's monitor says *health* of the region's endpoint: confirm_s, unless told how long.

        Raises ObjectiveNotMet. A health that tells of a loss, after a fault, is its detection.
        """
        within_s = self._waits.confirm_s if within_s is None else within_s
        endpoint = self.target.region(role).endpoint
        self._until(
            lambda: self._health(role) == health,
            within_s,
            lambda: (
                f"Traffic Manager does not find {endpoint} {health} within {within_s:g} s: it is {self._health(role)}"
            ),
        )
        if self._changes.begun and health in KNOWN_BAD:
            self._mark(Mark.DETECTED, f"Traffic Manager finds {endpoint} {health}")

    def await_users(self, role: Role, within_s: float) -> None:
        """Wait until users who honour the TTL are served by this region alone. Raises ObjectiveNotMet after *within_s*."""
        region = self.target.region(role)
        self._until(
            lambda: self._serving() == {region.name},
            within_s,
            lambda: f"users are served by {_told(self._serving())} {within_s:g} s later; want {region.name}",
            self._waits.glance_s,
        )

    def let_pass(self, seconds: float) -> None:
        """Go on after so many seconds, with abort conditions watched meanwhile."""
        until_ns = self._clock.now_ns() + int(seconds * 1e9)
        self._until(lambda: self._clock.now_ns() >= until_ns, seconds + 1, lambda: "")

    def let_caches_follow(self) -> None:
        """Wait until every cache that honours the TTL has asked anew since the last change of names."""
        self.let_pass(self._platform.profile_state(self.target.profile_id).ttl_s + DRAIN_MARGIN_S)

    # ---- the playbook's verifications --------------------------------------------------------------------------

    def verify_users_served_by(self, role: Role) -> None:
        """Raise ObjectiveNotMet unless the users who honour the TTL were served by this region alone just now."""
        region = self.target.region(role)
        served = self._serving()
        if served != {region.name}:
            raise ObjectiveNotMet(f"users are served by {_told(served)}; want {region.name}")

    def _serving(self) -> set[str]:
        return record.regions_serving(record.read_facts(self.directory), self._objectives.judged, RECENT_S)

    def verify(self, claim: Claim) -> None:
        """Hold a claim against the findings so far. Raises ObjectiveNotMet or Inconclusive."""
        claim(self.findings())

    def verify_recovery_time(self) -> None:
        """Raise ObjectiveNotMet, or Inconclusive, unless the recovery time is surely within its objective."""
        self._require("recovery time")

    def verify_budget(self) -> None:
        """Raise ObjectiveNotMet, or Inconclusive, unless the drill surely cost no more than its share of the budget."""
        self._require("error budget")

    def verify_data_loss(self) -> None:
        """Raise ObjectiveNotMet, or Inconclusive, unless the data loss is surely within its objective. Without one, say so."""
        if self._objectives.rpo_s is None:
            self._say(f"data loss is not judged: drill.toml has no rpo_s for {self.target.name}")
        self._require("data loss")

    def _require(self, objective: str) -> None:
        for judgement in self.findings().judgements:
            if judgement.objective == objective and judgement.verdict is not Verdict.MET:
                raise (ObjectiveNotMet if judgement.verdict is Verdict.MISSED else Inconclusive)(judgement.reason)

    def findings(self) -> Findings:
        """Judge what has been written down so far."""
        return findings.analyse(record.read_facts(self.directory), self._objectives)

    # ---- putting it back ---------------------------------------------------------------------------------------

    def put_back(self) -> None:
        """Redeem every outstanding promise but the lock's, newest first, and compare with the snapshot. Idempotent.

        Raises DrillError, after having tried everything, where something is still not as it was.
        """
        owed = [p for p in outstanding(journals.read(self._journal.path)) if p.kind != LOCK]
        if not owed and self._put_back_at and self._put_back_at == self._changes.made:
            return  # compared already, and nothing was changed since
        with interrupts.held():  # an undo that is cut off in the middle would have to be sent twice
            differences = restoration.put_back(
                owed, self._snapshot, self._world, self._changes, self._journal, self.limits(), self._say
            )
        self._put_back_at = self._changes.made
        if differences:
            raise DrillError(f"the estate is not as it was: {'; '.join(differences)}")

    def free_lock(self) -> None:
        """Let others drill. Raises DrillError where the lock cannot be removed: it then counts until it expires."""
        owed = outstanding(journals.read(self._journal.path))
        if any(p.kind != LOCK for p in owed):
            return  # what could not be put back is nobody else's to drill
        failures = restoration.redeem(owed, self._world, self._changes, self._journal, self.limits(), self._say)
        if failures:
            raise DrillError(f"the lock is not freed: {'; '.join(failures)}")

    def owes(self) -> bool:
        """Is anything, the lock included, still not put back?"""
        return bool(outstanding(journals.read(self._journal.path)))

    def limits(self) -> Limits:
        """How long an undo tries."""
        waits = self._waits
        return Limits(waits.restore_s, waits.serve_s, waits.poll_s, self._safety.doubt_s)

    def confirm_restored(self) -> None:
        """Wait until names lead to the primary again at every vantage and users are served well. Raises ObjectiveNotMet."""
        for vantage in self._names.vantages:
            self._until_named(vantage, self.target.primary)
        answer = self._direct.ask(self.target.primary)
        if not answer.good:
            raise ObjectiveNotMet(f"{self.target.primary.name} answers {answer.said} after it was put back")
        self._until(
            self.users_are_well,
            self._waits.complete_s,
            lambda: f"users were not served well within {self._waits.complete_s:g} s of putting the estate back",
            self._waits.glance_s,
        )

    def users_are_well(self) -> bool:
        """Was availability of the judged clients at its objective just now? Asked so that no outage is left open at the end."""
        facts = record.read_facts(self.directory)
        return record.availability(facts, self._objectives.judged, RECENT_S) >= self._objectives.availability

    # ---- how a change is made ----------------------------------------------------------------------------------

    def _make(self, wanted: Iterable[Change], purpose: str = DEED) -> None:
        for change in wanted:
            self._changes.ensure(change, purpose)

    # ---- waiting and marking -----------------------------------------------------------------------------------

    def _await_app(self, region: Region, state: str) -> None:
        self._until(
            lambda: self._platform.app_state(region.app_id).state == state,
            self._waits.confirm_s,
            lambda: f"{region.app} is not {state} {self._waits.confirm_s:g} s after it was asked to be",
        )

    def _await_silence(self, region: Region) -> None:
        self._await_app(region, STOPPED)
        self._until(
            lambda: not self._direct.ask(region).good,
            self._waits.serve_s,
            lambda: f"{region.name} still serves {self._waits.serve_s:g} s after its app was stopped",
        )

    def _await_serving(self, region: Region) -> None:
        self._await_app(region, RUNNING)
        self._until(
            lambda: self._direct.ask(region).good,
            self._waits.serve_s,
            lambda: (
                f"{region.name} does not serve {self._waits.serve_s:g} s after its app was started: "
                f"it answers {self._direct.ask(region).said}"
            ),
        )

    def _until_named(self, vantage: str, region: Region) -> None:
        self._until(
            lambda: self._names.ask(vantage).region == region.name,
            self._waits.complete_s,
            lambda: f"{vantage} does not answer with {region.name} within {self._waits.complete_s:g} s",
        )

    def _until(
        self, holds: Callable[[], bool], budget_s: float, otherwise: Callable[[], str], poll_s: float | None = None
    ) -> None:
        deadline = self._clock.now_ns() + int(budget_s * 1e9)
        while not holds():
            interrupts.look()
            if not self._traffic_fit():
                raise Inconclusive("the load process died: what users see is no longer measured")
            if not self._put_back_at:
                self._watch_limits()
            if self._clock.now_ns() >= deadline:
                raise ObjectiveNotMet(otherwise())
            self._clock.wait(self._waits.poll_s if poll_s is None else poll_s)

    def _traffic_fit(self) -> bool:
        return self._traffic.alive or not self._measuring or not self._changes.begun

    def _mark(self, mark: Mark, note: str, at_ns: int | None = None) -> None:
        at = self._clock.now_ns() if at_ns is None else at_ns
        self._journal.append("milestone", {"mark": mark.value, "at_ns": at, "note": note})


def _told(regions: set[str]) -> str:
    return ", ".join(sorted(regions)) or "nobody"
