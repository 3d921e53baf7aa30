"""What was predicted before the first change, beside what was then measured. Pure.

journal's header: a forecast of each kind of failover ─┐
how this one began, what users met ────────────────────┴─► the forecast of its kind, and where the measured lay in it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from failover_drill.facts import Facts
from failover_drill.forecast import INNER, Kind, level_name
from failover_drill.form_recovery import ForecastForm, Predicted, PredictedSegment, Within
from failover_drill.measured import Measured
from failover_drill.recovery import Recovery

FAULTS = {"inject region_lost": Kind.REFUSED, "inject region_hung": Kind.HANG}
INTERVALS: tuple[Within, ...] = ("50 %", "95 %", "99 %")


def forecast_form(facts: Facts, measured: Measured) -> ForecastForm | None:
    """Return the forecast of the kind of failover that this run was; None where nothing failed over or none was made."""
    recovery, kind = measured.recovery, kind_of(facts)
    told = facts.forecasts.get(kind, {}) if kind is not None else {}
    if recovery is None or not told:
        return None
    about = {"kind": told["kind"], "runs": told["runs"], "seed": told["seed"]}
    if "never" in told:
        return ForecastForm(**about, never=told["never"], recovery=None, downtime=None, segments=())
    took = {str(part.segment): part.took_ns / 1e9 for part in recovery.parts if recovery.time_ns is not None}
    return ForecastForm(
        **about,
        never="",
        recovery=predicted(told["recovery"], None if recovery.time_ns is None else recovery.time_ns / 1e9),
        downtime=predicted(told["downtime"], lost_until_recovery_s(recovery, measured)),
        segments=tuple(
            PredictedSegment(name, predicted(each, took.get(name))) for name, each in told["segments"].items()
        ),
    )


def lost_until_recovery_s(recovery: Recovery, measured: Measured) -> float | None:
    """Return the downtime of the failover itself, seconds; what putting back cost was not predicted. None: not recovered."""
    end = recovery.ended_ns
    if end is None:
        return None
    return (
        sum(each.lost_ns for each in measured.outages if recovery.start.at_ns <= each.last_ns and each.first_ns < end)
        / 1e9
    )


def kind_of(facts: Facts) -> Kind | None:
    """Return what was done to the primary, and who brought users back; None for what no forecast is made of.

    That is everything but the playbook's own acts, and a region lost or hung for good while the operator looks on; each on
    an estate that does what its settings say, without a fault of names or control plane.
    """
    if any(each.purpose == "preparation" and each.verb.startswith("inject") for each in facts.actions):
        return None
    deeds = [each for each in facts.actions if each.purpose == "deed" and each.sent_ns is not None]
    faults = [each.verb for each in facts.actions if each.purpose == "fault" and each.sent_ns is not None]
    if faults:
        return FAULTS.get(faults[0]) if len(faults) == 1 and not deeds else None
    first = min(deeds, key=lambda each: each.sent_ns or 0, default=None)
    stopped = first is not None and (first.verb, first.region) == ("stop app", facts.primary)
    return Kind.PLANNED if stopped else None


def predicted(told: Mapping[str, Any], measured_s: float | None) -> Predicted:
    """Return a distribution as the journal keeps it (`Quantiles.to_dict`), with the measured figure held against it."""
    inner = {percent: (told[level_name(low)], told[level_name(high)]) for percent, (low, high) in INNER.items()}
    left_out = inner[99] == (0.0, 0.0)
    return Predicted(
        mean_s=told["mean_s"],
        median_s=told[level_name(0.5)],
        inner_50=inner[50],
        inner_95=inner[95],
        inner_99=inner[99],
        measured_s=measured_s,
        measured_within=within(measured_s, tuple(inner.values())) if measured_s is not None and not left_out else None,
    )


def within(measured_s: float, intervals: Sequence[tuple[float, float]]) -> Within:
    """Return the narrowest of the 50, 95 and 99 % intervals that holds the measured figure, or on which side of all it lies."""
    for name, (low, high) in zip(INTERVALS, intervals, strict=True):
        if low <= measured_s <= high:
            return name
    return "below" if measured_s < intervals[-1][0] else "above"
