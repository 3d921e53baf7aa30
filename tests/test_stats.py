"""Intervals and histograms, against independent arithmetic."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover_drill.stats import Latencies, most_failing, wilson


@pytest.mark.parametrize(("good", "total"), [(9, 10), (990, 1000), (1, 3), (5_999_000, 6_000_000)])
def test_wilson(good: int, total: int) -> None:
    """The interval's ends are the shares from which the one seen lies 1.96 standard errors away: Wilson's definition."""
    for end in wilson(good, total):
        assert abs(good / total - end) == pytest.approx(1.959964 * sqrt(end * (1 - end) / total), rel=1e-6)


@pytest.mark.parametrize(("good", "low", "high"), [(0, 0.0, 0.277533), (10, 0.722467, 1.0)])
def test_wilson_at_the_edges(good: int, low: float, high: float) -> None:
    """None or all of ten: one end is the edge, the other z² / (n + z²) from it."""
    assert wilson(good, 10) == pytest.approx((low, high), abs=1e-6)


def test_nothing_known() -> None:
    """Without samples a share may be anything."""
    assert (wilson(0, 0), most_failing(0)) == ((0.0, 1.0), 1.0)


@given(st.integers(0, 5000), st.integers(1, 5000))
def test_interval_holds_the_share(good: int, more: int) -> None:
    """The interval contains the share itself, and lies within 0 and 1."""
    low, high = wilson(good, good + more)
    assert 0 <= low <= good / (good + more) <= high <= 1


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_quantiles_are_right_to_half_a_percent(microseconds: list[int], share: float) -> None:
    """A histogram's quantile is within 0.4 % of the exact one."""
    exact = max(1, int(np.quantile(microseconds, share, method="inverted_cdf")))
    found = Latencies.of(np.array(microseconds, np.uint32)).quantile_s(share)
    assert found is not None
    assert found * 1e6 == pytest.approx(exact, rel=0.004, abs=1)


@given(st.lists(st.integers(0, 10**7), max_size=50), st.lists(st.integers(0, 10**7), max_size=50))
def test_histograms_add(one: list[int], other: list[int]) -> None:
    """The histogram of two parts together is the sum of theirs."""
    a, b, both = (Latencies.of(np.array(each, np.uint32)) for each in (one, other, one + other))
    total = a + b
    assert (total.counts.tolist(), total.max_us) == (both.counts.tolist(), both.max_us)
