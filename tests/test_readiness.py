"""Readiness scenarios look and do nothing else: green on a healthy estate, red with the fix on a broken one, no write ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from failover_drill.errors import Inconclusive, ObjectiveNotMet, Unsafe
from failover_drill.inspection import Inspection
from failover_drill.preflight_seen import Level, Line
from failover_drill.readiness import Readiness
from tests.stage import COLD, estate, run_drill

FEATURE = "features/readiness.feature"
AZURE = """
[target.prod]
kind = "azure"
subscription_id = "00000000-0000-0000-0000-000000000000"
profile = "proseware"
profile_resource_group = "rg"
public_host = "www.proseware.example"
primary = { app = "a", resource_group = "rg", endpoint = "a" }
secondary = { app = "b", resource_group = "rg", endpoint = "b" }
"""


@pytest.mark.slow
def test_ready_or_not(tmp_path: Path) -> None:
    """On a healthy estate all pass; with a TTL beyond the objective and a name that is not bound two fail, with the fix."""
    with estate(tmp_path / "healthy", COLD) as stage:
        healthy = run_drill(tmp_path, stage.file, feature=FEATURE)
        assert stage.writes() == []
    broken = {**COLD, "profile": {"ttl": 300}}
    broken["regions"] = [COLD["regions"][0], {**COLD["regions"][1], "host_bound": False}]
    with estate(tmp_path / "broken", broken) as stage:
        red = run_drill(tmp_path, stage.file, feature=FEATURE)
        assert stage.writes() == []
    assert (healthy.code, healthy.directory) == (0, None), healthy.output
    assert "only an operator can fail over" in healthy.output  # a warning passes, and is told
    assert (red.code, red.directory) == (1, None), red.output
    assert "2 failed, 3 passed" in red.output
    for said in ("TTL and RTO: a TTL of 300 s is 500% of", "host names: ", "az webapp config hostname add"):
        assert any(said in line for line in red.output.splitlines()), red.output
    assert "Traceback" not in red.output


def test_a_fault_is_not_asked_of_azure(tmp_path: Path) -> None:
    """An @estate_only scenario of an Azure target is skipped, with its reason, before anybody signs in."""
    settings = tmp_path / "drill.toml"
    settings.write_text(AZURE, "utf-8")
    arguments = ("--target", "prod", "--drill-settings", str(settings), "-rs")
    skipped = run_drill(tmp_path, None, *arguments, feature="features/region_loss.feature")
    assert skipped.code == 0, skipped.output
    assert "1 skipped" in skipped.output
    assert "needs a fault that Azure cannot do on request" in skipped.output


def test_a_read_only_scenario_may_not_act() -> None:
    """Every verb that changes, measures or waits is refused by name; those that look are not."""
    looking = Inspection.__new__(Inspection)
    for verb in ("disable", "put_back", "serve_users", "inject", "verify_budget", "findings"):
        with pytest.raises(
            Unsafe, match="a scenario tagged @read_only only looks: it may not " + verb.replace("_", " ")
        ):
            getattr(looking, verb)()
    assert {"verify_names", "verify_app", "verify_ready", "verify_ttl"} <= set(dir(looking))


def test_what_a_check_says_becomes_a_claim() -> None:
    """A failure is red with its fix; what could not be read is inconclusive; a warning, and what is not there, is told."""
    lines = [
        Line("certificate", Level.FAIL, "it is not valid", "bind one"),
        Line("rights", Level.SKIP, "403"),
        Line("size", Level.WARN, "it is smaller", "scale it"),
        Line("version", Level.SKIP, "tells none"),
        Line("host names", Level.PASS, "bound"),
    ]
    told: list[str] = []
    reads = iter([(lines, {"rights": "403"})])  # once, and no more
    ready = Readiness(lambda: next(reads), told.append)
    with pytest.raises(ObjectiveNotMet, match=r"^certificate: it is not valid; bind one$"):
        ready.require(["host names", "certificate"])
    with pytest.raises(Inconclusive, match=r"^rights: could not be told: 403$"):
        ready.require(["rights"])
    ready.require(["size", "version", "host names"])
    assert told == ["size: it is smaller; scale it", "version: tells none"]
