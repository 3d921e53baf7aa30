"""What the books keep of each run, and of downtime found elsewhere. Pure values, made from findings.json.

Run        one run: its verdict, what it cost, its recovery time and segments, the evidence for it
Entry      one line of incidents.csv: downtime found elsewhere, or maintenance that does not count
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DOWNTIME, MAINTENANCE = "downtime", "maintenance"


@dataclass(frozen=True, slots=True)
class Bounded:
    """Seconds known to lie between two values. `at_most_s` None: without bound."""

    estimate_s: float
    at_least_s: float
    at_most_s: float | None


@dataclass(frozen=True, slots=True)
class Loss:
    """One outage of the judged clients. `lost_s` is its user-weighted downtime."""

    began: float
    ended: float
    lost_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """One run. Instants in epoch seconds. `recovery` is None where there was none to measure."""

    directory: str
    drill: str
    run: str
    kind: str  # "drill" or "observation"
    service: str  # the public host names that were watched
    began: float
    ended: float
    watched_began: float | None  # traffic
    watched_ended: float | None
    verdict: str
    interrupted: str
    restored: str
    fit: bool
    time_scale: float
    objective: float
    window_s: float
    rto_s: float
    consumed: Bounded
    recovery: Bounded | None
    data_loss: Bounded | None  # None where nothing was read back
    predicted: Bounded | None  # the recovery time as forecast: its mean, between the ends of the 99 % interval
    losses: tuple[Loss, ...]
    segments: tuple[tuple[str, float], ...]  # name, seconds
    seal: str = ""  # hash of the last line of its journal: it commits to every file of the run
    record: str = ""  # "unchanged", or what is wrong with the record


@dataclass(frozen=True, slots=True)
class Entry:
    """Downtime found elsewhere (`share` of the users was out), or maintenance, which counts neither for nor against."""

    kind: str
    began: float
    ended: float
    reason: str
    share: float = 1.0
    service: str = ""  # "" is every service
    source: str = ""  # who says so


def summarise(findings: Mapping[str, Any], directory: str, seal: str = "", record: str = "") -> Run:
    """Return what the books keep of a run. Raises KeyError where `findings` is not a findings.json."""
    drill, slo, traffic = findings["drill"], findings["slo"], findings["traffic"]
    return Run(
        directory=directory,
        drill=drill["name"],
        run=drill["run"],
        kind=drill["kind"],
        service=", ".join(findings["dns"]["names"]),
        began=drill["began"],
        ended=drill["ended"],
        watched_began=traffic["began"],
        watched_ended=traffic["ended"],
        verdict=findings["verdict"],
        interrupted=drill["interrupted"],
        restored=drill["restored"],
        fit=findings["instrument"]["fit"],
        time_scale=drill["time_scale"],
        objective=slo["objective"],
        window_s=slo["window_s"],
        rto_s=slo["rto_s"],
        consumed=Bounded(**{name: slo["consumed"][name] for name in ("estimate_s", "at_least_s", "at_most_s")}),
        recovery=_recovery(findings["recovery"]),
        data_loss=_data_loss(findings["recovery"].get("data_loss")),
        predicted=_predicted(findings["forecast"]),
        losses=tuple(Loss(each["began"], each["ended"], each["lost_s"]) for each in findings["downtime"]["outages"]),
        segments=tuple((each["name"], each["took_s"]) for each in findings["recovery"]["segments"]),
        seal=seal,
        record=record,
    )


def _recovery(recovery: Mapping[str, Any]) -> Bounded | None:
    if not recovery["recovered"] or recovery["time_s"] is None:
        return None
    return Bounded(recovery["time_s"], recovery["at_least_s"], recovery["at_most_s"])


def _data_loss(told: Mapping[str, Any] | None) -> Bounded | None:
    return None if not told or not told["acknowledged"] else Bounded(**told["loss"])


def _predicted(forecast: Mapping[str, Any] | None) -> Bounded | None:
    recovery = None if forecast is None else forecast["recovery"]
    return None if recovery is None else Bounded(recovery["mean_s"], *recovery["inner_99"])
