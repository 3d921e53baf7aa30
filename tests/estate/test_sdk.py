"""The unchanged Azure SDKs against a running estate: the whole drill, the credential chain, and errors as they map them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, DefaultAzureCredential, ManagedIdentityCredential
from azure.mgmt.trafficmanager import TrafficManagerManagementClient
from azure.mgmt.trafficmanager import models as tm_models
from azure.mgmt.web import WebSiteManagementClient
from azure.mgmt.web import models as web_models

from tests.estate.running import QUICK, Running, environment, running, until

TM: Any = tm_models  # its flattened keywords are unknown to type checkers
WEB: Any = web_models
GLOBAL = "rg-proseware-global"


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("estate"), QUICK) as estate:
        yield estate
        assert estate.said() == ""


@pytest.fixture
def clients(estate: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """Both management clients, with DefaultAzureCredential as it comes."""
    for key in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(key, environment(estate)[key])
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    with DefaultAzureCredential() as credential, made(estate, credential) as (tm, web):
        yield tm, web


def code_of(error: HttpResponseError) -> str | None:
    """The code that the SDK could read, None where it could read none."""
    return error.error.code if error.error else None


class made:
    """Management clients for an estate, closed at the end."""

    def __init__(self, estate: Running, credential: Any) -> None:
        ready = estate.ready
        given: dict[str, Any] = {"base_url": ready["arm_url"], "connection_verify": ready["ca_file"], "retry_total": 0}
        self.clients = tuple(
            kind(credential, ready["subscription_id"], **given)
            for kind in (TrafficManagerManagementClient, WebSiteManagementClient)
        )

    def __enter__(self) -> tuple[Any, ...]:
        return self.clients

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.close()


def test_the_whole_drill_by_sdk(estate: Running, clients: tuple[Any, Any]) -> None:
    """Stop the primary, enable the secondary, disable the primary's endpoint, and back: states, health and DNS follow."""
    tm, web = clients
    east, west = estate.app("eastus"), estate.app("westus3")
    assert tm.profiles.get(GLOBAL, "proseware").profile_status == "Enabled"
    web.web_apps.stop(east["resource_group"], east["name"])
    assert web.web_apps.get(east["resource_group"], east["name"]).state == "Stopped"
    off = tm.endpoints.update(GLOBAL, "proseware", "AzureEndpoints", "eastus", TM.Endpoint(endpoint_status="Disabled"))
    assert (off.endpoint_status, off.endpoint_monitor_status) == ("Disabled", "Disabled")
    until(lambda: estate.lookup() == ("NOERROR", (west["address"],)))
    assert web.web_apps.get(west["resource_group"], west["name"]).default_host_name == west["default_host_name"]
    web.web_apps.start(east["resource_group"], east["name"])
    web.web_apps.restart(east["resource_group"], east["name"])
    on = tm.endpoints.get(GLOBAL, "proseware", "azureEndpoints", "eastus")
    on.endpoint_status = "Enabled"
    assert (
        tm.endpoints.create_or_update(GLOBAL, "proseware", "azureEndpoints", "eastus", on).endpoint_status == "Enabled"
    )
    until(lambda: estate.lookup() == ("NOERROR", (east["address"],)))
    until(lambda: tm.profiles.get(GLOBAL, "proseware").monitor_config.profile_monitor_status == "Online")


def test_profiles_and_lists_by_sdk(clients: tuple[Any, Any]) -> None:
    """Create, list, patch and read profiles and settings with the SDK's own models."""
    tm, web = clients
    fresh = TM.Profile(
        location="global",
        traffic_routing_method="Priority",
        dns_config=TM.DnsConfig(relative_name="by-sdk", ttl=10),
        monitor_config=TM.MonitorConfig(protocol="HTTP", port=80, path="/"),
    )
    assert tm.profiles.create_or_update(GLOBAL, "by-sdk", fresh).dns_config.fqdn == "by-sdk.trafficmanager.net"
    assert tm.profiles.update(GLOBAL, "by-sdk", TM.Profile(tags={"a": "b"})).tags == {"a": "b"}
    everywhere = {p.name for p in tm.profiles.list_by_subscription()}
    assert everywhere == {p.name for p in tm.profiles.list_by_resource_group(GLOBAL)} == {"proseware", "by-sdk"}
    app = next(iter(web.web_apps.list()))
    web.web_apps.update_application_settings(app.resource_group, app.name, WEB.StringDictionary(properties={"k": "v"}))
    assert web.web_apps.list_application_settings(app.resource_group, app.name).properties == {"k": "v"}
    assert web.web_apps.get_configuration(app.resource_group, app.name).always_on is True
    assert len(list(web.web_apps.list_host_name_bindings(app.resource_group, app.name))) == 3


