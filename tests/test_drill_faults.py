"""Playbooks with a fault, whole: the estate's truth beside the findings, and nothing left when the drill is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stage import COLD, Performance, estate, performance, start_drill
from tests.test_drill_failover import switched
from tests.test_guardian import assert_secret, kept, kept_of, until_restored

BOTH = {"eastus", "westus3"}
LOSS = "features/region_loss.feature"
GRACE_S = 5.0  # of processes on a busy machine: what is near, and not how near
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def stage(tmp_path: Path) -> Any:
    with estate(tmp_path / "estate", COLD) as running:
        yield running


def faults(stage: Any) -> list[tuple[str, bool]]:
    return [(e["kind"], e["on"]) for e in stage.truth("fault")]


def until_lost(stage: Any, seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not faults(stage):
        assert time.monotonic() < deadline, "no fault was injected"
        time.sleep(0.02)


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[Performance]:
    """The playbook in which a region is lost, to its end."""
    with performance(tmp_path, feature=LOSS) as ended:
        yield ended


def test_a_region_is_lost_and_nobody_acts(lost: Performance) -> None:
    """`detect` lasts from the kill until the monitor says Degraded, by the estate's own log; afterwards all is as it was."""
    drilled, stage = lost.drilled, lost.stage
    assert drilled.code == 0, drilled.output
    recovery = drilled.findings["recovery"]
    detect = recovery["segments"][0]
    gone = switched(stage, "serving", region="eastus", serving=False)[0]
    noticed = next(at for at in switched(stage, "monitor", endpoint="eastus", after="Degraded") if at > gone)
    assert recovery["began"] <= gone <= recovery["began"] + GRACE_S
    assert (detect["name"], detect["occurred"]) == ("detect", True)
    assert noticed <= detect["ended"] <= noticed + GRACE_S
    assert sum(s["took_ns"] for s in recovery["segments"]) == recovery["time_ns"]
    assert [s["name"] for s in recovery["segments"][1:3] if s["occurred"]] == []  # nobody disabled or enabled anything
    assert faults(stage) == [("region_lost", True), ("region_lost", False)]
    assert kept(stage) == kept_of(lost.before)


def test_a_fault_outlives_no_drill(stage: Any, tmp_path: Path) -> None:
    """Killed while the region is lost: the guardian ends the fault and puts back the standby; the run holds no key."""
    before = kept(stage)
    drill = start_drill(tmp_path, stage.file, feature=LOSS, environment={"FAILOVER_DRILL__SAFETY__DOUBT_S": "3"})
    until_lost(stage)
    drill.kill()
    output, _ = drill.communicate()
    run = until_restored(tmp_path)
    assert faults(stage) == [("region_lost", True), ("region_lost", False)]
    assert kept(stage) == before
    assert "put back by guardian" in (run / "report.md").read_text("utf-8")
    assert_secret(stage, run, output)


def test_users_return(tmp_path: Path) -> None:
    """A failback is measured apart, from its own first act, towards the primary; every client was away, and returned."""
    with performance(tmp_path, feature="features/failback.feature") as ended:
        returned(ended)


def returned(ended: Performance) -> None:
    assert ended.drilled.code == 0, ended.drilled.output
    found = ended.drilled.findings
    started = [
        e["wall_ns"] / 1e9 for e in ended.stage.truth("write") if e["path"].lower().endswith("/proseware-eastus/start")
    ]
    assert abs(found["recovery"]["began"] - started[0]) <= GRACE_S
    assert found["recovery"]["began_by"] == "start app proseware-eastus"
    judged = [each for each in found["traffic"]["populations"] if each["judged"]]
    assert all(each["cut_over"] > found["recovery"]["began"] for each in judged)  # to the primary
    assert [each["name"] for each in judged if {r["region"] for r in each["regions"] if r["good"]} != BOTH] == []
    purposes = {a["purpose"] for a in found["actions"]}
    assert {"preparation", "deed", "undo"} <= purposes
    assert found["drill"]["restored"] == "yes"
