"""What users got, in findings.json: in all, by population, region and path, and over the time of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from failover_drill.form_downtime import OutageForm
from failover_drill.form_figures import Availability, Latency, Span


@dataclass(frozen=True, slots=True)
class RegionShare:
    region: str
    good: int
    bad: int


@dataclass(frozen=True, slots=True)
class PopulationForm:
    """What one kind of client lived through."""

    name: str
    judged: bool
    share: float
    """Of all samples."""
    gap_s: float | None
    """Median time between its samples."""
    availability: Availability
    latency: Latency
    downtime: Span
    outages: tuple[OutageForm, ...]
    longest: Span | None
    regions: tuple[RegionShare, ...]
    outcomes: Mapping[str, int]
    cut_over: float | None
    """First good answer of the region that users were moved to, after t0, before anything was undone."""
    left_primary: float | None
    """Last good answer of the region that they were moved from, after t0, before anything was undone; None: none."""
    came_back: bool
    """No outage of it was still open when the run ended, or when the undoing began."""


@dataclass(frozen=True, slots=True)
class GroupForm:
    """Samples by the region that served them, or by the path asked for. Region "" is nobody: no answer told one."""

    name: str
    availability: Availability
    latency: Latency
    first_good: float | None
    last_good: float | None
    downtime: Span | None
    """Of the judged clients on this path; None for regions (nobody asks a region) and where there is one path only."""


@dataclass(frozen=True, slots=True)
class TrafficForm:
    """All samples of the run."""

    began: float | None
    ended: float | None
    rate_per_s: float
    """Asked for: one sample each `gap_s`."""
    gap_s: float
    latency_limit_s: float
    overall: Availability
    judged: Availability
    latency: Latency
    outcomes: Mapping[str, int]
    populations: tuple[PopulationForm, ...]
    regions: tuple[GroupForm, ...]
    paths: tuple[GroupForm, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """Counts per bucket, by send time; one entry for each bucket of the timeline."""

    name: str
    good: tuple[int, ...]
    bad: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The run in at most 600 equal buckets. Bucket i covers [began + i·bucket_s, began + (i+1)·bucket_s)."""

    began: float
    bucket_s: float
    buckets: int
    good: tuple[int, ...]
    bad: tuple[int, ...]
    availability: tuple[float | None, ...]
    """Of the judged populations; None where a bucket has no sample of them."""
    rate_per_s: tuple[float, ...]
    p50_s: tuple[float | None, ...]
    p95_s: tuple[float | None, ...]
    p99_s: tuple[float | None, ...]
    regions: tuple[Series, ...]
    """By the region that answered; "" is nobody."""
    populations: tuple[Series, ...]
