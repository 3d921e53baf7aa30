"""How figures are written, wherever one stands: one function for each kind of figure, so that no two places can differ. Pure.

A figure that is not known is written "not known"; a bound that does not exist, "no upper bound".
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import isinf

from failover_drill.outages import Bounds

UNKNOWN = "not known"


def duration(seconds: float | None) -> str:
    """Return seconds in words: "430 ms", "13.42 s", "4 min 30.0 s", "1 h 2 min 5 s", "30 days"."""
    if seconds is None:
        return UNKNOWN
    if isinf(seconds):
        return "an unknown time"
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if abs(seconds - round(seconds)) < 1e-6 and seconds < 86_400:
        return _whole(round(seconds))
    if seconds < 0.9995:
        return f"{seconds * 1e3:.{1 if seconds < 0.00995 else 0}f} ms" if seconds >= 0.00005 else "under 0.1 ms"
    if seconds < 119.995:
        return f"{seconds:.2f} s"
    if seconds < 3599.95:
        minutes, tenths = divmod(round(seconds * 10), 600)
        return f"{minutes} min {tenths / 10:04.1f} s"
    whole = round(seconds)
    if whole < 2 * 86_400:
        return _whole(whole)
    days, hours = divmod(round(whole / 3600), 24)
    return f"{days} days" if hours == 0 else f"{days} days {hours} h"


def seconds(nanoseconds: float) -> str:
    """Return nanoseconds in words, as `duration`."""
    return duration(nanoseconds / 1e9)


def _whole(seconds: int) -> str:
    """Limits are round; "60 s" reads better than "1 min 00.0 s"."""
    if seconds < 120:
        return f"{seconds} s"
    hours, minutes, rest = seconds // 3600, seconds % 3600 // 60, seconds % 60
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def period(seconds: float) -> str:
    """Return a window as people name it: "30 days", "24 hours", else as `duration`."""
    if seconds >= 86_400 and seconds % 86_400 == 0:
        days = int(seconds // 86_400)
        return "1 day" if days == 1 else f"{days} days"
    return duration(seconds)


def share(fraction: float | None) -> str:
    """Return a fraction as a percentage: two decimals, three figures below 1 %, and never a rounded 0 % or 100 %."""
    if fraction is None:
        return UNKNOWN
    if isinf(fraction):
        return "more than all"
    percent = fraction * 100
    for digits in range(2 if percent >= 1 else 3, 7):
        text = f"{percent:.{digits}f}"
        if float(text) not in (0.0, 100.0) or percent in (0.0, 100.0):
            return f"{text.rstrip('0').rstrip('.')} %"
    return "under 0.000001 %" if percent < 50 else "over 99.999999 %"


def number(value: float | None) -> str:
    """Return a count or rate with thin spaces between thousands and at most three decimals."""
    if value is None:
        return UNKNOWN
    if float(value).is_integer():
        return f"{int(value):,}".replace(",", " ")
    return f"{value:,.3f}".rstrip("0").replace(",", " ")


def bounds(at_least_s: float | None, at_most_s: float | None) -> str:
    """Return "13.10 s to 13.81 s", or "at least 13.10 s, no upper bound"."""
    if at_least_s is None and at_most_s is None:
        return UNKNOWN
    if at_most_s is None:
        return f"at least {duration(at_least_s)}, no upper bound"
    return f"{duration(at_least_s or 0.0)} to {duration(at_most_s)}"


def bounded(estimate_s: float | None, at_least_s: float | None, at_most_s: float | None) -> str:
    """Return an estimate with its bounds: "13.42 s (13.10 s to 13.81 s)"; alone, where both bounds read the same."""
    if estimate_s is None:
        return bounds(at_least_s, at_most_s)
    if at_least_s is not None and duration(at_least_s) == duration(at_most_s):
        return duration(estimate_s)
    return f"{duration(estimate_s)} ({bounds(at_least_s, at_most_s)})"


def spread(known: Bounds) -> str:
    """Return an estimate with its bounds, as `bounded`."""
    most = None if isinf(known.at_most_ns) else known.at_most_ns / 1e9
    return bounded(known.estimate_ns / 1e9, known.at_least_ns / 1e9, most)


def held_against(within: str) -> str:
    """Return where a measured figure lies in its forecast (`Predicted.measured_within`): "within its 95 % interval"."""
    return f"{within} its 99 % interval" if within in ("below", "above") else f"within its {within} interval"


def clock(epoch_s: float | None) -> str:
    """Return the UTC time of day, to the millisecond: "02:41:07.123"."""
    if epoch_s is None:
        return "—"
    return datetime.fromtimestamp(round(epoch_s, 3), UTC).strftime("%H:%M:%S.%f")[:-3]


def moment(epoch_s: float) -> str:
    """Return a UTC date and time to the second: "23 Nov 2026, 02:41:07 UTC"."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%-d %b %Y, %H:%M:%S UTC")


def day(epoch_s: float) -> str:
    """Return a UTC date, with the time where it is not midnight: "23 Nov 2026", "23 Nov 2026, 09:30"."""
    at = datetime.fromtimestamp(round(epoch_s), UTC)
    return at.strftime("%-d %b %Y" if at.hour == at.minute == at.second == 0 else "%-d %b %Y, %H:%M")


def rfc3339(epoch_s: float) -> str:
    """Return "2026-11-23T02:41:07.123Z" (RFC 3339)."""
    return datetime.fromtimestamp(round(epoch_s, 3), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def plural(count: int, noun: str) -> str:
    """Return "1 outage", "2 outages"."""
    return f"{number(count)} {noun}" if count == 1 else f"{number(count)} {noun}s"


def region(name: str) -> str:
    """Return a region's name, or what its absence means."""
    return name or "nobody"