def test_deleting_by_sdk_fails_on_the_empty_body_as_it_does_on_azure(clients: tuple[Any, Any]) -> None:
    """mgmt-trafficmanager cannot read the recorded empty 200; the deed is done all the same."""
    tm, _ = clients
    model = TM.Endpoint(
        target="del.contoso.com", type="Microsoft.Network/trafficManagerProfiles/externalEndpoints", priority=77
    )
    tm.endpoints.create_or_update(GLOBAL, "proseware", "externalEndpoints", "gone", model)
    with pytest.raises(json.JSONDecodeError):
        tm.endpoints.delete(GLOBAL, "proseware", "externalEndpoints", "gone")
    with pytest.raises(ResourceNotFoundError) as missing:
        tm.endpoints.get(GLOBAL, "proseware", "externalEndpoints", "gone")
    assert code_of(missing.value) == "NotFound"


def test_errors_map_as_they_should(clients: tuple[Any, Any]) -> None:
    """The gateway's 404 carries a code the SDK can read, Microsoft.Web's own shape does not."""
    tm, web = clients
    with pytest.raises(ResourceNotFoundError) as absent:
        tm.profiles.get(GLOBAL, "nope")
    assert code_of(absent.value) == "ResourceNotFound"
    with pytest.raises(ResourceNotFoundError) as slot:
        web.web_apps.stop_slot("rg-proseware-eastus", "proseware-eastus", "nope")
    assert code_of(slot.value) is None
    answer: Any = slot.value.response
    assert "Cannot find WebSite" in answer.text()
    with pytest.raises(HttpResponseError) as bad:
        tm.endpoints.update(GLOBAL, "proseware", "azureEndpoints", "eastus", TM.Endpoint(weight=5000))
    assert (bad.value.status_code, code_of(bad.value)) == (400, "BadRequest")


def test_a_wrong_identity_header_is_an_authentication_error(estate: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The identity endpoint hands nothing to a caller without its header; the SDK says so."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", estate.ready["identity_endpoint"])
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    with ManagedIdentityCredential() as credential, pytest.raises(ClientAuthenticationError):
        credential.get_token("https://management.azure.com/.default")


def secret(estate: Running) -> ClientSecretCredential:
    ready = estate.ready
    return ClientSecretCredential(
        ready["tenant_id"],
        ready["client_id"],
        ready["client_secret"],
        authority=ready["arm_url"],
        disable_instance_discovery=True,
        connection_verify=ready["ca_file"],
    )


@pytest.mark.parametrize("credential", [secret])
def test_a_service_principal_may_call_too(estate: Running, credential: Callable[[Running], Any]) -> None:
    """Entra's client-credentials flow on the estate's own authority gives a token that ARM takes."""
    with credential(estate) as principal, made(estate, principal) as (tm, _):
        assert tm.profiles.get(GLOBAL, "proseware").name == "proseware"


def test_a_stock_client_reaches_the_estate_through_the_proxy(estate: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a base URL, HTTPS_PROXY and the CA suffice: the client thinks it talks to management.azure.com."""
    for key, value in environment(estate).items():
        if key in {"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "REQUESTS_CA_BUNDLE"}:
            monkeypatch.setenv(key, value)
    monkeypatch.setenv("HTTPS_PROXY", estate.ready["proxy_url"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with (
        ManagedIdentityCredential() as credential,
        WebSiteManagementClient(credential, estate.ready["subscription_id"]) as web,
    ):
        assert {app.name for app in web.web_apps.list()} == {"proseware-eastus", "proseware-westus3"}


def test_long_running_operations_end(estate: Running, clients: tuple[Any, Any]) -> None:
    """Creating an app and swapping a slot go through the SDK's pollers to their end."""
    _, web = clients
    group, site = "rg-proseware-eastus", WEB.Site(location="eastus")
    assert web.web_apps.begin_create_or_update(group, "by-poller", site).result(120).state == "Running"
    assert (
        web.web_apps.begin_create_or_update_slot(group, "by-poller", "staging", site).result(120).name
        == "by-poller/staging"
    )
    entity = WEB.CsmSlotEntity(target_slot="production", preserve_vnet=True)
    web.web_apps.begin_swap_slot(group, "by-poller", "staging", entity).result(120)
    assert estate.writes()[-1]["operation"] == "WebApps_SwapSlot"
    web.web_apps.delete(group, "by-poller")
