"""Microsoft.Web's control plane over real HTTPS: states, configuration, slots, and what a stop does to the front end."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.estate.running import QUICK, Answer, Running, fetch, running, until

VERSION = "2025-05-01"
SITES = "~/resourceGroups/rg-proseware-eastus/providers/Microsoft.Web/sites"
NODE = {"WEBSITE_NODE_DEFAULT_VERSION": "6.9.1"}  # what a new slot on Windows has, and nothing of its app's
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("estate"), QUICK) as estate:
        yield estate
        assert estate.said() == ""


@pytest.fixture
def site(estate: Running) -> Iterator[str]:
    """The path of a fresh app in East US."""
    path = f"{SITES}/app{next(numbers)}"
    assert web(estate, "PUT", path, {"location": "eastus"}).status == 200
    yield path
    web(estate, "DELETE", path)


def web(estate: Running, method: str, path: str, body: object = None) -> Answer:
    return estate.arm(method, path, body, version=VERSION)


def properties(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    return dict(answer.json["properties"])


def test_stop_and_start_change_state_and_time_only(estate: Running, site: str) -> None:
    """The GET after a stop differs from the one before in `state` and `lastModifiedTimeUtc`, and in nothing else."""
    before = properties(web(estate, "GET", site))
    stopped = web(estate, "POST", f"{site}/stop")
    assert (stopped.status, stopped.body, stopped.headers.get("content-type")) == (200, b"", None)
    after = properties(web(estate, "GET", site))
    assert {k for k in after if after[k] != before[k]} == {"state", "lastModifiedTimeUtc"}
    assert (after["state"], after["enabled"], after["availabilityState"]) == ("Stopped", True, "Normal")
    assert web(estate, "POST", f"{site}/start").status == 200
    assert properties(web(estate, "GET", site))["state"] == "Running"


def test_stop_start_and_restart_are_idempotent(estate: Running, site: str) -> None:
    """Twice is 200 again; a restart keeps the state, also that of a stopped app."""
    for action, state in (
        ("stop", "Stopped"),
        ("stop", "Stopped"),
        ("restart", "Stopped"),
        ("start", "Running"),
        ("start", "Running"),
        ("restart", "Running"),
    ):
        assert web(estate, "POST", f"{site}/{action}").status == 200
        assert properties(web(estate, "GET", site))["state"] == state


def test_the_etag_is_the_modification_time_as_a_filetime(estate: Running, site: str) -> None:
    """Upper-case hex of 100 ns since 1601, the same instant as lastModifiedTimeUtc; lists have none."""
    answer = web(estate, "GET", site)
    tag = int(answer.headers["etag"].strip('"'), 16)
    text = properties(answer)["lastModifiedTimeUtc"]
    whole, _, part = text.partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    assert tag - 116_444_736_000_000_000 == seconds * 10_000_000 + int(part.ljust(7, "0") or 0)
    assert "etag" not in web(estate, "GET", SITES).headers
    assert "etag" not in web(estate, "GET", f"{site}/config/web").headers


def test_a_stop_reaches_the_front_end(estate: Running) -> None:
    """A stopped app's region answers 403 Site Disabled and closes; started, it answers as itself."""
    app = estate.app("westus3")["resource_id"]
    web(estate, "POST", f"{app}/stop")
    until(lambda: estate.site("westus3").status == 403)
    web(estate, "POST", f"{app}/start")
    until(lambda: estate.site("westus3").status == 200)


def test_a_new_app_is_served_by_its_region(estate: Running, site: str) -> None:
    """An app made through ARM answers on its region's address under its default host name."""
    name = site.rsplit("/", 1)[1]
    assert properties(web(estate, "GET", site))["defaultHostName"] == f"{name}.azurewebsites.net"
    until(lambda: estate.lookup(f"{name}.azurewebsites.net") == ("NOERROR", (estate.app("eastus")["address"],)))


def test_lists_and_gets_agree(estate: Running, site: str) -> None:
    """What the list of a group shows of an app is what its GET shows; the envelope is the service's."""
    listing = web(estate, "GET", SITES).json
    assert set(listing) == {"value", "nextLink", "id"}
    name = site.rsplit("/", 1)[1]
    assert next(s for s in listing["value"] if s["name"] == name) == web(estate, "GET", site).json
    everywhere = [s["name"] for s in web(estate, "GET", "~/providers/Microsoft.Web/sites").json["value"]]
    assert {name, "proseware-eastus", "proseware-westus3"} <= set(everywhere)


def test_a_put_repeats_the_location_and_a_get_displays_it(estate: Running, site: str) -> None:
    """PUT answers with the location as it was sent, GET with the display form [R]."""
    assert web(estate, "PUT", site, {"location": "eastus"}).json["location"] == "eastus"
    assert web(estate, "GET", site).json["location"] == "East US"


