"""What a drill is likely to cost: the forecast, or what was measured where that is more."""

from __future__ import annotations

from math import inf

import pytest

from failover_drill.cost import Expected, Past, expected, spent_s
from failover_drill.forecast import Delays, Forecast, Kind, ProfileSettings, forecast

PREDICTED = forecast(ProfileSettings(), Delays(), Kind.PLANNED, runs=200)


def past(began_s: float, cost_s: float, *, host: str = "www", scale: float = 1.0) -> Past:
    return Past("/profiles/P", "failover", host, scale, 60.0, began_s, cost_s, cost_s + 10)


def likely(*runs: Past, predicted: Forecast | None = PREDICTED) -> Expected:
    return expected(predicted, runs, "failover", "www", 1.0, 60.0)


def test_the_forecast_is_the_expectation() -> None:
    """Without a comparable run, and with cheaper ones, a drill is expected to stay within the forecast's 99 %."""
    recovery, downtime = PREDICTED.recovery.at[0.99], PREDICTED.downtime.at[0.99]
    assert (likely().recovery_s, likely().cost_s) == (recovery, downtime)
    assert likely(past(1, 2.0)) == likely()


def test_what_cost_more_than_forecast_counts() -> None:
    """A comparable run that cost more than the forecast is believed; one on another host or time scale is not."""
    assert likely(past(1, 500.0)).cost_s == 500.0
    assert likely(past(1, 500.0)).why == "as failover cost on 1 Jan 1970, 00:00, more than was forecast"
    assert likely(past(1, 500.0, host="other"), past(1, 500.0, scale=10.0)) == likely()


def test_only_the_newest_runs_count() -> None:
    """A dear run is forgotten once three newer ones were cheap."""
    assert likely(past(1, 500.0), *(past(at, 1.0) for at in (2, 3, 4))) == likely()


def test_what_cannot_be_forecast_cannot_be_afforded() -> None:
    """Where the profile cannot be read, no budget is enough, whatever was measured before."""
    assert likely(past(1, 2.0), predicted=None).cost_s == inf


def test_what_was_spent_on_the_profile() -> None:
    """The cost of all drills of this profile within the window is summed, however its id is written."""
    runs = [past(10, 5.0), past(20, 7.0), past(2, 100.0)]
    assert spent_s(runs, "/PROFILES/p", 5) == pytest.approx(12.0)
    assert spent_s(runs, "/profiles/other", 5) == 0
