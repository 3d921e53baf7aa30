"""The drill on one time axis: what was done, what users got, what DNS and the monitor said.

steps    │1│ 2 │3│   4    │
actions    ▐A▌ ▐B▌                  every panel shares one x range (UTC, in ms) and one cursor;
answers  ████░░░▓▓▓▓▓▓▓▓▓▓▓         the script of the page zooms, moves the cursor, fits the labels
latency  ~~~~~   ~~~~~~~~~~
DNS      [eastus     ][westus3 ]
monitor  [Online][Degraded     ]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.models import (
    BoxAnnotation,
    BoxZoomTool,
    ColumnDataSource,
    CrosshairTool,
    DatetimeTickFormatter,
    NumeralTickFormatter,
    Range1d,
    Span,
    WheelZoomTool,
)

from failover_drill import wording
from failover_drill.report.ink import frame, paint
from failover_drill.report.strips import Band, Row, strips

SHORTEST_S = 1.0  # an axis has a length, also where a run was killed before its first step
HELD = 3  # a client that asks less often than there are intervals is seen between two requests, too
MANY = 14  # changes up to which each has a line of its own
DASHES = {"fresh": "solid", "keepalive": "dashed", "sticky": "dotted"}
TINTS = {"fresh": "ink", "keepalive": "violet", "sticky": "third"}
HEALTH = {"Online": "good", "Degraded": "bad", "Stopped": "bad", "Disabled": "quiet", "Inactive": "bad"}


def timeline(findings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the panels by name, in the order they stand. Panels without facts are left out."""
    drill, buckets = findings["drill"], findings["timeline"]
    ends = buckets["began"] + buckets["bucket_s"] * buckets["buckets"]
    begin = min(drill["began"], buckets["began"])
    end = max(drill["ended"], ends, begin + SHORTEST_S)
    span = Range1d(begin * 1e3, end * 1e3, bounds=(begin * 1e3, end * 1e3), name="time")
    panels = {
        "doings": _doings(findings, span),
        "availability": _availability(findings, span) if buckets["buckets"] else None,
        "answers": _answers(findings, span) if buckets["buckets"] else None,
        "latency": _latency(findings, span),
        "dns": _dns(findings, span),
        "monitor": _monitor(findings, span),
    }
    shown = {name: plot for name, plot in panels.items() if plot is not None}
    _share_time(shown, findings)
    return shown


def _share_time(panels: Mapping[str, Any], findings: Mapping[str, Any]) -> None:
    cursor = Span(dimension="height", line_width=1.5, name="cursor")
    paint(cursor, line_color="ink")
    for plot in panels.values():
        zoom = BoxZoomTool(dimensions="width")
        plot.add_tools(CrosshairTool(overlay=cursor), zoom, WheelZoomTool(dimensions="width", modifiers={"ctrl": True}))
        plot.toolbar.active_drag = zoom
        plot.xaxis.formatter = _clock()
        _landmarks(plot, findings["recovery"])


def _clock() -> DatetimeTickFormatter:
    return DatetimeTickFormatter(
        microseconds="%H:%M:%S.%3N", milliseconds="%H:%M:%S.%3N", seconds="%H:%M:%S", minsec="%H:%M:%S",
        minutes="%H:%M", hourmin="%H:%M", hours="%H:%M", days="%d %b",
    )  # fmt: skip


def _landmarks(plot: Any, recovery: Mapping[str, Any]) -> None:
    began, ended = recovery["began"], recovery["ended"]
    if began is None:
        return
    band = BoxAnnotation(
        left=began * 1e3, right=None if ended is None else ended * 1e3, fill_alpha=0.13, level="underlay"
    )
    band.line_alpha = 0
    plot.add_layout(paint(band, fill_color="recovery"))
    for instant in (began, ended):
        if instant is not None:
            line = Span(location=instant * 1e3, dimension="height", line_dash="dashed", line_width=1)
            plot.add_layout(paint(line, line_color="muted"))


