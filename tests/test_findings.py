"""The verdict and its reasons: what a run showed, held against what was wanted; and the form it is written in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from failover_drill.errors import Inconclusive, ObjectiveNotMet
from failover_drill.facts import (
    SAMPLE_DTYPE,
    ClockAnchor,
    Facts,
    Flag,
    Mark,
    Milestone,
    Objectives,
    Outcome,
    Population,
    Reading,
    Resolution,
    Sample,
    SampleTable,
    StepMark,
    WorkerReport,
)
from failover_drill.findings import Findings, Verdict, analyse
from tests.histories import MS, NAMES, S, facts, records, strip

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "findings.schema.json").read_text(encoding="utf-8"))
GAP = 100 * MS
STEADY = Objectives(stabilisation_s=2.0)


USUAL = "+" * 20 + "x" * 30 + "+" * 40


def drill(picture: str = USUAL, **more: object) -> Facts:
    """Ten samples a second as drawn; t0 is at two seconds."""
    given = facts(strip(picture, GAP), GAP, milestones=(Milestone(Mark.FAULT, 2 * S),))
    return replace(given, **more)  # type: ignore[arg-type]


def concluded(given: Facts, objectives: Objectives = STEADY) -> tuple[Verdict, str]:
    findings = analyse(given, objectives)
    return findings.verdict, findings.reasons[0]


def test_met() -> None:
    """A recovery and a downtime surely within their limits are MET, and the reasons say by how much."""
    findings = analyse(drill(), STEADY)
    assert findings.verdict is Verdict.MET
    assert findings.reasons == (
        "recovery time: 2.95 s (2.90 s to 3.00 s), within the 60 s allowed",
        "error budget: downtime of 3 s (2.90 s to 3.10 s) spends 0.116 % of the 43 min 12 s that 99.9 % leaves over 30 days, "
        "within the 4 min 19.2 s allowed (10 % of it)",
    )
    findings.raise_unless_met()


def test_missed_recovery_time() -> None:
    """A recovery surely beyond its objective is MISSED, and says so by raising."""
    findings = analyse(drill(), replace(STEADY, rto_s=2.0))
    assert findings.verdict is Verdict.MISSED
    assert findings.reasons[0].startswith("recovery time: 2.95 s (2.90 s to 3.00 s), beyond the 2 s allowed")
    with pytest.raises(ObjectiveNotMet, match="beyond the 2 s allowed"):
        findings.raise_unless_met()


def test_a_limit_between_the_bounds_is_inconclusive() -> None:
    """Where the limit lies between at least and at most, nobody can tell."""
    findings = analyse(drill(), replace(STEADY, rto_s=2.95))
    assert findings.verdict is Verdict.INCONCLUSIVE
    with pytest.raises(Inconclusive, match="not surely within"):
        findings.raise_unless_met()


def test_missed_budget() -> None:
    """Downtime beyond what one drill may cost is MISSED however fast the recovery was."""
    verdict, reason = concluded(drill(), replace(STEADY, window_s=3_600.0))
    assert verdict is Verdict.MISSED
    assert "beyond the 360 ms allowed (10 % of it)" in reason


def test_events_that_the_window_affords() -> None:
    """Three seconds fit into 2 592 s 864 times."""
    assert analyse(drill(), STEADY).slo.events_affordable == 864


def test_a_target_that_was_never_up_is_inconclusive() -> None:
    """Nothing was lost where nothing was there: not MISSED."""
    verdict, reason = concluded(facts(strip("x" * 50, GAP), GAP))
    assert verdict is Verdict.INCONCLUSIVE
    assert reason == "the target was never up during the run: all 50 judged samples failed (mostly http error)"


def test_a_single_good_sample_proves_nothing() -> None:
    """One good sample covers no time: no upper bound, INCONCLUSIVE, and no word of what could hide between two."""
    findings = analyse(facts(strip("+", GAP), GAP), STEADY)
    assert (findings.verdict, findings.downtime.user_weighted.at_most_s) == (Verdict.INCONCLUSIVE, None)
    assert not [note.text for note in findings.notes if "could hide" in note.text]
    assert analyse(facts(strip("++", GAP), GAP), STEADY).downtime.user_weighted.at_most_s is not None


def test_nothing_measured_is_inconclusive() -> None:
    """Without a sample there is no verdict, and still findings."""
    verdict, reason = concluded(facts([], GAP))
    assert verdict is Verdict.INCONCLUSIVE
    assert reason.startswith("nothing was measured")


def test_an_interrupted_drill_says_so_first() -> None:
    """An interrupted drill is INCONCLUSIVE, whatever the figures say."""
    verdict, reason = concluded(drill(interrupted="SIGTERM", restored="yes"), replace(STEADY, rto_s=2.0))
    assert (verdict, reason) == (Verdict.INCONCLUSIVE, "interrupted: SIGTERM")


def test_an_estate_that_was_not_restored_is_red() -> None:
    """What was left broken comes first, before objectives, instrument and interruption."""
    given = drill(restored="app eastus is Stopped, was Running", interrupted="SIGINT")
    assert concluded(given) == (Verdict.MISSED, "the estate is not as it was: app eastus is Stopped, was Running")


def test_a_failed_step_is_red() -> None:
    """A playbook that did not get through is MISSED, with the step and its error."""
    step = StepMark(0, "When", "the primary is disabled", 2 * S, 3 * S, "failed", "409 Conflict: the app is locked")
    verdict, reason = concluded(drill(steps=(step,)))
    assert verdict is Verdict.MISSED
    assert reason == "step “When the primary is disabled” failed: 409 Conflict: the app is locked"


def test_a_step_that_repeats_a_verdict_is_no_reason_of_its_own() -> None:
    """A step that could not tell whether an objective was met leaves the verdict at that."""
    step = StepMark(
        0, "Then", "the recovery time is met", 2 * S, 3 * S, "failed", "recovery time: 2.95 s, not surely within"
    )
    assert concluded(drill(steps=(step,)), replace(STEADY, rto_s=2.95))[0] is Verdict.INCONCLUSIVE


def test_data_loss_without_a_probe_is_inconclusive() -> None:
    """An RPO that nobody measured is not met."""
    assert concluded(drill(), replace(STEADY, rpo_s=5.0))[0] is Verdict.INCONCLUSIVE


def unfit(**more: object) -> str:
    """Return why the instrument was not fit, which must be what decided."""
    findings = analyse(drill(USUAL, **more), STEADY)
    assert findings.verdict is Verdict.INCONCLUSIVE
    assert not findings.instrument.fit
    assert findings.reasons[0] == f"the instrument was not fit: {findings.instrument.reasons[0]}"
    return findings.instrument.reasons[0]


def test_lost_samples() -> None:
    """More than 0.1 % of the scheduled samples missing, and the rest may not be the whole story."""
    assert (
        unfit(workers=(WorkerReport(0, 92, 90, 90, 30),)) == "2 of 92 scheduled samples are missing (more than 0.1 %)"
    )


def test_dead_load_process() -> None:
    """A load process that died took what it had not written with it."""
    assert "load process 0 died" in unfit(workers=(WorkerReport(0, 90, 90, 90, 30, finished=False),))


def test_locust_counts_otherwise() -> None:
    """Locust's own totals and the samples are two accounts of the same requests."""
    said = unfit(workers=(WorkerReport(0, 90, 90, 90, 29),))
    assert said == "Locust counted 90 requests and 29 failures, the samples say 90 and 30"


