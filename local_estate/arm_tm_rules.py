"""Rules of Traffic Manager that need more than one value: targets, duplicates, regions, names (azure-facts §1.5).

`settled` derives what the service derives (target and location of azure and nested endpoints) and then checks the whole
profile. Raises Refusal 400 or 409. No I/O.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from local_estate.errors import bad_request, conflict
from local_estate.locations import display
from local_estate.topology import Endpoint, Kind, Profile, WebApp, World

SITE_ID = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Web/sites/([^/]+(?:/slots/[^/]+)?)/?", re.I
)
PROFILE_ID = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Network/trafficManagerProfiles/([^/]+)/?", re.I
)
HOST = re.compile(
    r"(?=.{1,253}\.?$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?"
)
TOO_SMALL = frozenset({"free", "shared", "basic"})
DEEPEST = 10
MOST_ENDPOINTS = 200


def settled(world: World, profile: Profile) -> Profile:
    """Return the profile with derived fields filled in, or refuse it."""
    endpoints = tuple(_derived(world, profile, endpoint) for endpoint in profile.endpoints)
    whole = replace(profile, endpoints=endpoints)
    _check_name(world, whole)
    _check_endpoints(whole)
    _check_sites(world, whole)
    _check_nesting(world, whole, {whole.key}, 1)
    return whole


def site_at(world: World, resource_id: str | None) -> WebApp | None:
    """Return the web app (or slot) that a resource id names, None where there is none."""
    match = SITE_ID.fullmatch(resource_id or "")
    if match is None or match[1].lower() != world.subscription.lower():
        return None
    name = re.sub(r"/slots/", "/", match[3], flags=re.I)
    return world.apps.get((match[2].lower(), name.lower()))


def profile_at(world: World, resource_id: str | None) -> Profile | None:
    """Return the profile that a resource id names, None where there is none."""
    match = PROFILE_ID.fullmatch(resource_id or "")
    if match is None or match[1].lower() != world.subscription.lower():
        return None
    return world.profiles.get((match[2].lower(), match[3].lower()))


def name_taken(world: World, relative_name: str, *, by_other_than: tuple[str, str] | None = None) -> bool:
    wanted = relative_name.lower()
    return any(p.relative_name.lower() == wanted and p.key != by_other_than for p in world.profiles.values())


def _derived(world: World, profile: Profile, endpoint: Endpoint) -> Endpoint:
    if endpoint.kind is Kind.EXTERNAL:
        return replace(endpoint, target=_external_target(endpoint), target_resource_id=None)
    if not endpoint.target_resource_id:
        raise bad_request(f"The endpoint '{endpoint.name}' must have a 'targetResourceId'.")
    if endpoint.kind is Kind.NESTED:
        return _nested(world, profile, endpoint)
    app = site_at(world, endpoint.target_resource_id)
    if app is not None:
        return replace(endpoint, target=app.default_host, location=display(app.location))
    if "/microsoft.web/sites/" in endpoint.target_resource_id.lower():
        raise _bad_sites(world, [endpoint.target_resource_id])
    return _from_plain(world, endpoint)


def _nested(world: World, profile: Profile, endpoint: Endpoint) -> Endpoint:
    child = profile_at(world, endpoint.target_resource_id)
    if child is None:
        raise bad_request(
            f"The Traffic Manager profile '{endpoint.target_resource_id}' of endpoint '{endpoint.name}' does not exist."
        )
    if child.key == profile.key:
        raise bad_request(f"The profile '{profile.name}' cannot be nested in itself.")
    return replace(endpoint, target=child.fqdn)


def _from_plain(world: World, endpoint: Endpoint) -> Endpoint:
    """A public IP address or a cloud service: what the estate keeps of it, else what the client says."""
    kept = world.plain.get((endpoint.target_resource_id or "").lower())
    properties = kept.body.get("properties") if kept else None
    dns = properties.get("dnsSettings") if isinstance(properties, dict) else None
    target = str(dns.get("fqdn") or "") if isinstance(dns, dict) else ""
    location = display(str(kept.body.get("location"))) if kept else endpoint.location
    return replace(endpoint, target=target or endpoint.target, location=location)


def _external_target(endpoint: Endpoint) -> str:
    target = endpoint.target
    address = _address(target)
    if address is None and not HOST.fullmatch(target):
        raise bad_request(
            f"The target '{target[:80]}' of endpoint '{endpoint.name}' is not a valid DNS name or IP address."
        )
    if address is not None and not _public(address):
        raise bad_request(f"The target '{target}' of endpoint '{endpoint.name}' is not a public IP address.")
    return target


def _address(target: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(target)
    except ValueError:
        return None


def _public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Loopback is allowed, unlike in Azure: an estate on loopback has no other addresses (docs/fidelity.md)."""
    reserved = address.is_multicast or address.is_unspecified or address.is_link_local
    return address.is_loopback or not (reserved or address.is_private)


