"""Two runs side by side: what differs, and whether the bounds let one say so. Pure.

A  ──[══●══]──────────            the intervals overlap: no difference can be told
B  ────[══●══]────────
B  ───────────[══●══]─            they do not: B is slower
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from failover_drill.report.figures import Figure, key_figures
from failover_drill.wording import duration

LESS_IS_BETTER = (
    "recovery_time",
    "downtime",
    "full_outage",
    "worst_client",
    "budget_share",
    "bad_requests",
    "data_loss",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both runs. `told` is "better", "worse", "different", or "" where the bounds overlap or one is unknown."""

    label: str
    first: Figure | None
    second: Figure | None
    difference: float | None
    unit: str
    told: str


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Row, ...]:
    """Return the key figures, then the segments, of two findings."""
    one, two = _figures(first), _figures(second)
    keys = list(dict.fromkeys([*one, *two]))
    return tuple(_row(key, one.get(key), two.get(key)) for key in keys)


def _figures(findings: Mapping[str, Any]) -> dict[str, Figure]:
    found = {figure.key: figure for figure in key_figures(findings)}
    for each in findings["recovery"]["segments"]:
        took = each["took_s"]
        found[f"segment {each['name']}"] = Figure(
            each["name"], each["name"], took, took, took, "seconds", duration(took)
        )
    return found


def _row(key: str, first: Figure | None, second: Figure | None) -> Row:
    known = first or second
    assert known is not None
    if first is None or second is None or first.value is None or second.value is None:
        return Row(known.label, first, second, None, known.unit, "")
    difference = second.value - first.value
    return Row(known.label, first, second, difference, known.unit, _told(key, first, second, difference))


def _told(key: str, first: Figure, second: Figure, difference: float) -> str:
    if difference == 0 or key.startswith("segment ") or not _apart(first, second):
        return ""
    if key in LESS_IS_BETTER:
        return "worse" if difference > 0 else "better"
    return "different"


def _apart(one: Figure, two: Figure) -> bool:
    """Whether both have bounds, with no value in common."""
    low, high = (one, two) if (one.value or 0) < (two.value or 0) else (two, one)
    return low.at_most is not None and high.at_least is not None and low.at_most < high.at_least
