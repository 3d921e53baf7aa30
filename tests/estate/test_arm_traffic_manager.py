"""Traffic Manager's control plane over real HTTPS: what each call answers, and what it refuses."""

# ruff: noqa: E501 - tables read better in one line

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.estate.running import QUICK, Answer, Running, running, until

names = (f"p{n}" for n in itertools.count(1))
OLD, MIDDLE, NEW = "2015-11-01", "2018-04-01", "2026-09-01"


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("estate"), QUICK) as estate:
        yield estate
        assert estate.said() == ""


def at(name: str) -> str:
    return f"~/resourceGroups/rg-proseware-global/providers/Microsoft.Network/trafficmanagerprofiles/{name}"


def body(name: str, **properties: Any) -> dict[str, Any]:
    plain = {
        "profileStatus": "Enabled",
        "trafficRoutingMethod": "Weighted",
        "dnsConfig": {"relativeName": name, "ttl": 30},
        "monitorConfig": {"protocol": "HTTP", "port": 80, "path": "/"},
    }
    return {"location": "global", "properties": {**plain, **properties}}


def external(target: str = "www.contoso.com", **properties: Any) -> dict[str, Any]:
    return {"properties": {"target": target, **properties}}


def listed(name: str, target: str, **properties: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "Microsoft.Network/trafficManagerProfiles/externalEndpoints",
        **external(target, **properties),
    }


@pytest.fixture
def name(estate: Running) -> Iterator[str]:
    """A fresh profile, without endpoints."""
    name = next(names)
    assert estate.arm("PUT", at(name), body(name)).status == 201
    yield name
    estate.arm("DELETE", at(name))


# profiles


def test_a_profile_is_created_with_201_updated_with_200_and_deleted_with_an_empty_200(estate: Running) -> None:
    """The life of a profile has the recorded statuses, and a second DELETE finds nothing."""
    name = next(names)
    assert [estate.arm("PUT", at(name), body(name)).status for _ in range(2)] == [201, 200]
    gone = estate.arm("DELETE", at(name))
    assert (gone.status, gone.body, gone.headers.get("content-type")) == (200, b"", None)
    assert estate.arm("DELETE", at(name)).status == 204


def test_defaults_are_filled_in_and_case_is_normalised(estate: Running) -> None:
    """What is left out gets the service's defaults; enums and locations come back in its own spelling."""
    name = next(names)
    sent = body(name, trafficRoutingMethod="multivalue", monitorConfig={"protocol": "https", "port": 443, "path": "/"})
    properties = estate.arm("PUT", at(name), sent).json["properties"]
    assert properties["trafficRoutingMethod"] == "MultiValue"
    monitor = properties["monitorConfig"]
    assert (monitor["protocol"], monitor["intervalInSeconds"], monitor["toleratedNumberOfFailures"]) == ("HTTPS", 30, 3)
    assert (monitor["timeoutInSeconds"], monitor["profileMonitorStatus"]) == (10, "Inactive")
    assert properties["trafficViewEnrollmentStatus"] == "Disabled"
    placed = estate.arm(
        "PUT", f"{at(name)}/ExternalEndpoints/e", external("203.0.114.1", endpointLocation="centralindia")
    ).json
    assert placed["properties"]["endpointLocation"] == "Central India"
    assert placed["type"].endswith("/externalEndpoints")


def test_slashes_are_escaped_on_the_wire(estate: Running) -> None:
    """Traffic Manager writes every slash as \\/, with its own headers and the client's request id."""
    answer = estate.arm("GET", estate.profile, headers={"x-ms-client-request-id": "abc-1"})
    assert b"\\/subscriptions\\/" in answer.body
    assert b"/" not in answer.body.replace(b"\\/", b"")
    assert (answer.headers["x-ms-request-id"], answer.headers["cache-control"]) == ("abc-1", "private")
    assert "etag" not in answer.headers


