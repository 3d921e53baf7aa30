"""What the samples of a run say, before anyone judges it: the fold, the outages, the downtime, the recovery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from failover_drill.facts import Facts, Objectives, Population, SampleRecords, SampleTable
from failover_drill.fold import Fold, Lens, chunks, fold
from failover_drill.instrument import slack_ns
from failover_drill.lost_writes import Loss, lost_writes
from failover_drill.outages import NOTHING, Bounds, Outage, downtime, longest, merge, outages, total, whole
from failover_drill.pace import Pace
from failover_drill.recovery import Recovery, recovery
from failover_drill.stats import most_failing
from failover_drill.strand import Strand
from failover_drill.tally import sent_ns

LISTED = 500
"""No more outages than this are listed; all of them are counted."""


@dataclass(frozen=True, slots=True)
class Measured:
    """`outages` are merged over the judged populations; `full` are the stretches in which all populations were out."""

    fold: Fold
    slack_ns: int
    outages: tuple[Outage, ...]
    downtime: Bounds
    by_population: Mapping[Population, tuple[Outage, ...]]
    by_path: Mapping[int, Bounds]
    full: tuple[Outage, ...]
    full_outage: Bounds
    recovery: Recovery | None
    loss: Loss | None

    @property
    def never_up(self) -> bool:
        """There are judged samples, and none of them was good."""
        return self.fold.judged.samples > 0 and self.fold.judged.goods == 0

    @property
    def watched_ns(self) -> int:
        """Return the time that judged samples cover."""
        judged = self.fold.judged
        return judged.last_ns - judged.first_ns if judged.samples else 0

    def present(self) -> list[Population]:
        return [each for each in Population if self.fold.populations[each].samples]


def measure(facts: Facts, objectives: Objectives) -> Measured:
    """Fold the samples, which must be in order of sending, and find what was lost. Pure."""
    folded = fold(facts.samples, Lens(facts.samples.names, facts.anchor, objectives.judged))
    pace, slack = pace_of(facts, folded), slack_ns(facts)
    apart = {each: whole(folded.populations[each].episodes, pace, folded.ceiling) for each in Population}
    judged = {each: apart[each] for each in objectives.judged}
    found = outages(merge(whole(folded.judged.episodes, pace, folded.ceiling), judged), folded.ceiling, pace, slack)
    every = folded.everyone.pruned(folded.everyone_mask).episodes
    return Measured(
        fold=folded,
        slack_ns=slack,
        outages=found,
        downtime=_unseen(downtime(found, judged, _shares(folded, objectives)), folded.judged),
        by_population={each: outages(apart[each], folded.ceiling, pace, slack) for each in Population},
        by_path={each: _path_downtime(strand, folded, pace, slack) for each, strand in folded.paths.items()},
        full=outages(longest(every, LISTED), folded.ceiling, pace, slack),
        full_outage=total(every, folded.ceiling, pace, slack),
        recovery=recovery(facts, objectives, 2 * slack),
        loss=lost_writes(facts),
    )


def in_order(table: SampleTable) -> SampleTable:
    """Return the table in order of sending; usually it is already."""
    if _is_ordered(table.records):
        return table
    sent = sent_ns(table.records)
    return SampleTable(table.records[np.argsort(sent, kind="stable")], table.names)


def _shares(folded: Fold, objectives: Objectives) -> dict[Population, float]:
    samples = {each: folded.populations[each].samples for each in objectives.judged}
    whole = sum(samples.values())
    return {each: count / whole for each, count in samples.items() if count}


def _unseen(lost: Bounds, judged: Strand) -> Bounds:
    """Widen the upper bound by what samples without a failure cannot rule out (rule of three); one alone covers no time."""
    if judged.samples < 2:
        return Bounds(lost.estimate_ns, lost.at_least_ns, inf)
    if judged.goods < judged.samples:
        return lost
    watched = judged.last_ns - judged.first_ns
    return Bounds(lost.estimate_ns, lost.at_least_ns, lost.at_most_ns + most_failing(judged.samples) * watched)


def _is_ordered(records: SampleRecords) -> bool:
    before = np.iinfo(np.int64).min
    for part in chunks(records):
        sent = sent_ns(part)
        if not len(sent):
            continue
        if sent[0] < before or not bool((sent[1:] >= sent[:-1]).all()):
            return False
        before = sent[-1]
    return True


def pace_of(facts: Facts, folded: Fold) -> Pace:
    """Return the run's sampling gap and how fast good answers usually come."""
    usual, slow = folded.straight.quantile_s(0.5) or 0.0, folded.straight.quantile_s(0.99) or 0.0
    return Pace(facts.interval_ns, round(usual * 1e9), round(slow * 1e9), facts.latency_limit_ns)


def _path_downtime(strand: Strand, folded: Fold, pace: Pace, slack: int) -> Bounds:
    return lost_in(outages(whole(strand.episodes, pace, folded.ceiling), folded.ceiling, pace, slack))


def lost_in(found: Sequence[Outage]) -> Bounds:
    """Return the user-weighted downtime of one population's outages."""
    return sum((each.lost for each in found), start=NOTHING)


def worst_client(measured: Measured) -> tuple[Population, Outage] | None:
    """Return the longest outage of any one population."""
    every = [(population, each) for population, found in measured.by_population.items() for each in found]
    return max(every, key=lambda pair: (pair[1].length.estimate_ns, pair[1].length.at_least_ns), default=None)


def still_open(found: Sequence[Outage], until_ns: float) -> bool:
    """Return whether an outage was open at `until_ns` (or at the end of the run)."""
    return any(each.first_ns < until_ns and (each.after_ns is None or each.after_ns >= until_ns) for each in found)
