"""Facts about Azure that no other test holds the estate to, asked for on the wire as a client meets them.

docs/fidelity.md lists all facts, each with the test that proves it.
"""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dns.message
import dns.query
import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.mgmt.trafficmanager import TrafficManagerManagementClient, models
from azure.mgmt.web import WebSiteManagementClient

from tests.estate.running import QUICK, Answer, Running, fetch, running, until

GROUP = "~/resourceGroups/rg-proseware-global/providers/Microsoft.Network/trafficManagerProfiles"
SITES = "2025-05-01"
TM: Any = models  # properties may be given without their envelope, which its types do not tell
PROFILE_KEYS = [
    "profileStatus", "trafficRoutingMethod", "dnsConfig", "monitorConfig", "endpoints", "trafficViewEnrollmentStatus",
    "maxReturn",
]  # fmt: skip
MONITOR_KEYS = [
    "profileMonitorStatus", "protocol", "port", "path", "intervalInSeconds", "toleratedNumberOfFailures", "timeoutInSeconds",
]  # fmt: skip
ENDPOINT_KEYS = [
    "endpointStatus", "endpointMonitorStatus", "targetResourceId", "target", "weight", "priority", "endpointLocation",
    "minChildEndpoints", "alwaysServe",
]  # fmt: skip


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One whose apps take a moment to start, whose time runs twenty times as fast, and whose third app has used up its quota."""
    delays = {**QUICK["delays"], "cold_start_s": 4}  # type: ignore[dict-item]
    third = {"location": "northeurope", "state": "QuotaExceeded", "endpoint": "Disabled"}
    regions = [{"location": "eastus"}, {"location": "westus3"}, third]
    with running(tmp_path_factory.mktemp("estate"), {"time_scale": 20, "delays": delays, "regions": regions}) as estate:
        yield estate


def profile(name: str, **properties: Any) -> dict[str, Any]:
    monitor = {"protocol": "HTTP", "port": 80, "path": "/"}
    return {
        "location": "global",
        "properties": {
            "trafficRoutingMethod": "Priority",
            "dnsConfig": {"relativeName": name, "ttl": 30},
            "monitorConfig": monitor,
            **properties,
        },
    }


@contextmanager
def made(estate: Running, name: str, **properties: Any) -> Iterator[str]:
    """A profile for a while; its path."""
    path = f"{GROUP}/{name}"
    assert estate.arm("PUT", path, profile(name, **properties)).status == 201
    yield path
    estate.arm("DELETE", path)


def external(target: str, **properties: Any) -> dict[str, Any]:
    return {"properties": {"target": target, **properties}}


def monitor_status(estate: Running, path: str) -> str:
    return str(estate.arm("GET", path).json["properties"]["monitorConfig"]["profileMonitorStatus"])


# §1 Traffic Manager's control plane


def test_the_keys_come_in_the_services_order(estate: Running) -> None:
    """Of 2022-04-01: a profile, its monitor's configuration, an endpoint; lists are a `value` and nothing else."""
    answer = estate.arm("GET", estate.profile, version="2022-04-01").json
    assert list(answer) == ["id", "name", "type", "location", "tags", "properties"]
    assert list(answer["properties"]) == PROFILE_KEYS
    assert list(answer["properties"]["monitorConfig"]) == MONITOR_KEYS
    assert list(answer["properties"]["dnsConfig"]) == ["relativeName", "fqdn", "ttl"]
    endpoint = estate.arm("GET", f"{estate.profile}/AzureEndpoints/eastus", version="2022-04-01").json
    assert list(endpoint) == ["id", "name", "type", "properties"]
    assert list(endpoint["properties"]) == ENDPOINT_KEYS
    assert list(estate.arm("GET", GROUP).json) == ["value"]


