"""Recovery time and its segments: from t0 to sustained recovery, cut where the timeline says, summing exactly."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failover_drill.facts import (
    Action,
    ActionOutcome,
    Facts,
    Mark,
    Milestone,
    Objectives,
    Reading,
    Resolution,
    Sample,
    Segment,
)
from failover_drill.findings import analyse
from failover_drill.recovery import Boundary, Recovery, cut, recovery
from tests.histories import MS, S, facts, strip

GAP = 100 * MS
STEADY = Objectives(stabilisation_s=1.0)


def run(picture: str, *marks: tuple[Mark, int], **more: object) -> Facts:
    """Ten samples a second as drawn, and the drill's marks at these tenths of a second."""
    noted = tuple(Milestone(mark, tenth * GAP) for mark, tenth in marks)
    return facts(strip(picture, GAP), GAP, milestones=noted, **more)


def recovered(given: Facts, objectives: Objectives = STEADY) -> Recovery:
    found = recovery(given, objectives)
    assert found is not None
    return found


def deed(
    sent_tenth: int,
    segment: Segment | None = Segment.DISABLE_PRIMARY,
    outcome: ActionOutcome = ActionOutcome.OK,
    purpose: str = "deed",
) -> Action:
    at = sent_tenth * GAP
    return Action(0, "stop app", "/sites/a", "eastus", purpose, at, at, at + 50 * MS, outcome, segment=segment)


def test_nothing_disruptive_means_no_recovery() -> None:
    """A run in which nobody did anything has nothing to recover from, whatever was bad in it."""
    assert recovery(run("++xx++"), STEADY) is None


def test_from_the_fault_to_the_first_good_sample_of_a_steady_time() -> None:
    """The end lies half-way between the last bad sample and the good one after it; its bounds are these two."""
    found = recovered(run("+" * 5 + "x" * 10 + "+" * 15, (Mark.FAULT, 5)))
    assert (found.time_ns, found.at_least_ns, found.at_most_ns) == (950 * MS, 900 * MS, 1001 * MS)


def test_the_first_good_answer_is_not_recovery() -> None:
    """A second of service that does not last does not end the recovery."""
    found = recovered(run("+" * 5 + "xxxx+++++xx" + "+" * 15, (Mark.FAULT, 5)))
    assert found.time_ns == 1050 * MS


def test_stray_failures_within_the_objective_do_not_postpone_it() -> None:
    """Availability at or above the objective is asked for, not perfection."""
    picture = "+" * 5 + "xxxxx" + "+++++x" + "+" * 30
    assert (
        recovered(run(picture, (Mark.FAULT, 5)), Objectives(stabilisation_s=1.0, availability=0.9)).time_ns == 450 * MS
    )
    assert recovered(run(picture, (Mark.FAULT, 5))).time_ns == 1050 * MS


def test_a_run_that_ends_too_early_shows_no_recovery() -> None:
    """Good samples that end before the stabilisation time was seen prove nothing."""
    found = recovered(run("+" * 5 + "x" * 5 + "+" * 5, (Mark.FAULT, 5)))
    assert (found.time_ns, found.at_least_ns, found.at_most_ns) == (None, 400 * MS, float("inf"))


def test_what_only_the_undo_brought_back_is_no_recovery() -> None:
    """Where users were served again only once the drill was undone, the playbook did not recover anything."""
    undo = deed(15, None, purpose="undo")
    found = recovered(run("+" * 5 + "x" * 15 + "+" * 15, (Mark.FAULT, 5), actions=(undo,)))
    assert (found.time_ns, found.by_undo) == (None, True)
    assert found.at_least_ns == 900 * MS


def test_a_switch_that_nobody_felt_took_no_time() -> None:
    """Without a bad sample after t0 the recovery time is 0, however long the switch took."""
    found = recovered(run("+" * 40, (Mark.FAULT, 5), (Mark.AUTHORITY_SWITCHED, 15)))
    assert (found.time_ns, found.at_most_ns) == (0, 0)


def test_an_outage_that_begins_late_is_not_overlooked() -> None:
    """Service that holds for a while after t0, until the stop takes effect, is not recovery."""
    picture = "+" * 30 + "x" * 5 + "+" * 15
    found = recovered(run(picture, (Mark.FAULT, 5), (Mark.PRIMARY_DISABLED, 31)))
    assert found.time_ns == 2950 * MS


