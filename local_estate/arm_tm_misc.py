"""Traffic Manager's remaining operations: name checks, the geographic hierarchy, heat maps, user metrics keys."""

from __future__ import annotations

from local_estate.arm_call import Call
from local_estate.arm_tm_read import RELATIVE_NAME
from local_estate.arm_tm_rules import name_taken
from local_estate.arm_tm_shape import TYPE, tm_answer
from local_estate.errors import bad_request, no_resource
from local_estate.geography import HIERARCHY
from local_estate.wire import Response


def check_name(call: Call) -> Response:
    body = call.body()
    name, kind = body.get("name"), body.get("type")
    if not isinstance(name, str) or not isinstance(kind, str):
        raise bad_request("The name check needs a 'name' and a 'type'.")
    if kind.lower() != TYPE.lower():
        raise bad_request(f"The type must be '{TYPE}'.")
    reason, message = _verdict(call, name)
    verdict = {"name": name, "type": TYPE, "nameAvailable": reason is None, "reason": reason, "message": message}
    return tm_answer(200, verdict)


def _verdict(call: Call, name: str) -> tuple[str | None, str | None]:
    if not RELATIVE_NAME.fullmatch(name):
        return "Invalid", f"The domain name '{name[:80]}' is not valid."
    if name_taken(call.world, name):
        return (
            "AlreadyExists",
            f"Domain name {name}.trafficmanager.net already exists. Please choose a different DNS prefix.",
        )
    return None, None


def get_hierarchy(call: Call) -> Response:  # noqa: ARG001 - every handler takes the call
    path = "/providers/Microsoft.Network/trafficManagerGeographicHierarchies/default"
    body = {
        "id": path,
        "name": "default",
        "type": "Microsoft.Network/trafficManagerGeographicHierarchies",
        "properties": {"geographicHierarchy": HIERARCHY},
    }
    return tm_answer(200, body)


def get_heat_map(call: Call) -> Response:
    """Traffic View is never enrolled here, so there is no map; the real answer of that case is not recorded [U]."""
    raise no_resource(TYPE, f"{call.params['profile']}/heatMaps/default", call.params["group"])
