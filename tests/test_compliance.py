"""The books of a period: correct to the second, and silent about noise."""

from __future__ import annotations

import json
from csv import DictReader
from io import StringIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover_drill import wording
from failover_drill.compliance import Compliance, Promised, comply
from failover_drill.ledger import DOWNTIME, MAINTENANCE, Entry, Run, summarise
from failover_drill.report.compliance import (
    compliance_csv,
    compliance_html,
    compliance_json,
    compliance_markdown,
    sentence,
)
from failover_drill.report.markdown import cell
from failover_drill.stretches import Stretch, length, minus, union, within
from failover_drill.trend import changes
from tests.nights import DAY, FIRST, WATCHED_S, nights

SINCE, UNTIL = FIRST + 10 * DAY - 100, FIRST + 380 * DAY
ENTRIES = (
    Entry(DOWNTIME, FIRST + 20 * DAY + 3600, FIRST + 20 * DAY + 4200, "disk full"),
    Entry(DOWNTIME, FIRST + 20 * DAY + 4000, FIRST + 20 * DAY + 4500, "disk full, as support saw it", share=0.5),
    Entry(DOWNTIME, FIRST + 30 * DAY + 500, FIRST + 30 * DAY + 900, "half of it was watched by a drill"),
    Entry(DOWNTIME, FIRST + 40 * DAY + 7000, FIRST + 40 * DAY + 7100, "another service", service="other.example"),
    Entry(DOWNTIME, FIRST + 5 * DAY, FIRST + 5 * DAY + 500, "before the period"),
    Entry(MAINTENANCE, FIRST + 50 * DAY, FIRST + 50 * DAY + 130, "covers the first 10 s of an outage"),
    Entry(MAINTENANCE, FIRST + 60 * DAY - 50, FIRST + 60 * DAY + 900, "covers a whole drill"),
    Entry(MAINTENANCE, FIRST + 20 * DAY + 3500, FIRST + 20 * DAY + 3700, "covers the begin of an incident"),
)


def runs(count: int = 400, **options: object) -> list[Run]:
    return [summarise(each, each["drill"]["run"]) for each in nights(count, **options)]  # type: ignore[arg-type]


def books(history: list[Run] | None = None) -> Compliance:
    return comply(runs() if history is None else history, ENTRIES, SINCE, UNTIL)


def by_the_second(history: list[Run]) -> dict[str, float]:
    """The same books, counted second by second: nothing but arrays."""
    seconds = UNTIL - SINCE
    drills, recorded = np.zeros(seconds, bool), np.zeros(seconds, np.float16)  # 1 and 0.5 are exact
    watched, counted = np.zeros(seconds, bool), np.ones(seconds, bool)

    def cut(began: float, ended: float) -> slice:
        return slice(max(0, round(began - SINCE)), max(0, round(ended - SINCE)))

    for run in history:
        watched[cut(run.began, run.began + WATCHED_S)] = True
        for loss in run.losses:
            drills[cut(loss.began, loss.ended)] = 1
    for each in ENTRIES:
        if each.kind == MAINTENANCE:
            counted[cut(each.began, each.ended)] = False
        elif each.service in ("", history[0].service):
            part = recorded[cut(each.began, each.ended)]
            np.maximum(part, np.float16(each.share), out=part)
    known = watched | (recorded > 0)
    return {
        "excluded": float((~counted).sum()),
        "watched": float((watched & counted).sum()),
        "unmeasured": float((counted & ~known).sum()),
        "drills": float(drills[counted].sum()),
        "recorded": float(recorded[counted & ~watched].sum(dtype=np.float64)),
        "budget": 0.001 * float(counted.sum()),
    }


