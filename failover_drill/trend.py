"""Has a drill become slower? Changes of level in a series of runs, called out only beyond the measured noise. Pure.

A change is called where the runs after some point rank higher (or lower) than those before it, more than chance explains
at one in a thousand for the whole series (Mann-Whitney's rank test, corrected for every point that was tried), and where
the medians differ by at least five per cent and by more than the runs' own measuring error. Ranks care neither how the
noise is distributed nor about single wild runs. The search then goes on to either side (binary segmentation).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, median

import numpy as np

from failover_drill.ledger import Run

CHANCE = 0.001  # of a false call in a series without change
LEAST_SHARE = 0.05  # of the level before
LEAST_RUNS = 5  # on either side


@dataclass(frozen=True, slots=True)
class Change:
    """The level of a series changed with run `index`. Levels are medians, in the unit of the series."""

    index: int
    before: float
    after: float
    noise: float  # standard deviation of the runs around their levels, estimated from the median deviation

    @property
    def share(self) -> float:
        """By how much, as a fraction of the level before."""
        return (self.after - self.before) / self.before if self.before else float("inf")


def changes(values: Sequence[float], error: float = 0.0) -> tuple[Change, ...]:
    """Return the changes of level in `values`, in order. `error` is how exactly a single value was measured."""
    found = sorted(_search(np.asarray(values, dtype=float), 0, len(values)))
    edges = [0, *found, len(values)]
    levels = [median(values[a:b]) for a, b in pairwise(edges)] if values else []
    noise = _noise(values, edges, levels)
    told = []
    for i, index in enumerate(found):
        change = Change(index, levels[i], levels[i + 1], noise)
        if abs(change.after - change.before) > max(LEAST_SHARE * change.before, error):
            told.append(change)
    return tuple(told)


def _search(values: np.ndarray[tuple[int], np.dtype[np.float64]], begin: int, end: int) -> Iterator[int]:
    part = values[begin:end]
    tried = np.arange(LEAST_RUNS, len(part) - LEAST_RUNS + 1)
    if not len(tried):
        return
    scores = np.abs(_rank_scores(part, tried))
    best = int(scores.argmax())
    if scores[best] < NormalDist().inv_cdf(1 - CHANCE / 2 / len(tried)):
        return
    at = begin + int(tried[best])
    yield from _search(values, begin, at)
    yield at
    yield from _search(values, at, end)


def _rank_scores(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], splits: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return Mann-Whitney's U of the runs before each split, in standard deviations, corrected for ties."""
    count = len(values)
    _, place, tied = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(tied) - (tied - 1) / 2)[place]
    before = np.cumsum(ranks)[splits - 1]
    left, right = splits, count - splits
    expected = left * (count + 1) / 2
    variance = left * right / 12 * ((count + 1) - (tied**3 - tied).sum() / (count * (count - 1)))
    scores: np.ndarray[tuple[int], np.dtype[np.float64]] = (before - expected) / np.sqrt(np.maximum(variance, 1e-12))
    return scores


def _noise(values: Sequence[float], edges: Sequence[int], levels: Sequence[float]) -> float:
    apart = [abs(each - level) for a, b, level in zip(edges, edges[1:], levels, strict=False) for each in values[a:b]]
    return 1.4826 * median(apart) if apart else 0.0


@dataclass(frozen=True, slots=True)
class Trend:
    """One series of a drill's runs. `metric` is "recovery time", or the name of a segment."""

    drill: str
    time_scale: float
    metric: str
    runs: tuple[str, ...]
    at: tuple[float, ...]
    values_s: tuple[float, ...]
    median_s: float
    changes: tuple[Change, ...]


def trends(runs: Sequence[Run]) -> Iterator[Trend]:
    """Yield the recovery time of each drill, and each segment of it, over the runs with a fit instrument."""
    usable: dict[tuple[str, float], list[Run]] = defaultdict(list)
    for run in runs:
        if run.recovery is not None and run.fit:
            usable[run.drill, run.time_scale].append(run)
    for group in (usable[key] for key in sorted(usable)):
        widths = [
            (run.recovery.at_most_s or run.recovery.estimate_s) - run.recovery.at_least_s
            for run in group
            if run.recovery
        ]
        error = median(widths)
        yield _trend("recovery time", group, [run.recovery.estimate_s for run in group if run.recovery], error)
        for name in dict.fromkeys(name for run in group for name, _ in run.segments):
            values = [dict(run.segments).get(name, 0.0) for run in group]
            if any(values):
                yield _trend(name, group, values, error)


def _trend(metric: str, runs: Sequence[Run], values: Sequence[float], error: float) -> Trend:
    return Trend(
        drill=runs[0].drill,
        time_scale=runs[0].time_scale,
        metric=metric,
        runs=tuple(run.run for run in runs),
        at=tuple(run.began for run in runs),
        values_s=tuple(values),
        median_s=median(values),
        changes=changes(values, error),
    )
