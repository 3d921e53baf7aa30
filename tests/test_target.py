"""Resource ids are read as ARM writes them, and a target survives the journal."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from failover_drill.target import DataProbe, Region, Role, Target, group_name, provider_type, resource_name, target_from

SITE = "/subscriptions/s/resourceGroups/rg-East/providers/Microsoft.Web/sites/app"
PROFILE = "/subscriptions/s/resourcegroups/rg-tm/providers/Microsoft.Network/trafficManagerProfiles/p"


def a_target(scheme: str = "http", port: int = 20_123) -> Target:
    return Target(
        name="local",
        subscription_id="s",
        profile_id=PROFILE,
        profile_fqdn="p.trafficmanager.net",
        public_host="www.proseware.example",
        primary=Region(
            "eastus", Role.PRIMARY, SITE, "a.azurewebsites.net", f"{PROFILE}/azureEndpoints/eastus", "127.0.1.1"
        ),
        secondary=Region(
            "westus3",
            Role.SECONDARY,
            SITE + "2",
            "b.azurewebsites.net",
            f"{PROFILE}/azureEndpoints/westus3",
            "127.0.2.1",
        ),
        authorities=("127.0.0.1:5353",),
        resolvers=(("resolver 1", "127.0.0.1:5354"),),
        scheme=scheme,
        port=port,
    )


@pytest.mark.parametrize(
    ("resource", "group", "kind", "name"),
    [
        (SITE, "rg-East", "Microsoft.Web/sites", "app"),
        (PROFILE, "rg-tm", "Microsoft.Network/trafficManagerProfiles", "p"),
        (f"{PROFILE}/azureEndpoints/e", "rg-tm", "Microsoft.Network/trafficManagerProfiles/azureEndpoints", "e"),
    ],
)
def test_ids(resource: str, group: str, kind: str, name: str) -> None:
    """Group, type and name come out of a full id, whatever the case of its keywords."""
    assert (group_name(resource), provider_type(resource), resource_name(resource)) == (group, kind, name)


def test_a_target_survives_the_journal() -> None:
    """What the header keeps makes the same target again."""
    target = replace(a_target(), data_probe=DataProbe("/data", 5.0, "TOKEN"))
    assert target_from(json.loads(json.dumps(asdict(target)))) == target


def test_the_blast_radius_is_what_the_target_lists() -> None:
    """Two apps, two endpoints, one profile; ids compare without case."""
    assert len(a_target().blast_radius) == 5
    assert SITE.lower() in a_target().blast_radius


@pytest.mark.parametrize(
    ("scheme", "port", "url"),
    [
        ("http", 80, "http://www.proseware.example"),
        ("https", 443, "https://www.proseware.example"),
        ("http", 20_123, "http://www.proseware.example:20123"),
    ],
)
def test_the_url_names_an_unusual_port_only(scheme: str, port: int, url: str) -> None:
    """Users ask for the public host as they would type it."""
    assert a_target(scheme, port).url == url