def _edges(buckets: Mapping[str, Any]) -> list[float]:
    return [(buckets["began"] + i * buckets["bucket_s"]) * 1e3 for i in range(buckets["buckets"] + 1)]


def _closed(values: Sequence[float | None]) -> list[float]:
    """Repeat the last value at the right edge, so that the last step is drawn; a hole is not drawn."""
    drawn = [float("nan") if value is None else value for value in values]
    return [*drawn, *drawn[-1:]]


def _held(values: Sequence[float | None]) -> list[float | None]:
    """Let few requests keep their line until the next one, at most `HELD` times their usual distance."""
    most = HELD * len(values) / max(1, sum(value is not None for value in values))
    held: list[float | None] = []
    last, age = None, 0
    for value in values:
        last, age = (last, age + 1) if value is None else (value, 0)
        held.append(last if age < most else None)
    return held


def _share_of(series: Mapping[str, Any]) -> list[float | None]:
    both = zip(series["good"], series["bad"], strict=True)
    return [good / (good + bad) if good + bad else None for good, bad in both]


def _availability(findings: Mapping[str, Any], span: Range1d) -> Any:
    buckets = findings["timeline"]
    plot = frame("availability", 150, span, Range1d(-0.04, 1.06), x_axis_type="datetime")
    plot.yaxis.formatter = NumeralTickFormatter(format="0%")
    plot.yaxis.ticker = [0, 0.5, 1]
    columns = {each["name"]: _closed(_held(_share_of(each))) for each in buckets["populations"]}
    source = ColumnDataSource(
        {"t": _edges(buckets), "judged": _closed(buckets["availability"]), **columns}, name="availability"
    )
    judged = plot.varea_step(x="t", y1=0, y2="judged", source=source, step_mode="after", fill_alpha=0.25)
    paint(judged.glyph, fill_color="good")
    for name in columns:
        line = plot.step(x="t", y=name, source=source, mode="after", line_width=2, line_dash=DASHES.get(name, "solid"))
        paint(line.glyph, line_color=TINTS.get(name, "ink"))
    return plot


def _answers(findings: Mapping[str, Any], span: Range1d) -> Any:
    buckets, drill = findings["timeline"], findings["drill"]
    layers = [(each["name"] or "nobody", each["good"]) for each in buckets["regions"] if any(each["good"])]
    layers.append(("bad", buckets["bad"]))
    top = max(buckets["rate_per_s"], default=1.0) or 1.0
    plot = frame("answers", 150, span, Range1d(0, top * 1.15), x_axis_type="datetime")
    plot.yaxis.formatter = NumeralTickFormatter(format="0.[0]a")
    below = [0.0] * buckets["buckets"]
    columns: dict[str, list[float]] = {"t": _edges(buckets)}
    for name, counts in layers:
        above = [base + count / buckets["bucket_s"] for base, count in zip(below, counts, strict=True)]
        columns[f"{name} from"], columns[f"{name} to"] = _closed(below), _closed(above)
        below = above
    source = ColumnDataSource(columns, name="answers")
    for name, _ in layers:
        area = plot.varea_step(x="t", y1=f"{name} from", y2=f"{name} to", source=source, step_mode="after", name=name)
        _fill(area.glyph, region_token(name, drill), bad=name == "bad")
    return plot


def region_token(name: str, drill: Mapping[str, Any]) -> str:
    """Return the colour of a region: by its role at the start of the drill; of anything else: bad or a third."""
    roles = {drill["primary"]: "primary", drill["secondary"]: "secondary", "bad": "bad", "": "quiet", "nobody": "quiet"}
    return roles.get(name, "third")


def _fill(glyph: Any, token: str, *, bad: bool = False) -> None:
    paint(glyph, fill_color=token)
    glyph.fill_alpha = 0.75
    hatch = "right_diagonal_line" if bad else {"secondary": "dot", "third": "horizontal_line"}.get(token)
    if hatch is not None:
        glyph.hatch_pattern, glyph.hatch_scale, glyph.hatch_weight = hatch, 8, 0.8
        paint(glyph, hatch_color="paper")


