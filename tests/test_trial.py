"""The self-test judges the instrument: by known truths, and by itself where it is broken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from failover_drill import selftest, trial
from failover_drill.clock import anchor
from failover_drill.facts import Objectives, Outcome
from failover_drill.findings import Findings, analyse
from failover_drill.selftest_record import newest
from failover_drill.trial import Case, Fault, Truth
from tests.histories import ANCHOR, MS, Down, S, facts, grid

GAP = 5 * MS
TRUTHS = [
    Truth(Fault("refused", 400 * MS), 2 * S + 1, 2 * S + 400 * MS),
    Truth(Fault("hang", 700 * MS), 4 * S, 4 * S + 700 * MS),
]


def found(truths: list[Truth]) -> Findings:
    downs = [Down(each.began_ns, each.ended_ns, Outcome.REFUSED) for each in truths]
    return analyse(facts(grid(downs, GAP, 6 * S), GAP), Objectives())


def test_cases_hold_the_findings_against_the_truth() -> None:
    """Each fault is one outage, estimated within a gap and held by its bounds."""
    cases = trial.cases(TRUTHS, found(TRUTHS), GAP, ANCHOR.wall_ns)
    assert [(each.name, each.held) for each in cases] == [("refused", True), ("hang", True)]
    assert all(each.error_gaps is not None and each.error_gaps <= 1 for each in cases)


def test_a_fault_that_was_not_found_is_a_miss() -> None:
    """An outage that the findings don't have is not fit, whatever the others say."""
    findings = found(TRUTHS[:1])
    cases = trial.cases(TRUTHS, findings, GAP, ANCHOR.wall_ns)
    assert cases[1].error_gaps is None
    assert trial.unfit(cases, findings) == ("the bounds did not hold the truth in 1 of 2 cases",)


def test_a_wrong_clock_is_noticed() -> None:
    """Findings that place the outages elsewhere, or give them another length, are found out."""
    late = [replace(each, ended_ns=each.ended_ns + 50 * MS) for each in TRUTHS]
    cases = trial.cases(late, found(TRUTHS), GAP, ANCHOR.wall_ns)
    assert not any(each.held for each in cases)
    assert len(trial.unfit(cases, found(TRUTHS))) == 2  # bounds, and the median error


def test_an_unfit_generator_is_not_fit() -> None:
    """What the instrument says of itself counts as well."""
    findings = found(TRUTHS)
    findings = replace(findings, instrument=replace(findings.instrument, reasons=("the generator was late",)))
    cases = trial.cases(TRUTHS, findings, GAP, ANCHOR.wall_ns)
    assert trial.unfit(cases, findings) == ("the generator was late",)


@pytest.mark.parametrize("quick", [True, False])
def test_the_script_has_every_kind(quick: bool) -> None:
    """Refused, 503, hang, reset, wrong content, partial, flapping, one population only; from 0.2 s to 60 s."""
    script = trial.script(quick)
    assert {*trial.HARD, "partial", "new connections", "flapping"} <= {each.name for each in script}
    assert min(each.for_ns for each in script) == 200 * MS
    assert quick or max(each.for_ns for each in script) == 60 * S


def test_lines_sum_up_by_kind() -> None:
    """Median and worst error of each kind, and how often the bounds held."""
    cases = [Case("503", 1.0, 1.0 + i / 100, 0.9, 1.1, float(i), i < 2) for i in range(3)]
    (line,) = trial.lines(cases)
    assert (line.cases, line.held, line.median_gaps, line.worst_gaps) == (3, 2, 1.0, 2.0)
    assert line.worst_ms == pytest.approx(20)


@pytest.mark.slow
def test_real_faults_are_measured_within_their_bounds(tmp_path: Path) -> None:
    """A short script played by the real fault server against real traffic: every bound holds the truth."""
    script = [
        Fault("503", 400 * MS),
        Fault("refused", 300 * MS),
        Fault("hang", 350 * MS),
        Fault("reset", 450 * MS),
        Fault("wrong content", 250 * MS),
        Fault("new connections", S),
    ]
    began = anchor()
    for attempt in range(3):  # anew where the machine was too busy for the instrument, which says so
        with selftest.FaultServer() as server:
            truths, findings = selftest.play(server, script, 20.0, tmp_path / str(attempt), began)
        if findings.instrument.fit:
            break
    cases = trial.cases(truths, findings, 50 * MS, began.wall_ns - began.mono_ns)
    assert [each.name for each in cases if not each.held] == []
    assert [each.outcome for each in findings.downtime.outages][:5] == [
        "http_error",
        "refused",
        "timeout" if findings.downtime.outages[2].outcome == "timeout" else "reset",
        "reset",
        "wrong_content",
    ]


def test_the_outcome_is_kept_and_carried(tmp_path: Path) -> None:
    """What a self-test found is read back for the reports, in the form that findings have."""
    outcome = selftest.Outcome(trial.cases(TRUTHS, found(TRUTHS), GAP, ANCHOR.wall_ns), (), 1_000.0, 200.0, 1.0)
    (tmp_path / "selftest.json").write_text(json.dumps({"summary": outcome.summary()}), "utf-8")
    told = analyse(facts(grid([], GAP, S), GAP, self_test=newest(tmp_path)), Objectives()).instrument.self_test
    assert told is not None
    assert (told.fit, told.cases, told.bounds_held) == (True, 2, 2)


def test_no_self_test_and_a_torn_one_are_none(tmp_path: Path) -> None:
    """A report without a self-test says so; it does not fail."""
    assert newest(tmp_path) == {}
    (tmp_path / "selftest.json").write_text('{"summ', "utf-8")
    assert newest(tmp_path) == {}


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each kind with its errors, the theory beside them, and the verdict with its reasons."""
    cases = trial.cases(TRUTHS, found(TRUTHS), GAP, ANCHOR.wall_ns)
    selftest.show(selftest.Outcome(cases, ("the generator was late",), None, 200.0, 1.0), Console(width=120))
    said = capsys.readouterr().out
    assert "refused" in said
    assert "theory on a uniform grid: median 0.29" in said
    assert "NOT FIT: the generator was late" in said
