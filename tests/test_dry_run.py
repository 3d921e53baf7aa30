"""A dry run reads, asks every guard and shows the plan; the control plane sees no write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stage import COLD, estate, run_drill


@pytest.mark.timeout(240)
def test_the_plan_and_nothing_else(tmp_path: Path) -> None:
    """`pytest --dry-run` names each change with its undo and the forecast, and leaves neither a write nor a run."""
    with estate(tmp_path / "estate", COLD) as stage:
        shown = run_drill(tmp_path, stage.file, "--dry-run", timeout_s=200)
        assert stage.writes() == []
    assert shown.code == 0, shown.output
    assert shown.directory is None
    told = [
        "every guard lets this drill pass",
        "stop app proseware-eastus: Running → Stopped",
        "undo of it: app proseware-eastus → Running",
        "start app proseware-westus3: Stopped → Running",
        "enable endpoint westus3: Disabled → Enabled",
        "disable endpoint eastus: Enabled → Disabled",
        "undo of it: endpoint eastus → Enabled",
        "s of the 43 min 12 s of error budget that are left (99 of 100 forecast failovers stay within that)",
        "dry run: nothing was changed",
    ]
    lines = iter(shown.output.splitlines())
    assert [line for line in told if not any(line in said for said in lines)] == []
