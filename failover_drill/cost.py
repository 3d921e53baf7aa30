"""What a drill is likely to cost, before it is run: measured where it was run before, else by formula. Pure but for `past_runs`.

    out of service ─────────────────────────────────────────► all caches have followed
      stop, start, two endpoints, propagation: `acts`     TTL
    recovery time = acts + TTL + stabilisation        downtime at most acts + TTL        acts = 60 s / time scale, unmeasured

60 s: an app stops within seconds and starts within about 30 s (azure-facts §2.5), an endpoint's change reaches the name servers
within about 5 s (§3.6), and four calls take a few seconds each. Grade: U; the first drill replaces it by a measurement.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACTS_S = 60.0
NEWEST = 3


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
class Forecast:
    recovery_s: float
    cost_s: float
    why: str


def forecast(past: Iterable[Past], drill: str, host: str, time_scale: float, ttl_s: float, settle_s: float) -> Forecast:
    """Return what the newest comparable runs took and cost at most, else what the formula gives."""
    alike = [p for p in past if (p.drill, p.public_host, p.time_scale, p.ttl_s) == (drill, host, time_scale, ttl_s)]
    measured = [p for p in sorted(alike, key=lambda p: p.began_s) if p.recovery_s is not None][-NEWEST:]
    if measured:
        took = max(p.recovery_s or 0.0 for p in measured)
        runs = "run" if len(measured) == 1 else f"{len(measured)} runs"
        return Forecast(took, max(p.cost_s for p in measured), f"the most that the newest {runs} measured")
    acts_s = ACTS_S / time_scale
    why = f"{acts_s:g} s for the acts and {ttl_s:g} s of TTL; nothing comparable was measured yet"
    return Forecast(acts_s + ttl_s + settle_s, acts_s + ttl_s, why)


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