def _latency(findings: Mapping[str, Any], span: Range1d) -> Any:
    buckets = findings["timeline"]
    known = [value for name in ("p50_s", "p95_s", "p99_s") for value in buckets[name] if value is not None]
    if not known:
        return None
    plot = frame("latency", 140, span, Range1d(0, max(known) * 1.1e3 or 1.0), x_axis_type="datetime")
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[0]")
    columns = {
        name: _closed([None if v is None else v * 1e3 for v in buckets[name]]) for name in ("p50_s", "p95_s", "p99_s")
    }
    source = ColumnDataSource({"t": _edges(buckets), **columns}, name="latency")
    for name, dash, token in (("p99_s", "dotted", "violet"), ("p95_s", "dashed", "primary"), ("p50_s", "solid", "ink")):
        line = plot.step(x="t", y=name, source=source, mode="after", line_width=1.8, line_dash=dash)
        paint(line.glyph, line_color=token)
    return plot


def _doings(findings: Mapping[str, Any], span: Range1d) -> Any:
    ended = findings["drill"]["ended"]
    steps = [
        Band(each["began"], each["ended"] or ended, f"{each['index'] + 1} {each['text']}", _step_token(each))
        for each in findings["steps"]
        if each["began"] is not None
    ]
    sent = [each for each in findings["actions"] if each["sent"] is not None]
    rows = [Row("Steps", steps)] if steps else []
    if len(sent) <= MANY:
        rows += [Row("", [_change(each)]) for each in sent]
    else:
        rows.append(Row("Changes of the estate", [_change(each) for each in sent]))
    rows += _lost(findings)
    return strips("doings", rows, span)


def _lost(findings: Mapping[str, Any]) -> list[Row]:
    loss = findings["recovery"].get("data_loss")
    if not loss or not loss["lost"]:
        return []
    text = f"{wording.plural(loss['lost'], 'acknowledged write')} lost, {wording.duration(loss['loss']['estimate_s'])}"
    return [Row("", [Band(loss["first_lost"], loss["last_lost"], text, "bad")])]


def _step_token(step: Mapping[str, Any]) -> str:
    if step["outcome"] != "passed":
        return "bad"
    return "quiet" if step["index"] % 2 else "recovery"


def _change(action: Mapping[str, Any]) -> Band:
    ended = action["done"] if action["done"] is not None else action["sent"]
    undo = ", undo" if action["purpose"] == "undo" else ""
    outcome = "" if action["outcome"] == "ok" else f", {action['outcome']}"
    what = f"{action['verb']} {action['region']}".rstrip()
    text = f"{what}{undo}{outcome}, {wording.duration(action['took_s'])}"
    return Band(action["sent"], ended, text, "violet" if action["outcome"] == "ok" else "bad")


def _dns(findings: Mapping[str, Any], span: Range1d) -> Any:
    def band(answer: Mapping[str, Any]) -> Band:
        known = answer["rcode"] == "NOERROR"
        token = region_token(answer["region"], findings["drill"]) if known else "bad"
        return Band(answer["began"], answer["ended"], f"{answer['region']} {answer['answer']}".strip(), token)

    rows = [Row(strip["vantage"], [band(each) for each in strip["spans"]]) for strip in findings["dns"]["strips"]]
    return strips("dns", rows, span)


def _monitor(findings: Mapping[str, Any], span: Range1d) -> Any:
    def band(state: Mapping[str, Any]) -> Band:
        operator = "" if state["enabled"] in ("Enabled", state["health"]) else f" ({state['enabled']})"
        return Band(state["began"], state["ended"], state["health"] + operator, HEALTH.get(state["health"], "recovery"))

    rows = [Row(strip["subject"], [band(each) for each in strip["spans"]]) for strip in findings["monitor"]]
    return strips("monitor", rows, span)
