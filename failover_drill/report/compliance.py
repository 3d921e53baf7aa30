"""The compliance report, for whoever signs for the objective: HTML, Markdown, JSON and CSV of the same books."""

from __future__ import annotations

import csv as comma_separated
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bokeh.models import ColumnDataSource, DatetimeTickFormatter, NumeralTickFormatter, Range1d, Span
from jinja2 import Environment

from failover_drill import wording
from failover_drill.compliance import Compliance, Objective
from failover_drill.report import charts, embed
from failover_drill.report.headline import SIGNS
from failover_drill.report.ink import DARK, LIGHT, frame, paint
from failover_drill.report.markdown import cell
from failover_drill.report.rows import inert
from failover_drill.report.template import environment
from failover_drill.trend import LEAST_RUNS, Trend

FEWEST = 2 * LEAST_RUNS  # before a change can be called
DAYS = {"hours": "%H:%M", "hourmin": "%H:%M", "minutes": "%H:%M", "days": "%d %b", "months": "%b %Y", "years": "%Y"}
COLUMNS = (
    "row", "service", "objective", "window_s", "time_scale", "drill", "run", "began", "ended", "verdict",
    "recovery_s", "recovery_at_least_s", "recovery_at_most_s",
    "data_loss_s", "data_loss_at_least_s", "data_loss_at_most_s",
    "predicted_s", "predicted_at_least_s", "predicted_at_most_s", "spent_s", "spent_at_least_s", "spent_at_most_s",
    "budget_s", "left_s", "burn_rate", "excluded_s", "watched_s", "unmeasured_s", "reason", "source", "seal", "record",
)  # fmt: skip


def compliance_html(books: Compliance, remarks: Sequence[str] = ()) -> str:
    """Return the books as one self-contained page."""
    roots = _charts(books)
    return (
        _environment()
        .get_template("compliance.html.j2")
        .render(
            **_told(books, remarks),
            drawn=set(roots),
            library=embed.library(),
            charts=embed.charts({f"chart-{name}": plot for name, plot in roots.items()}),
            facts=embed.packed(json.dumps({"light": LIGHT, "dark": DARK})),
            light=LIGHT,
            dark=DARK,
        )
    )


def compliance_markdown(books: Compliance, remarks: Sequence[str] = ()) -> str:
    """Return the books in GitHub's Markdown."""
    made = _environment()
    made.filters["cell"] = cell
    return made.get_template("compliance.md.j2").render(**_told(books, remarks))


def compliance_json(books: Compliance, remarks: Sequence[str] = ()) -> str:
    """Return the books as JSON: seconds, epoch seconds, fractions. An empty period says so in its remarks."""
    plain = asdict(books) | {"remarks": _remarks(books, remarks)}
    for told, each in zip(plain["objectives"], books.objectives, strict=True):
        for name, account in (("period", each.period), ("window", each.window)):
            told[name] |= {"verdict": account.verdict}
            told[name]["spend"]["total"] = asdict(account.spend.total)
    for trend, each_trend in zip(plain["trends"], books.trends, strict=True):
        for told, change in zip(trend["changes"], each_trend.changes, strict=True):
            told["share"] = change.share
    return json.dumps({"schema": "failover-drill/compliance/1", **plain}, indent=1, allow_nan=False) + "\n"


def compliance_csv(books: Compliance, remarks: Sequence[str] = ()) -> str:
    """Return a row for each account, run, incident, exclusion and remark; numbers exact, an unknown one empty."""
    text = io.StringIO()
    writer = comma_separated.DictWriter(text, COLUMNS)
    writer.writeheader()
    for objective in books.objectives:
        same = {"service": objective.service, "objective": objective.objective, "window_s": objective.window_s}
        same |= {"time_scale": objective.time_scale}
        for name, account in (("period", objective.period), ("window", objective.window)):
            writer.writerow(_account_row(name, account) | same)
        for run in objective.runs:
            writer.writerow(_run_row(run) | same)
    for kind, listed in (("incident", books.incidents), ("exclusion", books.exclusions)):
        for entry in listed:
            row = {"row": kind, "began": entry.began, "ended": entry.ended, "service": inert(entry.service)}
            writer.writerow(row | {"reason": inert(entry.reason), "source": inert(entry.source)})
    for remark in _remarks(books, remarks):
        writer.writerow({"row": "remark", "reason": inert(remark)})
    return text.getvalue()


def nothing(books: Compliance) -> str:
    """Say of a period that nothing was measured in it, and why; "" where something was."""
    if books.objectives:
        return ""
    if books.incidents:
        return "no run lies in this period, and of the services of its incidents no objective is known"
    return "no run and no recorded incident lies in this period, so nothing can be said about it"


def _remarks(books: Compliance, remarks: Sequence[str]) -> list[str]:
    return [*([f"nothing measured: {nothing(books)}"] if nothing(books) else []), *remarks]


def _account_row(name: str, account: Any) -> dict[str, Any]:
    kept = ("began", "ended", "budget_s", "left_s", "burn_rate", "excluded_s", "watched_s", "unmeasured_s")
    total = account.spend.total
    row = {"row": name, "verdict": account.verdict} | {each: getattr(account, each) for each in kept}
    return row | {"spent_s": total.estimate_s, "spent_at_least_s": total.at_least_s, "spent_at_most_s": total.at_most_s}