def test_older_versions_print_fewer_keys(estate: Running, name: str) -> None:
    """2015 has no probing interval, 2018 omits what is absent, 2022 and later print null and the new keys."""
    estate.arm("PUT", f"{at(name)}/externalEndpoints/e", external())
    old, middle, new = (estate.arm("GET", at(name), version=v).json["properties"] for v in (OLD, MIDDLE, NEW))
    assert "intervalInSeconds" not in old["monitorConfig"]
    assert "trafficViewEnrollmentStatus" not in old
    assert "intervalInSeconds" in middle["monitorConfig"]
    assert "maxReturn" not in middle
    assert "alwaysServe" not in middle["endpoints"][0]["properties"]
    assert "targetResourceId" not in middle["endpoints"][0]["properties"]
    assert (new["maxReturn"], new["recordType"]) == (None, None)
    assert new["endpoints"][0]["properties"]["targetResourceId"] is None


def test_lists_of_2018_carry_no_statuses_and_those_of_2022_do(estate: Running) -> None:
    """The recorded difference between the lists of two api-versions."""
    for version, expected in ((MIDDLE, None), ("2022-04-01", "Online")):
        listing = estate.arm("GET", at("").rstrip("/"), version=version).json["value"]
        ours = next(p for p in listing if p["name"] == "proseware")
        assert (ours["properties"]["monitorConfig"]["profileMonitorStatus"] is None) == (expected is None)


def test_patch_merges_and_null_removes(estate: Running, name: str) -> None:
    """PATCH keeps what it does not name, merges objects, and a null takes the value back to its default."""
    estate.arm("PATCH", at(name), {"tags": {"a": "1", "b": "2"}, "properties": {"dnsConfig": {"ttl": 7}}})
    patched = estate.arm("PATCH", at(name), {"tags": {"a": None}, "properties": {"monitorConfig": {"path": "/x"}}}).json
    assert patched["tags"] == {"b": "2"}
    assert patched["properties"]["dnsConfig"]["ttl"] == 7
    assert (patched["properties"]["monitorConfig"]["path"], patched["properties"]["monitorConfig"]["port"]) == (
        "/x",
        80,
    )


def test_a_put_replaces_and_takes_endpoints_along(estate: Running, name: str) -> None:
    """A profile PUT without endpoints leaves none; one with them takes exactly these, printed by priority."""
    estate.arm("PUT", f"{at(name)}/externalEndpoints/e", external())
    assert estate.arm("PUT", at(name), body(name)).json["properties"]["endpoints"] == []
    two = [listed("b", "b.contoso.com", priority=9), listed("a", "a.contoso.com", priority=4)]
    assert [
        e["name"] for e in estate.arm("PUT", at(name), body(name, endpoints=two)).json["properties"]["endpoints"]
    ] == ["a", "b"]


def test_tags_are_absent_from_a_put_that_sent_none_and_empty_in_a_get(estate: Running, name: str) -> None:
    """The recorded difference between PUT and GET."""
    assert "tags" not in estate.arm("PUT", at(name), body(name)).json
    assert estate.arm("GET", at(name)).json["tags"] == {}


# endpoints


def test_an_endpoint_put_answers_201_always_and_its_new_status_at_once(estate: Running, name: str) -> None:
    """Create, disable, enable, always serve: 201 each, with the monitor status of the new state."""
    states: list[tuple[dict[str, str], str]] = [
        ({}, "CheckingEndpoint"),
        ({"endpointStatus": "Disabled", "endpointMonitorStatus": "Online"}, "Disabled"),
        ({"endpointStatus": "Enabled", "endpointMonitorStatus": "Disabled"}, "CheckingEndpoint"),
        ({"alwaysServe": "Enabled"}, "Unmonitored"),
        ({"alwaysServe": "Disabled"}, "CheckingEndpoint"),
    ]
    for sent, shown in states:
        answer = estate.arm("PUT", f"{at(name)}/externalEndpoints/e", external(**sent))
        assert (answer.status, answer.json["properties"]["endpointMonitorStatus"]) == (201, shown)


def test_priorities_follow_on_and_are_kept(estate: Running, name: str) -> None:
    """The first endpoint gets priority 1, the next one 2; an update without a priority keeps its own."""
    got = [
        estate.arm("PUT", f"{at(name)}/externalEndpoints/{e}", external(f"{e}.contoso.com")).json["properties"][
            "priority"
        ]
        for e in ("x", "y", "x")
    ]
    assert got == [1, 2, 1]