def test_a_profile_says_disabled_inactive_and_checking_at_once(estate: Running) -> None:
    """Inactive without an enabled endpoint, CheckingEndpoints with a new one, Disabled: NXDOMAIN but for the second."""
    with made(estate, "states") as path:
        assert monitor_status(estate, path) == "Inactive"
        endpoint = f"{path}/externalEndpoints/e"
        estate.arm("PUT", endpoint, external("e.contoso.com"))
        assert monitor_status(estate, path) == "CheckingEndpoints"
        until(lambda: estate.lookup("states.trafficmanager.net")[0] == "NOERROR")
        estate.arm("PATCH", endpoint, {"properties": {"endpointStatus": "Disabled"}})
        assert monitor_status(estate, path) == "Inactive"
        until(lambda: estate.lookup("states.trafficmanager.net")[0] == "NXDOMAIN")
        estate.arm("PATCH", endpoint, {"properties": {"endpointStatus": "Enabled"}})
        until(lambda: estate.lookup("states.trafficmanager.net")[0] == "NOERROR")
        off = estate.arm("PUT", path, profile("states", profileStatus="Disabled")).json["properties"]
        assert (off["profileStatus"], off["monitorConfig"]["profileMonitorStatus"]) == ("Disabled", "Disabled")
        until(lambda: estate.lookup("states.trafficmanager.net")[0] == "NXDOMAIN")


def test_profiles_nest_ten_levels_deep(estate: Running) -> None:
    """The eleventh is refused."""
    names = [f"level-{n}" for n in range(1, 12)]
    for name, child in zip(names, [None, *names], strict=False):
        path = f"{GROUP}/{name}"
        assert estate.arm("PUT", path, profile(name)).status == 201
        if child is not None:
            target = estate.arm("GET", f"{GROUP}/{child}").json["id"]
            answer = estate.arm("PUT", f"{path}/nestedEndpoints/n", {"properties": {"targetResourceId": target}})
            assert answer.status == (400 if name == names[-1] else 201)
    for name in reversed(names):
        estate.arm("DELETE", f"{GROUP}/{name}")


def test_traffic_manager_has_its_headers(estate: Running) -> None:
    """Those of all recorded answers, and no ETag."""
    headers = estate.arm("GET", estate.profile).headers
    assert {k: headers.get(k) for k in TM_HEADERS} == TM_HEADERS
    correlation = headers["x-ms-correlation-request-id"]
    assert re.fullmatch(rf"[A-Z]+:\d{{8}}T\d{{6}}Z:{correlation}", headers["x-ms-routing-request-id"])
    assert int(headers["content-length"]) > 0


TM_HEADERS: Mapping[str, str | None] = {
    "cache-control": "private",
    "server": "Microsoft-IIS/10.0",
    "x-aspnet-version": "4.0.30319",
    "x-powered-by": "ASP.NET",
    "x-content-type-options": "nosniff",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "content-type": "application/json; charset=utf-8",
    "etag": None,
}


# §2 App Service


def test_app_service_has_its_headers(estate: Running) -> None:
    """Those recorded since 2024: never cached, no charset, the references of the edge; a stop names no content type."""
    site = estate.app("westus3")["resource_id"]
    headers = estate.arm("GET", site, version=SITES).headers
    assert {k: headers.get(k) for k in SITE_HEADERS} == SITE_HEADERS
    assert re.fullmatch(
        r"Ref A: [0-9A-F]{32} Ref B: \w+ Ref C: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", headers["x-msedge-ref"]
    )
    put = estate.arm("PUT", f"{site}/config/web", {"properties": {}}, version=SITES)
    assert re.fullmatch(r'"[0-9A-F]{15}"', put.headers["etag"])


SITE_HEADERS = {
    "cache-control": "no-cache",
    "pragma": "no-cache",
    "expires": "-1",
    "x-powered-by": "ASP.NET",
    "x-cache": "CONFIG_NOCACHE",
    "content-type": "application/json",
}


