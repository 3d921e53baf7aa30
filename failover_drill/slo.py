"""Error budgets and verdicts (measurement.md §5).

budget = (1 − objective) × window           99.9 % over 30 days: 2 592 s
at most ≤ limit → MET      at least > limit → MISSED      anything else → INCONCLUSIVE
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, inf

from failover_drill.facts import Objectives
from failover_drill.form_verdict import Verdict
from failover_drill.outages import Bounds

_WORST_LAST = (Verdict.MET, Verdict.INCONCLUSIVE, Verdict.MISSED)


@dataclass(frozen=True, slots=True)
class Budget:
    """An error budget in seconds, and the part of it that one run may cost."""

    whole_s: float
    share: float

    @classmethod
    def of(cls, objectives: Objectives) -> Budget:
        # Rounded to the nanosecond: 1 − 0.999 is 0.0010000000000000009, and no budget is meant to be 2592.0000000000023 s.
        return cls(round((1 - objectives.availability) * objectives.window_s, 9), objectives.drill_share)

    @property
    def allowed_s(self) -> float:
        return self.whole_s * self.share

    def consumed_share(self, downtime_s: float) -> float:
        return downtime_s / self.whole_s if self.whole_s else (inf if downtime_s else 0.0)

    def events(self, downtime_s: float) -> int | None:
        """Return how many such events the window affords; None where this one cost nothing."""
        return floor(self.whole_s / downtime_s + 1e-9) if downtime_s > 0 else None


def judge(at_least: float, at_most: float, limit: float) -> Verdict:
    """Hold a figure known as bounds against its limit."""
    if at_most <= limit:
        return Verdict.MET
    return Verdict.MISSED if at_least > limit else Verdict.INCONCLUSIVE


def judge_bounds(bounds: Bounds, limit_s: float) -> Verdict:
    return judge(bounds.at_least_ns / 1e9, bounds.at_most_ns / 1e9, limit_s)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of them: MISSED, then INCONCLUSIVE, then MET (also of none)."""
    return max(verdicts, key=_WORST_LAST.index, default=Verdict.MET)


def burn_rate(objective: float, failing_share: float) -> float:
    """Return the speed of spending: 1 spends the budget evenly over its window, 2 twice as fast."""
    return inf if objective >= 1 else failing_share / (1 - objective)
