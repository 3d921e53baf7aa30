"""A dry run reads, asks every guard and shows the plan; the control plane sees no write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stage import COLD, QUICK, ROOT, estate


@pytest.mark.timeout(240)
def test_the_plan_and_nothing_else(tmp_path: Path) -> None:
    """`failover-drill preflight` names each change with its undo and the forecast, and leaves neither a write nor a run."""
    with estate(tmp_path / "estate", COLD) as stage:
        command = [sys.executable, "-c", "from failover_drill.cli import main; main()", "preflight"]
        shown = subprocess.run(
            [*command, "--estate", str(stage.file)],
            cwd=ROOT,
            env={**os.environ, **QUICK, "FAILOVER_DRILL__DRILL__REPORTS": str(tmp_path / "reports")},
            capture_output=True,
            text=True,
        )
        assert stage.writes() == []
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert not (tmp_path / "reports").exists()
    told = [
        "every guard lets this drill pass",
        "stop app proseware-eastus: Running → Stopped",
        "undo of it: app proseware-eastus → Running",
        "start app proseware-westus3: Stopped → Running",
        "enable endpoint westus3: Disabled → Enabled",
        "disable endpoint eastus: Enabled → Disabled",
        "undo of it: endpoint eastus → Enabled",
        "forecast: recovery time 6.0 s, downtime 4.0 s of the 2592 s of error budget that are left",
        "dry run: nothing was changed",
    ]
    lines = iter(shown.stdout.splitlines())
    assert [line for line in told if not any(line in said for said in lines)] == []
