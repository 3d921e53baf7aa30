"""Which endpoint is answered with, for each routing method: tables, and laws that hold for every profile."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_estate.places import Place, Source, SourceMap, distance_km
from local_estate.routing import Verdict, answer, eligible
from local_estate.topology import Endpoint, Health, Kind, Profile, Status, Subnet

RNG = random.Random(1)
ANYWHERE = Source()

# One letter per endpoint, in order of priority: what its health is.
LETTERS = {
    "O": Health.ONLINE,
    "C": Health.CHECKING_ENDPOINT,
    "U": Health.UNMONITORED,
    "D": Health.DEGRADED,
    "S": Health.STOPPED,
    "x": Health.DISABLED,
}


def drawn(
    letters: str, routing: str = "Priority", **more: object
) -> tuple[Profile, dict[tuple[tuple[str, str], str], Health]]:
    """Return a profile with endpoints e1, e2, … of those healths."""
    endpoints = tuple(
        Endpoint(
            f"e{n}",
            Kind.EXTERNAL,
            f"e{n}.example",
            status=Status.DISABLED if letter == "x" else Status.ENABLED,
            priority=n,
        )
        for n, letter in enumerate(letters, 1)
    )
    profile = Profile("rg", "p", "p", routing=routing, endpoints=endpoints, **more)  # type: ignore[arg-type]
    return profile, {(profile.key, f"e{n}"): LETTERS[letter] for n, letter in enumerate(letters, 1)}


def chosen(letters: str, routing: str = "Priority", source: Source = ANYWHERE, seed: int = 1) -> str:
    profile, healths = drawn(letters, routing)
    choice = answer(profile, {}, healths, source, random.Random(seed))
    return ",".join(e.name for e in choice.endpoints) or str(choice.verdict)


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("OO", "e1"),
        ("CO", "e1"),  # being checked is served
        ("UO", "e1"),  # always served
        ("DO", "e2"),
        ("SO", "e2"),
        ("xO", "e2"),
        ("DD", "e1"),  # all degraded: as if all were online
        ("SD", "e2"),  # stopped is never eligible
        ("xD", "e2"),
        ("DC", "e2"),
        ("SS", "NXDOMAIN"),
        ("xS", "NXDOMAIN"),
        ("xx", "NXDOMAIN"),
        ("", "NXDOMAIN"),
    ],
)
def test_priority(letters: str, expected: str) -> None:
    """Priority answers with the first available endpoint, with the first degraded one where there is nothing better."""
    assert expected == chosen(letters)


def test_a_disabled_profile_is_nxdomain() -> None:
    """Whatever its endpoints, a disabled profile has no answer."""
    profile, healths = drawn("OO")
    disabled = replace(profile, status=Status.DISABLED)
    assert Verdict.NXDOMAIN is answer(disabled, {}, healths, ANYWHERE, RNG).verdict


letters_of = st.text(alphabet="OCUDSx", max_size=8)
any_method = st.sampled_from(["Priority", "Weighted", "Performance", "Subnet", "MultiValue"])


@given(letters_of, any_method, st.integers())
def test_law_no_answer_is_worse_than_another_that_was_to_be_had(letters: str, method: str, seed: int) -> None:
    """Disabled and Stopped are never answered; Degraded only where nothing is served; an answer exists where one can."""
    profile, healths = drawn(letters, method)
    choice = answer(profile, {}, healths, ANYWHERE, random.Random(seed))
    got = {letters[int(e.name[1:]) - 1] for e in choice.endpoints}
    if set(letters) & set("OCU"):
        assert got
        assert got <= set("OCU")
    elif "D" in letters:
        assert got == {"D"}
    else:
        assert Verdict.NXDOMAIN is choice.verdict
    assert set(choice.endpoints) <= set(choice.possible) <= set(eligible(profile, healths))


@given(letters_of)
def test_law_priority_never_passes_over_a_better_endpoint(letters: str) -> None:
    """No eligible endpoint has a lower number than the one answered."""
    profile, healths = drawn(letters)
    able = eligible(profile, healths)
    choice = answer(profile, {}, healths, ANYWHERE, RNG)
    assert [e.priority for e in choice.endpoints] == sorted(e.priority for e in able)[:1]


def test_weighted_draws_in_proportion() -> None:
    """Over many draws the shares are those of the weights, within four standard deviations."""
    profile, healths = drawn("OOD", "Weighted")
    weights = {"e1": 3, "e2": 1, "e3": 100}
    profile = replace(profile, endpoints=tuple(replace(e, weight=weights[e.name]) for e in profile.endpoints))
    rng = random.Random(11)
    draws = [answer(profile, {}, healths, ANYWHERE, rng).endpoints[0].name for _ in range(4000)]
    assert {"e1", "e2"} == set(draws)
    assert abs(draws.count("e1") - 3000) < 4 * (4000 * 0.75 * 0.25) ** 0.5


VIRGINIA = Place("eastus", ("US-VA", "US", "GEO-NA"))
BERLIN = Place("germanywestcentral", ("DE", "GEO-EU"))


def test_performance_answers_with_the_nearest_available_region() -> None:
    """The nearest of those available to the asker's region; without a known region the first."""
    profile, healths = drawn("OOO", "Performance")
    places = ("West US 3", "East US", "West Europe")
    profile = replace(
        profile, endpoints=tuple(replace(e, location=p) for e, p in zip(profile.endpoints, places, strict=True))
    )
    for place, expected in ((VIRGINIA, "e2"), (BERLIN, "e3"), (Place("westus3"), "e1"), (Place(), "e1")):
        choice = answer(profile, {}, healths, Source(place=place), RNG)
        assert (expected, True) == (choice.endpoints[0].name, choice.by_source)
    healths[profile.key, "e2"] = Health.DEGRADED
    assert answer(profile, {}, healths, Source(place=VIRGINIA), RNG).endpoints[0].name == "e1"