def test_an_azure_endpoint_has_its_target_and_location_derived(estate: Running) -> None:
    """Only the resource id is sent; host name and region come from the app, whatever the client says of them."""
    app = estate.app("eastus")
    sent = {
        "properties": {
            "targetResourceId": app["resource_id"].upper(),
            "target": "lies.example.com",
            "endpointLocation": "Mars",
            "priority": 1,
        }
    }
    properties = estate.arm("PUT", f"{estate.profile}/azureendpoints/EASTUS", sent).json["properties"]
    assert (properties["target"], properties["endpointLocation"]) == (app["default_host_name"], "East US")


def test_a_nested_endpoint_says_null_and_then_its_childs_health(estate: Running, name: str) -> None:
    """The PUT of a nested endpoint has no status yet; the next GET has one, and the target is the child's name."""
    child = estate.arm("GET", estate.profile).json
    put = estate.arm(
        "PUT",
        f"{at(name)}/nestedEndpoints/n",
        {"properties": {"targetResourceId": child["id"], "minChildEndpoints": 1}},
    )
    assert put.json["properties"]["endpointMonitorStatus"] is None
    assert put.json["properties"]["target"] == "proseware.trafficmanager.net"
    assert estate.arm("GET", f"{at(name)}/nestedEndpoints/n").json["properties"]["endpointMonitorStatus"] in {
        "CheckingEndpoint",
        "Online",
    }
    assert estate.arm("DELETE", estate.profile).status == 409


def test_optional_parts_come_back_as_they_were_sent(estate: Running, name: str) -> None:
    """Headers, subnets and geographic mappings are kept and printed only where set."""
    sent: dict[str, Any] = {
        "customHeaders": [{"name": "x-a", "value": "b"}],
        "subnets": [{"first": "1.2.3.0", "scope": 24}, {"first": "25.26.27.28", "last": "29.30.31.32"}],
        "geoMapping": ["GEO-NA", "RE", "US-VA"],
    }
    got = estate.arm("PUT", f"{at(name)}/externalEndpoints/e", external(**sent)).json["properties"]
    assert {key: got[key] for key in sent} == sent
    bare = estate.arm("PUT", f"{at(name)}/externalEndpoints/f", external("f.contoso.com")).json["properties"]
    assert not sent.keys() & bare.keys()


def test_endpoint_patch_changes_one_thing(estate: Running, name: str) -> None:
    """The SDK's smallest disable changes the status and nothing else."""
    before = estate.arm("PUT", f"{at(name)}/externalEndpoints/e", external(weight=50, endpointLocation="West US")).json[
        "properties"
    ]
    after = estate.arm("PATCH", f"{at(name)}/externalEndpoints/e", {"properties": {"endpointStatus": "Disabled"}}).json[
        "properties"
    ]
    assert {k for k in after if after[k] != before[k]} == {"endpointStatus", "endpointMonitorStatus"}


# what is refused