def _check_name(world: World, profile: Profile) -> None:
    before = world.profiles.get(profile.key)
    if before is not None and before.relative_name.lower() != profile.relative_name.lower():
        raise bad_request("The relative DNS name of an existing Traffic Manager profile cannot be changed.")
    if name_taken(world, profile.relative_name, by_other_than=profile.key):
        raise conflict("Conflict", f"Domain name {profile.fqdn} already exists. Please choose a different DNS prefix.")


def _check_endpoints(profile: Profile) -> None:
    endpoints = profile.endpoints
    if len(endpoints) > MOST_ENDPOINTS:
        raise bad_request(f"A Traffic Manager profile may have at most {MOST_ENDPOINTS} endpoints.")
    _refuse_doubles((e.name.lower() for e in endpoints), "The endpoint '{}' is given twice.")
    _refuse_doubles(
        (e.priority for e in endpoints), "The endpoint priority {} is used more than once; priorities must be unique."
    )
    _refuse_doubles(
        (e.target.lower().rstrip(".") for e in endpoints if e.target),
        "The endpoint target '{}' is used more than once.",
    )
    _check_addressing(profile)
    if profile.routing == "Geographic":
        _refuse_doubles(
            (code for e in endpoints for code in e.geo), "The region '{}' is mapped to more than one endpoint."
        )
    if profile.routing == "Subnet":
        _check_subnets(endpoints)


def _refuse_doubles(values: Iterable[object], message: str) -> None:
    doubles = [value for value, times in Counter(values).items() if times > 1]
    if doubles:
        raise bad_request(message.format(doubles[0]))


def _check_addressing(profile: Profile) -> None:
    kinds = {_addressing(endpoint) for endpoint in profile.endpoints}
    if profile.routing == "MultiValue":
        if "DomainName" in kinds:
            raise bad_request(
                "A profile with MultiValue routing may only have external endpoints with IPv4 or IPv6 addresses."
            )
    elif len(kinds) > 1:
        raise bad_request(
            f"The endpoints of a profile must have one addressing type, not {' and '.join(sorted(kinds))}."
        )


def _addressing(endpoint: Endpoint) -> str:
    address = _address(endpoint.target)
    return f"IPv{address.version}Address" if address else "DomainName"


def _check_subnets(endpoints: Iterable[Endpoint]) -> None:
    taken: list[tuple[int, int, int]] = []
    for endpoint in endpoints:
        for subnet in endpoint.subnets:
            span = _span(subnet.first, subnet.last, subnet.scope)
            if any(v == span[0] and low <= span[2] and span[1] <= high for v, low, high in taken):
                raise bad_request(
                    f"The subnet that begins at '{subnet.first}' overlaps with another one of the profile."
                )
            taken.append(span)


def _span(first: str, last: str | None, scope: int | None) -> tuple[int, int, int]:
    """Return (IP version, first, last) of a subnet given as a range or with a prefix length."""
    low = _address(first)
    if low is None:
        raise bad_request(f"The subnet address '{first[:80]}' is not an IP address.")
    if scope is not None and scope <= low.max_prefixlen:
        network = ipaddress.ip_network((int(low), scope) if low.version == 4 else (low, scope), strict=False)
        return low.version, int(network[0]), int(network[-1])
    high = _address(last) if last else low
    if high is None or high.version != low.version or int(high) < int(low):
        raise bad_request(f"The subnet from '{first}' to '{last}' is not a range of addresses.")
    return low.version, int(low), int(high)


def _check_sites(world: World, profile: Profile) -> None:
    apps = [app for e in profile.endpoints if (app := site_at(world, e.target_resource_id)) is not None]
    small = [app for app in apps if app.sku.lower() in TOO_SMALL]
    if small:
        raise _bad_sites(world, [app.default_host for app in small])
    _refuse_doubles(
        (display(app.location) for app in apps),
        "A profile may have only one Azure Website endpoint per region; '{}' has more than one.",
    )


def _bad_sites(world: World, names: list[str]) -> Exception:
    """The service's misleading message: it names the subscription whatever the cause (azure-facts §1.6)."""
    return bad_request(
        "Some of the provided Azure Website endpoints are not valid: Traffic manager configuration is not valid because one or"
        f' more domains do not belong to subscription "{world.subscription}": {", ".join(names)}'
    )


def _check_nesting(world: World, profile: Profile, above: set[tuple[str, str]], depth: int) -> None:
    if depth > DEEPEST:
        raise bad_request(f"Traffic Manager profiles may be nested at most {DEEPEST} levels deep.")
    for endpoint in profile.endpoints:
        child = profile_at(world, endpoint.target_resource_id) if endpoint.kind is Kind.NESTED else None
        if child is None:
            continue
        if child.key in above:
            raise bad_request(f"The profile '{child.name}' would be nested in itself.")
        _check_nesting(world, child, above | {child.key}, depth + 1)
