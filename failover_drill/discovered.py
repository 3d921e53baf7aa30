"""What an identity can see of a subscription, and the pair that it suggests to drill. Values and choice; pure.

profile ─ endpoints, by priority ─► apps that they lead to ─► primary: the first that is enabled; secondary: the next
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from failover_drill.target import group_name, resource_name

USUAL_PORTS = {"http": 80, "https": 443}
OWN_NAMES = (".azurewebsites.net", ".trafficmanager.net")


@dataclass(frozen=True, slots=True)
class App:
    """A web app or a deployment slot. `secured`: the host names for which it has a certificate."""

    id: str
    default_host: str
    host_names: tuple[str, ...]
    secured: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint of a profile; `app_id` is "" where it leads to no web app."""

    name: str
    app_id: str
    enabled: bool
    priority: int


@dataclass(frozen=True, slots=True)
class Profile:
    """A Traffic Manager profile, and how it probes."""

    id: str
    fqdn: str
    routing: str
    protocol: str  # "HTTP", "HTTPS", "TCP"
    port: int
    path: str
    endpoints: tuple[Endpoint, ...]

    @property
    def name(self) -> str:
        return resource_name(self.id)


@dataclass(frozen=True, slots=True)
class Sight:
    """All that was seen: profiles, and apps by id in lower case."""

    profiles: tuple[Profile, ...]
    apps: Mapping[str, App]

    def app(self, endpoint: Endpoint) -> App | None:
        return self.apps.get(endpoint.app_id.lower())

    def pairable(self, profile: Profile) -> tuple[Endpoint, ...]:
        """Return the endpoints that lead to apps we can see, in the order in which they would be primary."""
        usable = [each for each in profile.endpoints if self.app(each)]
        return tuple(sorted(usable, key=lambda each: (not each.enabled, each.priority, each.name)))

    @property
    def drillable(self) -> tuple[Profile, ...]:
        """Return the profiles that have a pair."""
        return tuple(each for each in self.profiles if len(self.pairable(each)) > 1)


def labelled(profiles: Sequence[Profile]) -> dict[str, Profile]:
    """Return them by name, or by id where the name is not theirs alone: it is unique in its resource group only."""
    count = Counter(each.name.lower() for each in profiles)
    return {each.name if count[each.name.lower()] == 1 else each.id: each for each in profiles}


def hosts(sight: Sight, profile: Profile, primary: Endpoint, secondary: Endpoint) -> tuple[str, ...]:
    """Return the names that users may ask for: those bound to both apps, custom domains first, else the profile's own."""
    bound = [{name.lower() for name in app.host_names} for app in map(sight.app, (primary, secondary)) if app]
    custom = sorted(name for name in set.intersection(*bound) if not name.endswith(OWN_NAMES))
    return (*custom, profile.fqdn)


def door(profile: Profile, primary: App, host: str) -> tuple[str, int]:
    """Return scheme and port of users: https where the app has a certificate for the host, else as the monitor probes."""
    scheme = "http" if profile.protocol == "HTTP" else "https"
    if profile.port not in USUAL_PORTS.values():
        return scheme, profile.port
    scheme = "https" if host.lower() in primary.secured else scheme
    return scheme, USUAL_PORTS[scheme]


def region_table(endpoint: Endpoint, address: str = "") -> dict[str, str]:
    """Return [target.NAME.primary] or [.secondary] as drill.toml has it."""
    site, _, slot = resource_name(endpoint.app_id).partition("/")
    table = {"app": site, "resource_group": group_name(endpoint.app_id), "endpoint": endpoint.name}
    return {**table, **({"slot": slot} if slot else {}), **({"address": address} if address else {})}


def why_none(sight: Sight, subscriptions: Sequence[str]) -> str:
    """Say why nothing that was seen can be drilled."""
    where = f"subscription {', '.join(subscriptions)}" if subscriptions else "any subscription"
    if not sight.profiles:
        return f"this identity sees no Traffic Manager profile in {where}: check the subscription and its role (reader suffices)"
    names = ", ".join(each.name for each in sight.profiles)
    return f"no profile leads to two web apps that this identity sees; it sees {names} in {where}"
