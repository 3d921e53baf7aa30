"""Error budgets and verdicts, as measurement.md §5 has them."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover_drill.facts import Objectives
from failover_drill.findings_form import Verdict
from failover_drill.outages import Bounds
from failover_drill.slo import Budget, burn_rate, judge, worst
from failover_drill.stats import samples_to_prove
from failover_drill.wording import days, percent, seconds, spread


@pytest.mark.parametrize(
    ("availability", "days_of_window", "whole_s"),
    [(0.999, 30, 2_592), (0.9999, 30, 259.2), (0.995, 7, 3_024), (0.99, 1, 864), (1.0, 30, 0)],
)
def test_budget(availability: float, days_of_window: int, whole_s: float) -> None:
    """The budget is what the objective leaves over its window: 99.9 % over 30 days leaves 2 592 s."""
    budget = Budget.of(Objectives(availability=availability, window_s=days_of_window * 86_400.0))
    assert budget.whole_s == whole_s
    assert budget.allowed_s == pytest.approx(whole_s / 10)


def test_events_that_a_window_affords() -> None:
    """Whole events only; one that cost nothing has no number."""
    budget = Budget(2_592.0, 0.1)
    assert [budget.events(lost) for lost in (50.0, 2_592.0, 2_593.0, 0.0)] == [51, 1, 0, None]


def test_no_budget_is_spent_by_anything() -> None:
    """Where the objective is 100 %, any downtime is more than all of the budget."""
    budget = Budget(0.0, 0.1)
    assert (budget.consumed_share(0.0), budget.consumed_share(0.001)) == (0.0, inf)


@pytest.mark.parametrize(
    ("least", "most", "verdict"),
    [
        (1, 60, Verdict.MET),
        (60, 60, Verdict.MET),
        (59, 61, Verdict.INCONCLUSIVE),
        (60, inf, Verdict.INCONCLUSIVE),
        (60.001, 61, Verdict.MISSED),
        (61, inf, Verdict.MISSED),
    ],
)
def test_verdict(least: float, most: float, verdict: Verdict) -> None:
    """At most ≤ limit is MET, at least > limit is MISSED, anything else INCONCLUSIVE."""
    assert judge(least, most, 60) is verdict


@given(st.lists(st.sampled_from(Verdict)))
def test_the_worst_verdict_wins(verdicts: list[Verdict]) -> None:
    """MISSED beats INCONCLUSIVE beats MET, in any order."""
    order = [Verdict.MISSED, Verdict.INCONCLUSIVE, Verdict.MET]
    assert worst(verdicts) is next((each for each in order if each in verdicts), Verdict.MET)


def test_burn_rate() -> None:
    """Failing as much as the objective allows burns at speed 1."""
    assert burn_rate(0.999, 0.001) == pytest.approx(1)
    assert burn_rate(0.999, 0.0144) == pytest.approx(14.4)
    assert burn_rate(1.0, 0.1) == inf


def test_rule_of_three() -> None:
    """99.9 % takes close to 3 000 samples without a failure to prove."""
    assert 2_994 <= samples_to_prove(0.999) <= 2_996


@pytest.mark.parametrize(
    ("nanoseconds", "said"),
    [
        (0, "0 s"),
        (4_200_000, "4.2 ms"),
        (99_400_000, "99.4 ms"),
        (7_836_000_000, "7.84 s"),
        (60e9, "60 s"),
        (119.6e9, "120 s"),
        (150e9, "2 min 30 s"),
        (2_592e9, "43 min 12 s"),
        (7_260e9, "2 h 1 min"),
        (inf, "an unknown time"),
    ],
)
def test_durations_in_words(nanoseconds: float, said: str) -> None:
    """Three digits and a unit, minutes where seconds would be hard to read."""
    assert seconds(nanoseconds) == said


def test_bounds_in_words() -> None:
    """Bounds are told where they differ from the figure, and an open one as *at least*."""
    assert spread(Bounds(7.8e9, 7.79e9, 7.81e9)) == "7.8 s (7.79 s to 7.81 s)"
    assert spread(Bounds(7.8e9, 7.8e9, 7.8001e9)) == "7.8 s"
    assert spread(Bounds(7.8e9, 7.7e9, inf)) == "at least 7.7 s"


def test_shares_and_windows_in_words() -> None:
    """An objective keeps its nines, a share its two digits, a window its unit."""
    assert [percent(share) for share in (0.999, 0.9995, 0.0022, 0.3456, 1.0, inf)] == [
        "99.9 %",
        "99.95 %",
        "0.22 %",
        "34.6 %",
        "100 %",
        "more than all",
    ]
    assert [days(window) for window in (30 * 86_400, 86_400, 5_400, 45)] == [
        "30 days",
        "1 day",
        "1.5 hours",
        "45 seconds",
    ]
