"""The time lost, in findings.json: in all, and outage by outage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from failover_drill.form_figures import Span


@dataclass(frozen=True, slots=True)
class OutageForm:
    """One stretch in which the service was out. `at_least_s` ≤ true length ≤ `at_most_s`."""

    began: float
    """Point estimate."""
    ended: float
    """Point estimate; where `open_end`, the last that was seen of it."""
    began_earliest: float | None
    began_latest: float
    ended_earliest: float
    ended_latest: float | None
    estimate_s: float
    at_least_s: float
    at_most_s: float | None
    outcome: str
    """What most of its bad samples met: refused, timeout, http_error, …"""
    outcomes: Mapping[str, int]
    partial: bool
    """Some samples inside it were good: only some clients were out."""
    availability: float
    """Share of good samples inside it; 0 where it was total."""
    lost_s: float
    """User-weighted downtime inside it."""
    open_start: bool
    """The run began inside it."""
    open_end: bool
    """The run ended inside it."""
    bad: int
    populations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorstClient:
    """The longest outage of any one population."""

    population: str
    length: Span
    judged: bool


@dataclass(frozen=True, slots=True)
class DowntimeForm:
    """The time lost by the judged clients."""

    user_weighted: Span
    """Integral of (1 − availability) by send time; the budget is charged with it."""
    full_outage: Span
    """Time in which every population had bad samples and none a good one."""
    worst_client: WorstClient | None
    sla_minutes: int
    """Whole clock minutes without a good sample: only the named arithmetic of cloud SLAs, too coarse for a drill."""
    minutes_watched: int
    blind_spot_s: float | None
    """The longest outage that could hide between two good samples."""
    outages: tuple[OutageForm, ...]
    """Merged over the judged populations; of very many, the longest."""
    outages_in_all: int
    full_outages: tuple[OutageForm, ...]
    """Stretches in which every population had bad samples and none a good one; of very many, the longest."""