def test_late_generator() -> None:
    """A generator that is late by more than a gap for 1 % of its requests measures itself."""
    rows = drill().samples.records.copy()
    rows["late_us"][:3] = 150_000
    assert unfit(samples=SampleTable(rows, NAMES)).startswith("the generator was late")


def test_control_probe_failing_at_the_same_time() -> None:
    """If a target that no drill touches fails with the other, the fault is ours."""
    probe = strip("+" * 20 + "x" * 30 + "+" * 40, GAP)
    assert "30 of its 30 samples during outages" in unfit(control=SampleTable(records(probe)))


def test_control_probe_failing_at_another_time() -> None:
    """A hiccup of the control probe while the target was well changes nothing."""
    probe = strip("x" + "+" * 89, GAP)
    assert analyse(drill(control=SampleTable(records(probe))), STEADY).verdict is Verdict.MET


def test_answers_at_the_second_attempt_do_not_widen_the_bounds() -> None:
    """A request that was sent again on a fresh connection tells how long the outage took it, not how fast answers come."""
    rows = drill().samples.records.copy()
    rows["took_us"][14:20:2], rows["flags"][14:20:2] = 900_000, Flag.RETRIED
    again = analyse(drill(samples=SampleTable(rows, NAMES)), STEADY).downtime.outages[0]
    assert again.at_least_s == pytest.approx(2.899)


def test_clock_offsets_widen_the_bounds() -> None:
    """Load processes on other machines add the bound of their clocks' offset, twice, to every duration."""
    report = WorkerReport(0, 90, 90, 90, 30, offset_bound_ns=50 * MS)
    one, other = (analyse(each, STEADY).downtime.outages[0] for each in (drill(), drill(workers=(report,))))
    assert other.at_least_s == pytest.approx(one.at_least_s - 0.1)
    assert other.at_most_s == pytest.approx((one.at_most_s or 0) + 0.1)


def test_sticky_clients_are_reported_but_not_judged() -> None:
    """Clients that never resolve again stay out for ever without spoiling the recovery of those who do."""
    lane = strip("+" * 20 + "x" * 30 + "+" * 40, GAP)
    stuck = [replace(each, population=Population.STICKY) for each in strip("+" * 20 + "x" * 70, GAP, begin_ns=50 * MS)]
    findings = analyse(drill(samples=SampleTable(records(lane + stuck, NAMES), NAMES), workers=()), STEADY)
    fresh, sticky = findings.traffic.populations
    assert (findings.verdict, fresh.came_back, sticky.came_back) == (Verdict.MET, True, False)
    assert findings.downtime.worst_client is not None
    assert (findings.downtime.worst_client.population, findings.downtime.worst_client.judged) == ("sticky", False)
    assert any("never came back" in note.text for note in findings.notes)