@pytest.mark.parametrize(
    ("letters", "place", "expected"),
    [
        ("OOO", VIRGINIA, "e1"),  # the narrowest code wins
        ("OOO", BERLIN, "e3"),
        ("DOO", VIRGINIA, "e1"),  # no failover to another geography
        ("SOO", VIRGINIA, "NODATA"),
        ("xOO", VIRGINIA, "e2"),  # disabled is not mapped
        ("OOO", Place(geo=("JP", "GEO-AS")), "NODATA"),
    ],
)
def test_geographic(letters: str, place: Place, expected: str) -> None:
    """Geography decides, health does not; what is not mapped has no record."""
    profile, healths = drawn(letters, "Geographic")
    codes = (("US-VA",), ("US",), ("GEO-EU",))
    profile = replace(
        profile, endpoints=tuple(replace(e, geo=c) for e, c in zip(profile.endpoints, codes, strict=True))
    )
    choice = answer(profile, {}, healths, Source(place=place), RNG)
    assert expected == (",".join(e.name for e in choice.endpoints) or str(choice.verdict))


def test_geographic_world_takes_what_nobody_else_does() -> None:
    """WORLD covers every place, after all narrower codes."""
    profile, healths = drawn("OO", "Geographic")
    profile = replace(
        profile,
        endpoints=tuple(replace(e, geo=g) for e, g in zip(profile.endpoints, (("WORLD",), ("DE",)), strict=True)),
    )
    assert answer(profile, {}, healths, Source(place=VIRGINIA), RNG).endpoints[0].name == "e1"
    assert answer(profile, {}, healths, Source(place=BERLIN), RNG).endpoints[0].name == "e2"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.1.2.3", "e1"),
        ("10.1.255.255", "e1"),
        ("10.2.0.5", "e2"),
        ("10.2.0.9", "e2"),
        ("10.2.0.10", "NXDOMAIN"),
        ("10.3.0.1", "e2"),
        ("192.0.2.1", "NXDOMAIN"),
    ],
)
def test_subnet(address: str, expected: str) -> None:
    """An address in scope, range or equal to a single address is matched; no match and no fallback is NXDOMAIN."""
    profile, healths = drawn("OO", "Subnet")
    subnets = (
        (Subnet("10.1.0.0", scope=16),),
        (Subnet("10.2.0.5", "10.2.0.9"), Subnet("10.3.0.1")),
    )
    profile = replace(
        profile, endpoints=tuple(replace(e, subnets=s) for e, s in zip(profile.endpoints, subnets, strict=True))
    )
    choice = answer(profile, {}, healths, Source(address), RNG)
    assert expected == (",".join(e.name for e in choice.endpoints) or str(choice.verdict))


