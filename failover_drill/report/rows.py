"""Key figures and segments as CSV (RFC 4180), one figure a row, for a spreadsheet."""

from __future__ import annotations

import csv as comma_separated
import io
from collections.abc import Mapping
from typing import Any

from failover_drill.report.figures import key_figures, predicted_segments

COLUMNS = ("drill", "run", "began", "verdict", "figure", "value", "at_least", "at_most", "unit", "text")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run such a text (OWASP: CSV injection)


def csv(findings: Mapping[str, Any]) -> str:
    """Return a header and a row for each key figure and segment, measured and predicted; numbers exact, an unknown one empty."""
    drill = findings["drill"]
    same = (inert(drill["name"]), drill["run"], drill["began"], findings["verdict"])
    text = io.StringIO()
    writer = comma_separated.writer(text)
    writer.writerow(COLUMNS)
    for figure in key_figures(findings):
        bounds = [_exact(each) for each in (figure.value, figure.at_least, figure.at_most)]
        writer.writerow([*same, figure.key, *bounds, figure.unit, inert(figure.text)])
    for each in findings["recovery"]["segments"]:
        writer.writerow([*same, f"segment {each['name']}", _exact(each["took_s"]), "", "", "seconds", each["ended_by"]])
    for name, took in predicted_segments(findings).items():
        bounds = [_exact(each) for each in (took["mean_s"], *took["inner_99"])]
        writer.writerow([*same, f"predicted segment {name}", *bounds, "seconds", "mean, and the 99 % interval"])
    return text.getvalue()


def _exact(value: float | None) -> str:
    return "" if value is None else repr(value)


def inert(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