def test_microsoft_web_refuses_in_its_own_shape(estate: Running) -> None:
    """What it does not find, and the lock, have Code, Message, Target, Details and Innererror, with their extended codes."""
    site = estate.app("westus3")["resource_id"]
    missing = estate.arm("GET", f"{site}/slots/none", version=SITES)
    assert refusal(missing) == (404, "NotFound", "51004", "Cannot find WebSite with name proseware-westus3(none).")
    assert missing.json["Details"][2]["ErrorEntity"]["Parameters"] == ["WebSite", "proseware-westus3(none)"]
    with estate.fault("control_timed_out", after_s=0, lock_s=60, operation="WebApps_Restart"):
        late = estate.arm("POST", f"{site}/restart", version=SITES).json["error"]
        assert late["message"].startswith("The gateway did not receive a response from 'Microsoft.Web' within")
        locked = refusal(estate.arm("POST", f"{site}/restart", version=SITES))
    assert locked[:3] == (429, "429", "59206")
    assert locked[3].startswith("Cannot acquire exclusive lock to create, update or delete this site.")


def refusal(answer: Answer) -> tuple[int, str, str, str]:
    body = answer.json
    assert list(body) == ["Code", "Message", "Target", "Details", "Innererror"]
    return answer.status, body["Code"], body["Details"][2]["ErrorEntity"]["ExtendedCode"], body["Message"]


def test_new_settings_restart_the_app(estate: Running) -> None:
    """Writing application settings recycles the app: it ceases to serve, and serves again after its cold start."""
    app = estate.app("westus3")
    until(lambda: estate.site("westus3").status == 200)
    estate.arm("PUT", f"{app['resource_id']}/config/appsettings", {"properties": {"a": "b"}}, version=SITES)
    until(lambda: [e["serving"] for e in serving(estate, app["name"])][-3:] == [True, False, True])


def serving(estate: Running, app: str) -> list[dict[str, Any]]:
    events = estate.control("GET", "/_truth").json["events"]
    return sorted((e for e in events if e["event"] == "serving" and e["app"] == app), key=lambda e: e["t_ns"])


def test_each_region_has_an_affinity_cookie_of_its_own(estate: Running) -> None:
    """64 hex digits of the worker, twice, and others in the other region."""
    cookies = [estate.site(region).headers["set-cookie"] for region in ("eastus", "westus3")]
    found = [re.search(r"ARRAffinity(?:SameSite)?=([0-9a-f]{64});Path=/;HttpOnly;", cookie) for cookie in cookies]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0][1] != found[1][1]


def test_an_app_whose_quota_is_used_up_is_stopped_for_its_users(estate: Running) -> None:
    """Its state says why, and its front end gives the page of a stopped app."""
    app = estate.app("northeurope")
    assert estate.arm("GET", app["resource_id"], version=SITES).json["properties"]["state"] == "QuotaExceeded"
    assert estate.site("northeurope").status == 403


def test_kudu_of_a_stopped_app_is_stopped_too(estate: Running) -> None:
    """The scm host answers as the app's own does: with the 403 of a stopped app."""
    app = estate.app("westus3")
    name, _, rest = app["default_host_name"].partition(".")
    url = f"http://{app['address']}:{estate.ready['http_port']}/"
    estate.arm("POST", f"{app['resource_id']}/stop", version=SITES)
    until(lambda: estate.site("westus3").status == 403)
    assert fetch("GET", url, {"Host": f"{name}.scm.{rest}"}).status == 403
    estate.arm("POST", f"{app['resource_id']}/start", version=SITES)
    until(lambda: estate.site("westus3").status == 200)


# §3 the data plane


