"""report.html: one file without network, for the engineer who wants to know where the seconds went."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from failover_drill.report import charts, embed, figures, headline, words
from failover_drill.report.ink import DARK, LIGHT
from failover_drill.report.timeline import region_token, timeline

MOST_ROWS = 200  # of a table; findings.json has all


def html(findings: Mapping[str, Any], remarks: Sequence[str] = ()) -> str:
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
            forecast=forecast_segments(findings),
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
    if recovery["segments"]:
        stills["waterfall"] = charts.waterfall(recovery["segments"], recovery["rto_s"], forecast_segments(findings))
    return stills


def forecast_segments(findings: Mapping[str, Any]) -> dict[str, float]:
    """Return the predicted length in seconds of each segment; empty where the run has no forecast."""
    predicted = findings.get("forecast") or {}
    return {each["name"]: each["took_s"] for each in predicted.get("segments", ())}


def environment() -> Environment:
    """Return the template environment with the words of `words` as filters."""
    made = Environment(
        loader=PackageLoader("failover_drill.report"),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for filter_ in (
        words.duration,
        words.period,
        words.share,
        words.number,
        words.bounds,
        words.clock,
        words.moment,
        words.day,
        words.region,
    ):
        made.filters[filter_.__name__] = filter_
    made.filters["first_line"] = headline.first_line
    made.globals["bounded"] = words.bounded
    made.globals["plural"] = words.plural
    return made
