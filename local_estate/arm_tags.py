"""Tags at a scope (Microsoft.Resources/tags/default): of a group, a profile, an app or slot."""

from __future__ import annotations

from dataclasses import replace

from local_estate.arm_call import Body, Call, answer, tags_of
from local_estate.arm_tm_shape import TYPE as PROFILE_TYPE
from local_estate.errors import bad_request, no_resource
from local_estate.topology import Group, Profile, WebApp
from local_estate.wire import Response

TAG_OPERATIONS = ("Merge", "Replace", "Delete")


def get_tags(call: Call) -> Response:
    return answer(200, _tags_body(call, dict(_tags(call) or {})))


def put_tags(call: Call) -> Response:
    return _set_tags(call, _sent_tags(call.body()))


def patch_tags(call: Call) -> Response:
    body = call.body()
    operation = str(body.get("operation", ""))
    sent, now = _sent_tags(body), dict(_tags(call) or {})
    match operation.lower():
        case "merge":
            return _set_tags(call, {**now, **sent})
        case "replace":
            return _set_tags(call, sent)
        case "delete":
            return _set_tags(call, {k: v for k, v in now.items() if not (k in sent and sent[k] in ("", v))})
        case _:
            raise bad_request(f"The operation must be one of {', '.join(TAG_OPERATIONS)}.", "InvalidTagsOperation")


def delete_tags(call: Call) -> Response:
    _set_tags(call, {})
    return Response(200)


def _tagged(call: Call) -> Group | Profile | WebApp:
    name = call.params.get("name")
    if name is None:
        return call.group
    kind = f"{call.params['provider']}/{call.params['type']}".lower()
    slot = call.params.get("slot")
    key = (call.group_key, (f"{name}/{slot}" if slot else name).lower())
    found: Profile | WebApp | None = None
    if kind == PROFILE_TYPE.lower():
        found = call.world.profiles.get(key)
    elif kind == "microsoft.web/sites":
        found = call.world.apps.get(key)
    if found is None:
        raise no_resource(f"{call.params['provider']}/{call.params['type']}", name, call.params["group"])
    return found


def _tags(call: Call) -> dict[str, str] | None:
    tags = _tagged(call).tags
    return dict(tags) if tags is not None else None


def _set_tags(call: Call, tags: dict[str, str]) -> Response:
    match _tagged(call):
        case Group() as group:
            call.world.put_group(replace(group, tags=tags))
        case Profile() as profile:
            call.world.put_profile(replace(profile, tags=tags))
        case WebApp() as app:
            call.world.put_app(replace(app, tags=tags, modified_ns=call.services.wall_ns()))
    return answer(200, _tags_body(call, tags))


def _sent_tags(body: Body) -> dict[str, str]:
    properties = body.get("properties")
    if not isinstance(properties, dict):
        raise bad_request("The property 'properties' must be an object with 'tags'.")
    return tags_of(properties) or {}


def _tags_body(call: Call, tags: dict[str, str]) -> Body:
    return {
        "id": call.request.path.removesuffix("/"),
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": tags},
    }
