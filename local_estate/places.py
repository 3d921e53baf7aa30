"""Where things are: Azure regions on the globe, and which place a client's subnet belongs to. Values only.

Real Traffic Manager has tables of measured latencies and of the whole address space. The estate has neither: nearness is
the great circle, and a client's place comes from a configured map of networks.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import asin, cos, inf, radians, sin, sqrt

from local_estate.topology import region_of

WORLD = "WORLD"

COORDINATES: Mapping[str, tuple[float, float]] = {  # programmatic region -> latitude, longitude (degrees)
    "eastus": (37.4, -79.8), "eastus2": (36.7, -78.4), "centralus": (41.6, -93.6), "northcentralus": (41.9, -87.6),
    "southcentralus": (29.4, -98.5), "westcentralus": (40.9, -110.2), "westus": (37.8, -122.4), "westus2": (47.2, -119.9),
    "westus3": (33.4, -112.1), "canadacentral": (43.7, -79.4), "canadaeast": (46.8, -71.2), "mexicocentral": (20.6, -100.4),
    "brazilsouth": (-23.5, -46.6), "northeurope": (53.3, -6.3), "westeurope": (52.4, 4.9), "uksouth": (50.9, -0.8),
    "ukwest": (53.4, -3.1), "francecentral": (46.4, 2.4), "germanywestcentral": (50.1, 8.7), "switzerlandnorth": (47.5, 8.6),
    "norwayeast": (59.9, 10.8), "swedencentral": (60.7, 17.1), "polandcentral": (52.2, 21.0), "italynorth": (45.5, 9.2),
    "spaincentral": (40.4, -3.4), "israelcentral": (31.3, 33.5), "uaenorth": (25.3, 55.3), "qatarcentral": (25.6, 51.4),
    "southafricanorth": (-25.7, 28.2), "centralindia": (18.6, 73.9), "southindia": (13.0, 80.2), "westindia": (19.1, 72.9),
    "eastasia": (22.3, 114.2), "southeastasia": (1.3, 103.8), "japaneast": (35.7, 139.8), "japanwest": (34.7, 135.5),
    "koreacentral": (37.6, 127.0), "australiaeast": (-33.9, 151.2), "australiasoutheast": (-37.8, 145.0),
    "australiacentral": (-35.3, 149.1),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A region near a client, and its geographic codes, narrowest first: ("US-VA", "US", "GEO-NA"); WORLD is implied."""

    region: str | None = None
    geo: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Who asks, as far as routing cares: the address (of the client subnet where one was sent), its prefix, its place.

    `scope` is the prefix for which the answer holds (RFC 7871 §7.2.1): that of the map's entry, 0 where none matched.
    """

    address: str = "127.0.0.1"
    prefix: int = 32
    place: Place = Place()
    scope: int = 0


@dataclass(frozen=True, slots=True)
class SourceMap:
    """A configured map of networks to places; the longest prefix wins; `elsewhere` is the place of all others."""

    networks: tuple[tuple[str, Place], ...] = ()
    elsewhere: Place = Place()

    def source(self, address: str, prefix: int) -> Source:
        """Return who asks from *address*/*prefix*."""
        asker = ipaddress.ip_address(address)
        found: tuple[int, Place] | None = None
        for text, place in self.networks:
            network = ipaddress.ip_network(text)
            if asker in network and (found is None or network.prefixlen > found[0]):
                found = network.prefixlen, place
        scope, place = found or (0, self.elsewhere)
        return Source(address, prefix, place, scope)


def distance_km(one: str | None, other: str | None) -> float:
    """Return the great-circle distance of two regions, infinite where one is unknown."""
    a, b = COORDINATES.get(region_of(one or "")), COORDINATES.get(region_of(other or ""))
    if one and other and region_of(one) == region_of(other):
        return 0.0
    if a is None or b is None:
        return inf
    (lat1, lon1), (lat2, lon2) = (tuple(map(radians, p)) for p in (a, b))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 12_742 * asin(sqrt(half))


def contains(first: str, last: str | None, scope: int | None, address: str) -> bool:
    """Whether *address* is in the range of a Traffic Manager subnet: first/scope, or first to last, or just first."""
    asker, low = ipaddress.ip_address(address), ipaddress.ip_address(first)
    if scope is not None:
        return asker in ipaddress.ip_network(f"{first}/{scope}", strict=False)
    high = ipaddress.ip_address(last) if last else low
    return asker.version == low.version == high.version and int(low) <= int(asker) <= int(high)


def geographic_rank(codes: Iterable[str], place: Place) -> int | None:
    """Return how narrowly *codes* cover *place*: 0 is its narrowest code, WORLD the widest; None: not at all."""
    have = {c.upper() for c in codes}
    widening = [c.upper() for c in (*place.geo, WORLD)]
    return next((i for i, code in enumerate(widening) if code in have), None)
