"""The data probe against a real estate: what it writes, over https and through names, and what a region lists afterwards."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from failover_drill.adapters.estate import Ready, target_of
from failover_drill.adapters.load import Load
from failover_drill.adapters.read_back import Reader
from failover_drill.errors import DrillError
from failover_drill.facts import Write, WriteOutcome
from failover_drill.samples import read_samples
from failover_drill.target import DataProbe, Target
from failover_drill.traffic import WRITES, TrafficPlan
from tests.estate.running import QUICK, Running, running, until

PROBE = DataProbe("/data", rate=20.0)
TIMEOUT_S = 1.0
KEPT = WriteOutcome.ACKNOWLEDGED
REGIONS = [
    {"location": "eastus"},
    {"location": "westus3", "endpoint": "Disabled"},
]  # names lead to one, whatever it does
MET: tuple[tuple[str, dict[str, object], WriteOutcome], ...] = (
    ("slow", {"slow_s": 4}, WriteOutcome.UNANSWERED),
    ("reset", {}, WriteOutcome.UNKNOWN),
    ("erroring", {"status": 500}, WriteOutcome.REFUSED),
    ("erroring", {"status": 504}, WriteOutcome.UNKNOWN),
    ("region_hung", {}, WriteOutcome.REFUSED),  # over https there is no connection, so it was never sent
    ("region_lost", {}, WriteOutcome.REFUSED),
)


def target(estate: Running) -> Target:
    return replace(target_of(Ready(estate.ready)), scheme="https", port=estate.ready["https_port"], data_probe=PROBE)


def plan(estate: Running, where: Path) -> TrafficPlan:
    return TrafficPlan(
        url=target(estate).url + "/", out_dir=str(where), rate=5.0, resolvers=(estate.ready["dns"],),
        timeout_s=TIMEOUT_S, slow_s=TIMEOUT_S, ca_file=estate.ready["ca_file"], write_path=PROBE.path,
        write_rate=PROBE.rate, write_prefix="run",
    )  # fmt: skip


def writes(where: Path) -> list[Write]:
    path = where / WRITES
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    return [Write(**{**row, "outcome": WriteOutcome(row["outcome"])}) for row in rows]


def sent(where: Path, since_ns: int) -> set[WriteOutcome]:
    """What became of the writes that were sent from an instant on."""
    return {each.outcome for each in writes(where) if each.sent_ns > since_ns}


def test_each_write_has_its_outcome(tmp_path: Path) -> None:
    """Kept, or as the region's trouble left it, each as the estate's truth has it; none is missing, none there twice."""
    with running(tmp_path, {**QUICK, "regions": REGIONS}) as estate, Load() as load:
        load.start(plan(estate, tmp_path), tmp_path)
        until(lambda: len(writes(tmp_path)) > 20)
        listed = Reader(target(estate), PROBE, "run")(target(estate).primary)
        for fault, more, met in MET:
            with estate.fault(fault, region="eastus", **more):
                since_ns = time.monotonic_ns()
                until(lambda since_ns=since_ns, met=met: met in sent(tmp_path, since_ns))  # type: ignore[misc]
        load.stop()
        found = sorted(writes(tmp_path), key=lambda each: each.number)
        truth = [e for e in estate.control("GET", "/_truth").json["events"] if e["event"] == "written"]
    assert [each.number for each in found] == list(range(len(found)))
    kept = {each.number for each in found if each.outcome is KEPT}
    told = {int(e["key"].removeprefix("run-")): e for e in truth}
    assert kept <= told.keys()
    for each in found:
        if each.number in kept:
            assert each.sent_ns <= told[each.number]["t_ns"] <= each.done_ns
            assert (each.status, each.region) == (201, told[each.number]["region"])
    assert {n for n in kept if found[n].done_ns < listed.at_ns} <= listed.numbers()


def test_one_writer_beside_several_load_processes(tmp_path: Path) -> None:
    """With a master and two workers the writes are those of one writer: each slot once, kept, and listed afterwards."""
    with running(tmp_path, {**QUICK, "regions": REGIONS}) as estate, Load() as load:
        load.start(replace(plan(estate, tmp_path), workers=2), tmp_path)
        until(lambda: len(writes(tmp_path)) > 20)
        load.stop()
        found = sorted(writes(tmp_path), key=lambda each: each.number)
        listed = Reader(target(estate), PROBE, "run")(target(estate).primary)
    assert [each.number for each in found] == list(range(len(found)))
    assert {each.outcome for each in found} == {KEPT}
    assert listed.numbers() == {each.number for each in found}
    _, reports = read_samples(tmp_path)
    assert [report.finished for report in reports] == [True, True]


def test_a_region_that_cannot_be_read_back_says_why(tmp_path: Path) -> None:
    """A stopped app, a region that is not there, and a path that lists nothing are each told in one line."""
    with running(
        tmp_path, {**QUICK, "regions": [{"location": "eastus"}, {"location": "westus3", "state": "Stopped"}]}
    ) as estate:
        aim = target(estate)
        read = Reader(aim, PROBE, "run")
        assert read(aim.secondary).error == "GET /data answers 403 Site Disabled"
        assert "no JSON such as" in Reader(aim, DataProbe("/elsewhere"), "run")(aim.primary).error
        with estate.fault("region_lost", region="eastus"):
            assert read(aim.primary).error.startswith("ConnectionRefusedError")
        assert read(aim.primary).error == ""


def test_a_token_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    """The plan names a variable of the environment, never the token; without it nothing is sent."""
    aimless = TrafficPlan(url="http://127.0.0.1:9/", out_dir=str(tmp_path), write_path="/data", write_token="NO_SUCH")
    with pytest.raises(DrillError, match="write_token = 'NO_SUCH': there is no such environment variable"):
        Load().start(aimless, tmp_path)
