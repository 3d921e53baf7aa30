"""Bodies of Traffic Manager calls, read into values: defaults, normalisation, and every single-value rule of azure-facts §1.5.

Read-only fields (`fqdn`, monitor statuses, ids) are ignored, whatever a client echoes back. Rules that need the other
endpoints or profiles are in arm_tm_rules.py. Pure; raises Refusal 400.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from local_estate.arm_call import tags_of
from local_estate.errors import bad_request
from local_estate.locations import display
from local_estate.topology import Endpoint, Header, Kind, Probe, Profile, Status, StatusRange, Subnet

ROUTING = ("Performance", "Priority", "Weighted", "Geographic", "MultiValue", "Subnet")
PROTOCOLS = ("HTTP", "HTTPS", "TCP")
RECORD_TYPES = ("A", "AAAA", "CNAME")
MAX_INT32 = 2_147_483_647
RELATIVE_NAME = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
RESOURCE_NAME = re.compile(r"[^/\\?#%&<>:\x00-\x1f]{1,260}")

Node = Mapping[str, Any]
E = TypeVar("E", bound=StrEnum)


def profile_of(body: Node, group: str, name: str) -> Profile:
    """Return the profile that a PUT body describes, without its endpoints' derived fields."""
    _named(name, "profile")
    location = body.get("location", "global")
    if not isinstance(location, str) or location.lower() != "global":
        raise bad_request(
            "The location property of a Traffic Manager profile must be 'global'.",
            "LocationNotAvailableForResourceType",
        )
    properties = _object(body, "properties")
    dns = _object(properties, "dnsConfig")
    routing = _choice(properties, "trafficRoutingMethod", ROUTING, "Performance")
    return Profile(
        group=group,
        name=name,
        relative_name=_relative_name(dns),
        status=_enum(properties, "profileStatus", Status, Status.ENABLED),
        routing=routing,
        ttl=_int(dns, "ttl", 0, MAX_INT32, 60),
        probe=_probe(_object(properties, "monitorConfig")),
        endpoints=_endpoints(properties),
        max_return=_optional_int(properties, "maxReturn", 1, 8),
        view=_enum(properties, "trafficViewEnrollmentStatus", Status, Status.DISABLED),
        record_type=_optional_choice(properties, "recordType", RECORD_TYPES),
        tags=tags_of(body),
    )


def endpoint_of(body: Node, kind: Kind, name: str, next_priority: int) -> Endpoint:
    """Return the endpoint that a PUT body describes; `target` and location of azure endpoints are derived later."""
    _named(name, "endpoint")
    node = _object(body, "properties")
    location = _optional_text(node, "endpointLocation")
    always = _enum(node, "alwaysServe", Status, Status.DISABLED)
    if kind is Kind.NESTED and always is Status.ENABLED:
        raise bad_request("The property 'alwaysServe' cannot be enabled on a nested endpoint.")
    return Endpoint(
        name=name,
        kind=kind,
        target=_optional_text(node, "target") or "",
        target_resource_id=_optional_text(node, "targetResourceId"),
        status=_enum(node, "endpointStatus", Status, Status.ENABLED),
        weight=_int(node, "weight", 1, 1000, 1),
        priority=_int(node, "priority", 1, 1000, next_priority),
        location=display(location) if location else None,
        min_child=_min_child(node, kind),
        min_child_v4=_optional_int(node, "minChildEndpointsIPv4", 0, MAX_INT32),
        min_child_v6=_optional_int(node, "minChildEndpointsIPv6", 0, MAX_INT32),
        always_serve=always,
        headers=_headers(node),
        subnets=tuple(_subnet(item) for item in _list(node, "subnets")),
        geo=_geo(node),
    )


def kind_of(text: str) -> Kind:
    """Return the endpoint kind of a URL segment or type, in any case. Raises Refusal 400."""
    wanted = text.rsplit("/", 1)[-1].lower()
    found = next((kind for kind in Kind if kind.lower() == wanted), None)
    if found is None:
        raise bad_request(f"The endpoint type '{text}' is not one of {', '.join(Kind)}.", "InvalidEndpointType")
    return found


def next_priority(endpoints: Iterable[Endpoint]) -> int:
    return max((endpoint.priority for endpoint in endpoints), default=0) + 1


def _endpoints(properties: Node) -> tuple[Endpoint, ...]:
    items = _list(properties, "endpoints")
    given = [item for item in items if _object(item, "properties").get("priority") is not None]
    if given and len(given) != len(items):
        raise bad_request("The priority of endpoints must be given for all endpoints of a profile or for none.")
    found: list[Endpoint] = []
    for item in items:
        name, kind = item.get("name"), item.get("type")
        if not isinstance(name, str) or not isinstance(kind, str):
            raise bad_request("Each endpoint must have a 'name' and a 'type'.")
        found.append(endpoint_of(item, kind_of(kind), name, next_priority(found)))
    return tuple(found)


