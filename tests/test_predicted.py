"""Which forecast a run is held against, and where the measured figures lie in it."""

from __future__ import annotations

import pytest

from failover_drill.facts import Action, ActionOutcome, Facts, Mark, Milestone, Objectives
from failover_drill.findings import analyse
from failover_drill.forecast import Delays, Kind, ProfileSettings, forecast
from failover_drill.form_recovery import ForecastForm
from failover_drill.predicted import kind_of
from failover_drill.summary import summary_lines
from tests.histories import MS, S, facts, strip

GAP = 100 * MS
FORECASTS = {str(kind): forecast(ProfileSettings(), Delays(), kind, runs=200).to_dict() for kind in Kind}
COLD = forecast(ProfileSettings(secondary_running=False), Delays(), Kind.HANG, runs=200).to_dict()


def act(verb: str, region: str = "eastus", purpose: str = "deed", at_ns: int = 2 * S) -> Action:
    return Action(0, verb, "id", region, purpose, at_ns, at_ns, at_ns + MS, ActionOutcome.OK)


def run(picture: str, *actions: Action, forecasts: object = FORECASTS) -> Facts:
    """Ten samples a second as drawn; the fault is at two seconds."""
    return facts(
        strip(picture, GAP),
        GAP,
        milestones=(Milestone(Mark.FAULT, 2 * S),),
        actions=actions,
        forecasts=forecasts,
    )


def told(given: Facts) -> ForecastForm | None:
    return analyse(given, Objectives(stabilisation_s=1.0)).forecast


LOST = "+" * 20 + "x" * 30 + "+" * 20
STOP = act("stop app")


@pytest.mark.parametrize(
    ("actions", "kind"),
    [
        ((STOP, act("start app", "westus3", at_ns=3 * S)), Kind.PLANNED),
        ((act("inject region_lost", purpose="fault"),), Kind.REFUSED),
        ((act("inject region_hung", purpose="fault"),), Kind.HANG),
        ((act("inject flapping", purpose="fault"),), None),
        ((act("inject region_lost", purpose="fault"), act("disable endpoint", at_ns=3 * S)), None),
        ((act("inject region_lost", purpose="fault"), act("inject dns_silent", purpose="fault")), None),
        ((act("start app", "westus3", "preparation", S), act("inject region_lost", purpose="fault")), Kind.REFUSED),
        ((act("inject dns_stale", "", "preparation", S), STOP), None),
        ((act("enable endpoint", "eastus"),), None),
        ((act("stop app", "westus3"),), None),
        ((), None),
    ],
)
def test_a_run_is_held_against_the_forecast_of_its_kind(actions: tuple[Action, ...], kind: Kind | None) -> None:
    """The playbook's acts are planned, a region lost or hung for good is not; of all else no forecast is made."""
    assert kind_of(run(LOST, *actions)) == kind


def test_the_measured_stands_beside_the_predicted() -> None:
    """Recovery time, downtime and segments are the run's own, and the segments' predicted means sum to the predicted mean."""
    found = analyse(run(LOST, STOP), Objectives(stabilisation_s=1.0))
    predicted = found.forecast
    assert predicted is not None
    assert predicted.recovery is not None
    assert predicted.recovery.measured_s == found.recovery.time_s
    assert predicted.recovery.measured_within == "below"  # three seconds; forecast is more than a minute
    assert [each.took.measured_s for each in predicted.segments] == [each.took_s for each in found.recovery.segments]
    assert sum(each.took.mean_s for each in predicted.segments) == pytest.approx(predicted.recovery.mean_s)
    assert any("below its 99 % interval" in note.text for note in found.notes)
    assert any(note.text.startswith("The segment furthest from its forecast") for note in found.notes)


def test_what_putting_back_costs_is_no_part_of_it() -> None:
    """An outage after the recovery is downtime of the run, not of the failover that was predicted."""
    once = told(run(LOST + "+" * 40, STOP))
    twice = told(run(LOST + "x" * 20 + "+" * 20, STOP, act("start app", purpose="undo", at_ns=7 * S)))
    assert once is not None
    assert twice is not None
    assert once.downtime is not None
    assert twice.downtime is not None
    assert twice.downtime.measured_s == pytest.approx(once.downtime.measured_s)


def test_who_never_recovered_is_held_against_nothing() -> None:
    """Where users did not come back, figures are predicted and none is measured."""
    found = told(run("+" * 20 + "x" * 30, STOP))
    assert found is not None
    assert found.recovery is not None
    assert (found.recovery.measured_s, found.recovery.measured_within) == (None, None)
    assert all(each.took.measured_s is None for each in found.segments)


def test_a_forecast_of_no_return_is_told() -> None:
    """Where it was foreseen that nobody would come back, the reason stands in place of figures."""
    found = told(run(LOST, act("inject region_hung", purpose="fault"), forecasts={"hang": COLD}))
    assert found is not None
    assert "nowhere to turn to" in found.never
    assert found.recovery is None


def test_nothing_is_guessed() -> None:
    """A run without forecasts, as an observation or one of an older version, has none."""
    assert told(run(LOST, STOP, forecasts={})) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (run(LOST, STOP), "; measured below its 99 % interval"),
        (run("+" * 20 + "x" * 30, STOP), "99 of 100 within"),
        (run(LOST, act("inject region_hung", purpose="fault"), forecasts={"hang": COLD}), "predicted: never; "),
        (run(LOST, STOP, forecasts={}), ""),
    ],
)
def test_the_terminal_says_it_in_a_few_words(given: Facts, said: str) -> None:
    """One line under the verdict says what was predicted and where the measured lies; none where nothing was predicted."""
    lines = [line for line in summary_lines(analyse(given, Objectives(stabilisation_s=1.0))) if "predicted" in line]
    assert len(lines) == bool(said)
    assert all(said in line for line in lines)
