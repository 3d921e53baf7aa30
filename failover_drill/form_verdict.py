"""The part of findings.json that judges: objectives held against what was measured, and the error budget."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from failover_drill.form_figures import Span


class Verdict(StrEnum):
    """At most ≤ limit is MET, at least > limit is MISSED, anything else INCONCLUSIVE (measurement.md §5)."""

    MET = "MET"
    MISSED = "MISSED"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One objective held against what was measured."""

    objective: Literal[
        "recovery time", "error budget", "data loss", "availability", "restored", "completed", "instrument"
    ]
    verdict: Verdict
    reason: str
    limit_s: float | None = None
    at_least_s: float | None = None
    at_most_s: float | None = None


@dataclass(frozen=True, slots=True)
class SloForm:
    """The error budget, and what this run consumed of it (measurement.md §5)."""

    objective: float
    window_s: float
    budget_s: float
    drill_share: float
    """Share of the budget that this run may cost."""
    allowed_s: float
    """The same in seconds."""
    consumed: Span
    consumed_share: float
    consumed_share_at_least: float
    consumed_share_at_most: float | None
    events_affordable: int | None
    """How many such events the window affords; None: this one cost nothing that could be seen."""
    rto_s: float
    rpo_s: float | None
    stabilisation_s: float
    judged: tuple[str, ...]
    """The populations that the objectives are judged on: those that honour the TTL."""
