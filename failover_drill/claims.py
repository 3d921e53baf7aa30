"""What a playbook may claim of the measurement, in figures of its own: a claim is a function of the findings. Pure.

    Then the outage is at most 10 s for keepalive clients ──► drill.verify(outage_within(Population.KEEPALIVE, 10))

A figure that is known as bounds is held by them: surely within passes, surely beyond is ObjectiveNotMet, else Inconclusive.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from failover_drill.errors import Inconclusive, ObjectiveNotMet
from failover_drill.facts import Population
from failover_drill.findings import Findings, Verdict
from failover_drill.form_figures import Span
from failover_drill.judgements import UNSURE
from failover_drill.slo import judge
from failover_drill.wording import bounded, duration, share

Claim = Callable[[Findings], None]


def recovery_within(limit_s: float) -> Claim:
    """The recovery time is surely at most *limit_s*."""

    def claim(findings: Findings) -> None:
        recovery = findings.recovery
        if not recovery.occurred:
            raise Inconclusive(f"{UNSURE}: nothing disruptive was done, so there is nothing to recover from")
        if recovery.time_s is None:
            raise ObjectiveNotMet(f"users have not recovered; {duration(limit_s)} are allowed")
        took = Span(recovery.time_s, recovery.at_least_s or 0.0, recovery.at_most_s)
        _hold("the recovery took", took, limit_s)

    return claim


def downtime_within(limit_s: float) -> Claim:
    """The user-weighted downtime of the clients that honour the TTL is surely at most *limit_s*."""
    return lambda findings: _hold("users lost", findings.downtime.user_weighted, limit_s)


def outage_within(population: Population, limit_s: float) -> Claim:
    """The longest outage of a population is surely at most *limit_s*."""

    def claim(findings: Findings) -> None:
        name = population.name.lower()
        found = next((each for each in findings.traffic.populations if each.name == name), None)
        if found is None:
            raise Inconclusive(f"{UNSURE}: no {name} client was watched: [traffic] mix in drill.toml")
        if found.longest is not None:
            _hold(f"the longest outage of {name} clients took", found.longest, limit_s)

    return claim


def data_loss_within(limit_s: float) -> Claim:
    """The data loss, from the last read-back of the region that users were moved to, is surely at most *limit_s*."""

    def claim(findings: Findings) -> None:
        found = findings.recovery.data_loss
        if found is None:
            why = "nothing was read back from the region that users were moved to, or the target has no data probe"
            raise Inconclusive(f"{UNSURE}: no data loss was measured: {why}")
        if not found.acknowledged:
            raise Inconclusive(f"{UNSURE}: no data loss was measured: no write was acknowledged before the failover")
        _hold(f"{found.lost} of {found.acknowledged} acknowledged writes were lost, over", found.loss, limit_s)

    return claim


def availability_at_least(wanted: float) -> Claim:
    """Availability over the whole drill, for the clients that honour the TTL, is surely at least *wanted*, a fraction."""

    def claim(findings: Findings) -> None:
        seen = findings.traffic.judged
        if seen.share is None or seen.low is None or seen.high is None:
            raise Inconclusive(f"{UNSURE}: nothing was measured")
        told = f"availability over the drill is {share(seen.share)} ({share(seen.low)} to {share(seen.high)})"
        if seen.high < wanted:
            raise ObjectiveNotMet(f"{told}, below {share(wanted)}")
        if seen.low < wanted:
            raise Inconclusive(f"{UNSURE}: {told}, not surely {share(wanted)}: measure longer, or with a higher rate")

    return claim


def moved_within(limit_s: float) -> Claim:
    """No client that honours the TTL was served by the region that it leaves later than *limit_s* after the first act."""

    def claim(findings: Findings) -> None:
        judged = [each for each in findings.traffic.populations if each.judged]
        began = findings.recovery.began
        if began is None or not judged:
            raise Inconclusive(f"{UNSURE}: nobody was moved")
        behind = [each.name for each in judged if each.cut_over is None]
        if behind:
            raise ObjectiveNotMet(f"{behind[0]} clients were never served by the region that they were to be moved to")
        took_s = max((each.left_primary or began) - began for each in judged)
        if took_s > limit_s:
            raise ObjectiveNotMet(
                f"the last user was moved {duration(took_s)} after the first act, beyond {duration(limit_s)}"
            )

    return claim


def _hold(what: str, took: Span, limit_s: float) -> None:
    verdict = judge(took.at_least_s, inf if took.at_most_s is None else took.at_most_s, limit_s)
    told = f"{what} {bounded(took.estimate_s, took.at_least_s, took.at_most_s)}"
    if verdict is Verdict.MISSED:
        raise ObjectiveNotMet(f"{told}, beyond {duration(limit_s)}")
    if verdict is Verdict.INCONCLUSIVE:
        raise Inconclusive(f"{UNSURE}: {told}, not surely within {duration(limit_s)}")