def test_t0_is_the_first_deed_that_may_have_changed_something() -> None:
    """A call that was refused changed nothing; one whose outcome is unknown may have."""
    refused, unknown = deed(3, outcome=ActionOutcome.FAILED), deed(6, outcome=ActionOutcome.UNKNOWN)
    found = recovered(run("+" * 10 + "x" * 5 + "+" * 15, actions=(refused, unknown, deed(9))))
    assert (found.start.at_ns, found.start.planned) == (6 * GAP, True)


def test_segments_end_at_the_marks() -> None:
    """Each mark ends its segment; a planned drill has nothing to detect; what is left is stabilising."""
    marks = [
        (Mark.PRIMARY_DISABLED, 7),
        (Mark.SECONDARY_ENABLED, 9),
        (Mark.AUTHORITY_SWITCHED, 10),
        (Mark.RESOLVERS_SWITCHED, 13),
    ]
    found = recovered(run("+" * 6 + "x" * 9 + "+" * 15, *marks, actions=(deed(5),)))
    assert {part.segment: (part.took_ns // MS, part.occurred) for part in found.parts} == {
        Segment.DETECT: (0, False),
        Segment.DISABLE_PRIMARY: (200, True),
        Segment.ENABLE_SECONDARY: (200, True),
        Segment.SWITCH_DNS: (100, True),
        Segment.PROPAGATE: (300, True),
        Segment.DRAIN: (0, False),
        Segment.STABILISE: (150, True),
    }


def test_a_fault_has_to_be_noticed() -> None:
    """After an injected fault, the monitor's first bad reading or the operator's first act ends the detecting."""
    readings = (Reading(6 * GAP, "eastus", "Enabled", "Online"), Reading(8 * GAP, "eastus", "Enabled", "Degraded"))
    given = run("+" * 5 + "x" * 45 + "+" * 15, (Mark.FAULT, 5), readings=readings, actions=(deed(30),))
    assert recovered(given).parts[0].took_ns == 3 * GAP


def test_a_fault_has_to_be_noticed_however_soon_somebody_acts() -> None:
    """An operator who acts within a second of an injected fault has detected it; the fault was no act of theirs."""
    injected = deed(5, None, purpose="fault")
    found = recovered(run("+" * 5 + "x" * 15 + "+" * 15, (Mark.FAULT, 5), actions=(injected, deed(9))))
    assert (found.start.planned, found.parts[0].took_ns) == (False, 4 * GAP)


def test_a_standby_that_is_disabled_tells_of_no_loss() -> None:
    """Only what turns bad after the fault is its detection."""
    readings = tuple(
        Reading(tenth * GAP, subject, "", health)
        for tenth, subject, health in [
            (4, "westus3", "Disabled"),
            (4, "eastus", "Online"),
            (6, "westus3", "Disabled"),
            (9, "eastus", "Degraded"),
        ]
    )
    given = run("+" * 5 + "x" * 15 + "+" * 15, (Mark.FAULT, 5), readings=readings)
    assert recovered(given).parts[0].took_ns == 4 * GAP


def test_preparation_disrupts_nobody() -> None:
    """The recovery time begins with the first deed after it."""
    found = recovered(run("+" * 15 + "x" * 5 + "+" * 15, actions=(deed(3, purpose="preparation"), deed(15))))
    assert (found.start.at_ns, found.start.planned) == (15 * GAP, True)


def test_users_are_moved_to_where_an_endpoint_is_enabled() -> None:
    """That is the secondary in a failover and the primary in a failback, whatever was enabled to prepare it."""
    given = run("+" * 40)

    def enabled(region: str, purpose: str = "deed") -> Action:
        return replace(deed(5, purpose=purpose), verb="enable endpoint", region=region)

    back = replace(given, actions=(enabled(given.secondary, "preparation"), enabled(given.primary)))
    assert (given.destination, given.origin) == (given.secondary, given.primary)
    assert (back.destination, back.origin) == (given.primary, given.secondary)


def test_a_region_that_is_left_first_and_stopped_last() -> None:
    """Where names lead away before the old region is stopped, its disabling is cut last, and the parts still sum exactly."""
    marks = (Mark.FAULT, 5), (Mark.SECONDARY_ENABLED, 8), (Mark.AUTHORITY_SWITCHED, 10), (Mark.RESOLVERS_SWITCHED, 12)
    found = recovered(run("+" * 20 + "x" + "+" * 20, *marks, (Mark.PRIMARY_DISABLED, 20)))
    took = {part.segment: part.took_ns // MS for part in found.parts}
    assert [part.segment for part in found.parts[1:5]] == [
        Segment.ENABLE_SECONDARY,
        Segment.SWITCH_DNS,
        Segment.PROPAGATE,
        Segment.DISABLE_PRIMARY,
    ]
    assert (took[Segment.ENABLE_SECONDARY], took[Segment.SWITCH_DNS]) == (300, 200)
    assert (took[Segment.PROPAGATE], took[Segment.DISABLE_PRIMARY]) == (200, 800)
    assert sum(part.took_ns for part in found.parts) == found.time_ns


def test_answers_stand_in_for_marks() -> None:
    """Where the drill noted no mark, the DNS answers tell when authority and resolvers switched."""
    given = run(
        "+" * 5 + "x" * 20 + "+" * 15,
        (Mark.FAULT, 5),
        resolutions=tuple(
            Resolution(tenth * GAP, tenth * GAP, vantage, "www", "NOERROR", ("127.0.2.1",), region=region)
            for vantage, tenth, region in [
                ("authority", 8, "eastus"),
                ("authority", 10, "westus3"),
                ("a", 12, "westus3"),
                ("b", 9, "eastus"),
                ("b", 15, "westus3"),
            ]
        ),
    )
    took = {part.segment: part.took_ns for part in recovered(given).parts}
    assert (took[Segment.SWITCH_DNS], took[Segment.PROPAGATE]) == (5 * GAP, 5 * GAP)


def test_the_last_client_to_move_ends_the_draining() -> None:
    """Clients behind the slowest cache are served by the secondary last."""
    samples = strip("+" * 5 + "x" * 5, GAP)
    samples += [
        Sample(at := (10 + i) * GAP, at, at + MS, each.outcome, region="westus3", resolver=min(i, 3))
        for i, each in enumerate(strip("+" * 20, GAP))
    ]
    given = facts(
        samples, GAP, milestones=(Milestone(Mark.FAULT, 5 * GAP), Milestone(Mark.RESOLVERS_SWITCHED, 6 * GAP))
    )
    by_segment = {part.segment: part for part in recovered(given).parts}
    assert by_segment[Segment.DRAIN].ended_ns == recovered(given).ended_ns


INSTANTS = st.one_of(st.none(), st.integers(-5 * S, 100 * S))


@given(st.integers(0, 10**18), st.integers(0, 100 * S), st.lists(INSTANTS, min_size=6, max_size=6))
def test_segments_sum_to_the_recovery_time_exactly(t0: int, length: int, ends: list[int | None]) -> None:
    """Whatever the marks say, in whatever order: the segments follow each other without gap, from t0 to the end."""
    marks = [
        Boundary(segment, None if end is None else t0 + end, "")
        for segment, end in zip(list(Segment)[:6], ends, strict=True)
    ]
    parts = cut(t0, t0 + length, marks)
    assert [part.segment for part in parts] == list(Segment)
    assert sum(part.took_ns for part in parts) == length
    assert all(part.took_ns >= 0 for part in parts)
    assert all(one.ended_ns == other.began_ns for one, other in pairwise(parts))


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
@settings(max_examples=30, deadline=None)
def test_they_do_in_findings_json_too(one: int, two: int, three: int) -> None:
    """The whole nanoseconds of findings.json add up; the seconds do to a nanosecond."""
    marks = [
        (Mark.FAULT, 5),
        (Mark.PRIMARY_DISABLED, one),
        (Mark.SECONDARY_ENABLED, two),
        (Mark.RESOLVERS_SWITCHED, three),
    ]
    told = analyse(run("+" * 5 + "x" * 20 + "+" * 120, *marks), STEADY).to_dict()["recovery"]
    assert told["time_ns"] == sum(each["took_ns"] for each in told["segments"])
    assert told["time_s"] == pytest.approx(sum(each["took_s"] for each in told["segments"]), abs=1e-9)
