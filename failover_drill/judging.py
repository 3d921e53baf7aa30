"""What a playbook verifies by judging what was written down so far: whom users are served by, how long they were not.

    samples, journal ──► facts ──► serving, are_well            users just now
                           └─────► analyse ──► findings         the drill so far

Nothing here writes or waits, and nothing here looks at the estate: that is looking.py's.
"""

from __future__ import annotations

from pathlib import Path

from failover_drill import findings, record
from failover_drill.abort import Seen
from failover_drill.errors import Inconclusive, ObjectiveNotMet
from failover_drill.facts import Facts, Objectives
from failover_drill.findings import Findings, Verdict
from failover_drill.target import Region

RECENT_S = (
    3.0  # what "just now" means of users, and never more than the stabilisation time: then the outage would be in it
)


class Judging:
    """Judges one run by its directory, as often as it is asked; each time by all that is on the disk."""

    def __init__(self, directory: Path, objectives: Objectives) -> None:
        self._directory, self._objectives = directory, objectives
        self._recent_s = min(RECENT_S, objectives.stabilisation_s)

    def facts(self) -> Facts:
        """Return what has been written down so far."""
        return record.read_facts(self._directory)

    def findings(self) -> Findings:
        """Judge what has been written down so far."""
        return findings.analyse(self.facts(), self._objectives)

    def require(self, objective: str) -> None:
        """Raise ObjectiveNotMet, or Inconclusive, unless *objective* is surely met."""
        for judgement in self.findings().judgements:
            if judgement.objective == objective and judgement.verdict is not Verdict.MET:
                raise (ObjectiveNotMet if judgement.verdict is Verdict.MISSED else Inconclusive)(judgement.reason)

    def serving(self) -> set[str]:
        """Return the regions that served the users who honour the TTL just now."""
        return record.regions_serving(self.facts(), self._objectives.judged, self._recent_s)

    def require_served_by(self, region: Region) -> None:
        """Raise ObjectiveNotMet unless it was this region alone."""
        served = self.serving()
        if served != {region.name}:
            raise ObjectiveNotMet(f"users are served by {told(served)}; want {region.name}")

    def users_are_well(self) -> bool:
        """Was availability of the judged clients at its objective just now? Asked so that no outage is left open at the end."""
        return (
            record.availability(self.facts(), self._objectives.judged, self._recent_s) >= self._objectives.availability
        )

    def recovered(self, since_s: float) -> bool:
        """Have users recovered, and been watched for the stabilisation time since *since_s* (epoch)? It may not show yet."""
        found = self.findings()
        watched_s = 0.0 if found.traffic.ended is None else found.traffic.ended - since_s
        return found.recovery.recovered and watched_s >= self._objectives.stabilisation_s

    def seen(self, now_s: float, availability_for_s: float) -> Seen:
        """Return what abort conditions are held against, as of *now_s* (epoch seconds)."""
        facts = self.facts()
        found = findings.analyse(facts, self._objectives)
        return Seen(
            0.0 if found.recovery.began is None else now_s - found.recovery.began,
            record.availability(facts, self._objectives.judged, availability_for_s),
            found.recovery.recovered,
            found.slo.consumed_share,
        )


def told(regions: set[str]) -> str:
    """Say which regions those are that serve."""
    return ", ".join(sorted(regions)) or "nobody"
