"""The still charts of a run: recovery against RTO, spend against allowance, and where the time went.

|   ●══════|        ┊ limit            interval: everything between the bounds; ●: the estimate
0                                      ┊: what was allowed
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, Label, NumeralTickFormatter, Range1d, Span

from failover_drill import wording
from failover_drill.report.ink import FONT, frame, paint, without_rows

ROW = 46  # px a row of a waterfall takes


def interval(name: str, at_least: float, at_most: float | None, estimate: float | None, limit: float) -> Any:
    """Return a chart of a bounded duration against its limit, all in seconds. `at_most` None runs off to the right."""
    seen = [limit, at_least, at_most or 0.0, estimate or 0.0]
    end = max(seen) * 1.12 or 1.0
    plot = without_rows(frame(name, 74, Range1d(0, end), Range1d(0, 1)))
    plot.min_border_left = 12
    plot.xaxis.formatter = NumeralTickFormatter(format="0,0.[000]")
    _allowance(plot, limit)
    bar = plot.quad(
        left=[at_least], right=[end if at_most is None else at_most], bottom=[0.28], top=[0.52], line_width=1.5
    )
    paint(bar.glyph, fill_color="primary", line_color="primary")
    bar.glyph.fill_alpha = 0.45
    if at_most is None:
        bar.glyph.hatch_pattern = "right_diagonal_line"
        paint(bar.glyph, hatch_color="bad")
    if estimate is not None:
        dot = plot.scatter([estimate], [0.4], size=11, marker="circle")
        paint(dot.glyph, fill_color="primary", line_color="paper")
    return plot


def _allowance(plot: Any, limit: float) -> None:
    allowed = plot.quad(left=[0], right=[limit], bottom=[0.1], top=[0.7], line_color=None)
    paint(allowed.glyph, fill_color="quiet")
    allowed.glyph.fill_alpha = 0.4
    line = Span(location=limit, dimension="height", line_width=2, line_dash="dashed")
    plot.add_layout(paint(line, line_color="ink"))
    text = Label(x=limit, y=0.98, text=f"allowed {wording.duration(limit)} ", text_align="right", text_baseline="top")
    text.text_font, text.text_font_size = FONT, "12px"
    plot.add_layout(paint(text, text_color="ink"))


def forecast(told: Mapping[str, Any], rto_s: float) -> Any:
    """Return the predicted recovery time as its 99, 95 and 50 % intervals, one inside the other, and the measured as a dot."""
    measured = told["measured_s"]
    end = max(told["inner_99"][1], measured or 0.0) * 1.12 or 1.0
    plot = without_rows(frame("forecast", 74, Range1d(0, end), Range1d(0, 1)))
    plot.min_border_left = 12
    plot.xaxis.formatter = NumeralTickFormatter(format="0,0.[000]")
    for name, half, alpha in (("inner_99", 0.12, 0.15), ("inner_95", 0.2, 0.3), ("inner_50", 0.28, 0.55)):
        low, high = told[name]
        source = ColumnDataSource({"left": [low], "right": [high]}, name=f"forecast {name}")
        bar = plot.quad(left="left", right="right", bottom=0.5 - half, top=0.5 + half, source=source, line_width=1.5)
        paint(bar.glyph, fill_color="violet", line_color="violet")
        bar.glyph.fill_alpha = alpha
    if measured is not None:
        dot = plot.scatter([measured], [0.5], size=12, marker="circle", line_width=2)
        paint(dot.glyph, fill_color="primary", line_color="paper")
    if rto_s <= end:
        _limit(plot, rto_s)
    return plot


def waterfall(segments: Sequence[Mapping[str, Any]], rto_s: float, predicted: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the recovery time cut into its segments, one row each, in seconds since t0; predicted below measured.

    *predicted*: by the segment's name (`figures.predicted_segments`); the whisker is its 99 % interval.
    """
    total = sum(each["took_s"] for each in segments)
    begins, foretold = _begins([_mean(predicted, each) for each in segments])
    reach = [
        begin + predicted[s["name"]]["inner_99"][1] for begin, s in zip(begins, segments, strict=True) if predicted
    ]
    end = max(total, foretold, *reach) * 1.04 or 1.0
    rows = len(segments)
    plot = without_rows(frame("waterfall", rows * ROW + 26, Range1d(0, end), Range1d(rows, 0)))
    plot.min_border_left = 14
    plot.xaxis.formatter = NumeralTickFormatter(format="0,0.[000]")
    _measured(plot, segments, predicted)
    if predicted:
        _predicted(plot, segments, predicted, begins)
    if rto_s <= end:
        _limit(plot, rto_s)
    return plot


