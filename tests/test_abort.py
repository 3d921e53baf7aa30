"""A broken limit ends the drill: no further act, the undo at once, and the measurement goes on until users are well."""

from __future__ import annotations

from pathlib import Path

import pytest

from failover_drill.abort import Conditions, Seen, breach, conditions
from failover_drill.settings import AbortTable
from tests.stage import COLD, estate, run_drill


@pytest.mark.parametrize(
    ("limits", "seen", "said"),
    [
        (Conditions(), Seen(900, 0, False, 9), ""),
        (Conditions(0.9, 10), Seen(9, 0.0, False, 0), ""),
        (Conditions(0.9, 10), Seen(10, 0.9, False, 0), ""),
        (Conditions(0.9, 10), Seen(10, 0.89, False, 0), "availability was 89.0% over the last 10 s, below 90.0%"),
        (Conditions(recovery_longer_than_s=30), Seen(30, 0, False, 0), ""),
        (Conditions(recovery_longer_than_s=30), Seen(31, 0, True, 0), ""),
        (
            Conditions(recovery_longer_than_s=30),
            Seen(31, 0, False, 0),
            "recovery takes 31.0 s already, longer than 30 s",
        ),
        (Conditions(budget_above=0.05), Seen(1, 1, True, 0.06), "the error budget spent is 6.000%, above 0.05 of it"),
    ],
)
def test_breach(limits: Conditions, seen: Seen, said: str) -> None:
    """A limit is broken only beyond it, availability only over its whole time, and none that was not set."""
    assert breach(limits, seen) == said


def test_percent_becomes_fractions() -> None:
    """drill.toml speaks in percent, the code in fractions; what is absent is no limit."""
    assert conditions(AbortTable(availability_below=90, budget_above=5)) == Conditions(0.9, 10, None, 0.05)
    assert not conditions(AbortTable()).any


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_an_aborted_drill(tmp_path: Path) -> None:
    """With a secondary that answers errors, the limit on availability ends the drill before DNS is touched."""
    with estate(tmp_path / "estate", COLD) as stage:
        stage.control("POST", "/_faults", {"kind": "erroring", "region": "westus3", "status": 500})
        drilled = run_drill(
            tmp_path,
            stage.file,
            feature="examples/abort.feature",
            environment={"FAILOVER_DRILL__WAIT__SERVE_S": "60"},
            timeout_s=200,
        )
        writes = [w.rsplit("/", 1)[-1].lower() for w in stage.writes()]
    assert drilled.code == 1
    assert drilled.findings["drill"]["interrupted"].startswith("aborted: availability was")
    assert drilled.findings["drill"]["restored"] == "yes"
    assert drilled.findings["downtime"]["outages"]
    assert sorted(writes[1:-1]) == sorted(["stop", "start", *undone(writes)])
    assert "Traceback" not in drilled.output


def undone(writes: list[str]) -> list[str]:
    """What followed the two acts: both apps put back, and perhaps an endpoint woken; no endpoint was switched by an act."""
    assert writes[1:3] == ["stop", "start"]
    after = writes[3:-1]
    assert set(after) <= {"start", "stop", "eastus"}, writes
    assert "westus3" not in after
    return after
