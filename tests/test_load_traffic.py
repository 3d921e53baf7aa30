"""The load process against real sites and a real name server on loopback: what it sends, records and follows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from failover_drill import clock
from failover_drill.adapters.load import Load
from failover_drill.facts import Facts, Flag, Objectives, Outcome, Population, SampleTable
from failover_drill.measured import measure
from failover_drill.samples import read_samples
from failover_drill.traffic import TrafficPlan
from tests.instruments import facts_of, when_fit
from tests.servers import Authority, LoopThread, Site, free_port, loop_thread

EAST, WEST = "127.0.1.11", "127.0.2.11"
NAME = "www.proseware.example"
TTL = 3
LATE_S = 2.0  # a client comes each 0.4 s, and a busy machine has its pauses; still less than another TTL


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    with loop_thread() as running:
        yield running


@pytest.fixture
def sites(thread: LoopThread) -> Iterator[tuple[Site, Site]]:
    port = free_port(EAST)
    pair = Site("eastus", EAST, port).start(thread), Site("westus3", WEST, port).start(thread)
    yield pair
    for site in pair:
        site.close()


@pytest.fixture
def authority(thread: LoopThread) -> Iterator[Authority]:
    zone: dict[str, tuple[int, tuple[str, ...] | str]] = {
        NAME: (300, "proseware.trafficmanager.example"),
        "proseware.trafficmanager.example": (TTL, (EAST,)),
    }
    server = Authority(zone).start(thread)
    yield server
    server.close()


def plan_for(site: Site, tmp_path: Path, **settings: Any) -> TrafficPlan:
    given: dict[str, Any] = {
        "url": f"http://{site.address}:{site.port}/",
        "out_dir": str(tmp_path),
        "rate": 100.0,
        "timeout_s": 15.0,
        "slow_s": 15.0,  # the sites run in this very process: on a busy machine they can be slow
        "regions": {EAST: "eastus", WEST: "westus3"},
    }
    return TrafficPlan(**(given | settings))


def run(plan: TrafficPlan, seconds: float) -> SampleTable:
    """Send the plan's traffic for *seconds* and return its samples."""
    with Load() as load:
        load.start(plan, Path(plan.out_dir))
        time.sleep(seconds)
        load.stop()
    return read_samples(Path(plan.out_dir))[0]


def test_every_slot_of_the_grid_leaves_a_sample(sites: tuple[Site, Site], tmp_path: Path) -> None:
    """No slot is missing, doubled or off the grid, and Locust counted the same requests as we recorded."""
    plan = plan_for(sites[0], tmp_path, rate=200.0)
    table = run(plan, 2.0)
    (report,) = read_samples(tmp_path)[1]
    slots = np.sort(table.records["intended_ns"])
    gaps = np.diff(slots)
    assert report.finished
    assert report.scheduled == report.recorded == len(slots) == report.locust_requests
    assert len(slots) > 200
    assert gaps.min() >= 5_000_000 - 1
    assert gaps.max() <= 5_000_000 + 1
    assert set(table.records["outcome"]) == {Outcome.OK}
    assert {table.names.regions[i] for i in table.records["region"]} == {"eastus"}
    assert {table.names.addresses[i] for i in table.records["address"]} == {EAST}


def test_control_stream_is_recorded_apart(sites: tuple[Site, Site], tmp_path: Path) -> None:
    """The control probe runs beside the traffic, to a target of its own, and is complete."""
    run(plan_for(sites[0], tmp_path), 1.5)
    table, (report,) = read_samples(tmp_path, "control")
    assert report.scheduled == report.recorded == len(table.records) >= 8
    assert set(table.records["outcome"]) == {Outcome.OK}