def test_the_books_of_400_nights_are_right_to_the_second() -> None:
    """Budget, spend, exclusions and unmeasured time agree with a count made second by second."""
    history = runs()
    (objective,) = books(history).objectives
    account, count = objective.period, by_the_second(history)
    assert account.excluded_s == pytest.approx(count["excluded"], abs=1)
    assert account.watched_s == pytest.approx(count["watched"], abs=1)
    assert account.unmeasured_s == pytest.approx(count["unmeasured"], abs=1)
    assert account.spend.drills.estimate_s == pytest.approx(count["drills"], abs=1)
    assert account.spend.recorded_s == pytest.approx(count["recorded"], abs=1)
    assert account.budget_s == pytest.approx(count["budget"], abs=1)
    assert account.left_s == pytest.approx(count["budget"] - count["drills"] - count["recorded"], abs=1)
    assert account.burn_rate == pytest.approx((count["drills"] + count["recorded"]) / count["budget"])
    assert account.course[-1][1] == pytest.approx(account.spend.total.estimate_s, abs=1)


def test_the_newest_window_is_its_own_account() -> None:
    """An objective over 30 days has a budget of 2 592 s for the 30 days before the period's end, less what was excluded."""
    (objective,) = books().objectives
    assert objective.window.ended - objective.window.began == 30 * DAY
    assert objective.window.budget_s == pytest.approx(2592)
    assert objective.window.spend.total.estimate_s < objective.period.spend.total.estimate_s


def test_an_empty_period_says_so() -> None:
    """A period without runs and incidents claims nothing, in every form."""
    none = comply(runs(5), (), FIRST + 100 * DAY, FIRST + 130 * DAY)
    assert none.objectives == ()
    assert "NOTHING MEASURED" in compliance_html(none)
    assert "NOTHING MEASURED" in compliance_markdown(none)
    plain = json.loads(compliance_json(none, ["one torn run"]))
    (said, other) = plain["remarks"]
    assert (plain["objectives"], other) == ([], "one torn run")
    assert (
        said == "nothing measured: no run and no recorded incident lies in this period, so nothing can be said about it"
    )
    rows = list(DictReader(StringIO(compliance_csv(none, ["one torn run"]))))
    assert [(row["row"], row["reason"]) for row in rows] == [("remark", said), ("remark", "one torn run")]


def test_few_runs_are_called_neither_steady_nor_changed() -> None:
    """Before a change could be called, the report says that it cannot tell; then it says that there was none."""
    few, enough = (comply(runs(count), (), FIRST, FIRST + 30 * DAY) for count in (9, 10))
    assert "too few runs to tell" in compliance_html(few)
    assert "none beyond noise" not in compliance_html(few)
    assert "none beyond noise" in compliance_html(enough)


def test_an_incident_that_no_account_charges_is_said() -> None:
    """A recorded incident of a service without a known objective is listed as charged to nobody, in words, too."""
    elsewhere = books(runs(20)).uncharged
    assert [each.service for each in elsewhere] == ["other.example"]
    alone = comply((), ENTRIES, SINCE, UNTIL)
    assert len(alone.uncharged) == len(alone.incidents) == 4
    for text in (compliance_markdown(alone), compliance_html(alone)):
        assert "4 incidents recorded by hand are in no account" in text
        assert "no recorded incident lies in this period" not in text


def test_a_promised_objective_has_its_account() -> None:
    """An objective that somebody wrote down is accounted for though no run was judged by it, of all runs of its service."""
    history = runs(20)
    promised = Promised(history[0].service, 0.99, 7 * DAY)
    told = comply(history, ENTRIES, SINCE, UNTIL, (promised,)).objectives
    assert {(each.objective, each.window_s) for each in told} == {(0.999, 30 * DAY), (0.99, 7 * DAY)}
    spent = {each.period.spend.total.estimate_s for each in told}
    assert len(spent) == 1
    (alone,) = comply((), ENTRIES, SINCE, UNTIL, (promised,)).objectives
    assert alone.period.spend.recorded_s > 0
    assert alone.period.watched_s == 0


def test_rehearsals_in_compressed_time_are_no_downtime_of_the_service() -> None:
    """Runs at another time scale have an account of their own, to which recorded incidents are not charged."""
    fast = nights(20)
    for each in fast:
        each["drill"]["time_scale"] = 10.0
    both = comply([*runs(20), *(summarise(each, "x") for each in fast)], ENTRIES, FIRST, FIRST + 30 * DAY)
    real, rehearsed = both.objectives
    assert (real.time_scale, rehearsed.time_scale) == (1.0, 10.0)
    assert len(real.runs) == len(rehearsed.runs) == 20
    assert rehearsed.period.spend.recorded_s == 0 < real.period.spend.recorded_s


