"""Web apps and slots: get, list, put, patch, delete, start, stop, restart (azure-facts §2).

A slot is a `WebApp` named "app/slot"; every handler serves both. Start and stop answer at once with the new desired
state; what the front end then does, and when, is the region's affair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local_estate.arm_call import Body, Call, answer, tags_of
from local_estate.arm_sites_shape import etag, site_json, unique_host
from local_estate.errors import bad_request, conflict, gateway, no_resource, no_site
from local_estate.locations import display, known
from local_estate.topology import WebApp
from local_estate.wire import Response

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,58}[A-Za-z0-9])?")
OWN_FIELDS = frozenset(
    {"serverFarmId", "clientAffinityEnabled", "httpsOnly", "siteConfig", "state", "hostNames", "deploymentId"}
    | {"slotSwapStatus", "targetSwapSlot"}
)  # kept as fields of an app, or read-only
NODE = {"WEBSITE_NODE_DEFAULT_VERSION": "6.9.1"}  # the only setting of a new slot on Windows [R]


def get_site(call: Call) -> Response:
    return answer_site(call, site(call))


def list_in_group(call: Call) -> Response:
    key = call.group_key
    slots = call.request.query.get("includeslots", "").lower() == "true"
    return _list(call, [a for a in call.world.apps.values() if a.group.lower() == key and (slots or not a.is_slot)])


def list_all(call: Call) -> Response:
    return _list(call, [app for app in call.world.apps.values() if not app.is_slot])


def list_slots(call: Call) -> Response:
    parent = site(call)
    return _list(
        call,
        [a for a in call.world.apps.values() if a.key[0] == parent.key[0] and a.key[1].startswith(parent.key[1] + "/")],
    )


def put_site(call: Call) -> Response:
    body = call.body()
    before = find(call)
    location = body.get("location", before.location if before else None)
    if not isinstance(location, str) or not location:
        raise gateway(400, "LocationRequired", "The location property is required for this definition.")
    if not known(location):
        raise bad_request(
            f"The provided location '{location[:80]}' is not available for resource type 'Microsoft.Web/sites'.",
            "LocationNotAvailableForResourceType",
        )
    app = _changed(call, before or _new(call, location, body), body)
    call.world.put_app(app)
    return answer_site(call, app, location=location)


def patch_site(call: Call) -> Response:
    app = _changed(call, site(call), call.body())
    call.world.put_app(app)
    return answer_site(call, app)


def delete_site(call: Call) -> Response:
    app = find(call)
    if app is None:
        return Response(204)
    call.world.drop_app(app.key)
    return Response(200, b"", (etag(app),))


def start(call: Call) -> Response:
    return _set_state(call, "Running")


def stop(call: Call) -> Response:
    return _set_state(call, "Stopped")


def restart(call: Call) -> Response:
    """The state stays what it is; a stopped app stays stopped [R, U for the latter]."""
    app = touched(call, site(call))
    call.services.restarted(app)
    return Response(200, b"", (etag(app),))


def site(call: Call) -> WebApp:
    """Return the app or slot in the path. Raises the gateway's 404 for an app, Microsoft.Web's own for a slot of an app."""
    found = find(call)
    if found is not None:
        return found
    if (call.group_key, call.params["site"].lower()) in call.world.apps:
        raise no_site(f"{call.params['site']}({call.params['slot']})")
    raise no_resource("Microsoft.Web/sites", _name(call).replace("/", "/slots/"), call.params["group"])


def find(call: Call) -> WebApp | None:
    return call.world.apps.get((call.group_key, _name(call).lower()))


def answer_site(call: Call, app: WebApp, *, location: str | None = None) -> Response:
    return answer(200, printed(call, app, location), etag(app))


def printed(call: Call, app: WebApp, location: str | None = None) -> Body:
    services = call.services
    return site_json(call.world.subscription, app, services.addresses(app.region), call.world.names_to(app), location)


def touched(call: Call, app: WebApp, **changes: Any) -> WebApp:
    """Put a changed app into the world, with a new modification time, and return it."""
    fresh = replace(app, modified_ns=call.services.wall_ns(), **changes)
    call.world.put_app(fresh)
    return fresh


def _set_state(call: Call, state: str) -> Response:
    app = touched(call, site(call), state=state)
    return Response(200, b"", (etag(app),))


def _list(call: Call, apps: list[WebApp]) -> Response:
    return answer(200, {"value": [printed(call, app) for app in apps], "nextLink": None, "id": None})


def _name(call: Call) -> str:
    slot = call.params.get("slot")
    return f"{call.params['site']}/{slot}" if slot else call.params["site"]


def _new(call: Call, location: str, body: Body) -> WebApp:
    """Return a fresh app with the defaults of its plan, or refuse its name."""
    name = _name(call)
    if not all(NAME.fullmatch(part) for part in name.split("/")):
        raise bad_request(f"The site name '{name[:80]}' is not valid.", "InvalidResourceName")
    if "slot" in call.params:
        parent = call.world.apps.get((call.group_key, call.params["site"].lower()))
        if parent is None:
            raise no_resource("Microsoft.Web/sites", call.params["site"], call.params["group"])
        return WebApp(
            parent.group,
            f"{parent.name}/{call.params['slot']}",
            parent.location,
            _slot_host(parent, call.params["slot"]),
            sku=parent.sku,
            kind=parent.kind,
            settings={} if "linux" in parent.kind else NODE,
            plan=parent.plan,
            version=parent.version,
        )
    host = _default_host(name, location, _properties(body))
    if any(app.default_host.lower() == host.lower() for app in call.world.apps.values()):
        raise conflict("Conflict", f"Website with given name {name} already exists.")
    return WebApp(call.group.name, name, display(location), host)


def _default_host(name: str, location: str, properties: Mapping[str, Any]) -> str:
    if properties.get("autoGeneratedDomainNameLabelScope"):
        return unique_host(name, location)
    return f"{name}.azurewebsites.net".lower()


def _slot_host(parent: WebApp, slot: str) -> str:
    first, _, rest = parent.default_host.partition(".")
    return f"{first}-{slot}.{rest}".lower()


def _changed(call: Call, app: WebApp, body: Body) -> WebApp:
    """Return the app with what a PUT or PATCH body sets; read-only properties are ignored."""
    properties = _properties(body)
    config = _object(properties, "siteConfig")
    plan = properties.get("serverFarmId") or app.plan
    tags = tags_of(body)
    kind = body.get("kind")
    return replace(
        app,
        kind=kind if isinstance(kind, str) and kind else app.kind,
        tags=tags if tags is not None else app.tags,
        plan=str(plan) if plan else None,
        sku=_sku(call, plan) or app.sku,
        affinity=_flag(properties, "clientAffinityEnabled", app.affinity),
        https_only=_flag(properties, "httpsOnly", app.https_only),
        settings=_settings(config, app),
        web_config={**app.web_config, **{k: v for k, v in config.items() if k != "appSettings" and v is not None}},
        given={**app.given, **{k: v for k, v in properties.items() if k not in OWN_FIELDS}},
        modified_ns=call.services.wall_ns(),
    )


def _properties(body: Body) -> dict[str, Any]:
    return _object(body, "properties")


def _object(node: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = node.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise bad_request(f"The property '{key}' must be an object.")
    return found


def _sku(call: Call, plan: object) -> str | None:
    """Return the tier of the plan where the estate knows it."""
    kept = call.world.plain.get(str(plan).lower()) if plan else None
    sku = kept.body.get("sku") if kept else None
    return str(sku["tier"]) if isinstance(sku, dict) and sku.get("tier") else None


def _settings(config: Mapping[str, Any], app: WebApp) -> Mapping[str, str]:
    given = config.get("appSettings")
    if given is None:
        return app.settings
    if not isinstance(given, list) or not all(isinstance(s, dict) and isinstance(s.get("name"), str) for s in given):
        raise bad_request("The property 'appSettings' must be a list of names and values.")
    return {setting["name"]: str(setting.get("value") or "") for setting in given}


def _flag(properties: Mapping[str, Any], key: str, default: bool) -> bool:
    value = properties.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise bad_request(f"The property '{key}' must be true or false.")
    return value
