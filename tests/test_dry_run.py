"""A dry run of every playbook reads, asks every guard and shows the plan; the estate sees no write and no fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stage import COLD, ROOT, estate, run_drill

TOLD = {
    "test_the_web_app_fails_over_by_the_playbook": [
        "every guard lets this drill pass",
        "stop app proseware-eastus: Running → Stopped",
        "undo of it: app proseware-eastus → Running",
        "start app proseware-westus3: Stopped → Running",
        "enable endpoint westus3: Disabled → Enabled",
        "disable endpoint eastus: Enabled → Disabled",
        "undo of it: endpoint eastus → Enabled",
        "s of the 43 min 12 s of error budget that are left (99 of 100 forecast failovers stay within that)",
        "dry run: nothing was changed",
    ],
    "test_users_return_to_the_primary_region": [
        "stop app proseware-eastus: Running → Stopped",
        "start app proseware-eastus: Stopped → Running",
        "disable endpoint westus3: Enabled → Disabled",
        "stop app proseware-westus3: Running → Stopped",
    ],
    "test_traffic_manager_fails_over_by_itself": [
        "enable endpoint westus3: Disabled → Enabled",
        "inject region_lost upon proseware-eastus",
        "undo of it: fault region_lost → over",
        "When the estate is put back as it was",
        "undo of it: fault region_lost → over",
        "undo of it: endpoint westus3 → Disabled",
    ],
    "test_users_come_over_without_a_single_change": [
        "inject control_failing (status 503, only writes) upon proseware",
        "When every fault is over",
        "undo of it: fault region_lost → over",
        "undo of it: fault control_failing → over",
    ],
}


def test_an_estate_alone_is_drilled_by_the_failover_playbook(tmp_path: Path) -> None:
    """`pytest --estate=READY.json`, which names no playbook, takes the one of `make drill`, not the project's tests."""
    with estate(tmp_path / "estate", COLD) as stage:
        shown = run_drill(tmp_path, None, f"--estate={stage.file}", "--dry-run", feature=None)
    assert shown.code == 0, shown.output
    assert [name for name, _ in _plans(shown.output.splitlines())] == ["test_the_web_app_fails_over_by_the_playbook"]


@pytest.mark.timeout(600)
def test_the_plan_and_nothing_else(tmp_path: Path) -> None:
    """`pytest features --dry-run` names each change and fault with its undo, and the forecast; neither write nor run."""
    with estate(tmp_path / "estate", COLD) as stage:
        shown = run_drill(tmp_path, stage.file, "--dry-run", feature="features", timeout_s=400)
        assert (stage.writes(), stage.truth("fault")) == ([], [])
    assert shown.code == 0, shown.output
    assert shown.directory is None
    plans = {name: list(lines) for name, lines in _plans(shown.output.splitlines())}
    assert len(plans) == len(list((ROOT / "features").glob("*.feature"))) - 1  # readiness changes nothing: no plan
    for name, told in TOLD.items():
        lines = iter(plans[name])
        assert [line for line in told if not any(line in said for said in lines)] == []


def _plans(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Return each scenario's name with the lines of its plan."""
    heads = [at for at, line in enumerate(lines) if line.startswith("plan of ")]
    return [(lines[at].removeprefix("plan of "), lines[at : (*heads, len(lines))[n + 1]]) for n, at in enumerate(heads)]
