"""Counting samples: how many of each kind, how slow, how late, and when. A fold, mergeable like the strands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from failover_drill.facts import ClockAnchor, Outcome, Population, SampleNames, SampleRecords
from failover_drill.form_figures import Availability, Latency
from failover_drill.stats import BINS, Counts, Latencies, bins_of, wilson
from failover_drill.strand import Ints

KINDS = len(Outcome)
MINUTE_NS = 60_000_000_000


def sent_ns(records: SampleRecords) -> Ints:
    """Return when each sample really went out."""
    return np.asarray(records["intended_ns"] + records["late_us"].astype(np.int64) * 1000, np.int64)


@dataclass(frozen=True, slots=True)
class Columns:
    """A chunk of records as the columns that all folds need."""

    records: SampleRecords
    sent_ns: Ints
    took_ns: Ints
    good: NDArray[np.bool_]
    uncut: NDArray[np.bool_]

    @classmethod
    def of(cls, records: SampleRecords) -> Columns:
        outcome = records["outcome"]
        return cls(
            records,
            sent_ns(records),
            records["took_us"].astype(np.int64) * 1000,
            outcome == Outcome.OK,
            outcome != Outcome.CUT,
        )


@dataclass(frozen=True, slots=True)
class Grouped:
    """Samples by one small key (population, region or path): outcomes, latency of the good ones, first and last good."""

    outcomes: Counts  # [key, outcome]
    latencies: tuple[Latencies, ...]
    first_good_ns: Ints
    last_good_ns: Ints

    @classmethod
    def of(cls, key: NDArray[np.uint8], keys: int, columns: Columns) -> Grouped:
        outcome = columns.records["outcome"]
        counted = np.bincount(key.astype(np.int64) * KINDS + outcome, minlength=keys * KINDS)
        first, last = np.full(keys, np.iinfo(np.int64).max), np.full(keys, np.iinfo(np.int64).min)
        latencies = []
        for each in range(keys):
            mine = np.flatnonzero(columns.good & (key == each))
            latencies.append(Latencies.of(columns.records["took_us"][mine]))
            if len(mine):
                first[each], last[each] = columns.sent_ns[mine[0]], columns.sent_ns[mine[-1]]
        return cls(counted.reshape(keys, KINDS), tuple(latencies), first, last)

    def then(self, later: Grouped) -> Grouped:
        return Grouped(
            self.outcomes + later.outcomes,
            tuple(a + b for a, b in zip(self.latencies, later.latencies, strict=True)),
            np.minimum(self.first_good_ns, later.first_good_ns),
            np.maximum(self.last_good_ns, later.last_good_ns),
        )

    def availability(self, keys: list[int] | None = None) -> Availability:
        """Return the availability of some of the groups together (all without `keys`)."""
        return availability(self._sum(keys))

    def outcome_counts(self, keys: list[int] | None = None) -> dict[str, int]:
        return {Outcome(kind).name.lower(): int(count) for kind, count in enumerate(self._sum(keys)) if count}

    def latency(self, keys: list[int] | None = None) -> Latency:
        chosen = self.latencies if keys is None else [self.latencies[key] for key in keys]
        return sum(chosen[1:], start=chosen[0]).form()

    def good_span(self, key: int) -> tuple[int, int] | None:
        """Return when the group's first and last good samples were sent."""
        if self.first_good_ns[key] > self.last_good_ns[key]:
            return None
        return int(self.first_good_ns[key]), int(self.last_good_ns[key])

    def _sum(self, keys: list[int] | None) -> Counts:
        chosen = self.outcomes if keys is None else self.outcomes[keys]
        return np.asarray(chosen.sum(axis=0), np.int64)


def availability(outcomes: Counts) -> Availability:
    """Return good / (good + bad) of a row of outcome counts, with its Wilson 95 % interval."""
    good, cut = int(outcomes[Outcome.OK]), int(outcomes[Outcome.CUT])
    total = int(outcomes.sum()) - cut
    low, high = wilson(good, total)
    if not total:
        return Availability(0, 0, cut, None, None, None)
    return Availability(good, total - good, cut, good / total, low, high)


@dataclass(frozen=True, slots=True)
class Tally:
    """Everything that is merely counted."""

    populations: Grouped
    regions: Grouped
    paths: Grouped
    served: Counts  # [population, region, good or bad]
    lags: Mapping[int, Latencies]  # by worker
    minutes: Mapping[int, bool]  # wall-clock minute -> a judged sample was good in it

    @classmethod
    def of(cls, columns: Columns, names: SampleNames, judged: NDArray[np.bool_], anchor: ClockAnchor) -> Tally:
        records = columns.records
        return cls(
            Grouped.of(records["population"], len(Population), columns),
            Grouped.of(records["region"], len(names.regions), columns),
            Grouped.of(records["path"], len(names.paths), columns),
            _served(columns, len(names.regions)),
            _lags(records),
            _minutes(columns, judged, anchor),
        )

    def then(self, later: Tally) -> Tally:
        return Tally(
            self.populations.then(later.populations),
            self.regions.then(later.regions),
            self.paths.then(later.paths),
            self.served + later.served,
            {
                worker: sum((each.lags[worker] for each in (self, later) if worker in each.lags), start=NO_LATENCIES)
                for worker in sorted({*self.lags, *later.lags})
            },
            {
                minute: self.minutes.get(minute, False) or later.minutes.get(minute, False)
                for minute in {*self.minutes, *later.minutes}
            },
        )

    @property
    def lag(self) -> Latencies:
        return sum(self.lags.values(), start=NO_LATENCIES)