E = "externalEndpoints/e"
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("", {"dnsConfig": {"ttl": 30}}, "relativeName"),
    ("", {"dnsConfig": {"relativeName": "{name}", "ttl": -1}}, "'ttl' must be a whole number from 0 to 2147483647"),
    ("", {"dnsConfig": {"relativeName": "{name}", "ttl": 2**31}}, "'ttl'"),
    ("", {"dnsConfig": {"relativeName": "another-name"}}, "cannot be changed"),
    ("", {"trafficRoutingMethod": "Magic"}, "trafficRoutingMethod"),
    ("", {"monitorConfig": {"protocol": "HTTP", "port": 80, "path": "/", "intervalInSeconds": 20}}, "10 or 30"),
    ("", {"monitorConfig": {"protocol": "HTTP", "port": 80, "path": "/", "intervalInSeconds": 10, "timeoutInSeconds": 10}}, "between 5 and 10"),
    ("", {"monitorConfig": {"protocol": "HTTP", "port": 80, "path": "/", "timeoutInSeconds": 4}}, "between 5 and 10"),
    ("", {"monitorConfig": {"protocol": "HTTP", "port": 80, "path": "/", "toleratedNumberOfFailures": 10}}, "toleratedNumberOfFailures"),
    ("", {"monitorConfig": {"protocol": "HTTP", "port": 70000, "path": "/"}}, "port"),
    ("", {"monitorConfig": {"protocol": "HTTP", "port": 80}}, "path"),
    ("", {"monitorConfig": {"protocol": "TCP", "port": 80, "path": "/"}}, "TCP"),
    ("", {"monitorConfig": {"protocol": "HTTP", "port": 80, "path": "/", "customHeaders": [{"name": f"h{n}", "value": ""} for n in range(9)]}}, "8 custom headers"),
    ("", {"monitorConfig": {"protocol": "HTTP", "port": 80, "path": "/", "expectedStatusCodeRanges": [{"min": 200, "max": 199}]}}, "'min'"),
    ("", {"monitorConfig": {"protocol": "HTTP", "port": 80, "path": "/", "expectedStatusCodeRanges": [{"min": 200, "max": 200}] * 9}}, "8 expected"),
    ("", {"maxReturn": 9}, "maxReturn"),
    ("", {"endpoints": [listed("a", "a.example.com", priority=1), listed("b", "b.example.com")]}, "all endpoints"),
    ("", {"endpoints": [listed("a", "a.example.com", priority=1), listed("b", "b.example.com", priority=1)]}, "must be unique"),
    ("", {"endpoints": [listed("a", "a.example.com"), listed("b", "A.example.com")]}, "more than once"),
    ("", {"endpoints": [listed("a", "a.example.com"), listed("A", "b.example.com")]}, "given twice"),
    ("", {"endpoints": [listed("a", "a.example.com"), listed("b", "203.0.114.1")]}, "one addressing type"),
    ("", {"trafficRoutingMethod": "MultiValue", "endpoints": [listed("a", "a.example.com")]}, "MultiValue"),
    ("", {"trafficRoutingMethod": "Geographic", "endpoints": [listed("a", "a.example.com", geoMapping=["US"]), listed("b", "b.example.com", geoMapping=["US"])]}, "mapped to more than one"),
    ("", {"trafficRoutingMethod": "Subnet", "endpoints": [listed("a", "a.example.com", subnets=[{"first": "9.0.0.0", "scope": 8}]), listed("b", "b.example.com", subnets=[{"first": "9.1.0.0"}])]}, "overlaps"),
    ("", {"endpoints": "none"}, "'endpoints' must be a list"),
    (E, {"target": "a.example.com", "weight": 0}, "weight"),
    (E, {"target": "a.example.com", "weight": 1001}, "weight"),
    (E, {"target": "a.example.com", "priority": 1001}, "priority"),
    (E, {"target": "10.0.0.1"}, "not a public IP address"),
    (E, {"target": "not a name"}, "not a valid DNS name"),
    (E, {}, "not a valid DNS name"),
    (E, {"target": "a.example.com", "geoMapping": ["Narnia"]}, "not known"),
    (E, {"target": "a.example.com", "endpointStatus": "Maybe"}, "endpointStatus"),
    ("azureEndpoints/e", {}, "targetResourceId"),
    ("azureEndpoints/e", {"targetResourceId": "/subscriptions/x/resourceGroups/y/providers/Microsoft.Web/sites/z"}, "do not belong to subscription"),
    ("nestedEndpoints/e", {"targetResourceId": "/subscriptions/x/resourceGroups/y/providers/Microsoft.Network/trafficManagerProfiles/z"}, "does not exist"),
    ("nestedEndpoints/e", {"targetResourceId": "{id}"}, "nested in itself"),
    ("nestedEndpoints/e", {"targetResourceId": "{id}", "alwaysServe": "Enabled"}, "alwaysServe"),
    ("strangeEndpoints/e", {"target": "a.example.com"}, "endpoint type"),
]  # fmt: skip


@pytest.mark.parametrize(("tail", "properties", "says"), REFUSED)
def test_each_constraint_is_an_arm_shaped_400_and_changes_nothing(
    estate: Running, name: str, tail: str, properties: dict[str, Any], says: str
) -> None:
    """A body that breaks a rule is refused with the rule, and the profile is as it was."""
    before = estate.arm("GET", at(name)).json
    filled = {k: _filled(v, name, before["id"]) for k, v in properties.items()}
    sent = {"properties": filled} if tail else body(name, **filled)
    answer = estate.arm("PUT", f"{at(name)}/{tail}".rstrip("/"), sent)
    assert answer.status == 400, answer.body
    assert says in answer.json["error"]["message"]
    assert estate.arm("GET", at(name)).json == before


