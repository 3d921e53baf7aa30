"""The few pieces of statistics that the figures rest on: intervals for shares, and mergeable latency histograms."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, sqrt

import numpy as np
from numpy.typing import NDArray

from failover_drill.form_figures import Latency

Z95 = 1.959963984540054
"""Standard normal quantile of a two-sided 95 % interval."""

BINS = 33 * 128
"""Log-linear bins of whole microseconds: 128 to the octave, so a quantile is right to 0.4 %, up to 2³² µs."""

_FIRST_BIN = 127 << 7  # the bits of float32(1.0), shifted as in `bins_of`

Counts = NDArray[np.int64]


def _bin_middles_us() -> NDArray[np.float64]:
    edges = (np.arange(_FIRST_BIN, _FIRST_BIN + BINS + 1, dtype=np.uint32) << 16).view(np.float32).astype(np.float64)
    return (edges[:-1] + edges[1:]) / 2


BIN_MIDDLES_US = _bin_middles_us()
"""The middle of each bin, microseconds."""


def wilson(good: int, total: int, z: float = Z95) -> tuple[float, float]:
    """Return the Wilson score interval of the share good/total (E. B. Wilson, 1927). Without samples: (0, 1)."""
    if total == 0:
        return 0.0, 1.0
    share, per = good / total, z * z / total
    middle = (share + per / 2) / (1 + per)
    half = z * sqrt(share * (1 - share) / total + per / (4 * total)) / (1 + per)
    low = 0.0 if good == 0 else max(0.0, middle - half)
    return low, 1.0 if good == total else min(1.0, middle + half)


def samples_to_prove(objective: float, confidence: float = 0.95) -> float:
    """Return how many samples without a failure prove `objective` (rule of three, exact form: 2 995 for 99.9 %)."""
    return inf if objective >= 1 else log(1 - confidence) / log(objective)


def most_failing(samples: int, confidence: float = 0.95) -> float:
    """Return the largest failing share that `samples` without a failure leave possible (about 3/n)."""
    return 1.0 if samples == 0 else 1 - (1 - confidence) ** (1 / samples)


def bins_of(microseconds: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return the histogram bin of each duration; under 1 µs counts as 1 µs."""
    bits = np.maximum(microseconds, 1).astype(np.float32).view(np.uint32)
    return np.asarray((bits >> 16).astype(np.int64) - _FIRST_BIN, np.int64)


def histogram(microseconds: NDArray[np.generic]) -> Counts:
    return np.asarray(np.bincount(bins_of(microseconds), minlength=BINS), np.int64)


def quantile_us(counts: NDArray[np.integer], share: float) -> float | None:
    """Return the smallest duration that at least `share` of the samples did not exceed, or None without samples."""
    return quantiles_us(counts[np.newaxis], share)[0]


def quantiles_us(rows: NDArray[np.integer], share: float) -> list[float | None]:
    """Return that of each histogram in `rows`."""
    sums = np.cumsum(rows, axis=1, dtype=np.int64)
    totals = sums[:, -1]
    found = BIN_MIDDLES_US[(sums >= np.ceil(share * totals)[:, np.newaxis]).argmax(axis=1)]
    return [float(each) if total else None for each, total in zip(found, totals, strict=True)]


@dataclass(frozen=True, slots=True)
class Latencies:
    """A histogram and the exact largest value; both merge by themselves."""

    counts: Counts
    max_us: int

    @classmethod
    def of(cls, microseconds: NDArray[np.generic]) -> Latencies:
        return cls(histogram(microseconds), int(microseconds.max()) if len(microseconds) else 0)

    def __add__(self, other: Latencies) -> Latencies:
        return Latencies(self.counts + other.counts, max(self.max_us, other.max_us))

    def quantile_s(self, share: float) -> float | None:
        found = quantile_us(self.counts, share)
        return None if found is None else min(found, float(self.max_us)) / 1e6

    def form(self) -> Latency:
        if not self.counts.any():
            return Latency(None, None, None, None)
        return Latency(self.quantile_s(0.5), self.quantile_s(0.95), self.quantile_s(0.99), self.max_us / 1e6)
