"""The page of report.html: charts drawn, template filled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from failover_drill.report import charts, embed, figures, headline
from failover_drill.report.figures import predicted_segments
from failover_drill.report.ink import DARK, LIGHT
from failover_drill.report.template import environment
from failover_drill.report.timeline import region_token, timeline

MOST_ROWS = 200  # of a table; findings.json has all


def render(findings: Mapping[str, Any], remarks: Sequence[str] = ()) -> str:
    """Return the whole report as one self-contained HTML page. `findings` is findings.json's object.

    `remarks` are what a reader must know about the record itself, such as that it was changed since it was sealed.
    """
    panels = timeline(findings)
    roots = {**_stills(findings), **panels}
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            f=findings,
            title=headline.title(findings),
            subtitle=headline.subtitle(findings),
            time_scale=headline.time_scale(findings),
            alerts=headline.alerts(findings, remarks),
            sign=headline.SIGNS[findings["verdict"]],
            meaning=headline.MEANINGS[findings["verdict"]],
            figures=figures.key_figures(findings),
            traffic_s=figures.traffic_seconds(findings["traffic"]),
            panels=list(panels),
            drawn=set(roots),
            predicted=predicted_segments(findings),
            region_token=lambda name: region_token(name, findings["drill"]),
            library=embed.library(),
            charts=embed.charts({f"chart-{name}": plot for name, plot in roots.items()}),
            facts=embed.packed(json.dumps(_for_the_script(findings), separators=(",", ":"))),
            most_rows=MOST_ROWS,
            light=LIGHT,
            dark=DARK,
        )
    )


def _for_the_script(findings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the cursor reads out beyond the charts' own columns."""
    recovery = findings["recovery"]
    return {
        "steps": [{name: each[name] for name in ("index", "text", "began", "ended")} for each in findings["steps"]],
        "dns": findings["dns"]["strips"],
        "monitor": findings["monitor"],
        "recovery": {"began": recovery["began"], "ended": recovery["ended"]},
        "light": LIGHT,
        "dark": DARK,
    }


def _stills(findings: Mapping[str, Any]) -> dict[str, Any]:
    recovery, slo = findings["recovery"], findings["slo"]
    spent = slo["consumed"]
    stills = {
        "spend": charts.interval(
            "spend", spent["at_least_s"], spent["at_most_s"], spent["estimate_s"], slo["allowed_s"]
        )
    }
    if recovery["occurred"]:
        low, high = recovery["at_least_s"] or 0.0, recovery["at_most_s"]
        stills["recovery"] = charts.interval("recovery", low, high, recovery["time_s"], recovery["rto_s"])
    loss = recovery.get("data_loss")
    if loss and slo["rpo_s"] is not None:
        low, high = loss["loss"]["at_least_s"], loss["loss"]["at_most_s"]
        stills["loss"] = charts.interval("loss", low, high, loss["loss"]["estimate_s"], slo["rpo_s"])
    if recovery["segments"]:
        stills["waterfall"] = charts.waterfall(recovery["segments"], recovery["rto_s"], predicted_segments(findings))
    if findings["forecast"] is not None and not findings["forecast"]["never"]:
        stills["forecast"] = charts.forecast(findings["forecast"]["recovery"], recovery["rto_s"])
    return stills
