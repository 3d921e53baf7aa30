"""The few figures a run is quoted by, computed once for every form: HTML, Markdown, JUnit, OpenMetrics, CSV.

Each has a key and an exact value for machines, and a text for people; the forms never format a key figure themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from failover_drill import wording


@dataclass(frozen=True, slots=True)
class Figure:
    """One quoted figure. `value` is exact, in `unit`; `limit` is what was allowed, "" where nothing was asked."""

    key: str
    label: str
    value: float | None
    at_least: float | None
    at_most: float | None
    unit: str  # "seconds", "ratio", "requests", "events"
    text: str
    limit: str = ""


def key_figures(findings: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Return the figures in the order they are read."""
    return (
        *_recovery(findings),
        *_predicted(findings, "recovery", "Recovery time, predicted"),
        *_downtime(findings),
        *_budget(findings),
        *_requests(findings),
        *_data_loss(findings),
    )


def _span(key: str, label: str, span: Mapping[str, Any], limit: str = "") -> Figure:
    estimate, low, high = span["estimate_s"], span["at_least_s"], span["at_most_s"]
    return Figure(key, label, estimate, low, high, "seconds", wording.bounded(estimate, low, high), limit)


def _recovery(findings: Mapping[str, Any]) -> tuple[Figure, ...]:
    recovery = findings["recovery"]
    if not recovery["occurred"]:
        return ()
    limit = f"{wording.duration(recovery['rto_s'])} (RTO)"
    text = wording.bounded(recovery["time_s"], recovery["at_least_s"], recovery["at_most_s"])
    if not recovery["recovered"]:
        text = f"did not recover ({wording.bounds(recovery['at_least_s'], recovery['at_most_s'])})"
    low, high = recovery["at_least_s"], recovery["at_most_s"]
    return (Figure("recovery_time", "Recovery time", recovery["time_s"], low, high, "seconds", text, limit),)


def _downtime(findings: Mapping[str, Any]) -> tuple[Figure, ...]:
    downtime, slo = findings["downtime"], findings["slo"]
    limit = wording.duration(slo["allowed_s"])
    figures = [
        _span("downtime", "Downtime, weighted by users", downtime["user_weighted"], limit),
        *_predicted(findings, "downtime", "Downtime until recovery, predicted"),
        _span("full_outage", "Nobody was served", downtime["full_outage"]),
    ]
    worst = downtime["worst_client"]
    if worst is not None:
        figures.append(_span("worst_client", f"Worst client ({worst['population']})", worst["length"]))
    return tuple(figures)


def budget_share_text(slo: Mapping[str, Any]) -> str:
    """Return "0.22 % (0.21 % to 0.23 %) of the 30 days' budget"; the period is part of it."""
    low, high = wording.share(slo["consumed_share_at_least"]), slo["consumed_share_at_most"]
    span = f"at least {low}, no upper bound" if high is None else f"{low} to {wording.share(high)}"
    return f"{wording.share(slo['consumed_share'])} ({span}) of the {wording.period(slo['window_s'])}’ budget"


def _budget(findings: Mapping[str, Any]) -> tuple[Figure, ...]:
    slo = findings["slo"]
    spent = Figure(
        "budget_share", "Error budget spent", slo["consumed_share"], slo["consumed_share_at_least"],
        slo["consumed_share_at_most"], "ratio", budget_share_text(slo), f"{wording.share(slo['drill_share'])} of it",
    )  # fmt: skip
    events = slo["events_affordable"]
    text = "any number: this one cost nothing that could be seen" if events is None else wording.number(events)
    label = f"Such events {wording.period(slo['window_s'])} can afford"
    return spent, Figure("events_affordable", label, events, None, None, "events", text)


def _requests(findings: Mapping[str, Any]) -> tuple[Figure, ...]:
    traffic = findings["traffic"]
    overall, judged = traffic["overall"], traffic["judged"]
    seconds = traffic_seconds(traffic)
    text = f"{wording.share(judged['share'])} ({wording.share(judged['low'])} to {wording.share(judged['high'])})"
    text = f"{text} over {wording.duration(seconds)}" if judged["share"] is not None else wording.UNKNOWN
    return (
        Figure("availability", "Requests answered well, of judged clients", judged["share"], judged["low"],
               judged["high"], "ratio", text),
        Figure("good_requests", "Good requests", overall["good"], None, None, "requests", wording.number(overall["good"])),
        Figure("bad_requests", "Bad requests", overall["bad"], None, None, "requests", wording.number(overall["bad"])),
    )  # fmt: skip


def traffic_seconds(traffic: Mapping[str, Any]) -> float:
    """Return the length of the traffic in seconds; 0 where there was none."""
    if traffic["began"] is None or traffic["ended"] is None:
        return 0.0
    return float(traffic["ended"] - traffic["began"])


def _data_loss(findings: Mapping[str, Any]) -> tuple[Figure, ...]:
    loss = findings["recovery"].get("data_loss")
    if not loss:
        return ()
    limit = findings["slo"]["rpo_s"]
    allowed = "" if limit is None else f"{wording.duration(limit)} (RPO)"
    text = f"{wording.number(loss['lost'])} of {wording.number(loss['acknowledged'])}"
    if loss["unknown"]:
        text += f"; of {wording.number(loss['unknown'])} more the outcome is unknown"
    lost = Figure("lost_writes", "Acknowledged writes lost", loss["lost"], None, None, "writes", text)
    return lost, _span("data_loss", "Data loss", loss["loss"], allowed)


def _predicted(findings: Mapping[str, Any], name: str, label: str) -> tuple[Figure, ...]:
    """Return the predicted mean of a figure, between the ends of its 99 % interval."""
    told = (findings["forecast"] or {name: None})[name]
    if told is None:
        return ()
    low, high = told["inner_99"]
    text = f"{wording.duration(told['mean_s'])} ({wording.bounds(low, high)} in 99 of 100 failovers)"
    if told["measured_within"] is not None:
        text += f"; measured {wording.held_against(told['measured_within'])}"
    key = {"recovery": "predicted_recovery_time"}.get(name, f"predicted_{name}")
    return (Figure(key, label, told["mean_s"], low, high, "seconds", text),)


def predicted_segments(findings: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the prediction of each segment by its name; empty where the run has no forecast.

    `apart` says "below" or "above" where the measured one lies outside of its 99 % interval and that matters: by more than a
    twentieth of the predicted recovery time. Less is within what polls and samples can tell.
    """
    forecast = findings["forecast"]
    if forecast is None or forecast["never"]:
        return {}
    matters_s = forecast["recovery"]["mean_s"] / 20
    return {each["name"]: {**each["took"], "apart": _apart(each["took"], matters_s)} for each in forecast["segments"]}


def _apart(took: Mapping[str, Any], matters_s: float) -> str:
    outside = took["measured_within"] in ("below", "above")
    return took["measured_within"] if outside and abs(took["measured_s"] - took["mean_s"]) > matters_s else ""