@pytest.mark.parametrize("planted", [250, 330])
def test_a_planted_regression_is_called_where_it_was_planted(planted: int) -> None:
    """A segment made 20 % slower from some night on is called out, with that night and that size; so is the recovery time."""
    told = comply(runs(factor=lambda night: 1.2 if night >= planted else 1.0), (), FIRST, FIRST + 401 * DAY)
    called = {trend.metric: trend.changes for trend in told.trends if trend.changes}
    assert set(called) == {"recovery time", "propagate"}
    (change,) = called["propagate"]
    assert abs(change.index - planted) <= 5
    assert change.share == pytest.approx(0.2, abs=0.03)
    assert "Regression: propagate of failover" in compliance_markdown(told)


def test_noise_is_not_called() -> None:
    """Of 200 histories of 400 nights without change, at most two are called; heavy tails and few runs call none either."""
    chance = np.random.default_rng(7)
    steady = [changes(list(40 * chance.normal(1, 0.08, 400))) for _ in range(200)]
    assert sum(1 for each in steady if each) <= 2
    wild = [changes(list(40 * (1 + 0.1 * chance.standard_t(2, 400)))) for _ in range(50)]
    assert sum(1 for each in wild if each) <= 1
    assert changes([]) == changes([40.0]) == changes([40.0] * 400) == ()
    assert changes([40.0] * 5 + [80.0] * 3) == ()


def test_an_improvement_is_called_one() -> None:
    """A drill that became faster is told as an improvement, not as a regression."""
    told = comply(runs(factor=lambda night: 1.0 if night < 200 else 0.7), (), FIRST, FIRST + 401 * DAY)
    text = compliance_markdown(told)
    assert "Improvement: recovery time" in text
    assert "Regression" not in text


def test_the_four_forms_tell_the_same() -> None:
    """HTML, Markdown, JSON and CSV of one period hold the same figures."""
    told = books()
    (objective,) = told.objectives
    account = objective.period
    page, text = compliance_html(told), compliance_markdown(told)
    plain = json.loads(compliance_json(told))["objectives"][0]["period"]
    row = next(each for each in DictReader(StringIO(compliance_csv(told))) if each["row"] == "period")
    for name in ("budget_s", "left_s", "excluded_s", "watched_s", "unmeasured_s"):
        value = getattr(account, name)
        assert f'<data value="{value}">{wording.duration(value)}</data>' in page
        assert f" {wording.duration(value)} |" in text
        assert plain[name] == value
        assert float(row[name]) == value
    assert sentence(objective) in text
    assert sentence(objective) in page
    assert len(list(DictReader(StringIO(compliance_csv(told))))) == 2 + len(objective.runs) + 3 + 3 + 1
    assert cell(objective.runs[-1].run) in text


def test_unmeasured_time_is_never_uptime() -> None:
    """The verdict of a period that was hardly measured names the time that nobody measured."""
    (objective,) = comply(runs(3), (), FIRST, FIRST + 30 * DAY).objectives
    assert "were not measured, and nobody knows what they cost" in sentence(objective)
    assert objective.period.unmeasured_s == pytest.approx(30 * DAY - 3 * WATCHED_S)


STRETCHES = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda pair: (float(min(pair)), float(max(pair))))
)


@given(STRETCHES, STRETCHES)
def test_stretches_behave_like_sets_of_seconds(one: list[Stretch], other: list[Stretch]) -> None:
    """Union, difference and cut agree with sets of whole seconds."""

    def seconds(stretches: list[Stretch]) -> set[int]:
        return {second for a, b in stretches for second in range(int(a), int(b))}

    assert length(union(one)) == len(seconds(one))
    assert length(minus(one, other)) == len(seconds(one) - seconds(other))
    assert length(within(one, (10.0, 30.0))) == len(seconds(one) & set(range(10, 30)))
