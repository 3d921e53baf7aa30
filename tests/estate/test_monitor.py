"""The monitor's tables, as stories and as laws; and the prober against real sites."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_estate import diagram
from local_estate.monitor import (
    HEALTHS,
    OPERATOR,
    TRANSITIONS,
    Event,
    Location,
    Vote,
    is_success,
    nested,
    operator_event,
    profile_health,
    step,
    verdict,
)
from local_estate.topology import Endpoint, Header, Health, Kind, Probe, Profile, Status, StatusRange
from tests.estate.small_estate import NO_DELAYS, run, small_estate, two_regions

C, ON, D = Health.CHECKING_ENDPOINT, Health.ONLINE, Health.DEGRADED
OFF, IN, S, U = Health.DISABLED, Health.INACTIVE, Health.STOPPED, Health.UNMONITORED
DOCS = Path(__file__).resolve().parents[2] / "docs" / "monitor.md"


@pytest.mark.parametrize(
    "story",
    [
        [OFF, Event.ENABLED, C, Event.PROBES_UP, ON, Event.PROBES_DOWN, D, Event.PROBES_UP, ON, Event.DISABLED, OFF],
        [ON, Event.APP_STOPPED, S, Event.PROBES_UP, S, Event.APP_RESTARTED, C, Event.PROBES_UP, ON],
        [S, Event.ENABLED, S, Event.DISABLED, OFF, Event.ENABLED, C],  # the failback trap, and the way round it
        [ON, Event.PROFILE_DISABLED, IN, Event.ENABLED, C],
        [D, Event.ALWAYS_SERVE, U, Event.PROBES_DOWN, U, Event.APP_STOPPED, U, Event.ENABLED, C],
        [OFF, Event.PROBES_UP, OFF, Event.APP_RESTARTED, OFF],
    ],
)
def test_stories(story: list[Any]) -> None:
    """Each story reads health, event, health, event, health."""
    health = story[0]
    for event, after in zip(story[1::2], story[2::2], strict=True):
        health = step(health, event)
        assert after is health


@pytest.mark.parametrize(
    ("profile", "endpoint", "always", "expected"),
    [
        (Status.ENABLED, Status.ENABLED, Status.DISABLED, C),
        (Status.ENABLED, Status.DISABLED, Status.DISABLED, OFF),
        (Status.DISABLED, Status.DISABLED, Status.DISABLED, OFF),
        (Status.DISABLED, Status.ENABLED, Status.DISABLED, IN),
        (Status.DISABLED, Status.ENABLED, Status.ENABLED, IN),
        (Status.ENABLED, Status.ENABLED, Status.ENABLED, U),
        (Status.ENABLED, Status.DISABLED, Status.ENABLED, OFF),
    ],
)
def test_what_the_operator_sets_decides(profile: Status, endpoint: Status, always: Status, expected: Health) -> None:
    """The rows of Microsoft's endpoint table that need no probe."""
    owner = Profile("g", "p", "p", status=profile)
    event = operator_event(owner, Endpoint("e", Kind.EXTERNAL, status=endpoint, always_serve=always))
    assert expected is step(OFF if event is not Event.DISABLED else ON, event)


@given(st.sampled_from(HEALTHS), st.lists(st.sampled_from(list(Event)), max_size=20))
def test_law_the_operators_last_word_is_never_undone_by_probes_or_signals(health: Health, events: list[Event]) -> None:
    """After the operator's word, no probe and no signal leads out of Disabled, Inactive or Unmonitored."""
    settled = {Event.DISABLED: OFF, Event.PROFILE_DISABLED: IN, Event.ALWAYS_SERVE: U}
    last = None
    for event in events:
        health = step(health, event)
        if event in (*settled, Event.ENABLED):
            last = event
        if last in settled:
            assert settled[last] is health


@given(st.sampled_from(HEALTHS), st.sampled_from(list(Event)))
def test_law_a_step_twice_is_a_step_once(health: Health, event: Event) -> None:
    """Hearing the same again changes nothing, but for a restart, which can only happen to what is stopped."""
    once = step(health, event)
    assert once is step(once, event)


def test_the_table_names_every_health_and_every_event() -> None:
    """No health and no event is missing from the table, and the operator's table covers all settings."""
    assert set(HEALTHS) == {before for before, _ in TRANSITIONS} == set(TRANSITIONS.values())
    assert set(Event) == {event for _, event in TRANSITIONS}
    assert len(OPERATOR) == 8


