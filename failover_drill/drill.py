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

from collections.abc import Callable, Iterable
from uuid import uuid4

from failover_drill import acts, interrupts
from failover_drill.abort_watch import AbortWatch
from failover_drill.admission import Admission, Safety
from failover_drill.changes import ON, Change, Changes
from failover_drill.claims import Claim
from failover_drill.errors import Aborted, Inconclusive, ObjectiveNotMet
from failover_drill.facts import Mark, Objectives
from failover_drill.faults import Fault
from failover_drill.journal import Journal
from failover_drill.judging import Judging, told
from failover_drill.looking import Looking
from failover_drill.owed import Owed
from failover_drill.platform import ReadBacks, Traffic
from failover_drill.promises import DEED, FAULT, INJECTION, PREPARATION, WAKING
from failover_drill.readiness import Readiness
from failover_drill.recovery import KNOWN_BAD
from failover_drill.restoration import World
from failover_drill.target import Role
from failover_drill.undo import DRAIN_MARGIN_S
from failover_drill.users import Users
from failover_drill.waiting import Waiting, Waits

ONLINE = "Online"


class Drill(Looking):
    """One run of one playbook on one target. Made by the composition root; steps call its verbs."""

    def __init__(
        self,
        world: World,
        readiness: Readiness,
        traffic: Traffic,
        journal: Journal,
        objectives: Objectives,
        waits: Waits,
        safety: Safety,
        say: Callable[[str], None],
        read_back: ReadBacks | None = None,
    ) -> None:
        super().__init__(world.target, world.platform, world.direct, world.names, readiness)
        self._clock, self._journal, self._objectives, self._waits = world.clock, journal, objectives, waits
        self._say = say
        self._changes = Changes(world.target, world.platform, world.faults, world.clock, journal, say)
        self._changes.before_deed = self.go_on
        self._admission = Admission(world, self._changes, journal, safety)
        self.judging = Judging(journal.path.parent, objectives)
        self.users = Users(world, traffic, read_back, self.judging, objectives, journal, waits)
        self._abort = AbortWatch(safety.abort, self.judging, self._changes, world.clock, waits.glance_s)
        self.owed = Owed(world, self._changes, journal, safety.undo, say)
        self._wait = Waiting(world, waits, self._meanwhile)

    # ---- going on, or not --------------------------------------------------------------------------------------

    def confirm_steady_state(self) -> None:
        """Ask every guard, take the snapshot and the lock, once. Raises Unsafe; nothing but our lock was written then."""
        self._admission.seek()

    def abort_when(self, **limits: float) -> None:
        """Add abort conditions to those of drill.toml (abort.Conditions names them; shares are fractions)."""
        self._abort.add(**limits)

    def go_on(self) -> None:
        """Raise Aborted where drills were stopped, guardian or lock were lost, or a limit is broken.

        Unsafe where it never may begin.
        """
        interrupts.look()
        self._admission.seek()
        reason = self._admission.withdrawn() or self._abort.breach()
        if reason:
            self._abort_for(reason)

    def check_before_step(self) -> None:
        """What `go_on` does, between the admission and the end of putting back; nothing outside of it."""
        if self._admission.given and not self.owed.put_back_at:
            self.go_on()

    def _meanwhile(self) -> None:
        """Raise where it is of no use to wait on: interrupted, users no longer measured, or an abort condition broken."""
        interrupts.look()
        if self._changes.begun and self.users.out_of_sight:
            raise Inconclusive("the load process died: what users see is no longer measured")
        reason = "" if self.owed.put_back_at else self._abort.breach_if_due()
        if reason:
            self._abort_for(reason)

    def _abort_for(self, reason: str) -> None:
        self._journal.append("aborted", {"reason": reason}, sync=True)
        raise Aborted(reason)

    @property
    def prepared(self) -> int:
        """How many changes prepared the estate so far, the lock's apart; 0 once the first disruptive one was sent."""
        return 0 if self._changes.begun else self._changes.made - bool(self._admission.lock)

    # ---- users -------------------------------------------------------------------------------------------------

    def serve_users(self) -> None:
        """Start the traffic and watch it at rest for the settling time. Raises Unsafe where users are not served well."""
        self.users.serve()

    # ---- what a scenario needs beforehand, and what it does to the estate ------------------------------------------

    def make_hot_standby(self, role: Role) -> None:
        """Let the region stand by: its app serves, its endpoint is enabled, and Traffic Manager finds it Online."""
        self._make(acts.enable(self.target, role), PREPARATION)
        self._wait.for_service(self.target.region(role))
        self._make(acts.enlist(self.target, role), PREPARATION)
        self.await_health(role, ONLINE)

    def move_users(self, role: Role) -> None:
        """Move users to the region without loss: it serves, names lead there, caches have followed; then the other is stopped.

        Preparation: the recovery time of what the scenario does later is measured apart from it, the downtime is not.
        """
        region = self.target.region(role)
        self._make(acts.enable(self.target, role), PREPARATION)
        self._wait.for_service(region)
        self._make(acts.point_dns_at(self.target, role), PREPARATION)
        for vantage in self._names.vantages:
            self._wait.for_name(vantage, region)
        self.let_caches_follow()
        for other in (each for each in Role if each is not role):
            self._make(acts.disable(self.target, other), PREPARATION)
            self._wait.for_silence(self.target.region(other))
        if self.users.measured:
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
        self.owed.end_faults()

    # ---- the playbook's acts -----------------------------------------------------------------------------------

    def disable(self, role: Role) -> None:
        """Stop the region's app and wait until it no longer serves (playbook 1)."""
        region = self.target.region(role)
        self._make(acts.disable(self.target, role))
        self._wait.for_silence(region)
        self._mark(Mark.PRIMARY_DISABLED, f"{region.name} answers {self._direct.ask(region).said}")

    def enable(self, role: Role) -> None:
        """Start the region's app, where it is not running, and wait until it serves when asked directly (playbook 2)."""
        region = self.target.region(role)
        self._make(acts.enable(self.target, role))
        self._wait.for_service(region)
        self._mark(Mark.SECONDARY_ENABLED, f"{region.name} answers {self._direct.ask(region).said}")

    def point_dns_at(self, role: Role) -> None:
        """Enable the region's endpoint, disable the other's, and wait until the authority follows (playbook 3)."""
        region = self.target.region(role)
        state = self._platform.endpoint_state(region.endpoint_id)
        if state.enabled and state.health == "Stopped":
            self._make(acts.wake(self.target, role), WAKING)
        self._make(acts.point_dns_at(self.target, role))
        self._wait.for_name("authority", region)
        self._mark(Mark.AUTHORITY_SWITCHED, f"the authority answers {region.name}")

    def await_names(self, role: Role) -> None:
        """Wait until the authority and every watched resolver lead to the region. Raises ObjectiveNotMet."""
        region = self.target.region(role)
        authority, *resolvers = self._names.vantages
        self._wait.for_name(authority, region)
        self._mark(Mark.AUTHORITY_SWITCHED, f"the authority answers {region.name}")
        for vantage in resolvers:
            self._wait.for_name(vantage, region)
        self._mark(Mark.RESOLVERS_SWITCHED, f"every watched resolver answers {region.name}")

    def complete(self, role: Role) -> None:
        """Wait until names lead to the region everywhere and users are served steadily again.

        Raises ObjectiveNotMet where that has not happened within the waiting time.
        """
        self.await_names(role)
        self._wait.until_seen(
            lambda: self.judging.recovered(self._changes.newest_s),
            self._waits.complete_s,
            lambda: f"users were not served steadily again within {self._waits.complete_s:g} s of the switch",
        )
        lost = self.users.note_writes(self.target.region(role))
        if lost:
            self._say(lost)

    def await_health(self, role: Role, health: str, within_s: float | None = None) -> None:
        """Wait until Traffic Manager's monitor says *health* of the region's endpoint: confirm_s, unless told how long.

        Raises ObjectiveNotMet. A health that tells of a loss, after a fault, is its detection.
        """
        within_s = self._waits.confirm_s if within_s is None else within_s
        endpoint = self.target.region(role).endpoint
        self._wait.until(
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
        self._wait.until_seen(
            lambda: self.judging.serving() == {region.name},
            within_s,
            lambda: f"users are served by {told(self.judging.serving())} {within_s:g} s later; want {region.name}",
        )

    def let_pass(self, seconds: float) -> None:
        """Go on after so many seconds, with abort conditions watched meanwhile."""
        until_ns = self._clock.now_ns() + int(seconds * 1e9)
        self._wait.until(lambda: self._clock.now_ns() >= until_ns, seconds + 1, lambda: "")

    def let_caches_follow(self) -> None:
        """Wait until every cache that honours the TTL has asked anew since the last change of names."""
        self.let_pass(self._platform.profile_state(self.target.profile_id).ttl_s + DRAIN_MARGIN_S)

    # ---- the playbook's verifications --------------------------------------------------------------------------

    def verify_users_served_by(self, role: Role) -> None:
        """Raise ObjectiveNotMet unless the users who honour the TTL were served by this region alone just now."""
        self.judging.require_served_by(self.target.region(role))

    def verify(self, claim: Claim) -> None:
        """Hold a claim against the findings so far. Raises ObjectiveNotMet or Inconclusive."""
        claim(self.judging.findings())

    def verify_recovery_time(self) -> None:
        """Raise ObjectiveNotMet, or Inconclusive, unless the recovery time is surely within its objective."""
        self.judging.require("recovery time")

    def verify_budget(self) -> None:
        """Raise ObjectiveNotMet, or Inconclusive, unless the drill surely cost no more than its share of the budget."""
        self.judging.require("error budget")

    def verify_data_loss(self) -> None:
        """Raise ObjectiveNotMet, or Inconclusive, unless the data loss is surely within its objective. Without one, say so."""
        if self._objectives.rpo_s is None:
            self._say(f"data loss is not judged: drill.toml has no rpo_s for {self.target.name}")
        self.judging.require("data loss")

    # ---- putting it back ---------------------------------------------------------------------------------------

    def put_back(self) -> None:
        """Redeem every outstanding promise but the lock's, newest first, and compare with the snapshot. Idempotent.

        Raises DrillError, after having tried everything, where something is still not as it was.
        """
        self.owed.put_back(self._admission.snapshot)

    def confirm_restored(self) -> None:
        """Wait until names lead to the primary again at every vantage and users are served well. Raises ObjectiveNotMet."""
        for vantage in self._names.vantages:
            self._wait.for_name(vantage, self.target.primary)
        answer = self._direct.ask(self.target.primary)
        if not answer.good:
            raise ObjectiveNotMet(f"{self.target.primary.name} answers {answer.said} after it was put back")
        self._wait.until_seen(
            self.judging.users_are_well,
            self._waits.complete_s,
            lambda: f"users were not served well within {self._waits.complete_s:g} s of putting the estate back",
        )

    # ---- changing and marking ----------------------------------------------------------------------------------

    def _make(self, wanted: Iterable[Change], purpose: str = DEED) -> None:
        for change in wanted:
            self._changes.ensure(change, purpose)

    def _mark(self, mark: Mark, note: str) -> None:
        self._journal.append("milestone", {"mark": mark.value, "at_ns": self._clock.now_ns(), "note": note})