def _run_row(run: Any) -> dict[str, Any]:
    kept = ("run", "began", "ended", "verdict", "seal", "record")
    row = {"row": run.kind, "drill": inert(run.drill)} | {each: getattr(run, each) for each in kept}
    known = {"spent": run.consumed, "recovery": run.recovery, "data_loss": run.data_loss, "predicted": run.predicted}
    for name, bounded in known.items():
        if bounded is not None:
            row |= {
                f"{name}_s": bounded.estimate_s,
                f"{name}_at_least_s": bounded.at_least_s,
                f"{name}_at_most_s": bounded.at_most_s,
            }
    return row


def _environment() -> Environment:
    made = environment()
    made.globals["sentence"] = sentence
    return made


def sentence(objective: Objective) -> str:
    """Return the verdict over the period in one sentence, which never counts unmeasured time as uptime."""
    account = objective.period
    spent, known = account.spend.total, account.ended - account.began - account.excluded_s - account.unmeasured_s
    said = f"{wording.duration(spent.estimate_s)} of {wording.duration(account.budget_s)} spent"
    unknown = f"{wording.duration(account.unmeasured_s)} were not measured, and nobody knows what they cost"
    return f"{said} in the {wording.duration(known)} that were watched or recorded; {unknown}"


def _told(books: Compliance, remarks: Sequence[str]) -> Mapping[str, Any]:
    return {
        "b": books,
        "remarks": remarks,
        "nothing": nothing(books),
        "fewest": FEWEST,
        "told_apart": any(len(trend.values_s) >= FEWEST for trend in books.trends),
        "signs": SIGNS,
        "called": [(trend, change) for trend in books.trends for change in trend.changes],
        "records": [run for objective in books.objectives for run in objective.runs],
    }


def _charts(books: Compliance) -> dict[str, Any]:
    roots: dict[str, Any] = {}
    for i, objective in enumerate(books.objectives):
        total = objective.period.spend.total
        budget = objective.period.budget_s
        roots[f"spend-{i}"] = charts.interval(f"spend-{i}", total.at_least_s, total.at_most_s, total.estimate_s, budget)
        if objective.period.course:
            roots[f"course-{i}"] = _course(f"course-{i}", objective)
    for i, trend in enumerate(books.trends):
        if trend.metric == "recovery time" and len(trend.values_s) > 1:
            roots[f"trend-{i}"] = _trend(f"trend-{i}", trend)
    return roots


def _course(name: str, objective: Objective) -> Any:
    account = objective.period
    top = max(account.budget_s, account.course[-1][1]) * 1.1
    plot = frame(name, 190, Range1d(account.began * 1e3, account.ended * 1e3), Range1d(0, top), x_axis_type="datetime")
    plot.xaxis.formatter, plot.yaxis.formatter = DatetimeTickFormatter(**DAYS), NumeralTickFormatter(format="0,0")
    points = [(account.began, 0.0), *account.course, (account.ended, account.course[-1][1])]
    columns = {"t": [at * 1e3 for at, _ in points], "spent": [spent for _, spent in points]}
    source = ColumnDataSource(columns, name=f"{name} spent")
    line = plot.step(x="t", y="spent", source=source, mode="after", line_width=2.5)
    paint(line.glyph, line_color="primary")
    even = plot.line(
        [account.began * 1e3, account.ended * 1e3], [0, account.budget_s], line_dash="dotted", line_width=2
    )
    paint(even.glyph, line_color="muted")
    plot.add_layout(
        paint(Span(location=account.budget_s, dimension="width", line_dash="dashed", line_width=2), line_color="ink")
    )
    return plot


def _trend(name: str, trend: Trend) -> Any:
    first, last = trend.at[0] * 1e3, trend.at[-1] * 1e3
    room = (last - first or 1e3) * 0.02
    plot = frame(
        name, 210, Range1d(first - room, last + room), Range1d(0, max(trend.values_s) * 1.12), x_axis_type="datetime"
    )
    plot.xaxis.formatter, plot.yaxis.formatter = DatetimeTickFormatter(**DAYS), NumeralTickFormatter(format="0,0.[0]")
    source = ColumnDataSource({"t": [at * 1e3 for at in trend.at], "s": list(trend.values_s)}, name=f"{name} runs")
    dots = plot.scatter(x="t", y="s", source=source, size=6, fill_alpha=0.6)
    paint(dots.glyph, fill_color="primary", line_color="primary")
    for begin, end, level in _levels(trend):
        paint(plot.line([begin, end], [level, level], line_width=2.5).glyph, line_color="ink")
    for change in trend.changes:
        at = trend.at[change.index] * 1e3
        token = "bad" if change.after > change.before else "good"
        plot.add_layout(
            paint(Span(location=at, dimension="height", line_dash="dashed", line_width=2), line_color=token)
        )
    return plot


def _levels(trend: Trend) -> list[tuple[float, float, float]]:
    """Return begin, end (ms) and level (s) of each stretch between changes."""
    at = [each * 1e3 for each in trend.at]
    if not trend.changes:
        return [(at[0], at[-1], trend.median_s)]
    edges = [0, *(change.index for change in trend.changes), len(at) - 1]
    levels = [trend.changes[0].before, *(change.after for change in trend.changes)]
    return [(at[a], at[b], level) for a, b, level in zip(edges, edges[1:], levels, strict=False)]