# A recording of probes at one location: + success, - failure. Beneath it what the location says then: u up, d down, . nothing.
@pytest.mark.parametrize(
    ("tolerated", "probes", "says"),
    [
        (0, "+-+-", "udud"),
        (1, "+--+", "uudu"),
        (3, "+---+----+", "uuuuuuuudu"),
        (3, "----+", "...du"),
        (1, "-+--", ".uud"),
    ],
)
def test_a_location_counts_consecutive_failures(tolerated: int, probes: str, says: str) -> None:
    """Down beyond the tolerated number of consecutive failures, up after one success."""
    location, told = Location(), ""
    for probe in probes:
        location = location.heard(probe == "+", tolerated)
        told += {True: "u", False: "d", None: "."}[location.up]
    assert says == told


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ("uuu", Event.PROBES_UP),
        ("uud", Event.PROBES_UP),
        ("udd", Event.PROBES_DOWN),
        ("ud", Event.PROBES_UP),  # half is not less than half
        ("uudd", Event.PROBES_UP),
        ("...", None),
        ("d..", None),
        ("u..", Event.PROBES_UP),
        ("dd.", Event.PROBES_DOWN),
        ("d", Event.PROBES_DOWN),
    ],
)
def test_half_of_the_locations_suffice(votes: str, expected: Event | None) -> None:
    """Degraded only when less than half of the locations say up."""
    assert expected is verdict(Location(up={"u": True, "d": False, ".": None}[v]) for v in votes)


@given(st.integers(1, 7), st.integers(0, 9), st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=60))
def test_law_tolerated_failures_alone_never_degrade(count: int, tolerated: int, probes: list[tuple[int, bool]]) -> None:
    """The vote is down only while more than half of the locations have that many failures in a row."""
    vote, streaks = Vote(count), [0] * count
    for where, success in probes:
        at = where % count
        streaks[at] = 0 if success else streaks[at] + 1
        event = vote.heard(at, success, tolerated)
        down = sum(streak > tolerated for streak in streaks)
        assert (event is Event.PROBES_DOWN) == (2 * down > count)


@pytest.mark.parametrize(
    ("status", "healths", "expected"),
    [
        (Status.DISABLED, [ON], Health.DISABLED),
        (Status.ENABLED, [ON, D], Health.DEGRADED),
        (Status.ENABLED, [ON, OFF], Health.ONLINE),  # a planned failover: Online, not Degraded
        (Status.ENABLED, [ON, S], Health.ONLINE),
        (Status.ENABLED, [ON, C], Health.ONLINE),
        (Status.ENABLED, [C, S], Health.CHECKING_ENDPOINTS),
        (Status.ENABLED, [OFF, S], Health.INACTIVE),
        (Status.ENABLED, [], Health.INACTIVE),
        (Status.ENABLED, [U], Health.ONLINE),
    ],
)
def test_a_profile_follows_its_endpoints(status: Status, healths: list[Health], expected: Health) -> None:
    """Microsoft's table of profile statuses."""
    assert expected is profile_health(status, healths)


@pytest.mark.parametrize(
    ("child", "healths", "least", "expected"),
    [
        (Health.ONLINE, [ON, ON], 2, Health.ONLINE),
        (Health.DEGRADED, [ON, D], 2, Health.DEGRADED),
        (Health.DEGRADED, [ON, D], 1, Health.ONLINE),
        (Health.ONLINE, [ON, C], 2, Health.CHECKING_ENDPOINT),
        (Health.DISABLED, [IN], 1, Health.STOPPED),
        (Health.INACTIVE, [OFF], 1, Health.STOPPED),
    ],
)
def test_a_nested_endpoint_needs_min_child_endpoints(
    child: Health, healths: list[Health], least: int, expected: Health
) -> None:
    """Microsoft's rules for nested profiles."""
    assert expected is nested(child, healths, least)


def test_expected_ranges_replace_the_200() -> None:
    """Only 200 counts by default; with ranges, only they."""
    ranges = Probe(expected=(StatusRange(301, 302), StatusRange(404, 404)))
    assert [is_success(Probe(), s) for s in (200, 204)] == [True, False]
    assert [is_success(ranges, s) for s in (200, 301, 404, 403)] == [False, True, True, False]


def test_the_documented_diagram_is_that_of_the_table() -> None:
    """docs/monitor.md is what `python -m local_estate.diagram` prints now."""
    assert DOCS.read_text() == diagram.page(), "run: python -m local_estate.diagram > docs/monitor.md"


# ---- the prober, against real sites; 12 times as fast as the clock on the wall -----------------------------------------