def test_put_and_patch_set_what_they_name(estate: Running, site: str) -> None:
    """Affinity, HTTPS only, tags and settings follow; read-only properties sent along are ignored."""
    sent = {
        "tags": {"a": "b"},
        "properties": {"clientAffinityEnabled": False, "httpsOnly": True, "state": "Stopped", "hostNames": ["x"]},
    }
    got = properties(web(estate, "PATCH", site, sent))
    assert (got["clientAffinityEnabled"], got["httpsOnly"], got["state"]) == (False, True, "Running")
    assert got["hostNames"] != ["x"]
    assert web(estate, "GET", site).json["tags"] == {"a": "b"}


def test_application_settings_are_replaced_and_listed(estate: Running, site: str) -> None:
    """PUT replaces all settings; listing them is a POST that is no write."""
    writes = len(estate.writes())
    put = web(estate, "PUT", f"{site}/config/appsettings", {"properties": {"a": "1", "b": ""}}).json
    assert (put["name"], put["properties"]) == ("appsettings", {"a": "1", "b": ""})
    web(estate, "PUT", f"{site}/config/appsettings", {"properties": {"c": "3"}})
    assert web(estate, "POST", f"{site}/config/appsettings/list").json["properties"] == {"c": "3"}
    assert len(estate.writes()) == writes + 2


def test_config_web_keeps_what_is_set(estate: Running, site: str) -> None:
    """What is set of config/web is there in the next GET beside the defaults; the PUT answers as the site itself [R]."""
    put = web(
        estate,
        "PUT",
        f"{site}/config/web",
        {"properties": {"alwaysOn": True, "healthCheckPath": "/up", "scmType": None}},
    ).json
    assert put["id"].endswith(site.rsplit("/", 1)[1])
    got = properties(web(estate, "GET", f"{site}/config/web"))
    assert (got["alwaysOn"], got["healthCheckPath"], got["minTlsVersion"]) == (True, "/up", "1.2")


def test_host_names_are_bound_and_unbound(estate: Running, site: str) -> None:
    """A binding shows in the app's host names, with its certificate where it has one; deleted, it is gone."""
    host = "shop.proseware.example"
    made = web(estate, "PUT", f"{site}/hostNameBindings/{host}", {"properties": {"sslState": "SniEnabled"}})
    assert (made.status, made.json["properties"]["sslState"]) == (200, "SniEnabled")
    assert host in properties(web(estate, "GET", site))["hostNames"]
    listed = [b["name"].partition("/")[2] for b in web(estate, "GET", f"{site}/hostNameBindings").json["value"]]
    assert host in listed
    assert web(estate, "GET", f"{site}/hostNameBindings/{host}").status == 200
    assert web(estate, "DELETE", f"{site}/hostNameBindings/{host}").status == 200
    missing = web(estate, "GET", f"{site}/hostNameBindings/{host}")
    assert (missing.status, missing.json["Code"]) == (404, "NotFound")


def test_an_endpoint_binds_the_profiles_name_to_the_app(estate: Running) -> None:
    """An app that is a Traffic Manager endpoint shows the profile's name among its host names and serves it, until it is none."""
    app = properties(web(estate, "GET", estate.app("eastus")["resource_id"]))
    assert app["trafficManagerHostNames"] == ["proseware.trafficmanager.net"]
    assert "proseware.trafficmanager.net" in app["hostNames"]
    endpoint = f"{estate.profile}/azureEndpoints/eastus"
    until(lambda: status_for(estate, "proseware.trafficmanager.net") == 200)
    kept = estate.arm("GET", endpoint).json
    assert estate.arm("DELETE", endpoint).status == 200
    until(lambda: status_for(estate, "proseware.trafficmanager.net") == 404)
    assert estate.arm("PUT", endpoint, kept).status == 201


def status_for(estate: Running, host: str) -> int:
    """The status that East US gives under *host*."""
    url = f"http://{estate.app('eastus')['address']}:{estate.ready['http_port']}/"
    return fetch("GET", url, {"Host": host}).status


def test_slot_names_and_instances(estate: Running, site: str) -> None:
    """Sticky names are null until set; a running app has an instance, a stopped one none."""
    assert properties(web(estate, "GET", f"{site}/config/slotConfigNames"))["appSettingNames"] is None
    web(estate, "PUT", f"{site}/config/slotConfigNames", {"properties": {"appSettingNames": ["a"]}})
    assert properties(web(estate, "GET", f"{site}/config/slotConfigNames"))["appSettingNames"] == ["a"]
    assert len(web(estate, "GET", f"{site}/instances").json["value"]) == 1
    web(estate, "POST", f"{site}/stop")
    assert web(estate, "GET", f"{site}/instances").json["value"] == []