def _probe(node: Node) -> Probe:
    protocol = _choice(node, "protocol", PROTOCOLS, "HTTP")
    interval = _int(node, "intervalInSeconds", 10, 30, 30)
    if interval not in (10, 30):
        raise bad_request("The monitor interval must be 10 or 30 seconds.")
    longest = 9 if interval == 10 else 10
    timeout = _int(node, "timeoutInSeconds", -MAX_INT32, MAX_INT32, longest)
    if not 5 <= timeout <= longest:
        # The service's text, which says 10 whatever the interval is [O: azure-cli#10491].
        raise bad_request("Monitor timeout must be between 5 and 10 seconds.")
    return Probe(
        protocol=protocol,
        port=_int(node, "port", 1, 65_535, 443 if protocol == "HTTPS" else 80),
        path=_path(node, protocol),
        interval_s=interval,
        timeout_s=timeout,
        tolerated=_int(node, "toleratedNumberOfFailures", 0, 9, 3),
        headers=_headers(node),
        expected=_ranges(node),
    )


def _path(node: Node, protocol: str) -> str | None:
    path = _optional_text(node, "path")
    if protocol == "TCP":
        if path:
            raise bad_request("The monitor path must not be given where the monitor protocol is TCP.")
        return None
    if path is None and "path" not in node and "protocol" not in node:
        return "/"
    if not path or not path.startswith("/") or len(path) > 1000:
        raise bad_request("The monitor path must begin with '/' and is required where the protocol is HTTP or HTTPS.")
    return path


def _ranges(node: Node) -> tuple[StatusRange, ...]:
    items = _list(node, "expectedStatusCodeRanges")
    if len(items) > 8:
        raise bad_request("At most 8 expected status code ranges may be given.")
    ranges = tuple(StatusRange(_int(i, "min", 100, 999, None), _int(i, "max", 100, 999, None)) for i in items)
    if any(r.low > r.high for r in ranges):
        raise bad_request("The 'min' of an expected status code range must not be above its 'max'.")
    return ranges


def _headers(node: Node) -> tuple[Header, ...]:
    items = _list(node, "customHeaders")
    if len(items) > 8:
        raise bad_request("At most 8 custom headers may be given.")
    headers = tuple(Header(_optional_text(i, "name") or "", _optional_text(i, "value") or "") for i in items)
    for header in headers:
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", header.name) or re.search(r"[\x00-\x1f\x7f]", header.value):
            raise bad_request(f"The custom header '{header.name}' is not valid.")
    return headers


def _subnet(node: Node) -> Subnet:
    first = _optional_text(node, "first")
    if not first:
        raise bad_request("Each subnet must have a 'first' address.")
    return Subnet(first, _optional_text(node, "last"), _optional_int(node, "scope", 0, 128))


def _geo(node: Node) -> tuple[str, ...]:
    codes = node.get("geoMapping")
    if codes is None:
        return ()
    if not isinstance(codes, list) or not all(isinstance(c, str) for c in codes):
        raise bad_request("The property 'geoMapping' must be a list of region codes.")
    for code in codes:
        if not re.fullmatch(r"WORLD|GEO-[A-Z]{2}|[A-Z]{2}(-[A-Z0-9]{1,3})?", code):
            raise bad_request(f"The geographic region '{code}' in 'geoMapping' is not known.")
    return tuple(codes)


def _min_child(node: Node, kind: Kind) -> int | None:
    """Kept where it is sent; only nested endpoints have a default and a use for it."""
    given = _optional_int(node, "minChildEndpoints", 1, MAX_INT32)
    return 1 if given is None and kind is Kind.NESTED else given


def _relative_name(dns: Node) -> str:
    name = _optional_text(dns, "relativeName")
    if not name or not RELATIVE_NAME.fullmatch(name) or len(name) > 230:
        raise bad_request("The DNS configuration must have a 'relativeName' that is a valid DNS name.")
    return name


def _named(name: str, what: str) -> None:
    if not RESOURCE_NAME.fullmatch(name):
        raise bad_request(f"The {what} name '{name[:80]}' is not valid.", "InvalidResourceName")


# readers: every one answers None for JSON null as for an absent key


def _object(node: Node, key: str) -> Node:
    value = node.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_request(f"The property '{key}' must be an object.")
    return value


def _list(node: Node, key: str) -> list[Node]:
    value = node.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise bad_request(f"The property '{key}' must be a list of objects.")
    return value


def _int(node: Node, key: str, low: int, high: int, default: int | None) -> int:
    value = _optional_int(node, key, low, high)
    if value is None:
        value = default
    if value is None:
        raise bad_request(f"The property '{key}' is required.")
    return value


def _optional_int(node: Node, key: str, low: int, high: int) -> int | None:
    value = node.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise bad_request(f"The property '{key}' must be a whole number from {low} to {high}.")
    return value


def _optional_text(node: Node, key: str) -> str | None:
    value = node.get(key)
    if value is not None and not isinstance(value, str):
        raise bad_request(f"The property '{key}' must be a string.")
    return value


def _choice(node: Node, key: str, known: tuple[str, ...], default: str) -> str:
    return _optional_choice(node, key, known) or default


def _optional_choice(node: Node, key: str, known: tuple[str, ...]) -> str | None:
    """Enum values are accepted in any case and shown in the service's own [R]."""
    value = _optional_text(node, key)
    if value is None:
        return None
    found = next((choice for choice in known if choice.lower() == value.lower()), None)
    if found is None:
        raise bad_request(f"The property '{key}' must be one of {', '.join(known)}, not '{value[:80]}'.")
    return found


def _enum(node: Node, key: str, kind: type[E], default: E) -> E:
    return kind(_choice(node, key, tuple(kind), default))
