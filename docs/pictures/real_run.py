"""Two pictures of the real run under reports/example: who was served while names moved, and where the time went."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from docs.pictures.drawing import AMBER, BAD, FAINT, GOOD, INK, LATE, RULE, VIOLET, Drawing
from failover_drill.facts import Facts, Outcome, Population
from failover_drill.record import read_facts
from failover_drill.tally import sent_ns

RUN = Path("reports/example")
COLOURS = {Population.FRESH: GOOD, Population.KEEPALIVE: VIOLET, Population.STICKY: AMBER}
STEP_S, BEFORE_S, AFTER_S = 0.5, 1.5, 12.0
LEFT, TOP, HIGH, SCALE = 120, 64, 180, 54.0


def findings() -> dict[str, Any]:
    """Return what the run was found to be."""
    read: dict[str, Any] = json.loads((RUN / "findings.json").read_text("utf-8"))
    return read


def populations() -> str:
    """Draw, for each kind of client, the share of requests answered well in each half second."""
    facts, found = read_facts(RUN), findings()
    t0 = found["recovery"]["began"]
    drawing = Drawing(900, 330, "Share of requests answered well, by kind of client, while a DNS change spreads")
    _grid(drawing)
    for name, at, y in _moments(found, t0):
        drawing.line(_x(at), y + 4, _x(at), TOP + HIGH, FAINT, dashed=True)
        before = at == 0
        drawing.text(_x(at) - 4 if before else _x(at) + 4, y, name, FAINT, size=11, anchor="end" if before else "start")
    for row, (population, colour) in enumerate(COLOURS.items()):
        drawing.path(list(_curve(facts, population, t0, row * 2.0)), colour)
        drawing.bar(_x(-BEFORE_S) + row * 250, 300, 14, 4, colour)
        drawing.text(_x(-BEFORE_S) + 20 + row * 250, 307, _LEGEND[population], colour, size=12, bold=True)
    return drawing.svg()


_LEGEND = {
    Population.FRESH: "fresh: follow the name",
    Population.KEEPALIVE: "keepalive: hold connections",
    Population.STICKY: "sticky: never ask again",
}


def _moments(found: Mapping[str, Any], t0: float) -> Iterator[tuple[str, float, float]]:
    dns = found["dns"]
    yield "primary stopped", 0.0, 46
    yield f"the authority answers with the secondary; TTL {dns['ttl_s']} s", dns["authority_switched"] - t0, 28
    yield "the last watched resolver follows", dns["last_switched"] - t0, 46


def _curve(facts: Facts, population: Population, t0: float, lift: float) -> Iterator[tuple[float, float]]:
    rows = facts.samples.records
    rows = rows[(rows["population"] == population) & (rows["outcome"] != Outcome.CUT)]
    at = np.array([facts.anchor.wall_s(int(ns)) for ns in sent_ns(rows)]) - t0
    for begin in np.arange(-BEFORE_S, AFTER_S, STEP_S):
        inside = (at >= begin) & (at < begin + STEP_S)
        if inside.any():
            share = float((rows["outcome"][inside] == Outcome.OK).mean())
            yield _x(float(begin) + STEP_S / 2), TOP + HIGH * (1 - share) + lift


def _grid(drawing: Drawing) -> None:
    for share in (0, 50, 100):
        y = TOP + HIGH * (1 - share / 100)
        drawing.line(_x(-BEFORE_S), y, _x(AFTER_S), y, RULE)
        drawing.text(_x(-BEFORE_S) - 8, y + 4, f"{share} %", FAINT, anchor="end", size=12)
    drawing.text(16, TOP + HIGH / 2 - 14, "answered", FAINT, size=12)
    for s in range(0, int(AFTER_S) + 1, 2):
        drawing.text(_x(s), TOP + HIGH + 20, f"{s} s", FAINT, anchor="middle", size=12)


def _x(s: float) -> float:
    return LEFT + (s + BEFORE_S) * SCALE


def segments() -> str:
    """Draw the recovery time as a staircase of its segments, whose lengths sum to it exactly."""
    recovery = findings()["recovery"]
    scale = 460 / recovery["time_s"]
    drawing = Drawing(900, 310, "The recovery time cut into its segments")
    drawing.text(16, 30, "recovery time", bold=True)
    drawing.bar(170, 20, recovery["time_s"] * scale, 12, INK)
    drawing.text(178 + recovery["time_s"] * scale, 31, f"{recovery['time_s']:.2f} s", bold=True)
    at = 0.0
    for row, each in enumerate(recovery["segments"]):
        _segment(drawing, 62 + row * 34, each, 170 + at * scale, scale)
        at += each["took_s"]
    return drawing.svg()


def _segment(drawing: Drawing, y: float, each: Mapping[str, Any], x: float, scale: float) -> None:
    longest = each["share"] > 0.5
    drawing.text(16, y + 10, each["name"], bold=longest)
    drawing.bar(x, y, each["took_s"] * scale, 12, (BAD if longest else GOOD) if each["occurred"] else LATE)
    took = f"{each['took_s']:.2f} s" if each["occurred"] else "did not occur"
    drawing.text(x + each["took_s"] * scale + 8, y + 10, took, size=12, bold=longest)
    drawing.text(170, y + 24, _until(each), FAINT, size=10.5)


def _until(each: Mapping[str, Any]) -> str:
    return f"until {each['ended_by']}" if each["ended_by"] else "a planned act: nothing had to be detected"