class Probed(http.server.BaseHTTPRequestHandler):
    """Sends whoever asks for /moved elsewhere, and keeps what it was asked."""

    asked: list[tuple[str, Mapping[str, str]]]

    def do_GET(self) -> None:
        self.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.send_response(302 if self.path == "/moved" else 200)
        self.send_header("Location", "/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def probed() -> Iterator[tuple[int, list[tuple[str, Mapping[str, str]]]]]:
    """A server on loopback: its port, and what it was asked."""
    handler = type("Here", (Probed,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, handler.asked  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("path", "expected"), [("/health", "Online"), ("/moved", "Degraded")])
def test_a_probe_is_a_get_with_the_target_as_host_that_follows_no_redirect(
    estate: Running, path: str, expected: str
) -> None:
    """Every location sends one; a redirect is a failure like any other status, and is not gone after."""
    with probed() as (port, asked):
        shot = {"protocol": "HTTP", "port": port, "path": path, "intervalInSeconds": 10, "toleratedNumberOfFailures": 0}
        with made(estate, f"probed-{expected.lower()}", monitorConfig=shot) as where:
            estate.arm("PUT", f"{where}/externalEndpoints/e", external("127.0.0.1"))
            until(lambda: monitor_status(estate, where) == expected)
            until(lambda: len(asked) >= 3)
    assert {at for at, _ in asked} == {path}
    assert {(h["host"], h["user-agent"]) for _, h in asked} == {("127.0.0.1", "Azure Traffic Manager Endpoint Monitor")}


def test_a_negative_answer_may_be_kept_thirty_seconds(estate: Running) -> None:
    """The SOA of trafficmanager.net in a NXDOMAIN: TTL and minimum 30, the other times as seen."""
    host, _, port = estate.ready["dns"].rpartition(":")
    answer = dns.query.udp(dns.message.make_query("nobody.trafficmanager.net", "A"), host, port=int(port), timeout=60)
    (soa,) = answer.authority
    assert (soa.ttl, soa[0].minimum, soa[0].serial) == (30, 30, 2003080800)
    assert (soa[0].refresh, soa[0].retry, soa[0].expire) == (900, 300, 2419200)


# §4 what the SDK makes of it


@pytest.fixture
def clients(estate: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """The unchanged clients, with their own retries, but without waiting between them; a slash after the address."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", estate.ready["identity_endpoint"])
    monkeypatch.setenv("IDENTITY_HEADER", estate.ready["identity_header"])
    subscription = estate.ready["subscription_id"]
    given: dict[str, Any] = {"base_url": estate.ready["arm_url"] + "/", "connection_verify": estate.ready["ca_file"]}
    given["retry_backoff_factor"] = 0
    with (
        ManagedIdentityCredential() as credential,
        TrafficManagerManagementClient(credential, subscription, **given) as names,
        WebSiteManagementClient(credential, subscription, **given) as apps,
    ):
        yield names, apps


@pytest.mark.parametrize(
    ("fault", "tries"),
    [
        ({"kind": "control_failing", "status": 503}, 4),
        ({"kind": "control_throttled"}, 1),
        ({"kind": "control_throttled", "retry_after_s": 0}, 4),
    ],
)
def test_the_sdk_tries_a_failing_write_as_often_as_it_does_on_azure(
    estate: Running, clients: tuple[Any, Any], fault: dict[str, Any], tries: int
) -> None:
    """POST and PATCH: four times on a 503 in HTML, once on a 429, four times on a 429 that says when to come again."""
    names, apps = clients
    settings = {key: value for key, value in fault.items() if key != "kind"}
    app, group, weight = estate.app("eastus"), "rg-proseware-global", TM.Endpoint(weight=9)
    writes: tuple[Callable[[], object], ...] = (
        lambda: apps.web_apps.stop(app["resource_group"], app["name"]),
        lambda: names.endpoints.update(group, "proseware", "azureEndpoints", "eastus", weight),
    )
    for write in writes:
        before = len(estate.writes())
        with estate.fault(fault["kind"], only="writes", **settings), pytest.raises(HttpResponseError):
            write()
        seen = estate.writes()[before:]
        assert (len(seen), {w["carried_out"] for w in seen}) == (tries, {False})


def test_a_slash_after_the_address_does_no_harm(clients: tuple[Any, Any]) -> None:
    """A base URL that ends with one leads to the same paths, with a token for management.azure.com all the same."""
    names, _ = clients
    assert names.profiles.get("rg-proseware-global", "proseware").dns_config.ttl == 5