def test_a_swap_exchanges_settings_but_the_sticky_ones(estate: Running, site: str) -> None:
    """202 with a Location that answers 202 and then 200; settings have changed places, sticky ones have not, and both say so."""
    slot = f"{site}/slots/staging"
    made = web(estate, "PUT", slot, {"location": "eastus"}).json
    assert (made["type"], made["properties"]["defaultHostName"].partition(".")[0].rpartition("-")[2]) == (
        "Microsoft.Web/sites/slots",
        "staging",
    )
    assert web(estate, "POST", f"{slot}/config/appsettings/list").json["properties"] == NODE
    for path, value in ((site, "live"), (slot, "new")):
        web(estate, "PUT", f"{path}/config/appsettings", {"properties": {"moving": value, "sticky": value}})
        web(estate, "PUT", f"{path}/config/slotConfigNames", {"properties": {"appSettingNames": ["sticky"]}})
    assert web(estate, "POST", f"{slot}/applySlotConfig", {"targetSlot": "production"}).status == 200
    assert properties(web(estate, "GET", site))["targetSwapSlot"] == "staging"
    begun = web(estate, "POST", f"{slot}/slotsswap", {"targetSlot": "production", "preserveVnet": True})
    assert begun.status == 202
    path = begun.headers["location"].removeprefix(estate.ready["arm_url"])
    polls = [estate.arm("GET", path).status for _ in range(3)]
    assert polls == [202, 202, 200]
    assert web(estate, "POST", f"{site}/config/appsettings/list").json["properties"] == {
        "moving": "new",
        "sticky": "live",
    }
    live = properties(web(estate, "GET", site))
    assert (live["deploymentId"], live["targetSwapSlot"]) == (made["properties"]["deploymentId"], None)
    assert (live["slotSwapStatus"]["sourceSlotName"], live["slotSwapStatus"]["destinationSlotName"]) == (
        "staging",
        "Production",
    )
    assert web(estate, "POST", f"{slot}/stop").status == 200
    assert [s["name"] for s in web(estate, "GET", f"{site}/slots").json["value"]] == [made["name"]]
    assert made["name"] not in [s["name"] for s in web(estate, "GET", SITES).json["value"]]
    missing = web(estate, "POST", f"{site}/slots/none/stop")
    assert (missing.status, missing.json["Message"]) == (
        404,
        f"Cannot find WebSite with name {site.rsplit('/', 1)[1]}(none).",
    )


def test_the_publishing_profile_has_no_password(estate: Running, site: str) -> None:
    """publishxml is XML that az can read, without a secret in it."""
    answer = web(estate, "POST", f"{site}/publishxml")
    assert answer.headers["content-type"] == "application/xml"
    assert b'publishMethod="MSDeploy"' in answer.body
    assert b'userPWD=""' in answer.body


def test_app_service_writes_slashes_as_they_are(estate: Running, site: str) -> None:
    """A different serializer from Traffic Manager's, and its own headers."""
    answer = web(estate, "GET", site)
    assert b"\\/" not in answer.body
    assert (answer.headers["cache-control"], answer.headers["expires"]) == ("no-cache", "-1")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-msedge-ref"].startswith("Ref A: ")


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("bad_name!", {"location": "eastus"}, 400, "not valid"),
        ("nowhere", {"properties": {}}, 400, "location"),
        ("nowhere", {"location": "Atlantis"}, 400, "'Atlantis' is not available"),
        ("wrong", {"location": "eastus", "properties": []}, 400, "properties"),
        ("wrong", {"location": "eastus", "properties": {"httpsOnly": "yes"}}, 400, "httpsOnly"),
        ("wrong", {"location": "eastus", "tags": {"a": 1}}, 400, "tags"),
        ("wrong", {"location": "eastus", "properties": {"siteConfig": {"appSettings": [1]}}}, 400, "appSettings"),
        ("wrong/slots/s", {"location": "eastus"}, 404, "was not found"),
    ],
)
def test_a_wrong_site_is_refused(estate: Running, path: str, body: dict[str, Any], status: int, says: str) -> None:
    """A body that makes no sense is refused in ARM's shape, and no app appears."""
    answer = web(estate, "PUT", f"{SITES}/{path}", body)
    assert answer.status == status
    assert says in answer.json["error"]["message"]
    assert web(estate, "GET", f"{SITES}/{path.partition('/')[0]}").status == 404


def test_a_deleted_app_is_gone_everywhere(estate: Running) -> None:
    """DELETE answers 200, then 204; the name no longer resolves."""
    path = f"{SITES}/short-lived"
    web(estate, "PUT", path, {"location": "eastus"})
    assert [web(estate, "DELETE", path).status for _ in range(2)] == [200, 204]
    until(lambda: estate.lookup("short-lived.azurewebsites.net")[0] == "NXDOMAIN")
