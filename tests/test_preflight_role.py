"""The roles in deploy/ hold what the code calls: no more, and no less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from failover_drill.guards import needed
from failover_drill.preflight_command import judged
from failover_drill.preflight_seen import Level
from failover_drill.target import Region, Role, Target
from tests.stage import COLD, ROOT, estate, run_drill
from tests.test_preflight import seen_of


def role(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "deploy" / name).read_text("utf-8"))
    return found


def actions(name: str) -> set[str]:
    return {action.lower() for action in role(name)["Actions"]}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_role_is_what_a_whole_drill_uses(tmp_path: Path) -> None:
    """A drill under these roles is carried out and put back, and uses every action of its own; preflight uses the rest."""
    granted = [*role("role.json")["Actions"], *role("role-preflight.json")["Actions"]]
    with estate(tmp_path / "estate", {**COLD, "identity": {"role": granted}}) as stage:
        assert not [line for line in judged(seen_of(stage)) if line.level is Level.FAIL]
        looking = used(stage)
        drilled = run_drill(tmp_path, stage.file, timeout_s=200)
        assert drilled.directory is not None, drilled.output
        assert [e for e in stage.truth("write") if e["status"] >= 400] == []
        everything = used(stage)
        assert {e["operation"] for e in stage.truth("write")} >= {"WebApps_Stop", "WebApps_Start", "Endpoints_Update"}
    assert everything == actions("role.json") | actions("role-preflight.json")
    assert looking - actions("role.json") == actions("role-preflight.json")


def used(stage: Any) -> set[str]:
    return {action.lower() for action in stage.control("GET", "/_state")["rights"]}


def test_the_role_allows_what_the_guards_ask_for() -> None:
    """What preflight and guards demand of an identity is in the role, no wildcard among it, and nothing can be deleted."""
    root = "/subscriptions/s/resourceGroups/g/providers"
    profile = f"{root}/Microsoft.Network/trafficManagerProfiles/p"
    one, two = (
        Region(n, r, f"{root}/Microsoft.Web/sites/{n}", n, f"{profile}/azureEndpoints/{n}")
        for n, r in (("one", Role.PRIMARY), ("two", Role.SECONDARY))
    )
    target = Target("t", "s", profile, "p.trafficmanager.net", "www.example.com", one, two, ())
    asked = {action.lower() for each in needed(target, lock_by_tag=True).values() for action in each}
    assert asked <= actions("role.json")
    assert not any(
        "*" in action or "delete" in action for action in actions("role.json") | actions("role-preflight.json")
    )
