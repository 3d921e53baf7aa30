"""Looking around: the subscriptions, profiles and web apps that an identity can see. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from azure.core.rest import HttpRequest
from azure.mgmt.trafficmanager import TrafficManagerManagementClient
from azure.mgmt.web import WebSiteManagementClient

from failover_drill.adapters.arm import translated
from failover_drill.adapters.credentials import Cloud, Credential, client_options
from failover_drill.discovered import App, Endpoint, Profile, Sight
from failover_drill.platform import Identity

SUBSCRIPTIONS_VERSION = "2022-12-01"
SITE, SLOT = "/microsoft.web/sites/", "/slots/"
UNSECURED = {None, "", "Disabled"}


class Discovery:
    """What the signed-in identity sees of one cloud. Every verb raises PlatformError."""

    def __init__(self, cloud: Cloud, ca_file: str | None) -> None:
        self._credential = Credential(cloud, ca_file)
        self._options = client_options(cloud, ca_file) | {"connection_timeout": 10.0}
        self._url = cloud.arm_url

    @property
    def identity(self) -> Identity:
        return self._credential.identity

    @translated("list")
    def subscriptions(self, path: str = "/subscriptions") -> list[str]:
        """Return the ids of the enabled subscriptions."""
        client = TrafficManagerManagementClient(self._credential, "none", **self._options)
        found: list[str] = []
        page: str | None = f"{path}?api-version={SUBSCRIPTIONS_VERSION}"
        while page:
            answer = client.send_request(HttpRequest("GET", page))
            answer.raise_for_status()
            body = answer.json()
            found += [each["subscriptionId"] for each in body["value"] if each.get("state") == "Enabled"]
            page = body.get("nextLink")
        return found

    @translated("look around in")
    def sight(self, subscription: str) -> Sight:
        """Return the profiles and apps of a subscription, and the slots that endpoints lead to."""
        names = TrafficManagerManagementClient(self._credential, subscription, **self._options)
        web = WebSiteManagementClient(self._credential, subscription, **self._options)
        profiles = tuple(_profile(each) for each in names.profiles.list_by_subscription())
        apps = {str(each.id).lower(): _app(each) for each in web.web_apps.list()}
        for slot_id in _slots(profiles):
            group, site, slot = _parts(slot_id)
            apps[slot_id.lower()] = _app(web.web_apps.get_slot(group, site, slot))
        return Sight(profiles, apps)


def _slots(profiles: tuple[Profile, ...]) -> Iterator[str]:
    for profile in profiles:
        yield from (each.app_id for each in profile.endpoints if SLOT in each.app_id.lower())


def _parts(slot_id: str) -> tuple[str, str, str]:
    parts = slot_id.split("/")
    return parts[4], parts[8], parts[10]


def _profile(model: Any) -> Profile:
    monitor, dns = model.monitor_config, model.dns_config
    protocol = getattr(monitor.protocol, "value", monitor.protocol) if monitor else "HTTP"
    return Profile(
        str(model.id),
        str(dns.fqdn) if dns else "",
        str(getattr(model.traffic_routing_method, "value", model.traffic_routing_method)),
        str(protocol),
        int(monitor.port or 80) if monitor else 80,
        str(monitor.path or "/") if monitor else "/",
        tuple(_endpoint(each) for each in model.endpoints or ()),
    )


def _endpoint(model: Any) -> Endpoint:
    leads = str(model.target_resource_id or "")
    app_id = leads if SITE in leads.lower() else ""
    return Endpoint(str(model.name), app_id, model.endpoint_status == "Enabled", int(model.priority or 0))


def _app(model: Any) -> App:
    states = model.host_name_ssl_states or ()
    secured = {str(s.name).lower() for s in states if getattr(s.ssl_state, "value", s.ssl_state) not in UNSECURED}
    return App(str(model.id), str(model.default_host_name), tuple(model.host_names or ()), frozenset(secured))
