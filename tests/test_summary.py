"""What a terminal shows of a run when it is over: each figure once, whatever the verdict stands on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover_drill.facts import Facts, Objectives
from failover_drill.findings import analyse
from failover_drill.summary import summary_lines
from tests.test_lost_writes import drawn

LOSING = drawn("+" * 96 + "-" * 4 + "x" * 30 + "+" * 20)
AIMS = Objectives(stabilisation_s=2.0, rpo_s=1.0)


def lines(given: Facts, aims: Objectives = AIMS) -> list[str]:
    return summary_lines(analyse(given, aims))


@pytest.mark.parametrize(
    ("given", "first", "aims"),
    [
        (replace(LOSING, restored="yes"), "failover: MET", AIMS),
        (replace(LOSING, restored="yes"), "failover: MISSED", replace(AIMS, rto_s=2.0)),
        (replace(LOSING, restored="yes"), "failover: INCONCLUSIVE", replace(AIMS, rpo_s=0.4)),
        (replace(LOSING, interrupted="SIGINT", restored="yes"), "failover: INCONCLUSIVE", AIMS),
        (replace(LOSING, restored="app web is Stopped"), "failover: MISSED", AIMS),
    ],
)
def test_each_figure_is_told_once(given: Facts, first: str, aims: Objectives) -> None:
    """Recovery time, downtime and data loss have one line each: a reason of the verdict, or a line after the reasons."""
    told = lines(given, aims)
    assert told[0] == first
    for figure in ("recovery time", "downtime", "data loss"):
        assert sum(figure in line for line in told) == 1, (figure, told)


def test_details_stand_below_their_figure() -> None:
    """The segments follow the recovery time, whether it is a reason or not."""
    for given in (LOSING, replace(LOSING, interrupted="SIGINT")):
        told = lines(given)
        at = next(n for n, line in enumerate(told) if line.strip().startswith("recovery time"))
        assert told[at + 1].strip().startswith("of which ")
        assert told[at + 1].index("of") == told[at].index("recovery") + 2


def test_an_interruption_comes_first() -> None:
    """What was wrong with the drill is told before any figure, and that the estate is as it was."""
    told = lines(replace(LOSING, interrupted="SIGINT", restored="yes"))
    assert told[1:3] == [
        "  interrupted: SIGINT",
        "  the estate is as it was: compared with the snapshot taken at the start",
    ]
