"""A broken limit ends the drill: no further act, the undo at once, and the measurement goes on until users are well."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from failover_drill.abort import Conditions, Seen, breach, conditions
from failover_drill.adapters.arm import ArmPlatform
from failover_drill.guards import STOP_TAG
from failover_drill.promises import LOCK_TAG
from failover_drill.settings import Settings
from failover_drill.settings_tables import AbortTable
from failover_drill.target import Target
from failover_drill.targets import open_target
from tests.stage import COLD, Estate, await_journal, estate, latest, run_drill, start_drill
from tests.test_drill_failover import settings_of, state


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
@pytest.mark.timeout(600)
def test_an_aborted_drill(tmp_path: Path) -> None:
    """With a secondary that answers errors, the limit on availability ends the drill before DNS is touched."""
    with estate(tmp_path / "estate", COLD) as stage:
        stage.control("POST", "/_faults", {"kind": "erroring", "region": "westus3", "status": 500})
        drilled = run_drill(
            tmp_path,
            stage.file,
            feature="examples/abort.feature",
            environment={"FAILOVER_DRILL__WAIT__SERVE_S": "60"},
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


EXPIRED = "run-6 ann@elsewhere:1 until 2001-01-01T00:00:00Z"
THIEF = "run-7 bob@elsewhere:1 until 2999-01-01T00:00:00Z"
Stop = Callable[[ArmPlatform, Target, Path], object]
STOPS: Mapping[str, tuple[Stop, str]] = {
    "another took the lock": (
        lambda platform, target, _: platform.set_tag(target.profile_id, LOCK_TAG, THIEF),
        f"the lock was lost: it is now {THIEF}",
    ),
    "a kill-switch file": (lambda _, __, switch: switch.touch(), "drills are stopped: the file {switch} exists"),
    "a kill-switch tag": (
        lambda platform, target, _: platform.set_tag(target.profile_id, STOP_TAG, "incident 4711"),
        "drills are stopped: proseware is tagged failover-drill-stop=incident 4711",
    ),
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """An estate whose apps take five seconds to serve: time enough to stop a drill between two steps."""
    with estate(tmp_path_factory.mktemp("estate"), {**COLD, "delays": {"cold_start_s": 100}}) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("case", STOPS)
def test_stopped_between_two_steps(case: str, stage: Estate, tmp_path: Path) -> None:
    """With the primary down already: no act follows, the estate is put back, the report says why; what stopped it stays.

    The drill had taken over a lock that had expired.
    """
    stop, said = STOPS[case]
    before, switch = settings_of(state(stage)), tmp_path / "STOP"
    with open_target(Settings(), "local", stage.file, tmp_path / "log") as (target, _):
        platform = ArmPlatform(target)
        platform.set_tag(target.profile_id, LOCK_TAG, EXPIRED)
        drill = start_drill(
            tmp_path,
            stage.file,
            feature="benchmarks/safety/acts.feature",
            environment={"FAILOVER_DRILL__SAFETY__KILL_SWITCH": str(switch)},
        )
        await_journal(tmp_path, "outcome", id="journal-deed-2", outcome="ok")
        stop(platform, target, switch)
        output, _ = drill.communicate(timeout=240)
        left = {name: platform.tags(target.profile_id).get(name) for name in (LOCK_TAG, STOP_TAG)}
        for name, value in left.items():
            platform.remove_tag(target.profile_id, name, value or "")
    assert drill.returncode == 1, output
    assert left == {
        LOCK_TAG: THIEF if "lock" in case else None,
        STOP_TAG: "incident 4711" if "tag" in case else None,
    }
    assert settings_of(state(stage)) == before
    run = latest(tmp_path)
    assert run is not None
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_text("utf-8").splitlines()]
    aborted = next(n for n, line in enumerate(lines) if line["kind"] == "aborted")
    assert said.format(switch=switch) in lines[aborted]["reason"]
    assert next(line["before"]["state"] for line in lines if line.get("verb") == "take lock") == EXPIRED
    assert {"stop app"} <= {line["verb"] for line in lines[:aborted] if line["kind"] == "promise"}
    assert not [line for line in lines[aborted:] if line["kind"] == "promise" and line["purpose"] == "deed"]
    assert said.format(switch=switch) in json.loads((run / "findings.json").read_text("utf-8"))["drill"]["interrupted"]
    assert "Aborted" in (run / "report.md").read_text("utf-8")