def test_a_lost_region_is_degraded_and_dns_moves_and_comes_back(tmp_path: Path) -> None:
    """After the tolerated failures, an interval apart, endpoint and profile are Degraded and DNS moves; one success undoes it."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            key = ("rg", "drill")
            await _until(lambda: estate.monitor.health_of(key, "east") is Health.ONLINE)
            assert Health.ONLINE is estate.monitor.profile_health(key)
            assert await estate.addresses() == ["127.0.1.1"]
            killed_ns = await estate.regions.kill("eastus")
            await _until(lambda: estate.monitor.health_of(key, "east") is Health.DEGRADED)
            (event,) = estate.events("monitor", endpoint="east", after="Degraded")
            assert (event["t_ns"] - killed_ns) / 1e9 * 20 > 0.99 * 1 * 10  # the tolerated number of intervals
            assert Health.DEGRADED is estate.monitor.profile_health(key)
            assert await estate.addresses() == ["127.0.2.1"]
            await estate.regions.respawn("eastus")
            await _until(lambda: estate.monitor.health_of(key, "east") is Health.ONLINE)
            assert await estate.addresses() == ["127.0.1.1"]

    run(scenario())


def test_a_hung_region_costs_the_timeout_of_each_probe(tmp_path: Path) -> None:
    """With a hung endpoint the n+1 failures take that many timeouts."""

    async def scenario() -> None:
        probe = Probe(path="/health", interval_s=10, timeout_s=8, tolerated=1)
        async with small_estate(tmp_path, two_regions(probe=probe), time_scale=8) as estate:
            await _until(lambda: estate.monitor.health_of(("rg", "drill"), "east") is Health.ONLINE)
            await asyncio.sleep(0.6)
            hung_ns = await estate.regions.hang("eastus")
            await _until(lambda: estate.monitor.health_of(("rg", "drill"), "east") is Health.DEGRADED)
            event = estate.events("monitor", endpoint="east", after="Degraded")[-1]
            took_s = (event["t_ns"] - hung_ns) / 1e9 * 8
            assert took_s >= 2 * 8
            await estate.regions.resume("eastus")

    run(scenario())


def test_a_stopped_app_is_stopped_for_the_monitor_and_needs_disable_and_enable(tmp_path: Path) -> None:
    """The failback trap: after a restart the endpoint stays Stopped; disabling and enabling it brings it back at once."""

    async def scenario() -> None:
        async with small_estate(tmp_path, delays=replace(NO_DELAYS, stopped_signal_s=0.05)) as estate:
            key = ("rg", "drill")
            await _until(lambda: estate.monitor.health_of(key, "east") is Health.ONLINE)
            estate.put_app("app-east", state="Stopped")
            await _until(lambda: estate.monitor.health_of(key, "east") is Health.STOPPED)
            assert Health.ONLINE is estate.monitor.profile_health(key)
            assert await estate.addresses() == ["127.0.2.1"]
            estate.put_app("app-east", state="Running")
            await asyncio.sleep(1)
            assert Health.STOPPED is estate.monitor.health_of(key, "east")
            estate.put_endpoint("east", status=Status.DISABLED)
            estate.put_endpoint("east", status=Status.ENABLED)
            assert Health.CHECKING_ENDPOINT is estate.monitor.health_of(key, "east")
            assert await estate.addresses() == ["127.0.1.1"]
            await _until(lambda: estate.monitor.health_of(key, "east") is Health.ONLINE)

    run(scenario())


def test_a_noticed_restart_is_probed_again(tmp_path: Path) -> None:
    """Left alone, a restarted app's endpoint is checked again once the restart is noticed."""

    async def scenario() -> None:
        delays = replace(NO_DELAYS, stopped_signal_s=0.05, restart_noticed_s=0.3)
        async with small_estate(tmp_path, delays=delays) as estate:
            estate.put_app("app-east", state="Stopped")
            await _until(lambda: estate.monitor.health_of(("rg", "drill"), "east") is Health.STOPPED)
            started_ns = time.monotonic_ns()
            estate.put_app("app-east", state="Running")
            await _until(lambda: estate.monitor.health_of(("rg", "drill"), "east") is Health.ONLINE)
            checking = estate.events("monitor", endpoint="east", after="CheckingEndpoint")[-1]
            assert checking["t_ns"] - started_ns >= 0.3e9

    run(scenario())