NO_LATENCIES = Latencies(np.zeros(BINS, np.int64), 0)


def _served(columns: Columns, regions: int) -> Counts:
    kept = columns.uncut
    at = columns.records["population"][kept].astype(np.int64)
    return _cube(at, columns.records["region"][kept], regions, ~columns.good[kept], len(Population))


def _lags(records: SampleRecords) -> dict[int, Latencies]:
    workers = records["worker"]
    present = np.unique(workers).tolist()
    return {worker: Latencies.of(records["late_us"][workers == worker]) for worker in present}


def _minutes(columns: Columns, judged: NDArray[np.bool_], anchor: ClockAnchor) -> dict[int, bool]:
    wall = columns.sent_ns[judged] + (anchor.wall_ns - anchor.mono_ns)
    minutes, index = np.unique(wall // MINUTE_NS, return_inverse=True)
    goods = np.bincount(index, weights=columns.good[judged], minlength=len(minutes))
    return {int(minute): bool(good) for minute, good in zip(minutes, goods, strict=True)}


MOST_BUCKETS = 600
FINEST_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class Buckets:
    """Counts per equal stretch of time, the stretch doubling until the run fits into `MOST_BUCKETS`.

    Bucket i covers [(first + i)·width, (first + i + 1)·width) of monotonic time, so parts of a run line up when merged.
    """

    width_ns: int
    first: int
    regions: Counts  # [bucket, region, good or bad]
    populations: Counts  # [bucket, population, good or bad]
    latencies: NDArray[np.int32]  # [bucket, bin] of good samples

    @classmethod
    def of(cls, columns: Columns, names: SampleNames) -> Buckets | None:
        """Fold one chunk; None where it holds no sample but cut ones."""
        kept = columns.uncut
        sent = columns.sent_ns[kept]
        if not len(sent):
            return None
        width = _width(int(sent[0]), int(sent[-1]))
        first = int(sent[0]) // width
        at = sent // width - first
        size = int(at[-1]) + 1
        bad = ~columns.good[kept]
        good_at = at[~bad]
        bins = bins_of(columns.records["took_us"][columns.good])
        return cls(
            width,
            first,
            _cube(at, columns.records["region"][kept], len(names.regions), bad, size),
            _cube(at, columns.records["population"][kept], len(Population), bad, size),
            np.bincount(good_at * BINS + bins, minlength=size * BINS).reshape(size, BINS).astype(np.int32),
        )

    def then(self, later: Buckets) -> Buckets:
        end = max((each.first + len(each.regions)) * each.width_ns for each in (self, later)) - 1
        width = max(_width(self._begin(), end), self.width_ns, later.width_ns)
        ours, theirs = self._coarser(width), later._coarser(width)
        first = min(ours.first, theirs.first)
        size = max(each.first + len(each.regions) for each in (ours, theirs)) - first
        return Buckets(
            width,
            first,
            _laid(size, (ours.regions, ours.first - first), (theirs.regions, theirs.first - first)),
            _laid(size, (ours.populations, ours.first - first), (theirs.populations, theirs.first - first)),
            _laid(size, (ours.latencies, ours.first - first), (theirs.latencies, theirs.first - first)),
        )

    def _begin(self) -> int:
        return self.first * self.width_ns

    def _coarser(self, width_ns: int) -> Buckets:
        factor = width_ns // self.width_ns
        if factor == 1:
            return self
        first = self.first // factor
        rows = np.arange(self.first, self.first + len(self.regions)) // factor - first
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        return Buckets(
            width_ns,
            first,
            np.add.reduceat(self.regions, starts),
            np.add.reduceat(self.populations, starts),
            np.add.reduceat(self.latencies, starts),
        )


def _width(begin_ns: int, end_ns: int) -> int:
    """Return the finest width with which [begin, end] fits into `MOST_BUCKETS`."""
    width = FINEST_NS
    while end_ns // width - begin_ns // width >= MOST_BUCKETS:
        width *= 2
    return width


def _cube(at: Ints, key: NDArray[np.uint8], keys: int, bad: NDArray[np.bool_], size: int) -> Counts:
    flat = np.bincount((at * keys + key) * 2 + bad, minlength=size * keys * 2)
    return np.asarray(flat.reshape(size, keys, 2), np.int64)


def _laid(size: int, *parts: tuple[NDArray[np.signedinteger], int]) -> NDArray[np.signedinteger]:
    whole = np.zeros((size, *parts[0][0].shape[1:]), parts[0][0].dtype)
    for part, begin in parts:
        whole[begin : begin + len(part)] += part
    return whole
