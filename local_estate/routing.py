"""Which endpoint Traffic Manager answers with (azure-facts §3.1-3.2). Pure: profile, healths, asker, chance in; choice out.

    profile Disabled, or no endpoint Enabled          -> NXDOMAIN
    some Online, CheckingEndpoint or Unmonitored       -> among those
    none of these, some Degraded                       -> among the Degraded, as if they were online
    only Stopped                                       -> NXDOMAIN (U: the documentation leaves it open)

    Priority     the lowest priority number            Geographic  by the asker's geography, health ignored: never fails over;
    Weighted     drawn by weight                                   unmapped or Stopped -> no record (NODATA)
    Performance  the nearest to the asker's region     Subnet      by the asker's address, else the endpoints without
    MultiValue   up to maxReturn addresses                         subnets, else NXDOMAIN

A nested endpoint is followed inside Traffic Manager: the choice is the leaf (one CNAME), under the TTL of the profile asked for.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from local_estate.places import Source, contains, distance_km, geographic_rank
from local_estate.topology import Endpoint, Health, Kind, Profile, Status

ProfileKey = tuple[str, str]
Healths = Mapping[tuple[ProfileKey, str], Health]  # (profile key, endpoint name in lower case) -> health
Profiles = Mapping[ProfileKey, Profile]

SERVED = frozenset({Health.ONLINE, Health.CHECKING_ENDPOINT, Health.UNMONITORED})
DEFAULT_MAX_RETURN = 2
DEEPEST = 10  # levels of nesting


class Verdict(StrEnum):
    """What kind of DNS answer comes of it."""

    TARGETS = "NOERROR"
    NODATA = "NODATA"
    NXDOMAIN = "NXDOMAIN"


@dataclass(frozen=True, slots=True)
class Choice:
    """The endpoints answered with. `possible`: all that could have been, so that a draw is not taken for a change."""

    verdict: Verdict
    endpoints: tuple[Endpoint, ...] = ()
    possible: tuple[Endpoint, ...] = ()
    by_source: bool = False  # depends on who asks
    drawn: bool = False  # depends on chance


NXDOMAIN = Choice(Verdict.NXDOMAIN)
NODATA = Choice(Verdict.NODATA)


def answer(profile: Profile, profiles: Profiles, healths: Healths, source: Source, rng: random.Random) -> Choice:
    """Return what *profile* is answered with. *profiles* is where nested endpoints are found."""
    return _answer(profile, profiles, healths, source, rng, DEEPEST)


def health_of(healths: Healths, profile: Profile, endpoint: Endpoint) -> Health:
    """Return an endpoint's health; one that was never heard of is just being checked, unless it is disabled."""
    known = healths.get((profile.key, endpoint.name.lower()))
    if known is not None:
        return known
    return Health.CHECKING_ENDPOINT if endpoint.status is Status.ENABLED else Health.DISABLED


def eligible(profile: Profile, healths: Healths) -> tuple[Endpoint, ...]:
    """Return the endpoints that may be answered with, in the order of the profile."""
    by_health = [(e, health_of(healths, profile, e)) for e in profile.endpoints if e.status is Status.ENABLED]
    served = tuple(e for e, health in by_health if health in SERVED)
    return served or tuple(e for e, health in by_health if health is Health.DEGRADED)


def child_of(endpoint: Endpoint, profiles: Profiles) -> Profile | None:
    """Return the profile a nested endpoint points to, None where there is none."""
    key = profile_key(endpoint.target_resource_id or "")
    return profiles.get(key) if key else None


def profile_key(resource_id: str) -> ProfileKey | None:
    """Return the key of the profile with that resource id; None where it is no profile's."""
    parts = resource_id.lower().strip("/").split("/")
    if len(parts) == 8 and parts[6] == "trafficmanagerprofiles":
        return parts[3], parts[7]
    return None


def _answer(
    profile: Profile, profiles: Profiles, healths: Healths, source: Source, rng: random.Random, depth: int
) -> Choice:
    if profile.status is Status.DISABLED or not any(e.status is Status.ENABLED for e in profile.endpoints):
        return NXDOMAIN
    choice = METHODS.get(profile.routing, _priority)(profile, healths, source, rng)
    if not any(e.kind is Kind.NESTED for e in (*choice.endpoints, *choice.possible)):
        return choice
    if depth == 0:
        return NXDOMAIN
    return _followed(choice, lambda child: _answer(child, profiles, healths, source, rng, depth - 1), profiles)


