"""Two runs side by side, as a page with a chart and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, NumeralTickFormatter, Range1d

from failover_drill import wording
from failover_drill.report import embed, headline
from failover_drill.report.comparison import Row, compare
from failover_drill.report.ink import DARK, FONT, LIGHT, frame, paint, without_rows
from failover_drill.report.markdown import cell
from failover_drill.report.template import environment

ROW = 56  # px


def comparison_html(first: Mapping[str, Any], second: Mapping[str, Any], remarks: Sequence[str] = ()) -> str:
    """Return one self-contained page with both runs' figures and segments. `remarks`: what is wrong with a run's record."""
    roots = {"chart-segments": _segments(first, second)} if _names(first, second) else {}
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            **_told(first, second),
            remarks=remarks,
            drawn={"segments"} if roots else set(),
            library=embed.library(),
            charts=embed.charts(roots),
            facts=embed.packed(json.dumps({"light": LIGHT, "dark": DARK})),
            light=LIGHT,
            dark=DARK,
        )
    )


def comparison_markdown(first: Mapping[str, Any], second: Mapping[str, Any], remarks: Sequence[str] = ()) -> str:
    """Return both runs as one Markdown table."""
    made = environment()
    made.filters["cell"] = cell
    return made.get_template("compare.md.j2").render(**_told(first, second), remarks=remarks)


def _told(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "runs": [(each, headline.title(each), headline.subtitle(each)) for each in (first, second)],
        "rows": compare(first, second),
        "difference": difference,
        "scales_differ": first["drill"]["time_scale"] != second["drill"]["time_scale"],
    }


def difference(row: Row) -> str:
    """Return the difference of a row in words: "+1.20 s", "−0.05 %-points", "" where there is none to tell."""
    if row.difference is None:
        return ""
    sign, size = ("+" if row.difference > 0 else "−"), abs(row.difference)
    if row.difference == 0:
        return "none"
    if row.unit == "seconds":
        return sign + wording.duration(size)
    if row.unit == "ratio":
        return f"{sign}{wording.share(size)}-points"
    return sign + wording.number(size)


def _names(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(each["name"] for f in (first, second) for each in f["recovery"]["segments"]))


def _segments(first: Mapping[str, Any], second: Mapping[str, Any]) -> Any:
    names = _names(first, second)
    took = [{each["name"]: each["took_s"] for each in f["recovery"]["segments"]} for f in (first, second)]
    longest = max([*took[0].values(), *took[1].values()])
    plot = without_rows(
        frame("segments", len(names) * ROW + 26, Range1d(0, longest * 1.05 or 1.0), Range1d(len(names), 0))
    )
    plot.min_border_left = 14
    plot.xaxis.formatter = NumeralTickFormatter(format="0,0.[000]")
    for i, (token, offset) in enumerate((("primary", 0.42), ("secondary", 0.68))):
        columns = {
            "left": [0.0 for _ in names],
            "right": [took[i].get(name, 0.0) for name in names],
            "top": [row + offset for row in range(len(names))],
            "bottom": [row + offset + 0.22 for row in range(len(names))],
        }
        source = ColumnDataSource(columns, name=f"run {i}")
        bars = plot.quad(left="left", right="right", top="top", bottom="bottom", source=source, line_width=1.5)
        paint(bars.glyph, fill_color=token, line_color=token)
        if token == "secondary":
            bars.glyph.hatch_pattern, bars.glyph.hatch_scale = "dot", 8
            paint(bars.glyph, hatch_color="paper")
    labels = [f"{n}  {wording.duration(took[0].get(n, 0.0))} → {wording.duration(took[1].get(n, 0.0))}" for n in names]
    source = ColumnDataSource(
        {"x": [0.0 for _ in names], "y": [row + 0.36 for row in range(len(names))], "text": labels}
    )
    texts = plot.text(x="x", y="y", text="text", source=source, text_baseline="bottom")
    texts.glyph.text_font, texts.glyph.text_font_size = value(FONT), "13px"
    paint(texts.glyph, text_color="ink")
    return plot
