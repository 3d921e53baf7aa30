"""Was the instrument fit? If not, nothing it says about the system can be believed (measurement.md §5-6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from failover_drill.facts import UNPLANNED_LANE, Facts, Outcome, Population, SampleRecords, WorkerReport
from failover_drill.fold import Fold, Lens, fold
from failover_drill.form_instrument import ControlForm, InstrumentForm, Lag, SelfTestForm, WorkerForm
from failover_drill.outages import Outage
from failover_drill.stats import Latencies
from failover_drill.strand import Ints
from failover_drill.tally import sent_ns

LOST_SHARE = 0.001
"""More samples lost than this, and the rest may not be the whole story."""

CONTROL_SHARE = 0.01
"""More of the control probe's samples bad during the target's outages than this: the fault may be ours."""


@dataclass(frozen=True, slots=True)
class Control:
    """The control probe's samples: how many, how many bad, and how many of each while the target was out."""

    samples: int
    bad: int
    during: int
    bad_during: int
    lag: Latencies


def slack_ns(facts: Facts) -> int:
    """Return the bound of the load processes' clock offsets: what each instant may be off by."""
    return max((each.offset_bound_ns for each in facts.workers), default=0)


def control(facts: Facts, outages: Sequence[Outage]) -> Control:
    """Hold the control probe against the target's outages."""
    records = facts.control.records
    sent = sent_ns(records)
    bad = (records["outcome"] != Outcome.OK) & (records["outcome"] != Outcome.CUT)
    during = _inside(sent, outages)
    lens = Lens(facts.control.names, facts.anchor, tuple(Population))
    return Control(
        len(records),
        int(bad.sum()),
        int(during.sum()),
        int((bad & during).sum()),
        fold(facts.control, lens).tally.lag,
    )


def _inside(sent: Ints, outages: Sequence[Outage]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    edges = np.zeros(len(sent) + 1, np.int64)
    for each in outages:
        begin, end = np.searchsorted(sent, each.first_ns), np.searchsorted(sent, each.last_ns, side="right")
        edges[begin] += 1
        edges[end] -= 1
    return np.asarray(np.cumsum(edges[:-1]) > 0)


def fitness(facts: Facts, folded: Fold, outages: Sequence[Outage], self_test: SelfTestForm | None) -> InstrumentForm:
    """Return what the instrument says of itself, with every reason for which it is not to be believed."""
    probe = control(facts, outages)
    lag = folded.tally.lag
    scheduled = sum(each.scheduled for each in facts.workers)
    recorded = len(facts.samples.records)
    requests = sum(each.locust_requests for each in facts.workers)
    failures = sum(each.locust_failures for each in facts.workers)
    ours = folded.tally.populations.availability()
    bad = ours.bad - _slow_but_well(facts.samples.records)
    agrees = not facts.workers or (requests, failures) == (ours.good + ours.bad, bad)
    reasons = [
        *_late(lag, facts.interval_ns, "the generator"),
        *_lost(scheduled, recorded, sum(each.unsent for each in facts.workers)),
        *_died(facts.workers),
        *([] if agrees else [_differ(requests, failures, ours.good + ours.bad, bad)]),
        *_control(probe, facts),
    ]
    return InstrumentForm(
        fit=not reasons,
        reasons=tuple(reasons),
        scheduled=scheduled or recorded,
        recorded=recorded,
        lost=max(0, scheduled - recorded) + sum(each.unsent for each in facts.workers),
        coverage=recorded / scheduled if scheduled else None,
        lag=lag_form(lag),
        locust_requests=requests,
        locust_failures=failures,
        locust_agrees=agrees,
        offset_bound_s=slack_ns(facts) / 1e9,
        control=ControlForm(probe.samples, probe.bad, probe.bad_during, lag_form(probe.lag)),
        workers=tuple(_worker(each, folded) for each in facts.workers),
        self_test=self_test,
    )


def lag_form(lag: Latencies) -> Lag | None:
    p50, p99 = lag.quantile_s(0.5), lag.quantile_s(0.99)
    return None if p50 is None or p99 is None else Lag(p50, p99, lag.max_us / 1e6)


def _worker(report: WorkerReport, folded: Fold) -> WorkerForm:
    mine = folded.tally.lags.get(report.worker)
    return WorkerForm(
        report.worker,
        report.scheduled,
        report.recorded,
        lag_form(mine) if mine else None,
        report.offset_ns / 1e9,
        report.offset_bound_ns / 1e9,
        report.finished,
    )


def _late(lag: Latencies, gap_ns: int, who: str) -> Iterable[str]:
    p99 = lag.quantile_s(0.99)
    if p99 is not None and p99 > gap_ns / 1e9:
        yield f"{who} was late: 1 % of its requests went out more than {p99 * 1e3:.1f} ms late, at a gap of {gap_ns / 1e6:g} ms"


def _lost(scheduled: int, recorded: int, unsent: int) -> Iterable[str]:
    if unsent > LOST_SHARE * scheduled:
        yield f"{unsent} of {scheduled} requests could not be sent: this machine had no port, descriptor or memory left"
    if scheduled and scheduled - recorded > LOST_SHARE * scheduled:
        yield f"{scheduled - recorded} of {scheduled} scheduled samples are missing (more than 0.1 %)"
    if recorded > scheduled > 0:
        yield f"{recorded} samples were recorded, but only {scheduled} were scheduled"


def _died(workers: Iterable[WorkerReport]) -> Iterable[str]:
    dead = [str(each.worker) for each in workers if not each.finished]
    if dead:
        yield f"load process {', '.join(dead)} died before the end; what it had not written yet is lost"


def _slow_but_well(records: SampleRecords) -> int:
    """Count what is bad by our latency limit alone, and no failure to the user class that sent it, nor so to Locust."""
    return int(((records["lane"] == UNPLANNED_LANE) & (records["outcome"] == Outcome.SLOW)).sum())


def _differ(requests: int, failures: int, ours: int, bad: int) -> str:
    return f"Locust counted {requests} requests and {failures} failures, the samples say {ours} and {bad}"


def _control(probe: Control, facts: Facts) -> Iterable[str]:
    if probe.bad_during > CONTROL_SHARE * probe.during:
        both = f"{probe.bad_during} of its {probe.during} samples during outages"
        yield f"the control probe failed at the same time ({both}): the fault may be ours"
    gap = _control_gap_ns(facts)
    if gap:
        yield from _late(probe.lag, gap, "the control probe")


def _control_gap_ns(facts: Facts) -> int:
    intended = facts.control.records["intended_ns"]
    return int(intended[-1] - intended[0]) // (len(intended) - 1) if len(intended) > 1 else 0