def test_subnet_falls_back_to_an_endpoint_without_subnets() -> None:
    """An endpoint without subnets takes all that no other matches."""
    profile, healths = drawn("OO", "Subnet")
    first, second = profile.endpoints
    profile = replace(profile, endpoints=(replace(first, subnets=(Subnet("10.1.0.0", scope=16),)), second))
    assert answer(profile, {}, healths, Source("192.0.2.1"), RNG).endpoints[0].name == "e2"


@pytest.mark.parametrize(("max_return", "count"), [(None, 2), (1, 1), (3, 3), (8, 4)])
def test_multi_value_returns_up_to_max_return(max_return: int | None, count: int) -> None:
    """As many healthy endpoints as maxReturn says, two by default, none twice."""
    profile, healths = drawn("OOOOD", "MultiValue", max_return=max_return)
    choice = answer(profile, {}, healths, ANYWHERE, RNG)
    assert count == len({e.name for e in choice.endpoints})
    assert "e5" not in {e.name for e in choice.endpoints}


def nested(name: str, child: str, priority: int = 1) -> Endpoint:
    resource_id = f"/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/trafficManagerProfiles/{child}"
    return Endpoint(name, Kind.NESTED, f"{child}.trafficmanager.net", resource_id, priority=priority)


def test_a_nested_profile_is_answered_with_its_leaf() -> None:
    """The choice is the leaf endpoint of the child that the parent's method chooses."""
    leaf, healths = drawn("DO")
    parent = Profile("rg", "parent", "parent", endpoints=(nested("inner", "p"),))
    healths[parent.key, "inner"] = Health.ONLINE
    profiles = {leaf.key: leaf, parent.key: parent}
    assert [e.name for e in answer(parent, profiles, healths, ANYWHERE, RNG).endpoints] == ["e2"]


def test_profiles_nested_in_a_circle_end() -> None:
    """A circle of profiles, which ARM should never let in, is NXDOMAIN and not for ever."""
    one = Profile("rg", "one", "one", endpoints=(nested("a", "two"),))
    two = Profile("rg", "two", "two", endpoints=(nested("b", "one"),))
    healths = {(one.key, "a"): Health.ONLINE, (two.key, "b"): Health.ONLINE}
    assert Verdict.NXDOMAIN is answer(one, {one.key: one, two.key: two}, healths, ANYWHERE, RNG).verdict


def test_the_source_map_takes_the_longest_prefix() -> None:
    """The narrowest network that holds the address gives place and scope; others are elsewhere with scope 0."""
    known = SourceMap((("10.0.0.0/8", VIRGINIA), ("10.9.0.0/16", BERLIN)), Place("westus3"))
    assert ((found := known.source("10.9.1.1", 32)).place, found.scope) == (BERLIN, 16)
    assert ((found := known.source("10.8.1.1", 32)).place, found.scope) == (VIRGINIA, 8)
    assert ((found := known.source("192.0.2.1", 24)).place.region, found.scope) == ("westus3", 0)


@given(
    st.sampled_from(["eastus", "West US 3", "westeurope", "japaneast"]),
    st.sampled_from(["eastus", "uksouth", "nowhere"]),
)
def test_law_distance_is_symmetric_and_zero_only_at_home(one: str, other: str) -> None:
    """Distance does not depend on direction."""
    assert distance_km(one, other) == pytest.approx(distance_km(other, one))
    assert (distance_km(one, other) == 0) == (one == other)
