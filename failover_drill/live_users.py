"""What a live view knows of the users: who is served by whom just now, and how well since the first change. Pure.

A fold of samples in any order of coming in: counts need none, and `Watched` puts the outages in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from failover_drill.facts import SAMPLE_DTYPE, Objectives, Outcome, Population, SampleRecords, SampleTable
from failover_drill.observing import Watched
from failover_drill.strand import Ints
from failover_drill.tally import Columns, sent_ns

NOW_S = 3.0
"""What "now" means of users: requests that ended within this time."""

TICKS = 60
"""Seconds that the strip of availability looks back."""

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Users:
    """The fold. `change_ns`: the first change of the estate, None before it. `ticks`: second -> good, bad."""

    objectives: Objectives
    watched: Watched
    change_ns: int | None = None
    regions: tuple[str, ...] = ("",)
    good_since: int = 0
    bad_since: int = 0
    ticks: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    recent: SampleRecords = field(default_factory=lambda: np.empty(0, SAMPLE_DTYPE))

    def then(self, batch: SampleTable) -> Users:
        """Return the state after a batch of one worker's samples."""
        if not len(batch.records):
            return self
        regions, records = _renumbered(self.regions, batch)
        judged = self._judged(records)
        since = judged[sent_ns(judged) >= self.change_ns] if self.change_ns is not None else judged[:0]
        good, bad = _counted(since)
        return replace(
            self,
            watched=self.watched.then(batch, self.objectives),
            regions=regions,
            good_since=self.good_since + good,
            bad_since=self.bad_since + bad,
            ticks=_added(self.ticks, judged),
            recent=_latest(np.concatenate([self.recent, records])),
        )

    # ---- what is shown -----------------------------------------------------------------------------------------

    def now(self, now_ns: int) -> tuple[int, int]:
        """Return how many judged requests ended well and badly in the last `NOW_S`."""
        return _counted(self._judged(self._ended(now_ns)))

    def serving(self, now_ns: int) -> dict[Population, dict[str, float]]:
        """Return who serves each population: shares by region in the last `NOW_S`, "" for those that nobody served."""
        ended = self._ended(now_ns)
        good = ended["outcome"] == Outcome.OK
        found = {}
        for population in Population:
            mine = ended["population"] == population
            served = np.bincount(ended["region"][mine & good], minlength=len(self.regions))
            served[0] += np.count_nonzero(mine & ~good)
            shares = {self.regions[i]: int(n) / int(served.sum()) for i, n in enumerate(served) if n}
            found[population] = dict(sorted(shares.items(), key=lambda each: -each[1]))
        return {population: shares for population, shares in found.items() if shares}

    def strip(self, now_ns: int) -> tuple[float | None, ...]:
        """Return the availability of the judged clients in each of the last `TICKS` whole seconds, None where unknown."""
        last = now_ns // SECOND_NS
        return tuple(_share(*self.ticks.get(second, (0, 0))) for second in range(last - TICKS, last))

    # ---- samples of a kind -------------------------------------------------------------------------------------

    def _judged(self, records: SampleRecords) -> SampleRecords:
        chosen = np.isin(records["population"], [int(each) for each in self.objectives.judged])
        kept: SampleRecords = records[chosen & (records["outcome"] != Outcome.CUT)]
        return kept

    def _ended(self, now_ns: int) -> SampleRecords:
        uncut = self.recent["outcome"] != Outcome.CUT
        ended: SampleRecords = self.recent[(_done_ns(self.recent) >= now_ns - int(NOW_S * 1e9)) & uncut]
        return ended


def _done_ns(records: SampleRecords) -> Ints:
    columns = Columns.of(records)
    return columns.sent_ns + columns.took_ns


def _latest(records: SampleRecords) -> SampleRecords:
    """Return the samples that may still belong to "now", those that come in half a second late included."""
    done = _done_ns(records)
    kept: SampleRecords = records[done >= int(done.max()) - int((NOW_S + 1) * 1e9)]
    return kept


def _renumbered(regions: tuple[str, ...], batch: SampleTable) -> tuple[tuple[str, ...], SampleRecords]:
    """Return the regions known by now, and the batch with its numbers changed to theirs; each worker has its own."""
    every = regions + tuple(name for name in batch.names.regions if name not in regions)
    records = batch.records.copy()
    numbers = np.array([every.index(name) for name in batch.names.regions], "u1")
    records["region"] = numbers[records["region"]]
    return every, records


def _counted(records: SampleRecords) -> tuple[int, int]:
    good = int(np.count_nonzero(records["outcome"] == Outcome.OK))
    return good, len(records) - good


def _share(good: int, bad: int) -> float | None:
    return good / (good + bad) if good + bad else None


def _added(ticks: Mapping[int, tuple[int, int]], judged: SampleRecords) -> dict[int, tuple[int, int]]:
    """Return the counts with those of more samples added, of the newest seconds."""
    found = dict(ticks)
    seconds, index = np.unique(sent_ns(judged) // SECOND_NS, return_inverse=True)
    every = np.bincount(index, minlength=len(seconds))
    good = np.bincount(index, weights=judged["outcome"] == Outcome.OK, minlength=len(seconds))
    for second, well, total in zip(seconds.tolist(), good.astype(int).tolist(), every.tolist(), strict=True):
        before = found.get(second, (0, 0))
        found[second] = (before[0] + well, before[1] + total - well)
    return {second: found[second] for second in sorted(found)[-2 * TICKS :]}
