"""What a playbook verifies by looking: control plane, regions asked directly, names. Nothing here writes or waits.

Drill ────────┐
              ├──► Looking ──► platform, direct, names, readiness
Inspection ───┘
"""

from __future__ import annotations

from failover_drill.changes import RUNNING
from failover_drill.errors import ObjectiveNotMet
from failover_drill.platform import Direct, Names, Platform
from failover_drill.readiness import Readiness
from failover_drill.target import Role, Target


class Looking:
    """The verbs of a playbook that only look. Each raises ObjectiveNotMet where what it looks for is not so."""

    def __init__(self, target: Target, platform: Platform, direct: Direct, names: Names, readiness: Readiness) -> None:
        self.target = target
        self._platform, self._direct, self._names, self._readiness = platform, direct, names, readiness

    def verify_app(self, role: Role, state: str) -> None:
        """The control plane shows *state*, and the region answers accordingly."""
        region = self.target.region(role)
        shown, answer = self._platform.app_state(region.app_id).state, self._direct.ask(region)
        if shown != state or answer.good != (state == RUNNING):
            raise ObjectiveNotMet(f"{region.app} in {region.name} is {shown} and answers {answer.said}; want {state}")

    def verify_answers(self, role: Role) -> None:
        """The region answers well when asked directly, past all DNS."""
        region, answer = self.target.region(role), self._direct.ask(self.target.region(role))
        if not answer.good:
            raise ObjectiveNotMet(f"{region.name} answers {answer.said} when asked directly")

    def verify_profile_points_at(self, role: Role) -> None:
        """Only this region's endpoint can be answered."""
        region = self.target.region(role)
        profile = self._platform.profile_state(self.target.profile_id)
        served = {r.name for r in self.target.regions if profile.endpoints[r.endpoint].enabled}
        if not profile.enabled or served != {region.name}:
            raise ObjectiveNotMet(
                f"profile {self.target.profile_fqdn} points at {', '.join(sorted(served)) or 'nothing'}; want {region.name}"
            )

    def verify_names(self, role: Role) -> None:
        """The authority and every watched resolver lead to the region."""
        region = self.target.region(role)
        for vantage in self._names.vantages:
            answer = self._names.ask(vantage)
            if answer.region != region.name:
                said = answer.region or ", ".join(answer.addresses) or answer.rcode
                raise ObjectiveNotMet(f"{vantage} answers {self.target.public_host} with {said}; want {region.name}")

    def verify_health(self, role: Role, health: str) -> None:
        """Traffic Manager's monitor says *health* of the region's endpoint."""
        found = self._health(role)
        if found != health:
            raise ObjectiveNotMet(f"Traffic Manager finds {self.target.region(role).endpoint} {found}; want {health}")

    def verify_ttl(self, at_most_s: float) -> None:
        """The profile's TTL is at most so many seconds."""
        ttl_s = self._platform.profile_state(self.target.profile_id).ttl_s
        if ttl_s > at_most_s:
            raise ObjectiveNotMet(f"the TTL of {self.target.profile_fqdn} is {ttl_s} s; want {at_most_s:g} s at most")

    def verify_ready(self, *checks: str) -> None:
        """Preflight finds nothing wrong in these of its checks (docs/preflight.md). What could not be told is Inconclusive."""
        self._readiness.require(checks)

    def _health(self, role: Role) -> str:
        return self._platform.endpoint_state(self.target.region(role).endpoint_id).health
