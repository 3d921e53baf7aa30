"""A drill can fail: red, with the reason in one line, a report, and the estate as it was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.hooks import TOKEN, hook
from tests.stage import COLD, Drilled, Estate, performance
from tests.test_drill_failover import settings_of, state

NEVER, REFUSED, PAUSED = "the secondary never serves", "the endpoint update is refused", "replication stands still"
FAULTS: Mapping[str, Mapping[str, object]] = {
    NEVER: {"kind": "erroring", "region": "westus3", "status": 500},
    REFUSED: {"kind": "control_throttled", "operation": "Endpoints_Update"},
    PAUSED: {"kind": "replication_paused", "region": "eastus"},
}
CASES: dict[str, tuple[Mapping[str, Any], Mapping[str, str], str]] = {
    NEVER: (
        COLD,
        {"FAILOVER_DRILL__WAIT__SERVE_S": "3"},
        "westus3 does not serve 3 s after its app was started: it answers 500",
    ),
    "the TTL is too long for the objective": (
        {**COLD, "profile": {"ttl": 30}},
        {"FAILOVER_DRILL__WAIT__COMPLETE_S": "4", "FAILOVER_DRILL__OBJECTIVES__RTO_S": "3"},
        "caching resolver does not answer with westus3 within 4 s",
    ),
    REFUSED: (COLD, {}, "set endpoint westus3: refused with 429 SubscriptionRequestsThrottled"),
    "the recovery takes too long": (
        COLD,
        {"FAILOVER_DRILL__OBJECTIVES__RTO_S": "0.3"},
        "recovery time",
    ),
    PAUSED: (COLD, {"FAILOVER_DRILL__TARGET__LOCAL__RPO_S": "0.5"}, "not in westus3, beyond the 500 ms allowed"),
}


@pytest.mark.parametrize("case", CASES)
def test_red_with_its_reason(case: str, tmp_path: Path) -> None:
    """The scenario fails, the reason is one line, a report is there, nothing is left changed, and people are told once."""
    config, environment, reason = CASES[case]
    with hook(404 if case == REFUSED else 200) as server:
        environment = {**environment, "FAILOVER_DRILL__NOTIFY__WEBHOOK": server.url}

        def prepare(stage: Estate) -> None:
            server.posts.clear()
            if case in FAULTS:
                stage.control("POST", "/_faults", FAULTS[case])

        with performance(tmp_path, config=config, prepare=prepare, environment=environment) as ended:
            drilled = ended.drilled
            assert settings_of(state(ended.stage)) == settings_of(ended.before)
    assert drilled.code == 1, drilled.output
    assert any(reason in line for line in drilled.output.splitlines()), drilled.output
    assert "Traceback" not in drilled.output
    assert_reported(drilled)
    (message,) = server.messages
    assert message["reasons"] == drilled.findings["reasons"]
    assert ("notify.webhook failed: 127.0.0.1 answered 404" in drilled.output) == (case == REFUSED)
    assert_not_told(TOKEN, drilled.directory, drilled.output)


def assert_not_told(secret: str, run: Path | None, output: str) -> None:
    """Neither a file of the run nor the terminal holds *secret*."""
    assert run is not None
    assert secret not in output
    assert [path for path in run.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()] == []


def assert_reported(drilled: Drilled) -> None:
    assert drilled.directory is not None
    assert drilled.findings["verdict"] != "MET"
    assert drilled.findings["drill"]["restored"] == "yes"
    assert (drilled.directory / "report.html").stat().st_size > 10_000
    text = (drilled.directory / "report.md").read_text("utf-8")
    assert text.index("> **Failed step:**") < text.index(f"**{drilled.findings['verdict']}**")
