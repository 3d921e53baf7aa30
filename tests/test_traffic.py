"""The traffic plan: what it refuses, and that it survives the way between two processes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover_drill.errors import SettingsError
from failover_drill.facts import Population
from failover_drill.traffic import TrafficPlan, lane_populations, server_address

GOOD: dict[str, Any] = {"url": "http://www.proseware.example:8080/shop", "out_dir": "/tmp/run"}

REFUSED = [
    ("url", "ftp://x/", "must be http://"),
    ("url", "http:///", "must be http://"),
    ("url", "http://x:99999/", "must be http://"),
    ("url", "http://me:secret@x/", "must not carry a user name"),
    ("rate", 0, "0.01 to 100000"),
    ("rate", -5.0, "0.01 to 100000"),
    ("rate", float("nan"), "0.01 to 100000"),
    ("rate", "fast", "must be a number"),
    ("rate", True, "must be a number"),
    ("timeout_s", 0, "0.01 to 3600"),
    ("slow_s", 0, "0.001 to 3600"),
    ("lanes", 0, "1 to 50000"),
    ("lanes", 2.5, "whole number"),
    ("workers", 0, "1 to 1000"),
    ("mix", {"loyal": 1.0}, "fresh, keepalive, sticky"),
    ("mix", {"fresh": 0.0}, "one must be above 0"),
    ("mix", {"fresh": -1.0, "sticky": 2.0}, "must not be negative"),
    ("method", "FETCH", "GET, HEAD"),
    ("expect_status", ((200, 700),), "within 100-599"),
    ("expect_status", (), "at least one range"),
    ("headers", {"X-A": "one\r\nX-B: two"}, "one line of value"),
    ("paths", (), "1 to 255"),
    ("paths", (("shop", 1.0),), "must begin with /"),
    ("paths", (("/a b", 1.0),), "no blank"),
    ("paths", (("/caf\u00e9", 1.0),), "percent-encoded"),
    ("paths", (("/", 0.0),), "weight must be above 0"),
    ("resolvers", ("dns.example",), "is not ip:port"),
    ("resolvers", ("127.0.0.1:0",), "is not ip:port"),
    ("regions", {"here": "eastus"}, "IP addresses"),
]


@pytest.mark.parametrize(("key", "value", "right"), REFUSED)
def test_refusals_are_one_line_and_say_what_would_be_right(key: str, value: Any, right: str) -> None:
    """A plan that makes no sense is refused in one line that names the key and what would be right."""
    with pytest.raises(SettingsError) as refusal:
        TrafficPlan(**(GOOD | {key: value}))
    assert right in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_plan_is_the_same_after_its_way_as_json() -> None:
    """What the harness wrote is what the load process reads, tuples and mappings included."""
    plan = TrafficPlan(
        **GOOD, resolvers=("127.0.0.1:5353", "[::1]:53"), mix={"fresh": 2, "sticky": 1}, paths=(("/", 1.0), ("/cart", 3)),
        regions={"127.0.1.1": "eastus"}, headers={"X-Key": "v"}, expect_status=((200, 204), (301, 301)), seed=7,
    )  # fmt: skip
    assert TrafficPlan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"url": "http://x/"}', "lacks out_dir"),
        ('{"url": "http://x/", "out_dir": "/tmp", "speed": 1}', "no key 'speed'"),
        ('{"url": "http://x/", "out_dir": "/tmp", "paths": 3}', "of the wrong kind"),
    ],
)
def test_what_is_no_plan_is_refused(text: str, why: str) -> None:
    """A file that holds no plan is refused in one line that says why."""
    with pytest.raises(SettingsError, match=why):
        TrafficPlan.from_json(text)


def test_url_is_taken_apart_as_clients_do() -> None:
    """Host, port and path prefix come from the URL, with the scheme's own port where none is given."""
    plan = TrafficPlan(**GOOD)
    assert (plan.host, plan.port, plan.https, plan.prefix) == ("www.proseware.example", 8080, False, "/shop")
    assert TrafficPlan(url="https://x", out_dir="/tmp").port == 443
    assert TrafficPlan(url="http://x", out_dir="/tmp").port == 80


@given(
    shares=st.dictionaries(st.sampled_from(["fresh", "keepalive", "sticky"]), st.integers(1, 100), min_size=1),
    lanes=st.integers(1, 120),
)
def test_populations_are_spread_evenly_over_the_lanes(shares: dict[str, int], lanes: int) -> None:
    """In every prefix of the lanes each population has its share, to within two lanes."""
    chosen = lane_populations(shares, lanes)
    assert len(chosen) == lanes
    for name, share in shares.items():
        expected = share / sum(shares.values())
        for length in range(1, lanes + 1):
            assert abs(chosen[:length].count(Population[name.upper()]) - expected * length) < 2


@given(lanes=st.integers(1, 500), workers=st.integers(1, 40))
def test_each_lane_belongs_to_one_worker(lanes: int, workers: int) -> None:
    """The number of lanes is a multiple of the workers, so slot k and slot k + lanes fall to the same process."""
    whole = TrafficPlan(**GOOD, lanes=lanes).lanes_for(workers)
    assert lanes <= whole < lanes + workers
    assert whole % workers == 0


def test_slots_do_not_drift() -> None:
    """A slot is computed from its number: after a week at an awkward rate it is still where it belongs."""
    plan = TrafficPlan(**GOOD, rate=333.0, begin_ns=1_000)
    k = 333 * 86_400 * 7
    assert abs(plan.slot_ns(k) - 1_000 - 86_400 * 7 * 10**9) < 1_000


def test_control_plan_asks_nothing_of_the_service() -> None:
    """The control stream has its own target, one client, and no name server of the service's."""
    control = TrafficPlan(**GOOD, resolvers=("127.0.0.1:53",), rate=1000.0).control("http://127.0.0.1:9/")
    assert control.url == "http://127.0.0.1:9/"
    assert (control.rate, control.lanes, control.resolvers, dict(control.mix)) == (10.0, 1, (), {"fresh": 1.0})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("10.0.0.1", ("10.0.0.1", 53)),
        ("[::1]:54", ("::1", 54)),
        ("::1", ("::1", 53)),
    ],
)
def test_server_addresses(text: str, address: tuple[str, int]) -> None:
    """A resolver is ip:port, with port 53 where none is given, and brackets around IPv6."""
    assert server_address(text) == address
