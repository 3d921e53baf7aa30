"""The conductor: guards, promises the undo, acts, records. It judges nothing.

    step ──► Drill.disable(primary)
               1  inside the blast radius?          Unsafe, and nothing was sent
               2  promise the undo                  journalled and on the disk
               3  act                               one control-plane call
               4  record the outcome                ok, failed, or unknown until read again
               5  wait until it really happened     the region is silent, the region serves, the authority answers

Time comes from `Clock`, the world from the protocols of platform.py, the words of the steps from steps/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from failover_drill import findings, record
from failover_drill import journal as journals
from failover_drill.changes import DISABLED, ENABLED, RUNNING, STOPPED, UNDO, Change, Changes
from failover_drill.clock import Clock
from failover_drill.errors import DrillError, Inconclusive, ObjectiveNotMet, PlatformError, Unsafe
from failover_drill.facts import Mark, Objectives, Segment
from failover_drill.findings import Findings, Verdict
from failover_drill.journal import Journal
from failover_drill.platform import Direct, Names, Platform, Traffic
from failover_drill.target import Region, Role, Target
from failover_drill.undo import APP, ENDPOINT, Compensator, Limits, drift, outstanding

RECENT_S = 3.0  # what "just now" means of users


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


class Drill:
    """One run of one playbook on one target. Made by the composition root; steps call its verbs."""

    def __init__(
        self,
        target: Target,
        platform: Platform,
        direct: Direct,
        names: Names,
        traffic: Traffic,
        clock: Clock,
        journal: Journal,
        objectives: Objectives,
        waits: Waits,
        say: Callable[[str], None],
    ) -> None:
        self.target = target
        self.directory: Path = journal.path.parent
        self._platform, self._direct, self._names, self._traffic = platform, direct, names, traffic
        self._clock, self._journal, self._objectives, self._waits, self._say = clock, journal, objectives, waits, say
        self._snapshot: dict[str, Mapping[str, object]] = {}
        self._changes = Changes(target, platform, clock, journal, say)

    # ---- steady state ------------------------------------------------------------------------------------------

    def confirm_steady_state(self) -> None:
        """Take the snapshot and check that both regions are as their roles say. Raises Unsafe before anything is changed."""
        self._snapshot = {i: self._platform.snapshot(i) for i in self._resources()}
        self._journal.append("snapshot", {"resources": self._snapshot}, sync=True)
        self._require_fit()

    def _resources(self) -> list[str]:
        ids = [self.target.profile_id]
        for region in self.target.regions:
            ids += [region.app_id, region.endpoint_id]
        return ids

    def _require_fit(self) -> None:
        primary, secondary = self.target.regions
        profile = self._platform.profile_state(self.target.profile_id)
        if not profile.enabled:
            raise Unsafe(f"steady state does not hold: the profile {self.target.profile_fqdn} is Disabled")
        self._require_serving(primary)
        if self._platform.app_state(secondary.app_id).running:
            self._require_serving(secondary)
        answer = self._names.ask("authority")
        if answer.region != primary.name:
            said = answer.region or ", ".join(answer.addresses) or answer.rcode
            raise Unsafe(
                f"steady state does not hold: {self.target.public_host} leads to {said}, not to the primary {primary.name}"
            )

    def _require_serving(self, region: Region) -> None:
        answer = self._direct.ask(region)
        if not answer.good:
            raise Unsafe(f"steady state does not hold: {region.name} answers {answer.said} when asked directly")

    def serve_users(self) -> None:
        """Start the traffic and watch it at rest for the settling time. Raises Unsafe where users are not served well."""
        self._traffic.start()
        self._journal.append("traffic began", {})
        self._clock.wait(self._waits.settle_s)
        availability = self.findings().traffic.judged.share
        if availability is None or availability < self._objectives.availability:
            share = "nothing was measured" if availability is None else f"availability is {availability:.3%}"
            raise Unsafe(
                f"steady state does not hold: over {self._waits.settle_s:g} s before the drill {share}, "
                f"under the objective of {self._objectives.availability:.4g}"
            )

    # ---- the playbook's acts -----------------------------------------------------------------------------------

    def disable(self, role: Role) -> None:
        """Stop the region's app and wait until it no longer serves (playbook 1)."""
        region = self.target.region(role)
        self._set(APP, region, STOPPED, Segment.DISABLE_PRIMARY)
        self._await_app(region, STOPPED)
        self._until(
            lambda: not self._direct.ask(region).good,
            self._waits.serve_s,
            lambda: f"{region.name} still serves {self._waits.serve_s:g} s after its app was stopped",
        )
        self._mark(Mark.PRIMARY_DISABLED, f"{region.name} answers {self._direct.ask(region).said}")

    def enable(self, role: Role) -> None:
        """Start the region's app, where it is not running, and wait until it serves when asked directly (playbook 2)."""
        region = self.target.region(role)
        self._set(APP, region, RUNNING, Segment.ENABLE_SECONDARY)
        self._await_app(region, RUNNING)
        self._until(
            lambda: self._direct.ask(region).good,
            self._waits.serve_s,
            lambda: (
                f"{region.name} does not serve {self._waits.serve_s:g} s after its app was started: "
                f"it answers {self._direct.ask(region).said}"
            ),
        )
        self._mark(Mark.SECONDARY_ENABLED, f"{region.name} answers {self._direct.ask(region).said}")

    def point_dns_at(self, role: Role) -> None:
        """Enable the region's endpoint, disable the other's, and wait until the authority follows (playbook 3).

        In this order: with both disabled the name would not exist, and that answer is cached for 30 s (azure-facts §3.3).
        """
        region = self.target.region(role)
        for other in self.target.regions:
            if other is region:
                self._set(ENDPOINT, other, ENABLED, Segment.SWITCH_DNS)
        for other in self.target.regions:
            if other is not region:
                self._set(ENDPOINT, other, DISABLED, Segment.SWITCH_DNS)
        self._until_named("authority", region)
        self._mark(Mark.AUTHORITY_SWITCHED, f"the authority answers {region.name}")

    def complete(self, role: Role) -> None:
        """Wait until every watched resolver leads to the region and users are served steadily again.

        Raises ObjectiveNotMet where that has not happened within the waiting time.
        """
        region = self.target.region(role)
        for vantage in self._names.vantages[1:]:
            self._until_named(vantage, region)
        self._mark(Mark.RESOLVERS_SWITCHED, f"every watched resolver answers {region.name}")
        self._until(
            lambda: self.findings().recovery.recovered,
            self._waits.complete_s,
            lambda: f"users were not served steadily again within {self._waits.complete_s:g} s of the switch",
            self._waits.glance_s,
        )

    # ---- the playbook's verifications --------------------------------------------------------------------------

    def verify_app(self, role: Role, state: str) -> None:
        """Raise ObjectiveNotMet unless the control plane shows *state* and the region answers accordingly."""
        region = self.target.region(role)
        shown, answer = self._platform.app_state(region.app_id).state, self._direct.ask(region)
        if shown != state or answer.good != (state == RUNNING):
            raise ObjectiveNotMet(f"{region.app} in {region.name} is {shown} and answers {answer.said}; want {state}")

    def verify_profile_points_at(self, role: Role) -> None:
        """Raise ObjectiveNotMet unless only this region's endpoint can be answered."""
        region = self.target.region(role)
        profile = self._platform.profile_state(self.target.profile_id)
        served = {r.name for r in self.target.regions if profile.endpoints[r.endpoint].enabled}
        if not profile.enabled or served != {region.name}:
            raise ObjectiveNotMet(
                f"profile {self.target.profile_fqdn} points at {', '.join(sorted(served)) or 'nothing'}; want {region.name}"
            )

    def verify_names(self, role: Role) -> None:
        """Raise ObjectiveNotMet unless the authority and every watched resolver lead to the region."""
        region = self.target.region(role)
        for vantage in self._names.vantages:
            answer = self._names.ask(vantage)
            if answer.region != region.name:
                said = answer.region or ", ".join(answer.addresses) or answer.rcode
                raise ObjectiveNotMet(f"{vantage} answers {self.target.public_host} with {said}; want {region.name}")

    def verify_users_served_by(self, role: Role) -> None:
        """Raise ObjectiveNotMet unless the users who honour the TTL were served by this region alone just now."""
        region = self.target.region(role)
        served = record.regions_serving(record.read_facts(self.directory), self._objectives.judged, RECENT_S)
        if served != {region.name}:
            raise ObjectiveNotMet(f"users are served by {', '.join(sorted(served)) or 'nobody'}; want {region.name}")

    def verify_recovery_time(self) -> None:
        """Raise ObjectiveNotMet, or Inconclusive, unless the recovery time is surely within its objective."""
        self._require("recovery time")

    def verify_budget(self) -> None:
        """Raise ObjectiveNotMet, or Inconclusive, unless the drill surely cost no more than its share of the budget."""
        self._require("error budget")

    def _require(self, objective: str) -> None:
        for judgement in self.findings().judgements:
            if judgement.objective == objective and judgement.verdict is not Verdict.MET:
                raise (ObjectiveNotMet if judgement.verdict is Verdict.MISSED else Inconclusive)(judgement.reason)

    def findings(self) -> Findings:
        """Judge what has been written down so far."""
        return findings.analyse(record.read_facts(self.directory), self._objectives)

    # ---- putting it back ---------------------------------------------------------------------------------------

    def put_back(self) -> None:
        """Redeem every outstanding promise, newest first, and compare with the snapshot. Idempotent.

        Raises DrillError, after having tried everything, where something is still not as it was.
        """
        failures = self._compensator().run(outstanding(journals.read(self._journal.path)))
        differences = failures or self._differences()
        self._journal.append("restored", {"said": "; ".join(differences) or "yes"}, sync=True)
        if differences:
            raise DrillError(f"the estate is not as it was: {'; '.join(differences)}")

    def _compensator(self) -> Compensator:
        return Compensator(
            self.target,
            self._platform,
            self._direct,
            self._names,
            self._clock,
            act=lambda kind, resource, wanted: self._changes.make(
                Change(kind, resource, wanted), self._changes.read(kind, resource), UNDO
            ),
            note=self._note,
            say=self._say,
            limits=Limits(self._waits.restore_s, self._waits.serve_s, self._waits.poll_s),
        )

    def _note(self, kind: str, fields: Mapping[str, object]) -> None:
        self._journal.append(kind, fields, sync=True)

    def _differences(self) -> list[str]:
        if not self._snapshot:
            return []
        try:
            return drift(self._snapshot, {i: self._platform.snapshot(i) for i in self._resources()})
        except PlatformError as error:
            return [f"could not be read again: {error}"]

    def confirm_restored(self) -> None:
        """Wait until names lead to the primary again at every vantage and users are served well. Raises ObjectiveNotMet."""
        for vantage in self._names.vantages:
            self._until_named(vantage, self.target.primary)
        self._require_serving(self.target.primary)
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

    def _set(self, kind: str, region: Region, wanted: str, segment: Segment) -> None:
        resource = region.app_id if kind == APP else region.endpoint_id
        self._changes.ensure(Change(kind, resource, wanted, segment))

    # ---- waiting and marking -----------------------------------------------------------------------------------

    def _await_app(self, region: Region, state: str) -> None:
        self._until(
            lambda: self._platform.app_state(region.app_id).state == state,
            self._waits.confirm_s,
            lambda: f"{region.app} is not {state} {self._waits.confirm_s:g} s after it was asked to be",
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
            if not self._traffic_fit():
                raise Inconclusive("the load process died: what users see is no longer measured")
            if self._clock.now_ns() >= deadline:
                raise ObjectiveNotMet(otherwise())
            self._clock.wait(self._waits.poll_s if poll_s is None else poll_s)

    def _traffic_fit(self) -> bool:
        return self._traffic.alive or not self._changes.begun

    def _mark(self, mark: Mark, note: str, at_ns: int | None = None) -> None:
        at = self._clock.now_ns() if at_ns is None else at_ns
        self._journal.append("milestone", {"mark": mark.value, "at_ns": at, "note": note})
