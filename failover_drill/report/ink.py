"""Colours by role, in light and dark, and the frame every chart shares.

A chart never names a colour: it names a token, which the page's script exchanges when the reader's scheme changes.
The three colours that carry meaning (primary, secondary, bad) differ in hue, in lightness and in hatching, so that
they are told apart without colour sight and on a grey printout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bokeh.models import Model, Range1d
from bokeh.plotting import figure

LIGHT: Mapping[str, str] = {
    "ink": "#1b2733",
    "muted": "#57636f",
    "grid": "#e4e8ec",
    "paper": "#ffffff",
    "primary": "#2f6db5",
    "secondary": "#d99a17",
    "third": "#6f7f3f",
    "bad": "#bd2450",
    "quiet": "#c3ccd4",
    "recovery": "#7b8a99",
    "violet": "#7a4fb5",
    "good": "#2b8a6f",
}
DARK: Mapping[str, str] = {
    "ink": "#e8edf2",
    "muted": "#a3b0bc",
    "grid": "#2b343d",
    "paper": "#12181e",
    "primary": "#6aa5ea",
    "secondary": "#efb540",
    "third": "#a9bd6c",
    "bad": "#ff6b8f",
    "quiet": "#47525d",
    "recovery": "#8b9aa8",
    "violet": "#b794f0",
    "good": "#56c2a0",
}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


def paint(model: Model, **tokens: str) -> Model:
    """Give `model` the light colour of each token, and tag it so that the page can give it the dark one."""
    for attribute, token in tokens.items():
        setattr(model, attribute, LIGHT[token])
    model.tags = [*model.tags, *(f"paint:{attribute}:{token}" for attribute, token in tokens.items())]
    return model


def frame(name: str, height: int, x_range: Range1d, y_range: Range1d, **options: Any) -> Any:
    """Return an empty chart without chrome: transparent, as wide as its column, the same left border as all others."""
    plot = figure(
        name=name,
        height=height,
        x_range=x_range,
        y_range=y_range,
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools="",
        min_border_left=52,
        min_border_right=14,
        min_border_top=4,
        min_border_bottom=2,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        **options,
    )
    for axis in plot.axis:
        axis.minor_tick_line_color = None
        axis.major_label_text_font = FONT
        axis.major_label_text_font_size = "11px"
        paint(axis, axis_line_color="grid", major_tick_line_color="grid", major_label_text_color="muted")
    for grid in plot.grid:
        paint(grid, grid_line_color="grid")
    return plot


def without_rows(plot: Any) -> Any:
    """Take the vertical axis off a chart whose rows are named by texts inside it; keep the border's width."""
    plot.yaxis.visible = False
    plot.ygrid.visible = False
    plot.min_border_left = 52
    return plot
