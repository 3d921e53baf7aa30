"""The recovery time in findings.json: as it was measured, in segments that sum to it, and as it was predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from failover_drill.form_figures import Span


@dataclass(frozen=True, slots=True)
class SegmentForm:
    """One part of the recovery time. `occurred` False: nothing marked its end, so it is 0 s."""

    name: str
    began: float
    ended: float
    took_s: float
    took_ns: int
    share: float
    """Of the time that all segments cover."""
    occurred: bool
    ended_by: str
    """What bounded it, in words."""


@dataclass(frozen=True, slots=True)
class MilestoneForm:
    mark: str
    at: float
    note: str


@dataclass(frozen=True, slots=True)
class DataLoss:
    """Acknowledged writes that were missing afterwards (RPO, actual). Present where the app has a data probe."""

    acknowledged: int
    """Before the read-back; so are all that follow."""
    lost: int
    """Acknowledged, and missing where users were moved to."""
    loss: Span
    """From the first lost write until the region that lost it took no more."""
    refused: int
    """The app said no, or they were never sent."""
    unknown: int
    """Sent, and nobody said what became of them, in time or at all."""
    arrived: int
    """Of those of unknown outcome: there all the same."""
    first_lost: float | None
    """When the first lost write was sent."""
    last_lost: float | None
    read_back: float
    """When the region was asked that users were moved to."""
    region: str
    """Who was asked."""


@dataclass(frozen=True, slots=True)
class RecoveryForm:
    """From the first disruptive act to sustained recovery of the judged clients."""

    occurred: bool
    """False: nothing disruptive was done, so there is nothing to recover from."""
    recovered: bool
    began: float | None
    """t0."""
    began_by: str
    ended: float | None
    """The first instant from which availability stays at or above the objective for `stabilisation_s`."""
    time_s: float | None
    time_ns: int | None
    """Exactly the sum of the segments' `took_ns`. None: not recovered; the segments then reach to the last bad sample."""
    at_least_s: float | None
    at_most_s: float | None
    rto_s: float
    segments: tuple[SegmentForm, ...]
    milestones: tuple[MilestoneForm, ...]
    data_loss: DataLoss | None = None


Within = Literal["50 %", "95 %", "99 %", "below", "above"]
"""The narrowest interval of a forecast that holds a measured figure; below or above them all."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """A predicted duration: its mean, its median, and between what so many of 100 failovers lie. Seconds."""

    mean_s: float
    """The means of the segments sum to the mean of the recovery time; nothing else sums."""
    median_s: float
    inner_50: tuple[float, float]
    inner_95: tuple[float, float]
    inner_99: tuple[float, float]
    measured_s: float | None
    """None: users had not recovered when the run, or the drill's own way of bringing them back, was over."""
    measured_within: Within | None
    """None also where the forecast leaves this segment out."""


@dataclass(frozen=True, slots=True)
class PredictedSegment:
    name: str
    took: Predicted


@dataclass(frozen=True, slots=True)
class ForecastForm:
    """What was predicted before the first change, from the profile and the time scale as they were then."""

    kind: Literal["planned", "refused", "hang", "stopped"]
    """By the operator's acts; or Traffic Manager alone, the region refusing or erring, hanging, or its app stopped."""
    runs: int
    """Failovers played."""
    seed: int
    never: str
    """Why nobody would have come back; empty where they would. Where it is told, there are no figures."""
    recovery: Predicted | None
    downtime: Predicted | None
    """Of the failover itself, weighted by users: until they recovered. What putting back costs is not predicted."""
    segments: tuple[PredictedSegment, ...]
