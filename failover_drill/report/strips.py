"""Rows of labelled spans on the time axis: steps, changes, DNS answers, monitor statuses.

    a named row                         a line: the label stands beside its span
    authority                           ▐▌ stop app eastus, 780 ms
    [eastus 127.0.1.1][westus3 …  ]        ▐█▌ start app westus3, 1.53 s

The vertical unit of such a chart is the pixel. The page's script decides how much of a label fits, at every zoom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, Range1d

from failover_drill.report.ink import FONT, frame, paint, without_rows

AXIS = 30  # px below the last row
NAME = 20  # px the name of a row takes
BAND = 22  # px a span is high
GAP = 5  # px between rows
HATCHES = {"bad": "right_diagonal_line", "secondary": "dot"}


@dataclass(frozen=True, slots=True)
class Band:
    """One span. Instants in epoch seconds; `token` is its colour (see ink)."""

    began: float
    ended: float
    text: str
    token: str


@dataclass(frozen=True, slots=True)
class Row:
    """Spans side by side under a name; or without a name, a line of one span labelled beside it."""

    name: str
    bands: Sequence[Band]

    @property
    def height(self) -> int:
        return (NAME if self.name else 0) + BAND + GAP


def strips(chart: str, rows: Sequence[Row], span: Range1d) -> Any:
    """Return the chart of `rows` over the shared range `span`; None where there is nothing to show."""
    if not any(row.bands for row in rows):
        return None
    total = sum(row.height for row in rows)
    plot = without_rows(frame(chart, total + AXIS, span, Range1d(total, 0), x_axis_type="datetime"))
    tops = [sum(each.height for each in rows[:i]) for i in range(len(rows))]
    placed = [
        (top + (NAME if row.name else 0), row, band) for top, row in zip(tops, rows, strict=True) for band in row.bands
    ]
    for token in dict.fromkeys(band.token for _, _, band in placed):
        _quads(plot, f"{chart} {token}", token, [(top, band) for top, _, band in placed if band.token == token])
    _names(plot, [(top, row.name) for top, row in zip(tops, rows, strict=True) if row.name], span)
    _labels(plot, [(top, band, not row.name) for top, row, band in placed])
    return plot


def _quads(plot: Any, source_name: str, token: str, placed: Sequence[tuple[int, Band]]) -> None:
    columns = {
        "left": [band.began * 1e3 for _, band in placed],
        "right": [band.ended * 1e3 for _, band in placed],
        "top": [float(top) for top, _ in placed],
        "bottom": [float(top + BAND) for top, _ in placed],
        "full": [band.text for _, band in placed],
    }
    source = ColumnDataSource(columns, name=source_name)
    quads = plot.quad(left="left", right="right", top="top", bottom="bottom", source=source, line_width=1.5)
    paint(quads.glyph, fill_color=token, line_color=token if token == "violet" else "paper")
    quads.glyph.fill_alpha = 0.35
    if token in HATCHES:
        quads.glyph.hatch_pattern = HATCHES[token]
        quads.glyph.hatch_scale, quads.glyph.hatch_alpha = 9, 0.35
        paint(quads.glyph, hatch_color=token)


def _names(plot: Any, names: Sequence[tuple[int, str]], span: Range1d) -> None:
    columns = {
        "x": [span.start for _ in names],
        "y": [float(top + NAME - 2) for top, _ in names],
        "text": [name for _, name in names],
    }
    texts = plot.text(
        x="x", y="y", text="text", source=ColumnDataSource(columns, name="row names"), text_baseline="bottom"
    )
    texts.glyph.text_font, texts.glyph.text_font_size = value(FONT), "11px"
    paint(texts.glyph, text_color="muted")


def _labels(plot: Any, placed: Sequence[tuple[int, Band, bool]]) -> None:
    columns = {
        "left": [band.began * 1e3 for _, band, _ in placed],
        "right": [band.ended * 1e3 for _, band, _ in placed],
        "beside": [int(beside) for *_, beside in placed],
        "x": [band.began * 1e3 for _, band, _ in placed],
        "y": [top + BAND / 2 for top, *_ in placed],
        "full": [band.text for _, band, _ in placed],
        "text": [band.text for _, band, _ in placed],
        "align": ["left" for _ in placed],
        "offset": [5 for _ in placed],
    }
    texts = plot.text(
        x="x", y="y", text="text", source=ColumnDataSource(columns, name="labels"),
        text_baseline="middle", text_align="align", x_offset="offset",
    )  # fmt: skip
    texts.glyph.text_font, texts.glyph.text_font_size = value(FONT), "12px"
    paint(texts.glyph, text_color="ink")
