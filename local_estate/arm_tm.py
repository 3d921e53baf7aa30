"""Traffic Manager's operations on profiles and endpoints. Each handler: read, check, put into the world, print."""

from __future__ import annotations

from dataclasses import replace

from local_estate.arm_call import Call, merged
from local_estate.arm_tm_read import endpoint_of, kind_of, next_priority, profile_of
from local_estate.arm_tm_rules import settled
from local_estate.arm_tm_shape import JsonObject, endpoint_json, profile_json, status_shown, tm_answer
from local_estate.errors import gateway, no_endpoint, no_resource
from local_estate.topology import Endpoint, Health, Kind, Profile, Status
from local_estate.wire import Response

NEWEST = "9999"  # sorts after every api-version: print everything
KIND_IN_ERRORS = "Microsoft.Network/trafficmanagerprofiles"


def get_profile(call: Call) -> Response:
    return tm_answer(200, profile_body(call, _profile(call), call.version))


def list_in_group(call: Call) -> Response:
    key = call.group_key
    return _list(call, [p for p in call.world.profiles.values() if p.group.lower() == key])


def list_all(call: Call) -> Response:
    return _list(call, list(call.world.profiles.values()))


def put_profile(call: Call) -> Response:
    body = call.body()
    if body.get("location") is None:
        raise gateway(400, "LocationRequired", "The location property is required for this definition.")
    before = _find(call)
    wanted = profile_of(body, call.group.name, before.name if before else call.params["profile"])
    return _store(call, wanted, 200 if before else 201)


def patch_profile(call: Call) -> Response:
    before = _profile(call)
    body = merged(profile_body(call, before, NEWEST), call.body())
    return _store(call, profile_of(body, before.group, before.name), 200)


def delete_profile(call: Call) -> Response:
    found = _find(call)
    if found is None:
        return Response(204)
    parent = _parent_of(call, found)
    if parent is not None:
        raise gateway(409, "Conflict", f"The profile '{found.name}' is nested in the profile '{parent.name}'.")
    call.world.drop_profile(found.key)
    return _deleted(call)


def get_endpoint(call: Call) -> Response:
    profile = _profile(call)
    endpoint = _endpoint(call, profile)
    health = call.services.health.health_of(profile.key, endpoint.name)
    return tm_answer(200, endpoint_json(call.world.subscription, profile, endpoint, call.version, health))


def put_endpoint(call: Call) -> Response:
    """Answers 201 also where the endpoint was there before [R: 45 of 45 recordings]."""
    profile = _profile(call)
    kind = kind_of(call.params["kind"])
    before = _find_endpoint(profile, kind, call.params["endpoint"])
    others = tuple(e for e in profile.endpoints if e is not before)
    name = before.name if before else call.params["endpoint"]
    priority = before.priority if before else next_priority(others)
    return _store_endpoint(call, profile, endpoint_of(call.body(), kind, name, priority), 201)


def patch_endpoint(call: Call) -> Response:
    profile = _profile(call)
    before = _endpoint(call, profile)
    printed = endpoint_json(call.world.subscription, profile, before, NEWEST, None)
    wanted = endpoint_of(merged(printed, call.body()), before.kind, before.name, before.priority)
    return _store_endpoint(call, profile, wanted, 200)


def delete_endpoint(call: Call) -> Response:
    profile = _profile(call)
    found = _find_endpoint(profile, kind_of(call.params["kind"]), call.params["endpoint"])
    if found is None:
        return Response(204)
    call.world.put_profile(replace(profile, endpoints=tuple(e for e in profile.endpoints if e is not found)))
    return _deleted(call)


def _store(call: Call, wanted: Profile, status: int) -> Response:
    whole = settled(call.world, wanted)
    call.world.put_profile(whole)
    return tm_answer(status, _after_write(call, whole))


def _store_endpoint(call: Call, profile: Profile, endpoint: Endpoint, status: int) -> Response:
    same = (endpoint.kind, endpoint.name.lower())
    others = tuple(e for e in profile.endpoints if (e.kind, e.name.lower()) != same)
    whole = settled(call.world, replace(profile, endpoints=(*others, endpoint)))
    call.world.put_profile(whole)
    stored = next(e for e in whole.endpoints if (e.kind, e.name.lower()) == same)
    health = status_shown(stored, call.services.health.health_of(whole.key, stored.name))
    return tm_answer(status, endpoint_json(call.world.subscription, whole, stored, call.version, health))


def _after_write(call: Call, profile: Profile) -> JsonObject:
    """Print a profile as PUT and PATCH do: no tags where none were sent, nested endpoints without a status [R]."""
    view = call.services.health
    shown = {e.name: status_shown(e, view.health_of(profile.key, e.name)) for e in profile.endpoints}
    return profile_json(
        call.world.subscription,
        profile,
        call.version,
        _profile_health(call, profile),
        shown.__getitem__,
        empty_tags=False,
    )


def profile_body(call: Call, profile: Profile, version: str) -> JsonObject:
    view = call.services.health
    return profile_json(
        call.world.subscription,
        profile,
        version,
        _profile_health(call, profile),
        lambda name: view.health_of(profile.key, name),
    )


def _profile_health(call: Call, profile: Profile) -> Health:
    if profile.status is Status.DISABLED:
        return Health.DISABLED
    return call.services.health.profile_health(profile.key)


def _list(call: Call, profiles: list[Profile]) -> Response:
    """Lists of 2018-04-01 and before carry no monitor statuses [R]; newer ones do."""
    if call.version >= "2022-04-01":
        return tm_answer(200, {"value": [profile_body(call, p, call.version) for p in profiles]})
    blank = [profile_json(call.world.subscription, p, call.version, None, lambda _: None) for p in profiles]
    return tm_answer(200, {"value": blank})


def _deleted(call: Call) -> Response:
    """200 with an empty body and no Content-Type [R]; the spec's `{}` where the estate is so configured."""
    return Response(200) if call.services.delete_body == "empty" else tm_answer(200, {})


def _find(call: Call) -> Profile | None:
    return call.world.profiles.get((call.group_key, call.params["profile"].lower()))


def _profile(call: Call) -> Profile:
    found = _find(call)
    if found is None:
        raise no_resource(KIND_IN_ERRORS, call.params["profile"], call.params["group"])
    return found


def _find_endpoint(profile: Profile, kind: Kind, name: str) -> Endpoint | None:
    return next((e for e in profile.endpoints if e.kind is kind and e.name.lower() == name.lower()), None)


def _endpoint(call: Call, profile: Profile) -> Endpoint:
    kind, name = call.params["kind"], call.params["endpoint"]
    found = _find_endpoint(profile, kind_of(kind), name)
    if found is None:
        raise no_endpoint(profile.name, kind, name)
    return found


def _parent_of(call: Call, profile: Profile) -> Profile | None:
    target = profile.fqdn.lower()
    profiles = call.world.profiles.values()
    return next(
        (p for p in profiles for e in p.endpoints if e.kind is Kind.NESTED and e.target.lower() == target), None
    )