def _filled(value: Any, name: str, here: str) -> Any:
    if isinstance(value, dict):
        return {k: _filled(v, name, here) for k, v in value.items()}
    return {"{name}": name, "{id}": here}.get(value, value) if isinstance(value, str) else value


def test_one_app_per_region_and_none_below_standard(estate: Running, name: str) -> None:
    """A second app of a region, and an app on too small a plan, cannot be endpoints; the message names no real cause."""
    group = "~/resourceGroups/rg-proseware-eastus/providers/Microsoft.Web"
    plan = estate.arm(
        "PUT", f"{group}/serverfarms/small", {"location": "westus", "sku": {"name": "B1", "tier": "Basic"}}
    ).json["id"]
    sites = {
        "small": {"location": "West US", "properties": {"serverFarmId": plan}},
        "one": {"location": "North Europe"},
        "two": {"location": "northeurope"},
    }
    made = {
        key: estate.arm("PUT", f"{group}/sites/{key}-{name}", sent, version="2025-05-01").json
        for key, sent in sites.items()
    }
    try:
        answers = {
            key: estate.arm("PUT", f"{at(name)}/azureEndpoints/{key}", {"properties": {"targetResourceId": app["id"]}})
            for key, app in made.items()
        }
        assert {key: answer.status for key, answer in answers.items()} == {"small": 400, "one": 201, "two": 400}
        assert "do not belong to subscription" in answers["small"].json["error"]["message"]
        assert "one Azure Website endpoint per region" in answers["two"].json["error"]["message"]
    finally:
        for key in made:
            estate.arm("DELETE", f"{group}/sites/{key}-{name}", version="2025-05-01")


def test_an_app_scaled_below_standard_is_stopped_for_traffic_manager(estate: Running) -> None:
    """A smaller plan takes the app out of the profile; the old size brings it back."""
    plan = estate.arm("GET", estate.app("westus3")["resource_id"], version="2025-05-01").json["properties"][
        "serverFarmId"
    ]
    before = estate.arm("GET", plan).json
    endpoint = f"{estate.profile}/azureEndpoints/westus3"
    try:
        estate.arm("PUT", plan, {**before, "sku": {"name": "B1", "tier": "Basic"}})
        until(lambda: estate.arm("GET", endpoint).json["properties"]["endpointMonitorStatus"] == "Stopped")
    finally:
        estate.arm("PUT", plan, before)


def test_a_name_that_is_taken_is_said_so_and_refused(estate: Running) -> None:
    """The check says AlreadyExists, and a profile of that name is 409; the check needs no right and takes any case of the type."""
    ask = {"name": "proseware", "type": "microsoft.network/trafficmanagerprofiles"}
    path = "/providers/Microsoft.Network/checkTrafficManagerNameAvailability?api-version=2022-04-01"
    verdict = estate.arm("POST", path, ask).json
    assert (verdict["nameAvailable"], verdict["reason"]) == (False, "AlreadyExists")
    free = estate.arm(
        "POST", "~/providers/Microsoft.Network/checkTrafficManagerNameAvailabilityV2", {**ask, "name": "free-name"}
    ).json
    assert free == {
        "name": "free-name",
        "type": "Microsoft.Network/trafficManagerProfiles",
        "nameAvailable": True,
        "reason": None,
        "message": None,
    }
    assert estate.arm("PUT", at(next(names)), body("proseware")).status == 409


def error(answer: Answer) -> tuple[int, str, str]:
    inner = answer.json.get("error", answer.json)
    return answer.status, inner["code"], inner["message"]