def _limit(plot: Any, at: float) -> None:
    plot.add_layout(paint(Span(location=at, dimension="height", line_dash="dashed", line_width=2), line_color="ink"))
    text = Label(x=at, y=3, y_units="screen", x_offset=5, text=f"allowed {wording.duration(at)}")
    text.text_font, text.text_font_size = FONT, "12px"
    plot.add_layout(paint(text, text_color="ink"))


def _mean(predicted: Mapping[str, Mapping[str, Any]], segment: Mapping[str, Any]) -> float:
    return float(predicted[segment["name"]]["mean_s"]) if segment["name"] in predicted else 0.0


def _begins(lengths: Sequence[float]) -> tuple[list[float], float]:
    """Return where each of so many bars begins when they follow one another, and where the last ends."""
    ends = list(accumulate(lengths, initial=0.0))
    return ends[:-1], ends[-1]


def _measured(plot: Any, segments: Sequence[Mapping[str, Any]], predicted: Mapping[str, Mapping[str, Any]]) -> None:
    left, _ = _begins([each["took_s"] for each in segments])
    columns = {
        "left": left,
        "right": [begin + each["took_s"] for begin, each in zip(left, segments, strict=True)],
        "top": [row + 0.50 for row in range(len(segments))],
        "bottom": [row + 0.78 for row in range(len(segments))],
        "row": [row + 0.42 for row in range(len(segments))],
        "text": [_label(each, predicted.get(each["name"])) for each in segments],
    }
    source = ColumnDataSource(columns, name="segments")
    bars = plot.quad(left="left", right="right", top="top", bottom="bottom", source=source, line_width=2)
    paint(bars.glyph, fill_color="primary", line_color="primary")
    source = ColumnDataSource({"x": [0.0] * len(segments), "row": columns["row"], "text": columns["text"]})
    names = plot.text(x="x", y="row", text="text", source=source, text_baseline="bottom")
    names.glyph.text_font, names.glyph.text_font_size = value(FONT), "13px"
    paint(names.glyph, text_color="ink")


def _label(segment: Mapping[str, Any], predicted: Mapping[str, Any] | None) -> str:
    told = "" if predicted is None else f" (predicted {wording.duration(predicted['mean_s'])})"
    return f"{segment['name']}  {wording.duration(segment['took_s'])}{told}"


def _predicted(
    plot: Any,
    segments: Sequence[Mapping[str, Any]],
    predicted: Mapping[str, Mapping[str, Any]],
    begins: Sequence[float],
) -> None:
    shown = [
        (row, begin, predicted[each["name"]]) for row, (begin, each) in enumerate(zip(begins, segments, strict=True))
    ]
    columns = {
        "left": [begin for _, begin, _ in shown],
        "right": [begin + took["mean_s"] for _, begin, took in shown],
        "top": [row + 0.82 for row, *_ in shown],
        "bottom": [row + 0.93 for row, *_ in shown],
        "middle": [row + 0.875 for row, *_ in shown],
        "least": [begin + took["inner_99"][0] for _, begin, took in shown],
        "most": [begin + took["inner_99"][1] for _, begin, took in shown],
    }
    source = ColumnDataSource(columns, name="predicted")
    bars = plot.quad(left="left", right="right", top="top", bottom="bottom", source=source, line_width=1.5)
    bars.glyph.hatch_pattern = "right_diagonal_line"
    bars.glyph.fill_alpha = 0.15
    paint(bars.glyph, fill_color="violet", line_color="violet", hatch_color="violet")
    reach = plot.segment(x0="least", x1="most", y0="middle", y1="middle", source=source, line_width=2)
    paint(reach.glyph, line_color="ink")
