"""What is known of an outage's length: a service that fails by a script, sampled, and judged by the estimators themselves."""

from __future__ import annotations

import numpy as np

from docs.pictures.drawing import AMBER, BAD, FAINT, GOOD, INK, RULE, Drawing
from failover_drill.facts import (
    SAMPLE_DTYPE,
    ClockAnchor,
    Facts,
    Objectives,
    Outcome,
    SampleNames,
    SampleRecords,
    SampleTable,
    WorkerReport,
)
from failover_drill.measured import measure
from failover_drill.outages import Outage

MS = 1_000_000
GAP_MS, TOOK_MS, FAILING_MS, UNTIL_MS = 100, 40, 12, 1_500
DOWN_MS = (430, 1_050)
LEFT, SCALE = 120, 0.5  # pixels, and pixels per ms


def picture() -> str:
    """Draw the samples, the truth and the three lengths."""
    rows = samples()
    outage = judged(rows)
    drawing = Drawing(900, 330, "Samples around an outage, and its least, estimated and greatest length")
    _axis(drawing)
    _truth(drawing)
    _samples(drawing, rows)
    _lengths(drawing, rows, outage)
    return drawing.svg()


def samples() -> SampleRecords:
    """Sample the script: a request looks at the service half-way through the time that its answer takes."""
    rows = np.zeros(UNTIL_MS // GAP_MS, SAMPLE_DTYPE)
    for row, due in zip(rows, range(0, UNTIL_MS, GAP_MS), strict=True):
        down = DOWN_MS[0] <= due + TOOK_MS / 2 < DOWN_MS[1]
        row["intended_ns"], row["took_us"] = due * MS, (FAILING_MS if down else TOOK_MS) * 1_000
        row["outcome"], row["status"] = (Outcome.HTTP_ERROR, 503) if down else (Outcome.OK, 200)
    return rows


def judged(rows: SampleRecords) -> Outage:
    """Return what the harness says of them."""
    names = SampleNames(regions=("", "eastus"))
    bad = int((rows["outcome"] != Outcome.OK).sum())
    facts = Facts(
        drill="picture",
        run="picture",
        anchor=ClockAnchor(0, 0),
        primary="eastus",
        secondary="westus3",
        interval_ns=GAP_MS * MS,
        samples=SampleTable(rows, names),
        control=SampleTable(np.zeros(0, SAMPLE_DTYPE), names),
        workers=(WorkerReport(0, len(rows), len(rows), len(rows), bad),),
    )
    (outage,) = measure(facts, Objectives()).outages
    return outage


def _x(ms: float) -> float:
    return LEFT + ms * SCALE


def _axis(drawing: Drawing) -> None:
    for ms in range(0, UNTIL_MS + 1, GAP_MS):
        drawing.line(_x(ms), 52, _x(ms), 300, RULE)
        if ms % 500 == 0:
            drawing.text(_x(ms), 320, f"{ms / 1000:g} s", FAINT, anchor="middle", size=12)


def _truth(drawing: Drawing) -> None:
    begin, end = DOWN_MS
    drawing.text(16, 40, "the truth", bold=True)
    drawing.bar(_x(0), 30, begin * SCALE, 12, GOOD, opacity=0.25)
    drawing.bar(_x(begin), 30, (end - begin) * SCALE, 12, BAD)
    drawing.bar(_x(end), 30, (UNTIL_MS - end) * SCALE, 12, GOOD, opacity=0.25)
    drawing.text(_x((begin + end) / 2), 24, f"down for {end - begin} ms", BAD, anchor="middle", size=12)


def _samples(drawing: Drawing, rows: SampleRecords) -> None:
    drawing.text(16, 112, "the samples", bold=True)
    drawing.text(16, 128, "sent to answered", FAINT, size=11)
    for row in rows:
        at, took = row["intended_ns"] / MS, row["took_us"] / 1_000
        drawing.bar(_x(at), 102, took * SCALE, 16, GOOD if row["outcome"] == Outcome.OK else BAD)
    last_good, first_bad, last_bad, first_good = _edges(rows)
    for name, at in (("L", last_good), ("F", first_bad), ("G", last_bad), ("N", first_good)):
        drawing.text(_x(at) + 6, 92, name, bold=True, anchor="middle")


def _edges(rows: SampleRecords) -> tuple[float, float, float, float]:
    """Return when L, F, G and N were sent, in ms."""
    (bad,) = np.nonzero(rows["outcome"] != Outcome.OK)
    first, last = int(bad[0]), int(bad[-1])
    return tuple(float(rows["intended_ns"][i]) / MS for i in (first - 1, first, last, last + 1))  # type: ignore[return-value]


def _lengths(drawing: Drawing, rows: SampleRecords, outage: Outage) -> None:
    last_good, first_bad, *_ = _edges(rows)
    least, guess, most = (
        ns / MS for ns in (outage.length.at_least_ns, outage.length.estimate_ns, outage.length.at_most_ns)
    )
    middle = (last_good + first_bad) / 2
    for y, name, begin, length, colour, how in (
        (170, "at least", first_bad + FAILING_MS, least, GOOD, "F answered, to G sent"),
        (210, "estimate", middle, guess, INK, "half-way between L and F, to half-way between G and N"),
        (250, "at most", last_good, most, AMBER, "L sent, to N answered"),
    ):
        drawing.text(16, y + 4, name, colour, bold=True)
        drawing.span(_x(begin), y, _x(begin + length), colour)
        drawing.text(_x(begin + length) + 8, y + 4, f"{length:.0f} ms", colour, bold=True)
        drawing.text(_x(begin) + 4, y + 17, how, FAINT, size=11)