def test_enabling_a_broken_endpoint_serves_it_until_probes_say_down(tmp_path: Path) -> None:
    """The other trap: CheckingEndpoint is answered before any probe passed."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            estate.put_endpoint("east", status=Status.DISABLED)
            await estate.regions.kill("eastus")
            assert await estate.addresses() == ["127.0.2.1"]
            estate.put_endpoint("east", status=Status.ENABLED)
            assert await estate.addresses() == ["127.0.1.1"]
            await _until(lambda: estate.monitor.health_of(("rg", "drill"), "east") is Health.DEGRADED)
            assert await estate.addresses() == ["127.0.2.1"]

    run(scenario())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"probe": Probe("HTTP", 80, "/health")}, Health.ONLINE),
        ({"probe": Probe("HTTPS", 443, "/health")}, Health.ONLINE),
        ({"probe": Probe("TCP", 80, None)}, Health.ONLINE),
        ({"probe": Probe("TCP", 81, None, tolerated=0)}, Health.DEGRADED),
        (
            {"probe": Probe("HTTP", 80, "/", headers=(Header("Host", "www.other.example"),), tolerated=0)},
            Health.DEGRADED,
        ),
        ({"probe": Probe("HTTP", 80, "/", headers=(Header("host", "www.proseware.example"),))}, Health.ONLINE),
        ({"probe": Probe("HTTP", 80, "/", expected=(StatusRange(201, 299),), tolerated=0)}, Health.DEGRADED),
    ],
)
def test_probes_by_protocol_port_headers_and_ranges(tmp_path: Path, changes: dict[str, Any], expected: Health) -> None:
    """Each protocol probes what it should; a Host header and expected ranges count."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            estate.put_profile(**changes)
            await _until(lambda: estate.monitor.health_of(("rg", "drill"), "east") is expected)

    run(scenario())


def test_an_endpoints_own_headers_override_the_profiles(tmp_path: Path) -> None:
    """A Host header on the endpoint wins over the profile's."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            probe = Probe("HTTP", 80, "/", tolerated=0, headers=(Header("Host", "www.proseware.example"),))
            estate.put_profile(probe=probe)
            estate.put_endpoint("east", headers=(Header("HOST", "www.other.example"),))
            await _until(lambda: estate.monitor.health_of(("rg", "drill"), "east") is Health.DEGRADED)
            await _until(lambda: estate.monitor.health_of(("rg", "drill"), "west") is Health.ONLINE)

    run(scenario())


def test_an_external_endpoint_outside_the_machine_is_never_contacted(tmp_path: Path) -> None:
    """A target that is neither the estate's nor loopback is unreachable without a packet; one on loopback is probed."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            probe = Probe("HTTP", 80, "/health", tolerated=0, timeout_s=5)
            outside = [Endpoint(n, Kind.EXTERNAL, n) for n in ("192.0.2.1", "www.microsoft.com")]
            inside = [Endpoint(n, Kind.EXTERNAL, n) for n in ("127.0.1.1", "app-west.azurewebsites.net")]
            estate.put_profile(probe=replace(probe, expected=(StatusRange(200, 404),)), endpoints=(*outside, *inside))
            for endpoint in outside:
                await _until(lambda e=endpoint: estate.monitor.health_of(("rg", "drill"), e.name) is Health.DEGRADED)
            for endpoint in inside:
                await _until(lambda e=endpoint: estate.monitor.health_of(("rg", "drill"), e.name) is Health.ONLINE)

    run(scenario())


def test_nested_profiles_follow_their_children_on_the_wire(tmp_path: Path) -> None:
    """A parent answers with the child's leaf in one CNAME, and moves on when the child has too few healthy endpoints."""

    async def scenario() -> None:
        async with small_estate(tmp_path) as estate:
            child = replace(estate.world.profiles["rg", "drill"], name="child", relative_name="child")
            estate.world.put_profile(replace(child, endpoints=child.endpoints[:1]))
            resource_id = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/trafficManagerProfiles/child"
            inner = Endpoint("inner", Kind.NESTED, "child.trafficmanager.net", resource_id, priority=1, min_child=1)
            west = replace(estate.world.profiles["rg", "drill"].endpoints[1], priority=2)
            estate.put_profile(endpoints=(inner, west))
            await _until(lambda: estate.monitor.health_of(("rg", "drill"), "inner") is Health.ONLINE)
            assert await estate.addresses() == ["127.0.1.1"]
            await estate.regions.kill("eastus")
            await _until(lambda: estate.monitor.health_of(("rg", "drill"), "inner") is Health.DEGRADED)
            assert await estate.addresses() == ["127.0.2.1"]
            estate.world.put_profile(replace(child, status=Status.DISABLED))
            assert Health.STOPPED is estate.monitor.health_of(("rg", "drill"), "inner")

    run(scenario())


async def _until(condition: Any) -> None:
    async with asyncio.timeout(90):
        while not condition():
            await asyncio.sleep(0.01)
