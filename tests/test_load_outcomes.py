"""Every way in which a request can end, over real sockets, and what it is called."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trustme

from failover_drill.adapters.load import Load
from failover_drill.facts import Flag, Outcome, SampleTable
from failover_drill.samples import read_samples
from failover_drill.traffic import TrafficPlan
from tests.servers import Authority, LoopThread, Site, eventually, loop_thread

EAST = "127.0.1.12"
NAME = "www.proseware.example"


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    with loop_thread() as running:
        yield running


@pytest.fixture
def site(thread: LoopThread) -> Iterator[Site]:
    running = Site("eastus", EAST).start(thread)
    yield running
    running.close()


def plan_for(site: Site, tmp_path: Path, **settings: Any) -> TrafficPlan:
    given: dict[str, Any] = {
        "url": f"http://{site.address}:{site.port}/",
        "out_dir": str(tmp_path),
        "rate": 50.0,
        "timeout_s": 15.0,
        "slow_s": 15.0,  # the site runs in this very process: on a busy machine it can be slow
        "lanes": 10,
        "regions": {EAST: "eastus"},
    }
    return TrafficPlan(**(given | settings))


def run(plan: TrafficPlan, seconds: float) -> SampleTable:
    with Load() as load:
        load.start(plan, Path(plan.out_dir))
        time.sleep(seconds)
        load.stop()
    return read_samples(Path(plan.out_dir))[0]


ENDINGS = [
    ("ok", {}, Outcome.OK, 200, "eastus"),
    ("503", {}, Outcome.HTTP_ERROR, 503, "eastus"),
    ("503", {"expect_status": ((500, 599),)}, Outcome.OK, 503, "eastus"),
    ("ok", {"expect_content": "hello"}, Outcome.OK, 200, "eastus"),
    ("wrong", {"expect_content": "hello"}, Outcome.WRONG_CONTENT, 200, "eastus"),
    ("slow", {"slow_s": 1.2}, Outcome.SLOW, 200, "eastus"),
    ("refuse", {}, Outcome.REFUSED, 0, "eastus"),
    ("reset", {}, Outcome.RESET, 0, "eastus"),
    ("silent", {}, Outcome.RESET, 0, "eastus"),
    ("cut", {}, Outcome.RESET, 0, "eastus"),
    ("garbage", {}, Outcome.HTTP_ERROR, 0, "eastus"),
    ("hang", {"timeout_s": 2.0}, Outcome.TIMEOUT, 0, "eastus"),
    ("dribble", {"timeout_s": 2.0}, Outcome.TIMEOUT, 0, "eastus"),
    ("ok", {"method": "HEAD", "expect_status": ((200, 200),)}, Outcome.OK, 200, "eastus"),
]


@pytest.mark.parametrize(("mode", "settings", "outcome", "status", "region"), ENDINGS)
def test_each_ending_has_its_name(
    site: Site, tmp_path: Path, mode: str, settings: dict[str, Any], outcome: Outcome, status: int, region: str
) -> None:
    """Whatever the site does, every sample is called by what it did, and Locust's totals agree with ours."""
    site.become(mode)
    table = run(plan_for(site, tmp_path, **settings), 0.6)
    (report,) = read_samples(tmp_path)[1]
    records = table.records
    assert set(records["outcome"]) == {outcome}
    assert set(records["status"]) == {status}
    assert {table.names.regions[i] for i in records["region"]} == {region}
    assert report.scheduled == report.recorded == report.locust_requests == len(records) > 5
    assert report.locust_failures == (0 if outcome is Outcome.OK else len(records))


def test_deadline_is_total(site: Site, tmp_path: Path) -> None:
    """A server that sends a byte now and then, never tripping a timeout per read, is cut off at the deadline."""
    site.become("dribble")
    took_s = run(plan_for(site, tmp_path, timeout_s=2.0), 1.0).records["took_us"] / 1e6
    assert took_s.min() >= 1.99
    assert np.median(took_s) < 10  # the whole answer takes 20 s


def test_one_request_is_one_connection(site: Site, tmp_path: Path) -> None:
    """A refused or reset request is not repeated behind our back: each sample is exactly one connection."""
    site.become("reset")
    table = run(plan_for(site, tmp_path, mix={"fresh": 1, "keepalive": 1}), 1.0)
    assert site.connections == len(table.records)
    assert not table.records["flags"].any()


def test_stale_connection_is_retried_once_and_flagged(site: Site, tmp_path: Path) -> None:
    """A pooled connection that ends under a request is replaced once, and the sample says so; a fresh one is not."""
    plan = plan_for(site, tmp_path, mix={"keepalive": 1}, lanes=5)
    with Load() as load:
        load.start(plan, tmp_path)
        assert eventually(lambda: site.requests > 20)  # four for each lane, one after the other
        site.become("silent")
        asked = site.requests
        assert eventually(lambda: site.requests > asked + 20)
        load.stop()
    records = read_samples(tmp_path)[0].records
    bad = records[records["outcome"] != Outcome.OK]
    assert set(bad["outcome"]) == {Outcome.RESET}
    assert np.count_nonzero(bad["flags"] & Flag.RETRIED) == 5
    assert np.count_nonzero(bad["flags"] == 0) == len(bad) - 5 > 0
    assert site.requests == len(records) + 5


