"""What a drill is likely to cost the error budget, before it is run, and what drills have cost. Pure but for `past_runs`.

the forecast's 99 % ──┐
newest alike runs   ──┴─► whichever is more: a model whose delays Azure does not publish must not talk a drill cheap
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from failover_drill.forecast import Forecast
from failover_drill.wording import day

NEWEST = 3
SURELY = 0.99


@dataclass(frozen=True, slots=True)
class Past:
    """One run as it was judged: on which profile, when (epoch seconds), what it took and cost. Seconds."""

    profile_id: str
    drill: str
    public_host: str
    time_scale: float
    ttl_s: float
    began_s: float
    cost_s: float
    recovery_s: float | None


@dataclass(frozen=True, slots=True)
class Expected:
    """What a drill will hardly exceed, seconds, and where that is from."""

    recovery_s: float
    cost_s: float
    why: str


def expected(
    predicted: Forecast | None, past: Iterable[Past], drill: str, host: str, time_scale: float, ttl_s: float
) -> Expected:
    """Return what 99 of 100 forecast failovers stay within, or what comparable runs measured where that is more.

    *predicted* None: nothing could be forecast; then nothing is affordable.
    """
    if predicted is None:
        return Expected(inf, inf, "nothing could be forecast: the profile cannot be read")
    told = Expected(
        predicted.recovery.at[SURELY], predicted.downtime.at[SURELY], "99 of 100 forecast failovers stay within that"
    )
    alike = [p for p in past if (p.drill, p.public_host, p.time_scale, p.ttl_s) == (drill, host, time_scale, ttl_s)]
    newest = [p for p in sorted(alike, key=lambda p: p.began_s) if p.recovery_s is not None][-NEWEST:]
    most = max(newest, key=lambda p: p.cost_s, default=None)
    if most is None or most.cost_s <= told.cost_s:
        return told
    took = max(told.recovery_s, *(p.recovery_s or 0.0 for p in newest))
    return Expected(took, most.cost_s, f"as {most.drill} cost on {day(most.began_s)}, more than was forecast")


def spent_s(past: Iterable[Past], profile_id: str, since_s: float) -> float:
    """Return the downtime that drills on this profile have cost since *since_s* (epoch seconds)."""
    return sum(p.cost_s for p in past if p.profile_id.lower() == profile_id.lower() and p.began_s >= since_s)


def past_runs(reports: Path) -> Sequence[Past]:
    """Return the judged runs under *reports*. A run that cannot be read is left out: `failover-drill verify` is for that."""
    found = (_past(path.parent) for path in sorted(reports.glob("*/*/findings.json")))
    return [run for run in found if run is not None]


def _past(run: Path) -> Past | None:
    try:
        with (run / "journal.jsonl").open("rb") as journal:
            header: dict[str, Any] = json.loads(journal.readline())
        findings: dict[str, Any] = json.loads((run / "findings.json").read_text("utf-8"))
        consumed, recovery = findings["slo"]["consumed"], findings["recovery"]
        at_most = consumed["at_most_s"]
        return Past(
            header["target"]["profile_id"],
            header["drill"],
            header["target"]["public_host"],
            header["time_scale"],
            header["ttl_s"],
            header["anchor"]["wall_ns"] / 1e9,
            consumed["estimate_s"] if at_most is None else at_most,
            recovery["time_s"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
