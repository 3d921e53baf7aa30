"""report.md: fits a pull-request comment and a CI job's summary."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from failover_drill.report import figures, headline
from failover_drill.report.figures import predicted_segments
from failover_drill.report.template import environment

MOST_OUTAGES = 10  # rows; findings.json has all


def markdown(findings: Mapping[str, Any], remarks: Sequence[str] = ()) -> str:
    """Return the report in GitHub's Markdown. `findings` is findings.json's object.

    `remarks` are what a reader must know about the record itself, such as that it was changed since it was sealed.
    """
    made = environment()
    made.filters["cell"] = cell
    return made.get_template("report.md.j2").render(
        f=findings,
        title=headline.title(findings),
        subtitle=headline.subtitle(findings),
        time_scale=headline.time_scale(findings),
        alerts=headline.alerts(findings, remarks),
        sign=headline.SIGNS[findings["verdict"]],
        meaning=headline.MEANINGS[findings["verdict"]],
        figures=figures.key_figures(findings),
        traffic_s=figures.traffic_seconds(findings["traffic"]),
        predicted=predicted_segments(findings),
        most_outages=MOST_OUTAGES,
    )


def cell(text: object) -> str:
    """Return text that a Markdown table cell shows as it is: no new row, no new column, no HTML, no emphasis."""
    flat = re.sub(r"\s+", " ", str(text)).strip()
    return re.sub(r"([\\`*_<>|\[\]])", r"\\\1", flat)
