"""Traffic Manager's JSON: profiles and endpoints as the service prints them (azure-facts §1.2). Pure.

Which keys appear depends on the api-version asked for:

    2015-11-01   no interval, timeout, tolerated number in monitorConfig
    2017-03-01   + geoMapping               2017-05-01  + interval, timeout, tolerated number
    2018-02-01   + trafficViewEnrollmentStatus
    2018-04-01   + customHeaders, expectedStatusCodeRanges, subnets, maxReturn; lists print null statuses
    2022-04-01   + alwaysServe; absent values are printed as null; lists carry the statuses
    2024-04-01   + recordType
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from local_estate.topology import Endpoint, Header, Health, Kind, Probe, Profile, Status, Subnet
from local_estate.wire import Response

TYPE = "Microsoft.Network/trafficManagerProfiles"
JsonObject = dict[str, Any]
EndpointHealth = Callable[[str], Health | None]


def tm_answer(status: int, body: object) -> Response:
    """Compact JSON with every slash escaped, as this service writes it [R]."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False).replace("/", "\\/")
    return Response(status, text.encode("utf-8", "replace"), (("Content-Type", "application/json; charset=utf-8"),))


def profile_id(subscription: str, profile: Profile) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{profile.group}/providers/{TYPE}/{profile.name}"


def endpoint_id(subscription: str, profile: Profile, endpoint: Endpoint) -> str:
    return f"{profile_id(subscription, profile)}/{endpoint.kind}/{endpoint.name}"


def profile_json(
    subscription: str,
    profile: Profile,
    version: str,
    health: Health | None,
    endpoint_health: EndpointHealth,
    *,
    empty_tags: bool = True,
) -> JsonObject:
    """Return one profile. `empty_tags`: print `{}` where it has none, as GET does and PUT does not [R]."""
    body: JsonObject = {
        "id": profile_id(subscription, profile),
        "name": profile.name,
        "type": TYPE,
        "location": "global",
    }
    if profile.tags is not None or empty_tags:
        body["tags"] = dict(profile.tags or {})
    body["properties"] = {
        "profileStatus": profile.status.value,
        "trafficRoutingMethod": profile.routing,
        "dnsConfig": {"relativeName": profile.relative_name, "fqdn": profile.fqdn, "ttl": profile.ttl},
        "monitorConfig": monitor_json(profile.probe, version, health),
        "endpoints": [
            endpoint_json(subscription, profile, endpoint, version, endpoint_health(endpoint.name))
            for endpoint in in_order(profile.endpoints)
        ],
        **_profile_extras(profile, version),
    }
    return body


def in_order(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Profiles print their endpoints by priority, whatever the routing method [R]."""
    return sorted(endpoints, key=lambda endpoint: endpoint.priority)


def _profile_extras(profile: Profile, version: str) -> JsonObject:
    extras: JsonObject = {}
    if version >= "2018-02-01":
        extras["trafficViewEnrollmentStatus"] = profile.view.value
    if version >= "2022-04-01" or (version >= "2018-04-01" and profile.max_return is not None):
        extras["maxReturn"] = profile.max_return
    if version >= "2024-04-01":
        extras["recordType"] = profile.record_type
    return extras


def monitor_json(probe: Probe, version: str, health: Health | None) -> JsonObject:
    body: JsonObject = {
        "profileMonitorStatus": health.value if health else None,
        "protocol": probe.protocol,
        "port": probe.port,
        "path": probe.path,
    }
    if version >= "2017-05-01":
        body["intervalInSeconds"] = probe.interval_s
        body["toleratedNumberOfFailures"] = probe.tolerated
        body["timeoutInSeconds"] = probe.timeout_s
    if version >= "2018-04-01":
        body |= _headers_json(probe.headers)
        if probe.expected:
            body["expectedStatusCodeRanges"] = [{"min": r.low, "max": r.high} for r in probe.expected]
    return body


def endpoint_json(
    subscription: str, profile: Profile, endpoint: Endpoint, version: str, health: Health | None
) -> JsonObject:
    return {
        "id": endpoint_id(subscription, profile, endpoint),
        "name": endpoint.name,
        "type": f"{TYPE}/{endpoint.kind}",
        "properties": _endpoint_properties(endpoint, version, health),
    }


def _endpoint_properties(endpoint: Endpoint, version: str, health: Health | None) -> JsonObject:
    body: JsonObject = {
        "endpointStatus": endpoint.status.value,
        "endpointMonitorStatus": health.value if health else None,
        "targetResourceId": endpoint.target_resource_id,
        "target": endpoint.target,
        "weight": endpoint.weight,
        "priority": endpoint.priority,
        "endpointLocation": endpoint.location,
        "minChildEndpoints": endpoint.min_child,
    }
    if version < "2022-04-01":
        optional = ("targetResourceId", "endpointLocation", "minChildEndpoints")
        body = {key: value for key, value in body.items() if value is not None or key not in optional}
    if version >= "2020-01-01":
        body |= _present(minChildEndpointsIPv4=endpoint.min_child_v4, minChildEndpointsIPv6=endpoint.min_child_v6)
    if version >= "2017-03-01" and endpoint.geo:
        body["geoMapping"] = list(endpoint.geo)
    if version >= "2018-04-01":
        if endpoint.subnets:
            body["subnets"] = [_subnet_json(subnet) for subnet in endpoint.subnets]
        body |= _headers_json(endpoint.headers)
    if version >= "2022-04-01":
        body["alwaysServe"] = endpoint.always_serve.value
    return body


def _subnet_json(subnet: Subnet) -> JsonObject:
    return {"first": subnet.first, **_present(last=subnet.last, scope=subnet.scope)}


def _headers_json(headers: tuple[Header, ...]) -> JsonObject:
    return {"customHeaders": [{"name": h.name, "value": h.value} for h in headers]} if headers else {}


def _present(**values: object) -> JsonObject:
    return {key: value for key, value in values.items() if value is not None}


def status_shown(endpoint: Endpoint, health: Health) -> Health | None:
    """What a PUT or PATCH answers with, before the monitor has looked.

    A nested endpoint's status is null until the next GET [R]. An enabled endpoint of a disabled profile says CheckingEndpoint
    here and Inactive on the next GET [U: the recordings of it do not keep the order of calls].
    """
    if endpoint.kind is Kind.NESTED:
        return None
    if endpoint.status is Status.DISABLED:
        return Health.DISABLED
    return Health.CHECKING_ENDPOINT if health is Health.INACTIVE else health
