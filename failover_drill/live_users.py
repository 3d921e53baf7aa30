"""What a live view knows of the users: who is served by whom just now, and the outages so far. A fold of samples. Pure.

          settled                          pool
    ─────────────────────────┼──────────────────────────► sent
    folded, and forgotten     kept: late ones still come in

A request is written down when it has ended, so one that hangs comes in later than those sent after it. Samples are kept
until no more can come in before them, and folded in order of sending.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from failover_drill.facts import SAMPLE_DTYPE, Objectives, Outcome, Population, SampleNames, SampleRecords, SampleTable
from failover_drill.observing import Watched
from failover_drill.tally import Columns, sent_ns

NOW_S = 3.0
"""What "now" means of users."""

TICKS = 60
"""Seconds that the strip of availability looks back."""

SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Users:
    """The fold. `change_ns`: the first change of the estate, None before it. `patience_ns`: how late a sample may come in."""

    objectives: Objectives
    patience_ns: int = 6 * SECOND_NS
    change_ns: int | None = None
    regions: tuple[str, ...] = ("",)
    settled: Watched = field(default_factory=Watched)
    good_since: int = 0
    bad_since: int = 0
    ticks: Mapping[int, tuple[int, int]] = field(default_factory=dict)  # second -> good, bad
    pool: SampleRecords = field(default_factory=lambda: np.empty(0, SAMPLE_DTYPE))

    def then(self, batch: SampleTable) -> Users:
        """Return the state after a batch of one worker's samples."""
        if not len(batch.records):
            return self
        regions, records = _renumbered(self.regions, batch)
        pool = np.concatenate([self.pool, records])
        pool = pool[np.argsort(sent_ns(pool), kind="stable")]
        sent = sent_ns(pool)
        cut = int(np.searchsorted(sent, sent[-1] - self.patience_ns))
        return self._settling(regions, pool[:cut], pool[cut:])

    def changed(self, at_ns: int) -> Users:
        """Return the state in which the first change of the estate was made at *at_ns*; it must still be in the pool."""
        return self._with(change_ns=at_ns)

    def _settling(self, regions: tuple[str, ...], old: SampleRecords, pool: SampleRecords) -> Users:
        good, bad = self._since(old)
        return self._with(
            regions=regions,
            settled=self.settled.then(SampleTable(old, SampleNames(regions)), self.objectives),
            good_since=self.good_since + good,
            bad_since=self.bad_since + bad,
            ticks=_added(self.ticks, self._by_second(old)),
            pool=pool,
        )

    def _with(self, **changed: object) -> Users:
        kept = {name: getattr(self, name) for name in self.__slots__}
        return Users(**(kept | changed))

    # ---- what is shown -----------------------------------------------------------------------------------------

    @property
    def watched(self) -> Watched:
        """Everything until now, as the view of `observe` knows it."""
        return self.settled.then(SampleTable(self.pool, SampleNames(self.regions)), self.objectives)

    def now(self, now_ns: int) -> tuple[int, int]:
        """Return how many judged requests ended well and badly in the last `NOW_S`."""
        return _counted(self._judged(self._ended(now_ns)))

    def since_change(self) -> tuple[int, int]:
        """Return how many judged requests sent since the first change ended well and badly."""
        good, bad = self._since(self.pool)
        return self.good_since + good, self.bad_since + bad

    def serving(self, now_ns: int) -> dict[Population, dict[str, float]]:
        """Return who serves each population: shares by region in the last `NOW_S`, "" for those that nobody served."""
        ended = self._ended(now_ns)
        good = ended["outcome"] == Outcome.OK
        found: dict[Population, dict[str, float]] = {}
        for population in Population:
            mine = ended["population"] == population
            served = np.bincount(ended["region"][mine & good], minlength=len(self.regions))
            served[0] += np.count_nonzero(mine & ~good)
            total = int(served.sum())
            shares = {self.regions[i]: int(n) / total for i, n in enumerate(served) if n}
            if shares:
                found[population] = dict(sorted(shares.items(), key=lambda each: -each[1]))
        return found

    def strip(self, now_ns: int) -> tuple[float | None, ...]:
        """Return the availability of the judged clients in each of the last `TICKS` whole seconds, None where unknown."""
        last = now_ns // SECOND_NS
        ticks = _added(self.ticks, self._by_second(self.pool))
        return tuple(_share(*ticks.get(second, (0, 0))) for second in range(last - TICKS, last))

    # ---- samples of a kind -------------------------------------------------------------------------------------

    def _judged(self, records: SampleRecords) -> SampleRecords:
        chosen = np.isin(records["population"], [int(each) for each in self.objectives.judged])
        kept: SampleRecords = records[chosen & (records["outcome"] != Outcome.CUT)]
        return kept

    def _ended(self, now_ns: int) -> SampleRecords:
        columns = Columns.of(self.pool)
        ended: SampleRecords = self.pool[
            (columns.sent_ns + columns.took_ns >= now_ns - int(NOW_S * 1e9)) & columns.uncut
        ]
        return ended

    def _since(self, records: SampleRecords) -> tuple[int, int]:
        if self.change_ns is None:
            return 0, 0
        return _counted(self._judged(records[sent_ns(records) >= self.change_ns]))

    def _by_second(self, records: SampleRecords) -> dict[int, tuple[int, int]]:
        judged = self._judged(records)
        seconds, index = np.unique(sent_ns(judged) // SECOND_NS, return_inverse=True)
        good = np.bincount(index, weights=judged["outcome"] == Outcome.OK, minlength=len(seconds))
        every = np.bincount(index, minlength=len(seconds))
        rows = zip(seconds.tolist(), good.astype(int).tolist(), every.tolist(), strict=True)
        return {second: (well, total - well) for second, well, total in rows}


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


def _added(ticks: Mapping[int, tuple[int, int]], more: Mapping[int, tuple[int, int]]) -> dict[int, tuple[int, int]]:
    found = dict(ticks)
    for second, (good, bad) in more.items():
        before = found.get(second, (0, 0))
        found[second] = (before[0] + good, before[1] + bad)
    return {second: found[second] for second in sorted(found)[-2 * TICKS :]}
