"""What ARM itself answers: subscriptions, resource groups, resource lists, providers, tags, permissions, cloud metadata."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from local_estate.arm_call import Body, Call, answer, tags_of
from local_estate.arm_sites_shape import site_id, site_type
from local_estate.arm_tm_shape import TYPE as PROFILE_TYPE
from local_estate.arm_tm_shape import profile_id
from local_estate.errors import gateway
from local_estate.locations import display
from local_estate.topology import Group, region_of
from local_estate.wire import Response

GROUP_NAME = re.compile(r"[\w().-]{0,89}[\w()-]")
PROVIDERS = {
    "Microsoft.Network": ("trafficManagerProfiles", "trafficManagerGeographicHierarchies", "publicIPAddresses"),
    "Microsoft.Web": ("sites", "sites/slots", "serverfarms"),
    "Microsoft.Resources": ("resourceGroups", "tags", "subscriptions"),
    "Microsoft.ResourceGraph": ("resources",),
    "Microsoft.Authorization": ("permissions",),
}
TAG_OPERATIONS = ("Merge", "Replace", "Delete")


def metadata(call: Call) -> Response:
    """What `az cloud register` reads: one object (azure-facts §5)."""
    base = call.base_url
    return answer(
        200,
        {
            "name": "LocalEstate",
            "portal": f"{base}/portal",
            "authentication": {
                "loginEndpoint": base,
                "audiences": [base, "https://management.core.windows.net/", "https://management.azure.com/"],
                "tenant": "common",
                "identityProvider": "AAD",
            },
            "resourceManager": base,
            "graph": f"{base}/graph",
            "graphAudience": f"{base}/graph",
            "microsoftGraphResourceId": f"{base}/graph/",
            "activeDirectoryDataLake": "https://datalake.azure.net/",
            "batch": "https://batch.core.windows.net/",
            "gallery": "https://gallery.azure.com/",
            "media": "https://rest.media.azure.net",
            "sqlManagement": "https://management.core.windows.net:8443/",
            "vmImageAliasDoc": f"{base}/aliases.json",
            "suffixes": {
                "storage": "core.windows.net",
                "keyVaultDns": "vault.azure.net",
                "sqlServerHostname": "database.windows.net",
                "acrLoginServer": "azurecr.io",
            },
        },
    )


def list_subscriptions(call: Call) -> Response:
    return answer(200, {"value": [_subscription(call)], "count": {"type": "Total", "value": 1}})


def get_subscription(call: Call) -> Response:
    return answer(200, _subscription(call))


def list_tenants(call: Call) -> Response:
    tenant = call.services.tenant
    item = {"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "Local estate", "tenantCategory": "Home"}
    return answer(200, {"value": [item]})


def list_locations(call: Call) -> Response:
    here = f"/subscriptions/{call.world.subscription}/locations"
    names = sorted({display(app.location) for app in call.world.apps.values()})
    value = [
        {"id": f"{here}/{region_of(n)}", "name": region_of(n), "displayName": n, "regionalDisplayName": n}
        for n in names
    ]
    return answer(200, {"value": value})


def list_groups(call: Call) -> Response:
    return answer(200, {"value": [_group(call, group) for group in call.world.groups.values()]})


def get_group(call: Call) -> Response:
    return answer(200, _group(call, call.group))


def head_group(call: Call) -> Response:
    return Response(204 if call.params["group"].lower() in call.world.groups else 404)


def put_group(call: Call) -> Response:
    body = call.body()
    name, location = call.params["group"], body.get("location")
    if not GROUP_NAME.fullmatch(name):
        raise gateway(400, "InvalidResourceGroup", f"The provided resource group name '{name[:90]}' is not valid.")
    if not isinstance(location, str) or not location:
        raise gateway(400, "LocationRequired", "The location property is required for this definition.")
    before = call.world.groups.get(name.lower())
    group = Group(before.name if before else name, region_of(location), tags_of(body))
    call.world.put_group(group)
    return answer(200 if before else 201, _group(call, group))


def patch_group(call: Call) -> Response:
    tags = tags_of(call.body())
    group = call.group if tags is None else replace(call.group, tags=tags)
    call.world.put_group(group)
    return answer(200, _group(call, group))


def delete_group(call: Call) -> Response:
    """A long-running operation: 202 with a Location to poll; the estate is done at once."""
    name = call.group.name
    call.world.drop_group(name)
    return Response(
        202,
        b"",
        (
            (
                "Location",
                f"{call.base_url}/subscriptions/{call.world.subscription}/operationresults/{region_of(name)}?api-version={call.version}",
            ),
            ("Retry-After", "1"),
        ),
    )


def operation_done(call: Call) -> Response:  # noqa: ARG001 - every handler takes the call
    return Response(200)


def list_resources(call: Call) -> Response:
    return answer(200, {"value": _filtered(call, _resources(call))})


def list_group_resources(call: Call) -> Response:
    key = call.group_key
    return answer(
        200, {"value": _filtered(call, [r for r in _resources(call) if f"/resourcegroups/{key}/" in r["id"].lower()])}
    )


def list_providers(call: Call) -> Response:
    return answer(200, {"value": [_provider(call, name) for name in PROVIDERS]})


def get_provider(call: Call) -> Response:
    """Every provider is registered; one the estate does not know has no types."""
    return answer(200, _provider(call, call.params["provider"]))


def get_permissions(call: Call) -> Response:
    """What the caller may do here, as tools that check their rights read it."""
    if "group" in call.params:
        _ = call.group
    services = call.services
    role = {
        "actions": list(services.actions),
        "notActions": list(services.not_actions),
        "dataActions": [],
        "notDataActions": [],
    }
    return answer(200, {"value": [role]})


def _subscription(call: Call) -> Body:
    return {
        "id": f"/subscriptions/{call.world.subscription}",
        "subscriptionId": call.world.subscription,
        "tenantId": call.services.tenant,
        "displayName": "Local estate",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
    }


def _group(call: Call, group: Group) -> Body:
    body: Body = {
        "id": f"/subscriptions/{call.world.subscription}/resourceGroups/{group.name}",
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
    }
    if group.tags is not None:
        body["tags"] = dict(group.tags)
    return body | {"properties": {"provisioningState": "Succeeded"}}


def _resources(call: Call) -> list[Body]:
    world = call.world
    apps = [
        _resource(site_id(world.subscription, a), a.name, site_type(a), region_of(a.location), a.tags, kind=a.kind)
        for a in world.apps.values()
    ]
    profiles = [
        _resource(profile_id(world.subscription, p), p.name, PROFILE_TYPE, "global", p.tags)
        for p in world.profiles.values()
    ]
    plain = [{k: v for k, v in p.body.items() if k != "properties"} for p in world.plain.values()]
    return [*apps, *profiles, *plain]


def _resource(here: str, name: str, kind_name: str, location: str, tags: Any, kind: str | None = None) -> Body:
    body: Body = {"id": here, "name": name, "type": kind_name, "location": location}
    if kind:
        body["kind"] = kind
    return body | ({"tags": dict(tags)} if tags is not None else {})


def _filtered(call: Call, resources: list[Body]) -> list[Body]:
    """`$filter` with equalities joined by `and`, on resourceType, name, location, tagName and tagValue. Others: 400."""
    text = call.request.query.get("$filter", "").strip()
    if not text:
        return resources
    for clause in re.split(r"\s+and\s+", text, flags=re.I):
        match = re.fullmatch(
            r"(resourceType|name|location|resourceGroup|tagName|tagValue)\s+eq\s+'([^']*)'", clause.strip(), re.I
        )
        if match is None:
            raise gateway(
                400, "InvalidFilterInQueryString", f"Invalid $filter '{text[:200]}' specified in the query string."
            )
        resources = [r for r in resources if _meets(r, match[1].lower(), match[2].lower())]
    return resources


def _meets(resource: Body, field: str, wanted: str) -> bool:
    tags = {str(k).lower(): str(v).lower() for k, v in (resource.get("tags") or {}).items()}
    match field:
        case "tagname":
            return wanted in tags
        case "tagvalue":
            return wanted in tags.values()
        case "resourcegroup":
            return f"/resourcegroups/{wanted}/" in resource["id"].lower()
        case _:
            return str(resource["type" if field == "resourcetype" else field]).lower() == wanted


def _provider(call: Call, name: str) -> Body:
    known = next((known for known in PROVIDERS if known.lower() == name.lower()), name)
    types = [{"resourceType": t, "locations": [], "apiVersions": []} for t in PROVIDERS.get(known, ())]
    return {
        "id": f"/subscriptions/{call.world.subscription}/providers/{known}",
        "namespace": known,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": types,
    }
