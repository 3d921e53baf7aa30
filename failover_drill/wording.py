"""Figures as people read them: three digits, a unit, and bounds where they matter."""

from __future__ import annotations

from math import isinf

from failover_drill.outages import Bounds


def seconds(nanoseconds: float) -> str:
    """Return a duration in words: "0 s", "4.2 ms", "7.84 s", "1 min 30 s", "43 min 12 s"."""
    value = nanoseconds / 1e9
    if isinf(value):
        return "an unknown time"
    if 0 < abs(value) < 0.0995:
        return f"{value * 1e3:.3g} ms"
    if abs(value) < 120:
        return f"{value:.3g} s" if abs(value) < 99.95 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def spread(bounds: Bounds) -> str:
    """Return an estimate with its bounds: "7.84 s (7.83 s to 7.85 s)"."""
    if isinf(bounds.at_most_ns):
        return f"at least {seconds(bounds.at_least_ns)}"
    low, high = seconds(bounds.at_least_ns), seconds(bounds.at_most_ns)
    return seconds(bounds.estimate_ns) if low == high else f"{seconds(bounds.estimate_ns)} ({low} to {high})"


def percent(share: float) -> str:
    """Return a share as a percentage: two digits, more where it is close to 100."""
    if isinf(share):
        return "more than all"
    value = 100 * share
    if 99 < value < 100:
        return f"{value:.6g} %"
    return f"{value:.2g} %" if abs(value) < 10 else f"{value:.3g} %"


def days(window_s: float) -> str:
    """Return an SLO window as people name it: "30 days", "12 hours"."""
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if window_s >= length:
            count = window_s / length
            return f"{count:g} {unit}{'' if count == 1 else 's'}"
    return f"{window_s:g} seconds"