def test_the_three_shapes_of_not_found(estate: Running) -> None:
    """A profile and a group are missed by the gateway, an endpoint by Traffic Manager itself, unwrapped and in lower case."""
    profile = estate.arm("GET", at("nope"))
    assert error(profile)[:2] == (404, "ResourceNotFound")
    assert error(profile)[2].startswith(
        "The Resource 'Microsoft.Network/trafficmanagerprofiles/nope' under resource group"
    )
    assert profile.headers["x-ms-failure-cause"] == "gateway"
    group = estate.arm("GET", at("nope").replace("rg-proseware-global", "rg-nope"))
    assert error(group) == (404, "ResourceGroupNotFound", "Resource group 'rg-nope' could not be found.")
    endpoint = estate.arm("GET", f"{estate.profile}/ExternalEndpoints/Nope")
    assert endpoint.json == {
        "code": "NotFound",
        "message": "The endpoint 'nope' of type 'externalendpoints' does not exist in the profile 'proseware'.",
    }
    assert "x-ms-failure-cause" not in endpoint.headers


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("{profile}?x=1", "MissingApiVersionParameter"),
        ("{profile}?api-version=latest", "InvalidApiVersionParameter"),
        ("{profile}?api-version=2019-01-01", "NoRegisteredProviderFound"),
    ],
)
def test_api_versions_are_asked_for_and_known(estate: Running, path: str, code: str) -> None:
    """No api-version, one that is none, and one Traffic Manager never had are 400 each."""
    assert error(estate.arm("GET", path.format(profile=estate.profile)))[:2] == (400, code)


def test_paths_match_in_any_case(estate: Running) -> None:
    """SDK and az disagree on case; both are served."""
    assert estate.arm("GET", estate.profile.upper()).json["name"] == "proseware"


def test_an_unknown_call_is_501_and_named(estate: Running) -> None:
    """What the estate does not have is said by name, and needs a token like anything else."""
    path = "~/resourceGroups/rg-proseware-global/providers/Microsoft.Compute/virtualMachines/vm"
    answer = estate.arm("DELETE", path)
    assert answer.status == 501
    assert "DELETE /subscriptions/" in error(answer)[2]
    assert "virtualMachines/vm" in error(answer)[2]
    known = estate.arm("GET", "~/providers/Microsoft.Network/trafficManagerUserMetricsKeys/default")
    assert known.status == 501
    assert estate.arm("DELETE", path, token="x").status == 401


def test_the_geographic_hierarchy_has_the_services_shape(estate: Running) -> None:
    """WORLD over groupings over countries over states, each with a code, a name and regions; every code once."""
    root = estate.arm(
        "GET", "/providers/Microsoft.Network/trafficManagerGeographicHierarchies/default?api-version=2022-04-01"
    ).json
    world = root["properties"]["geographicHierarchy"]
    assert (world["code"], {r["code"] for r in world["regions"]} >= {"GEO-EU", "GEO-NA", "GEO-AS", "GEO-AP"}) == (
        "WORLD",
        True,
    )
    codes = [c["code"] for grouping in world["regions"] for c in grouping["regions"]]
    assert len(codes) == len(set(codes)) > 200
    states = next(c for g in world["regions"] for c in g["regions"] if c["code"] == "US")["regions"]
    assert {"code": "US-VA", "name": "Virginia", "regions": []} in states


def test_delete_body_can_be_what_the_specification_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With the switch, DELETE answers `{}`, which the SDK can read."""
    with running(tmp_path_factory.mktemp("estate"), {**QUICK, "tm": {"delete_body": "object"}}) as other:
        answer = other.arm("DELETE", f"{other.profile}/azureEndpoints/eastus")
        assert (answer.status, answer.json) == (200, {})


def test_every_write_is_in_the_log_and_no_read_is(estate: Running, name: str) -> None:
    """The write log has carried-out and refused writes, with operation and status, and nothing else."""
    before = len(estate.writes())
    estate.arm("GET", at(name))
    estate.arm(
        "POST",
        "/providers/Microsoft.Network/checkTrafficManagerNameAvailability?api-version=2022-04-01",
        {"name": "x", "type": "y"},
    )
    assert len(estate.writes()) == before
    estate.arm("PATCH", at(name), {"properties": {"dnsConfig": {"ttl": 9}}})
    estate.arm("PATCH", at(name), {"properties": {"dnsConfig": {"ttl": -9}}})
    estate.arm("PATCH", at(name), {}, token="x")
    got = [(w["operation"], w["status"], w["carried_out"]) for w in estate.writes()[before:]]
    assert got == [("Profiles_Update", 200, True), ("Profiles_Update", 400, False), ("Profiles_Update", 401, False)]
