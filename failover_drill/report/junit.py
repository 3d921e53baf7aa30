"""Figures as JUnit properties of a scenario: CI systems show and chart them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from failover_drill.report.figures import key_figures, predicted_segments

UNITS = {"seconds": "_s", "ratio": "_share", "requests": "", "events": "", "writes": ""}


def junit_properties(findings: Mapping[str, Any]) -> dict[str, str]:
    """Return property names and values; numbers exact, in seconds or fractions; a bound that does not exist is left out."""
    drill = findings["drill"]
    properties = {
        "verdict": str(findings["verdict"]),
        "run": str(drill["run"]),
        "interrupted": str(drill["interrupted"]),
        "restored": str(drill["restored"]),
        "time_scale": repr(drill["time_scale"]),
    }
    for figure in key_figures(findings):
        name = figure.key.removesuffix("_share") + UNITS[figure.unit]
        values = {"": figure.value, "_at_least": figure.at_least, "_at_most": figure.at_most}
        properties |= {f"{name}{bound}": repr(value) for bound, value in values.items() if value is not None}
    for segment in findings["recovery"]["segments"]:
        properties[f"segment_{segment['name'].replace(' ', '_')}_s"] = repr(segment["took_s"])
    for name, took in predicted_segments(findings).items():
        properties[f"predicted_segment_{name.replace(' ', '_')}_s"] = repr(took["mean_s"])
    return properties
