"""Traffic Manager does not probe an endpoint that it calls Stopped until it notices the restart; a drill does not wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from failover_drill.adapters.arm import ArmPlatform
from failover_drill.compose import Run
from failover_drill.settings import Settings
from failover_drill.target import Role
from failover_drill.targets import open_target
from tests.servers import eventually
from tests.stage import COLD, estate, run_drill
from tests.test_drill_failover import settings_of, state

NOTICED_S = 36_000  # half an hour of this estate's time: nobody waits for that here
ASLEEP = {
    **COLD,
    "delays": {"stopped_signal_s": 1, "restart_noticed_s": NOTICED_S},
    "regions": [{"location": "East US"}, {"location": "West US 3", "state": "Stopped", "endpoint": "Enabled"}],
}


@pytest.mark.timeout(500)
def test_a_stopped_endpoint_is_disabled_and_enabled_again(tmp_path: Path) -> None:
    """A secondary whose app stood still behind an enabled endpoint is answered as soon as DNS is pointed at it; then the primary.

    The undo is promised for what the endpoint was first; the dry run names the change.
    """
    quick = {"drill": {"reports": str(tmp_path / "reports")}, "safety": {"lock": "local"}, "wait": {"complete_s": 90}}
    with (
        estate(tmp_path / "estate", ASLEEP) as stage,
        open_target(Settings(), "local", stage.file, tmp_path / "log") as (target, _),
    ):
        platform = ArmPlatform(target)
        asleep = target.secondary.endpoint_id
        assert eventually(lambda: platform.endpoint_state(asleep).health == "Stopped", 60)
        before = settings_of(state(stage))
        planned = run_drill(tmp_path, stage.file, "--dry-run", feature="benchmarks/safety/acts.feature").output
        run = Run(Settings.model_validate(quick), target, "drill", print)
        try:
            run.drill.disable(Role.PRIMARY)
            run.drill.enable(Role.SECONDARY)
            run.drill.point_dns_at(Role.SECONDARY)
            acts = [w.rsplit("/", 1)[-1].lower() for w in stage.writes()]
        finally:
            findings = run.close()
        assert settings_of(state(stage)) == before
        undos = [w.rsplit("/", 1)[-1].lower() for w in stage.writes()][len(acts) :]
        assert eventually(lambda: run.drill._names.ask("authority").region == target.primary.name, 60)
    assert acts == ["stop", "start", "westus3", "westus3", "eastus"]
    assert findings.drill.restored == "yes"
    assert sorted(undos) == ["eastus", "start", "stop"]
    plan = [line.strip() for line in planned.splitlines()]
    first = plan.index("disable endpoint westus3: Enabled → Disabled")
    assert plan[first + 1] == "undo of it: endpoint westus3 → Enabled"
    assert "enable endpoint westus3: Disabled → Enabled" in plan[first:]
    back = plan[plan.index("When the estate is put back as it was") :]
    assert [line for line in back if "endpoint westus3" in line] == ["undo of it: endpoint westus3 → Enabled"]