def test_hang_costs_samples_their_outcome_not_their_existence(site: Site, tmp_path: Path) -> None:
    """While the service hangs, slots go out as before, and the ones under way at the stop still get their outcome."""
    with Load() as load:
        load.start(plan_for(site, tmp_path, rate=100.0, timeout_s=1.5), tmp_path)
        time.sleep(0.5)
        hung = site.become("hang")
        time.sleep(1.0)
        stopped = time.monotonic_ns()
        load.stop()
    records = read_samples(tmp_path)[0].records
    slots = np.sort(records["intended_ns"])
    during = (slots > hung + 50_000_000) & (slots < stopped)
    assert np.diff(slots).max() <= 10_000_001
    assert np.count_nonzero(during) >= 80
    assert set(records["outcome"][records["intended_ns"] > hung + 50_000_000]) == {Outcome.TIMEOUT}


def test_cap_on_requests_under_way_sheds_and_says_so(site: Site, tmp_path: Path) -> None:
    """Slots that find too many requests under way are recorded as shed, not left out."""
    site.become("hang")
    records = run(plan_for(site, tmp_path, rate=100.0, timeout_s=8.0, max_in_flight=20), 1.0).records
    (report,) = read_samples(tmp_path)[1]
    assert np.count_nonzero(records["outcome"] == Outcome.TIMEOUT) == 20
    assert np.count_nonzero(records["outcome"] == Outcome.SHED) == len(records) - 20 > 20
    assert report.locust_failures == len(records)


def test_own_lack_of_descriptors_is_not_the_service_s_fault(site: Site, tmp_path: Path) -> None:
    """A request that this machine could not send is cut, counted as unsent, and never a failure of the service."""
    site.become("hang")
    plan = plan_for(site, tmp_path, rate=100.0, timeout_s=3.0, max_in_flight=10_000)
    with Load(limits={"RLIMIT_NOFILE": 60}) as load:
        load.start(plan, tmp_path)
        time.sleep(1.5)
        load.stop()
    records = read_samples(tmp_path)[0].records
    (report,) = read_samples(tmp_path)[1]
    assert report.unsent == np.count_nonzero(records["outcome"] == Outcome.CUT) > 10
    assert report.locust_requests == len(records) - report.unsent


@pytest.mark.parametrize("mode", ["servfail", "silent", "nxdomain"])
def test_names_that_do_not_resolve(thread: LoopThread, site: Site, tmp_path: Path, mode: str) -> None:
    """A name server that fails, is silent or knows no such name makes dns_error, of nobody's region."""
    authority = Authority({} if mode == "nxdomain" else {NAME: (5, (EAST,))}).start(thread)
    authority.mode = "ok" if mode == "nxdomain" else mode
    plan = plan_for(site, tmp_path, url=f"http://{NAME}:{site.port}/", resolvers=(authority.address,), timeout_s=2.0)
    table = run(plan, 1.0)
    authority.close()
    assert set(table.records["outcome"]) == {Outcome.DNS_ERROR}
    assert set(table.records["address"]) == {0}
    assert site.connections == 0


def test_https_is_verified(thread: LoopThread, tmp_path: Path) -> None:
    """With the right CA and name requests are good; with another CA, or another name, they are tls_error."""
    authority_of = {"ours": trustme.CA(), "theirs": trustme.CA()}
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority_of["ours"].issue_cert(NAME).configure_cert(context)
    secure = Site("eastus", EAST, tls=context).start(thread)
    names = Authority({NAME: (5, (EAST,)), "www.other.example": (5, (EAST,))}).start(thread)
    seen = {}
    for case, name, ca in (
        ("right", NAME, "ours"),
        ("other CA", NAME, "theirs"),
        ("other name", "www.other.example", "ours"),
    ):
        run_dir = tmp_path / case.replace(" ", "-")
        ca_file = tmp_path / f"{ca}.pem"
        authority_of[ca].cert_pem.write_to_path(str(ca_file))
        plan = plan_for(
            secure, run_dir, url=f"https://{name}:{secure.port}/", resolvers=(names.address,), ca_file=str(ca_file),
            mix={"fresh": 1, "keepalive": 1}, rate=20.0, lanes=2,
        )  # fmt: skip
        seen[case] = run(plan, 1.0).records
    secure.close()
    names.close()
    assert {case: set(records["outcome"]) for case, records in seen.items()} == {
        "right": {Outcome.OK},
        "other CA": {Outcome.TLS_ERROR},
        "other name": {Outcome.TLS_ERROR},
    }
    assert (seen["right"]["flags"] & Flag.REUSED).any()


def test_paths_are_drawn_by_weight_and_recorded(site: Site, tmp_path: Path) -> None:
    """Each path of the plan, after the prefix of its URL, is asked for by its weight, and the sample says which."""
    plan = plan_for(
        site, tmp_path, url=f"http://{EAST}:{site.port}/shop/", rate=200.0, paths=(("/", 1.0), ("/cart?x=1", 3.0))
    )
    table = run(plan, 1.5)
    cart = np.array(table.names.paths)[table.records["path"]] == "/cart?x=1"
    assert 0.55 < cart.mean() < 0.95
    assert set(site.paths) == {"/shop/", "/shop/cart?x=1"}
    assert site.paths.count("/shop/cart?x=1") == np.count_nonzero(cart)