def test_the_same_facts_give_the_same_findings() -> None:
    """analyse is pure: an old run can be judged again."""
    assert analyse(drill(), STEADY).to_dict() == analyse(drill(), STEADY).to_dict()


def test_samples_in_any_order() -> None:
    """What comes in the order of recording is put in the order of sending."""
    given = drill()
    shuffled = np.random.default_rng(1).permutation(given.samples.records)
    assert (
        analyse(replace(given, samples=SampleTable(shuffled, NAMES)), STEADY).to_dict()
        == analyse(given, STEADY).to_dict()
    )


def test_sla_minutes_count_whole_clock_minutes() -> None:
    """Of 50 s out within one minute the clouds' arithmetic sees nothing; of 70 s over a whole one, one minute."""

    def minutes(down: int) -> tuple[int, int]:
        samples = strip("+" * 55 + "x" * down + "+" * (240 - down))
        told = analyse(facts(samples, S, anchor=ClockAnchor(wall_ns=60 * S, mono_ns=0)), STEADY).downtime
        return told.sla_minutes, told.minutes_watched

    assert (minutes(50), minutes(70)) == ((0, 3), (1, 3))


def everything() -> Facts:
    """A run with a row of each kind."""
    return drill(
        restored="yes",
        ttl_s=5,
        resolutions=(Resolution(0, MS, "authority", "www", "NOERROR", ("127.0.1.1",), region="eastus"),),
        readings=(Reading(0, "eastus", "Enabled", "Online"), Reading(3 * S, "eastus", "Enabled", "Degraded")),
        steps=(StepMark(0, "Given", "steady state"),),
    )


@pytest.mark.parametrize(
    "given", [everything(), facts([], GAP), facts(strip("x" * 9), S), facts(strip("+" * 9), S), drill("+" * 40)]
)
def test_form(given: Facts) -> None:
    """Whatever the run, findings.json is valid and holds no number that JSON does not know."""
    plain = analyse(given, STEADY).to_dict()
    Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(plain, allow_nan=False)))


def test_fixed_keys() -> None:
    """The keys that others rely on are there."""
    needed = {"schema", "drill", "verdict", "reasons", "slo", "recovery", "downtime", "dns", "traffic", "instrument"}
    needed |= {"actions", "steps", "timeline", "notes"}
    assert needed <= analyse(drill(), STEADY).to_dict().keys()


def test_timeline_counts_every_sample_once() -> None:
    """Buckets, regions and populations each add up to the samples."""
    findings = analyse(everything(), STEADY)
    line = findings.timeline
    assert sum(line.good) + sum(line.bad) == 90
    assert sum(sum(series.good) + sum(series.bad) for series in line.regions) == 90
    assert sum(sum(series.good) + sum(series.bad) for series in line.populations) == 90
    assert line.buckets == len(line.good) == len(line.p99_s) <= 600


def test_availability_has_its_interval() -> None:
    """Availability is good / (good + bad); cut samples count neither way."""
    told = analyse(facts(strip("+++xc"), S), STEADY).traffic.overall
    assert (told.good, told.bad, told.cut, told.share) == (3, 1, 1, 0.75)
    assert told.low is not None
    assert told.high is not None
    assert told.low < 0.75 < told.high


def self_test(**more: object) -> Findings:
    told = {
        "at": 1.0, "machine": "m", "commit": "c", "fit": True, "cases": 9, "bounds_held": 9,
        "median_error_gaps": 0.3, "p95_error_gaps": 0.8, "sustainable_rate_per_s": 1000.0,
    }  # fmt: skip
    return analyse(drill(self_test={**told, **more}), STEADY)


def test_the_newest_self_test_is_part_of_the_findings() -> None:
    """The proof behind the number travels with it; one that said *not fit* is told."""
    found = self_test().instrument.self_test
    assert found is not None
    assert found.cases == 9
    assert any("not fit" in note.text for note in self_test(fit=False).notes)


def test_empty_control_and_unknown_outcomes() -> None:
    """A run without control probe or worker reports is judged by its samples alone."""
    sent = [Sample(i * GAP, i * GAP, i * GAP + MS, Outcome.SHED if 20 <= i < 50 else Outcome.OK) for i in range(90)]
    given = drill(
        samples=SampleTable(records(sent, NAMES), NAMES), workers=(), control=SampleTable(np.zeros(0, SAMPLE_DTYPE))
    )
    assert analyse(given, STEADY).verdict is Verdict.MET


def test_a_move_that_nobody_felt_is_told_by_who_served_last() -> None:
    """Where the recovery time is 0 s, a note says how long the old region went on serving."""
    gap, names = 100 * MS, NAMES.regions
    samples = [
        replace(each, region=names[1] if each.intended_ns < 4 * S else names[2]) for each in strip("+" * 80, gap)
    ]
    given = facts(samples, gap, milestones=(Milestone(Mark.FAULT, 2 * S, "start app a"),))
    texts = [note.text for note in analyse(given, STEADY).notes]
    assert f"{names[1]} served the last client that honours the TTL 1.90 s after “start app a”." in texts
