"""Resources that the estate only keeps: App Service plans (for their tier) and public IP addresses (for their name)."""

from __future__ import annotations

from dataclasses import replace

from local_estate.arm_call import Body, Call, answer, merged
from local_estate.errors import gateway, no_resource
from local_estate.locations import display
from local_estate.topology import Plain
from local_estate.wire import Response


def get_plain(call: Call) -> Response:
    return answer(200, dict(_plain(call).body))


def list_plain(call: Call) -> Response:
    kind = _plain_kind(call)
    group = call.group_key if "group" in call.params else None
    found = [
        p
        for p in call.world.plain.values()
        if p.kind.lower() == kind.lower() and (group is None or f"/resourcegroups/{group}/" in p.key)
    ]
    return answer(200, {"value": [dict(p.body) for p in found]})


def put_plain(call: Call) -> Response:
    """Keeps what is sent: the estate needs plans for their tier and public addresses for their name."""
    body, here = call.body(), _plain_id(call)
    location = body.get("location")
    if not isinstance(location, str) or not location:
        raise gateway(400, "LocationRequired", "The location property is required for this definition.")
    before = call.world.plain.get(here.lower())
    properties = body.get("properties") if isinstance(body.get("properties"), dict) else {}
    kept: Body = {"id": here, "name": call.params["name"], "type": _plain_kind(call), "location": display(location)}
    kept |= {key: body[key] for key in ("kind", "tags", "sku") if body.get(key) is not None}
    kept["properties"] = merged(properties, {"provisioningState": "Succeeded"})
    call.world.put_plain(Plain(here, _plain_kind(call), kept))
    _follow_tier(call, here, kept)
    return answer(200 if before or "serverfarms" in here.lower() else 201, kept)


def delete_plain(call: Call) -> Response:
    here = _plain_id(call).lower()
    if here not in call.world.plain:
        return Response(204)
    call.world.drop_plain(here)
    return Response(200)


def _follow_tier(call: Call, plan: str, kept: Body) -> None:
    """Apps have the tier of their plan: one scaled below Standard is Stopped for Traffic Manager (azure-facts §1.5)."""
    sku = kept.get("sku")
    tier = sku.get("tier") if isinstance(sku, dict) else None
    if isinstance(tier, str):
        for app in tuple(call.world.apps.values()):
            if (app.plan or "").lower() == plan.lower() and app.sku != tier:
                call.world.put_app(replace(app, sku=tier))


def _plain(call: Call) -> Plain:
    found = call.world.plain.get(_plain_id(call).lower())
    if found is None:
        raise no_resource(_plain_kind(call), call.params["name"], call.params["group"])
    return found


def _plain_id(call: Call) -> str:
    group = f"/subscriptions/{call.world.subscription}/resourceGroups/{call.group.name}"
    return f"{group}/providers/{_plain_kind(call)}/{call.params['name']}"


def _plain_kind(call: Call) -> str:
    return (
        "Microsoft.Web/serverfarms"
        if "/microsoft.web/" in call.request.path.lower()
        else "Microsoft.Network/publicIPAddresses"
    )
