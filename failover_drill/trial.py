"""Scripted outages of known start and length, and how far the estimators were from the truth. Pure.

script: which fault, how long, how far apart ──► played by faultserver.py ──► truth
truth beside findings ──► one Case for each fault: error, in gaps of the grid, and whether the bounds held it
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from failover_drill.facts import Population
from failover_drill.findings import Findings
from failover_drill.form_downtime import OutageForm

S = 1_000_000_000
HARD = ("refused", "503", "hang", "reset", "wrong content")
FLAPS = 5

MEDIAN_GAPS = 0.5
"""A fit instrument's median error of a total outage is below this many gaps (theory: 0.29)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault to play: after `quiet_ns` of service, for `for_ns`."""

    kind: str
    for_ns: int
    quiet_ns: int = 1 * S
    group: str = ""  # what it is reported under, where that is not its kind

    @property
    def name(self) -> str:
        return self.group or self.kind


@dataclass(frozen=True, slots=True)
class Truth:
    """When a fault really began and ended, ns of CLOCK_MONOTONIC."""

    fault: Fault
    began_ns: int
    ended_ns: int

    @property
    def length_ns(self) -> int:
        return self.ended_ns - self.began_ns


@dataclass(frozen=True, slots=True)
class Case:
    """One fault as it was measured. `estimate_s` None: not found at all."""

    name: str
    truth_s: float
    estimate_s: float | None
    at_least_s: float | None
    at_most_s: float | None
    error_gaps: float | None
    held: bool


def script(quick: bool) -> tuple[Fault, ...]:
    """Return the faults of a self-test: of each kind some, 0.2 s to 60 s, shorter where it is to be quick."""
    lengths = (0.2, 0.7, 1.6) if quick else (0.2, 0.5, 1.3, 3.1, 7.7)
    jittered = [(length + 0.0137 * i) * S for i, length in enumerate(lengths)]
    hard = [Fault(kind, round(length), S + 37_000_000 * i) for kind in HARD for i, length in enumerate(jittered)]
    flapping = [Fault("503", 300_000_000, 400_000_000, "flapping")] * FLAPS
    partial = [Fault("partial", (2 if quick else 6) * S), Fault("new connections", (2 if quick else 6) * S)]
    long = [] if quick else [Fault("hang", 60 * S, 2 * S, "long hang")]
    return (*hard, Fault("503", 300_000_000, 2 * S, "flapping"), *flapping[1:], *partial, *long)


def cases(truths: Iterable[Truth], findings: Findings, gap_ns: int, wall_ns: int) -> tuple[Case, ...]:
    """Hold the findings against the truth. `wall_ns` is added to monotonic instants to get the findings' wall time."""
    return tuple(_case(each, findings, gap_ns, wall_ns) for each in truths)


def _case(truth: Truth, findings: Findings, gap_ns: int, wall_ns: int) -> Case:
    began, ended = (truth.began_ns + wall_ns) / 1e9, (truth.ended_ns + wall_ns) / 1e9
    if truth.fault.kind == "partial":
        return _lost(truth, findings.downtime.outages, began, ended, 1 / 3)
    if truth.fault.kind == "new connections":
        fresh = next(each for each in findings.traffic.populations if each.name == Population.FRESH.name.lower())
        return _length(truth, fresh.outages, began, ended, (fresh.gap_s or 0) * 1e9)
    return _length(truth, findings.downtime.outages, began, ended, gap_ns)


def _length(truth: Truth, outages: Sequence[OutageForm], began: float, ended: float, gap_ns: float) -> Case:
    """Compare the one outage that overlaps the truth."""
    met = [each for each in outages if each.began < ended and each.ended > began]
    length = truth.length_ns / 1e9
    if len(met) != 1:
        return Case(truth.fault.name, length, None, None, None, None, False)
    found = met[0]
    held = found.at_least_s <= length <= (found.at_most_s or float("inf"))
    error = abs(found.estimate_s - length) / gap_ns * 1e9
    return Case(truth.fault.name, length, found.estimate_s, found.at_least_s, found.at_most_s, error, held)


def _lost(truth: Truth, outages: Sequence[OutageForm], began: float, ended: float, share: float) -> Case:
    """Compare the user-weighted downtime of a partial outage."""
    met = [each for each in outages if each.began < ended and each.ended > began]
    lost, expected = sum(each.lost_s for each in met), share * truth.length_ns / 1e9
    held = bool(met) and abs(lost - expected) <= 0.1 * expected
    return Case(truth.fault.name, expected, lost, None, None, None, held)


@dataclass(frozen=True, slots=True)
class Line:
    """The cases of one kind, summed up. Errors are in gaps of the grid."""

    name: str
    cases: int
    held: int
    median_gaps: float | None
    worst_gaps: float | None
    worst_ms: float


def lines(found: Sequence[Case]) -> tuple[Line, ...]:
    """Sum up by kind, in the order of the script."""
    names = list(dict.fromkeys(each.name for each in found))
    return tuple(_line(name, [each for each in found if each.name == name]) for name in names)


def _line(name: str, found: Sequence[Case]) -> Line:
    errors = [each.error_gaps for each in found if each.error_gaps is not None]
    off = [abs(each.estimate_s - each.truth_s) * 1e3 for each in found if each.estimate_s is not None]
    return Line(
        name,
        len(found),
        sum(each.held for each in found),
        median(errors) if errors else None,
        max(errors, default=None),
        max(off, default=0.0),
    )


def unfit(found: Sequence[Case], findings: Findings) -> tuple[str, ...]:
    """Return every reason for which the instrument is not fit on this machine; none: it is."""
    reasons = list(findings.instrument.reasons)
    missed = [each for each in found if not each.held]
    if missed:
        reasons.append(f"the bounds did not hold the truth in {len(missed)} of {len(found)} cases")
    total = [each.error_gaps for each in found if each.error_gaps is not None]
    if total and median(total) > MEDIAN_GAPS:
        reasons.append(f"the median error is {median(total):.2f} gaps, more than {MEDIAN_GAPS:g}")
    return tuple(reasons)
