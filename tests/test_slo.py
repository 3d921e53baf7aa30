"""Error budgets and verdicts, as measurement.md §5 has them."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover_drill.facts import Objectives
from failover_drill.form_verdict import Verdict
from failover_drill.slo import Budget, burn_rate, judge, worst
from failover_drill.stats import samples_to_prove


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