def test_populations_follow_a_change_of_dns_each_in_its_way(
    sites: tuple[Site, Site], authority: Authority, tmp_path: Path
) -> None:
    """After a DNS change fresh clients leave spread over the TTL, keepalive when their connection closes, sticky never."""
    east, west = sites
    plan = plan_for(
        east, tmp_path, url=f"http://{NAME}:{east.port}/", resolvers=(authority.address,), rate=200.0,
        mix={"fresh": 60, "keepalive": 20, "sticky": 20},
    )  # fmt: skip
    with Load() as load:
        load.start(plan, tmp_path)
        time.sleep(TTL + 0.5)
        changed = authority.set("proseware.trafficmanager.example", TTL, (WEST,))
        time.sleep(TTL + LATE_S + 0.5)
        dropped = time.monotonic_ns()
        east.drop_connections()
        time.sleep(LATE_S + 1.0)
        load.stop()
    table, _ = read_samples(tmp_path)
    records = table.records[table.records["outcome"] == Outcome.OK]
    sent = records["intended_ns"] + records["late_us"].astype("<i8") * 1000
    at_west = np.array(table.names.regions)[records["region"]] == "westus3"
    of = {population: records["population"] == population for population in Population}
    assert len(records) > 0.9 * len(table.records)
    assert not at_west[sent < changed].any()

    cut_over = cut_over_times(records[of[Population.FRESH]], sent[of[Population.FRESH]], at_west[of[Population.FRESH]])
    left_s = (cut_over - changed) / 1e9
    assert (left_s < TTL + LATE_S).all()
    assert left_s.max() - left_s.min() > 0.6 * TTL
    assert abs(left_s.mean() - TTL / 2) < 0.45 * TTL
    east_fresh = of[Population.FRESH] & ~at_west
    assert (sent[east_fresh] < changed + (TTL + LATE_S) * 1e9).all()

    keepalive = of[Population.KEEPALIVE]
    opened = keepalive & (sent > changed) & (sent < dropped) & ((records["flags"] & Flag.REUSED) == 0)
    kept = keepalive & ~np.isin(records["lane"], records["lane"][opened])  # a busy client opens a second connection
    assert len(np.unique(records["lane"][kept])) > 0.5 * len(np.unique(records["lane"][keepalive]))
    assert not at_west[kept & (sent < dropped)].any()
    assert at_west[keepalive & (sent > dropped + LATE_S * 1e9)].all()
    assert not at_west[of[Population.STICKY]].any()
    assert west.requests > 0


def cut_over_times(records: Any, sent: Any, at_west: Any) -> Any:
    """Return, for each name cache, when it was first seen to send its clients west."""
    return np.array([sent[(records["resolver"] == cache) & at_west].min() for cache in np.unique(records["resolver"])])


def test_reused_connections_are_marked(sites: tuple[Site, Site], tmp_path: Path) -> None:
    """Fresh clients never reuse a connection, pooled ones do, and the site saw exactly the connections that we say."""
    table = run(plan_for(sites[0], tmp_path, mix={"fresh": 1, "keepalive": 1}, lanes=10), 1.5)
    reused = (table.records["flags"] & Flag.REUSED) > 0
    fresh = table.records["population"] == Population.FRESH
    assert not reused[fresh].any()
    assert np.count_nonzero(reused[~fresh]) > 20
    assert sites[0].connections == np.count_nonzero(~reused)


def test_hang_is_measured_whole(sites: tuple[Site, Site], tmp_path: Path) -> None:
    """A hang of 2 s, with deadlines of 1.5 s, is found as one outage whose bounds hold its true length."""
    (facts,), length_ns = when_fit(lambda directory: hung(sites[0], directory), tmp_path)
    outage = max(measure(facts, Objectives()).outages, key=lambda found: found.bad)
    assert outage.outcome is Outcome.TIMEOUT
    assert outage.length.at_least_ns <= length_ns <= outage.length.at_most_ns
    assert outage.length.at_most_ns < length_ns + 2e9


def hung(site: Site, directory: Path) -> tuple[list[Facts], int]:
    """Have a site hang for 2 s; return the facts, and for how long it really did."""
    anchor = clock.anchor()
    plan = plan_for(site, directory, rate=200.0, timeout_s=1.5, slow_s=1.5)
    with Load() as load:
        load.start(plan, directory)
        time.sleep(1.5)
        began = site.become("hang")
        time.sleep(2.0)
        ended = site.become("ok")
        time.sleep(2.5)
        load.stop()
    return [facts_of(plan, anchor)], ended - began