def _followed(choice: Choice, ask: Callable[[Profile], Choice], profiles: Profiles) -> Choice:
    """Replace nested endpoints by what their profiles are answered with."""
    chosen = [_leaves(e, ask, profiles) for e in choice.endpoints]
    others = [_leaves(e, ask, profiles) for e in choice.possible]
    leaves = tuple(e for c in chosen for e in c.endpoints)
    verdict = Verdict.TARGETS if leaves else next((c.verdict for c in chosen), choice.verdict)
    return Choice(
        verdict,
        leaves,
        tuple(dict.fromkeys(e for c in (*chosen, *others) for e in c.possible)),
        choice.by_source or any(c.by_source for c in (*chosen, *others)),
        choice.drawn or any(c.drawn for c in (*chosen, *others)),
    )


def _leaves(endpoint: Endpoint, ask: Callable[[Profile], Choice], profiles: Profiles) -> Choice:
    if endpoint.kind is not Kind.NESTED:
        return Choice(Verdict.TARGETS, (endpoint,), (endpoint,))
    child = child_of(endpoint, profiles)
    return ask(child) if child else NXDOMAIN


def _one(endpoint: Endpoint) -> Choice:
    return Choice(Verdict.TARGETS, (endpoint,), (endpoint,))


def _priority(profile: Profile, healths: Healths, _source: Source, _rng: random.Random) -> Choice:
    able = eligible(profile, healths)
    return _one(min(able, key=lambda e: e.priority)) if able else NXDOMAIN


def _weighted(profile: Profile, healths: Healths, _source: Source, rng: random.Random) -> Choice:
    able = eligible(profile, healths)
    if not able:
        return NXDOMAIN
    drawn = rng.choices(able, weights=[max(1, e.weight) for e in able])[0]
    return Choice(Verdict.TARGETS, (drawn,), able, drawn=len(able) > 1)


def _performance(profile: Profile, healths: Healths, source: Source, _rng: random.Random) -> Choice:
    able = eligible(profile, healths)
    if not able:
        return Choice(Verdict.NXDOMAIN, by_source=True)
    # Endpoints as far away as each other keep the profile's order: min() takes the first.
    nearest = min(able, key=lambda e: distance_km(source.place.region, e.location))
    return Choice(Verdict.TARGETS, (nearest,), (nearest,), by_source=True)


def _geographic(profile: Profile, healths: Healths, source: Source, _rng: random.Random) -> Choice:
    ranked = [
        (rank, e)
        for e in profile.endpoints
        if e.status is Status.ENABLED and (rank := geographic_rank(e.geo, source.place)) is not None
    ]
    if not ranked:
        return Choice(Verdict.NODATA, by_source=True)
    endpoint = min(ranked, key=lambda pair: pair[0])[1]
    if health_of(healths, profile, endpoint) is Health.STOPPED:
        return Choice(Verdict.NODATA, by_source=True)
    return Choice(Verdict.TARGETS, (endpoint,), (endpoint,), by_source=True)


def _subnet(profile: Profile, healths: Healths, source: Source, _rng: random.Random) -> Choice:
    enabled = [e for e in profile.endpoints if e.status is Status.ENABLED]
    mine = [e for e in enabled if any(contains(s.first, s.last, s.scope, source.address) for s in e.subnets)]
    candidates = mine or [e for e in enabled if not e.subnets]
    healthy = [e for e in candidates if health_of(healths, profile, e) in SERVED]
    degraded = [e for e in candidates if health_of(healths, profile, e) is Health.DEGRADED]
    able = healthy or degraded
    if not able:
        return Choice(Verdict.NXDOMAIN, by_source=True)
    return Choice(Verdict.TARGETS, (able[0],), (able[0],), by_source=True)


def _multi_value(profile: Profile, healths: Healths, _source: Source, rng: random.Random) -> Choice:
    able = eligible(profile, healths)
    if not able:
        return NXDOMAIN
    count = min(profile.max_return or DEFAULT_MAX_RETURN, len(able))
    return Choice(Verdict.TARGETS, tuple(rng.sample(able, count)), able, drawn=len(able) > 1)


METHODS: Mapping[str, Callable[[Profile, Healths, Source, random.Random], Choice]] = {
    "Priority": _priority,
    "Weighted": _weighted,
    "Performance": _performance,
    "Geographic": _geographic,
    "Subnet": _subnet,
    "MultiValue": _multi_value,
}
