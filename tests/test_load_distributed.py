"""Several load processes as one instrument: Locust's master and workers, near and far, on one clock."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover_drill import clock
from failover_drill.adapters.load import Load
from failover_drill.facts import Facts, Objectives, Outcome, SampleTable, WorkerReport
from failover_drill.measured import measure
from failover_drill.samples import read_samples
from failover_drill.traffic import TrafficPlan
from loadtests.clocks import Exchange, OffsetEstimate
from tests.instruments import facts_of, when_fit
from tests.servers import Site, eventually, free_port, loop_thread

ROOT = Path(__file__).parent.parent
EAST = "127.0.1.16"


@pytest.fixture
def site() -> Iterator[Site]:
    with loop_thread() as thread:
        running = Site("eastus", EAST).start(thread)
        yield running
        running.close()


def plan_for(site: Site, run_dir: Path, **settings: Any) -> TrafficPlan:
    given: dict[str, Any] = {"url": f"http://{EAST}:{site.port}/", "out_dir": str(run_dir), "rate": 100.0}
    return TrafficPlan(**(given | {"timeout_s": 15.0, "slow_s": 15.0} | settings))


def play(site: Site, plan: TrafficPlan) -> tuple[SampleTable, tuple[WorkerReport, ...]]:
    with Load() as load:
        load.start(plan, Path(plan.out_dir))
        time.sleep(2.0)
        load.stop()
    return read_samples(Path(plan.out_dir))


def common_slots(table: SampleTable) -> Any:
    """Return the slots while all workers ran: on a busy machine one may hear of beginning or end too late."""
    slots, worker = table.records["intended_ns"], table.records["worker"]
    own = [slots[worker == each] for each in np.unique(worker)]
    first, last = max(each.min() for each in own), min(each.max() for each in own)
    return np.sort(slots[(slots >= first) & (slots <= last)])


def test_workers_share_one_grid(site: Site, tmp_path: Path) -> None:
    """Four workers together send exactly the grid of one, no slot twice and none missing, and each says its part."""
    table, reports = play(site, plan_for(site, tmp_path, workers=4))
    slots = common_slots(table)
    assert len(reports) == 4
    assert all(report.finished and report.scheduled == report.recorded == report.locust_requests for report in reports)
    assert sum(report.recorded for report in reports) == len(table.records) > 40
    assert set(np.diff(slots)) == {10_000_000}
    common = table.records[np.isin(table.records["intended_ns"], slots)]
    counts = np.bincount(common["worker"])
    assert counts.max() - counts.min() <= 1
    lanes_of = [set(table.records["lane"][table.records["worker"] == worker]) for worker in range(4)]
    assert sum(map(len, lanes_of)) == len(set().union(*lanes_of))


def test_one_and_four_workers_agree_on_the_same_outages(site: Site, tmp_path: Path) -> None:
    """Two instruments watching one service, of one and of four workers, find the same outages within their bounds."""
    both, truth = when_fit(lambda directory: watched_twice(site, directory), tmp_path)
    for facts in both:
        found = sorted(measure(facts, Objectives()).outages, key=lambda each: -each.bad)[:3]
        found.sort(key=lambda each: each.first_ns)
        for outage, length_s in zip(found, truth, strict=True):
            assert outage.length.at_least_ns / 1e9 <= length_s <= outage.length.at_most_ns / 1e9


def watched_twice(site: Site, where: Path) -> tuple[list[Facts], list[float]]:
    """Have three outages; return what one worker saw and what four did, and the true lengths in seconds."""
    anchor = clock.anchor()
    plans = [plan_for(site, where / str(n), workers=n, timeout_s=1.5, slow_s=1.5) for n in (1, 4)]
    with Load() as one, Load() as four:
        four.start(plans[1], where / "4")
        one.start(plans[0], where / "1")
        time.sleep(1.0)
        truth = []
        for mode, length_s in (("refuse", 0.6), ("503", 0.4), ("hang", 0.9)):
            began = site.become(mode)
            time.sleep(length_s)
            truth.append((site.become("ok") - began) / 1e9)
            time.sleep(1.6)
        four.stop()
        one.stop()
    return [facts_of(plan, anchor) for plan in plans], truth


def test_worker_that_dies_is_missed(site: Site, tmp_path: Path) -> None:
    """When one of several workers is killed, the others go on, and its report says that it did not finish."""
    with Load() as load:
        load.start(plan_for(site, tmp_path, workers=2), tmp_path)
        time.sleep(1.0)
        os.kill(load.pids[2], signal.SIGKILL)
        assert eventually(lambda: not load.alive)
        time.sleep(0.5)
        load.stop()
    _, reports = read_samples(tmp_path)
    assert sorted(report.finished for report in reports) == [False, True]
    assert sum(report.recorded for report in reports) < sum(report.scheduled for report in reports)


def remote_worker(port: int, keep_in: Path, *wrapped: str, **environ: str) -> subprocess.Popen[bytes]:
    """Start a worker as one would on another machine: plain Locust, told where the master is."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("FAILOVER_DRILL")}
    return subprocess.Popen(
        [*wrapped, sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py"), "--worker",
         "--master-host", "127.0.0.1", "--master-port", str(port)],
        env=inherited | {"FAILOVER_DRILL_WORKER_DIR": str(keep_in)} | environ, cwd=keep_in,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def with_remote_worker(site: Site, tmp_path: Path, *wrapped: str, **environ: str) -> tuple[Facts, Path]:
    """Run one near and one far worker; return the facts, and the directory that the far one kept its files in."""
    far_dir, run_dir = tmp_path / "far", tmp_path / "run"
    far_dir.mkdir()
    port = free_port("127.0.0.1")
    plan = plan_for(site, run_dir, workers=2, remote_workers=1, master_port=port, rate=200.0)
    anchor = clock.anchor()
    far = remote_worker(port, far_dir, *wrapped, **environ)
    try:
        with Load() as load:
            load.start(plan, run_dir)
            time.sleep(3.0)
            load.stop()
        far.wait(90)
    finally:
        if far.poll() is None:
            far.kill()
            far.wait()
    return facts_of(plan, anchor), far_dir


def test_remote_worker_s_samples_come_back(site: Site, tmp_path: Path) -> None:
    """A worker that cannot reach the run directory hands all its samples over by message, and keeps nothing."""
    facts, far_dir = with_remote_worker(site, tmp_path)
    slots = common_slots(facts.samples)
    assert all(report.finished and report.scheduled == report.recorded for report in facts.workers)
    assert all(report.finished and report.scheduled == report.recorded for report in facts.control_workers)
    assert [report.locust_requests for report in facts.workers] == [report.recorded for report in facts.workers]
    assert set(np.diff(slots)) == {5_000_000}
    assert {facts.samples.names.regions[i] for i in facts.samples.records["region"]} == {"eastus"}
    assert not list(far_dir.iterdir())


def test_offset_of_another_clock_is_measured_with_its_bound(site: Site, tmp_path: Path) -> None:
    """A worker whose clock may be another one is compared with ours: the true offset lies within the stated bound."""
    facts, _ = with_remote_worker(site, tmp_path, FAILOVER_DRILL_CLOCK="who knows")
    (far,) = [report for report in facts.workers if report.offset_bound_ns]
    assert 0 < far.offset_bound_ns < 1_000_000_000
    assert abs(far.offset_ns) <= far.offset_bound_ns
    assert_in_place(facts)


def assert_in_place(facts: Facts) -> None:
    """Of two workers that send each 10 ms by turns no slot is missing, and the far one's lie among ours.

    How near to the middle they meet hangs on how surely the clock was known when the traffic began: on a busy machine, less.
    """
    slots = common_slots(facts.samples)
    assert len(slots) > 40
    assert np.diff(slots).max() <= 10_000_000


AHEAD_S = 5000


def time_namespaces() -> bool:
    if not shutil.which("unshare"):
        return False
    tried = subprocess.run(["unshare", "--time", "--fork", "true"], check=False, capture_output=True)
    return tried.returncode == 0


@pytest.mark.skipif(not time_namespaces(), reason="needs the right to make a time namespace")
def test_worker_on_a_clock_hours_ahead_fits_in(site: Site, tmp_path: Path) -> None:
    """A worker whose monotonic clock really is 5000 s ahead of ours sends by turns with ours, and its samples land in place."""
    facts, _ = with_remote_worker(
        site, tmp_path, "unshare", "--time", "--monotonic", str(AHEAD_S), "--fork", "--kill-child"
    )
    (far,) = [report for report in facts.workers if report.offset_bound_ns]
    assert abs(far.offset_ns - AHEAD_S * 10**9) <= far.offset_bound_ns < 1_000_000_000
    assert_in_place(facts)
    assert set(facts.samples.records["outcome"]) == {Outcome.OK}


@given(
    truth_ns=st.integers(-(10**15), 10**15),
    trips=st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)), min_size=1, max_size=40),
    drift_ns=st.integers(0, 1000),
)
def test_true_offset_lies_within_the_bound(truth_ns: int, trips: list[tuple[int, int]], drift_ns: int) -> None:
    """However lopsided the exchanges, and where the clocks drift apart steadily, the bound holds the mean offset."""
    estimate = OffsetEstimate()
    offsets = []
    for second, (there, back) in enumerate(trips):
        out = second * 10**9
        offsets.append(truth_ns + drift_ns * second)
        estimate.add(Exchange(out, out + there + back, out + there + offsets[-1]))
    found = estimate.offset()
    middle = (offsets[0] + offsets[-1]) / 2
    assert abs(found.ns - middle) <= found.bound_ns + drift_ns * 10 + 1
