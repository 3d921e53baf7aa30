"""Figures that stand in many places of findings.json: a span with its bounds, a share with its interval, latencies."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A duration known only to lie between two values. `at_most_s` None: without bound (open outage)."""

    estimate_s: float
    at_least_s: float
    at_most_s: float | None


@dataclass(frozen=True, slots=True)
class Availability:
    """Request-based availability, good / (good + bad), with its Wilson 95 % interval. None: no samples."""

    good: int
    bad: int
    cut: int
    """Killed at the end of the run: neither good nor bad."""
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Latency:
    """Of good samples, seconds. None: there were none."""

    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None
