"""Microsoft.Web's JSON: sites, slots and their configuration as the service prints them (azure-facts §2.2, §2.3). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local_estate.arm_sites_defaults import SITE, THIN_CONFIG, WEB_CONFIG
from local_estate.locations import display
from local_estate.topology import WebApp

TYPE = "Microsoft.Web/sites"
FILETIME_EPOCH = 116_444_736_000_000_000  # 1601 to 1970 in 100 ns
OUTBOUND = "127.0.0.1"

JsonObject = dict[str, Any]


def site_id(subscription: str, app: WebApp) -> str:
    parent, _, slot = app.name.partition("/")
    base = f"/subscriptions/{subscription}/resourceGroups/{app.group}/providers/{TYPE}/{parent}"
    return f"{base}/slots/{slot}" if slot else base


def site_type(app: WebApp) -> str:
    return f"{TYPE}/slots" if app.is_slot else TYPE


def etag(app: WebApp) -> tuple[str, str]:
    """Upper-case hex of lastModifiedTimeUtc as a Windows FILETIME [R]."""
    return "ETag", f'"{app.modified_ns // 100 + FILETIME_EPOCH:X}"'


def modified(app: WebApp) -> str:
    """ISO time with up to seven decimals, trailing zeros left out, no zone [R]."""
    seconds, rest = divmod(app.modified_ns // 100, 10_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:07d}".rstrip("0").rstrip(".")


def site_json(
    subscription: str, app: WebApp, address: str, trafficked: tuple[str, ...], location: str | None = None
) -> JsonObject:
    """Return a site or slot. `address`: its region's; `trafficked`: Traffic Manager names bound to it.

    `location` is what a PUT sent: that answer repeats it as it was, a GET shows the display form [R].
    """
    body: JsonObject = {
        "id": site_id(subscription, app),
        "name": app.name,
        "type": site_type(app),
        "kind": app.kind,
        "location": location or display(app.location),
    }
    if app.tags is not None:
        body["tags"] = dict(app.tags)
    body["properties"] = _properties(subscription, app, address, trafficked)
    return body


def _properties(subscription: str, app: WebApp, address: str, trafficked: tuple[str, ...]) -> JsonObject:
    parent, _, slot = app.name.partition("/")
    names = [*app.host_names, *trafficked, app.default_host]
    scm = scm_host(app.default_host)
    space = f"{app.group}-{display(app.location).replace(' ', '')}webspace"
    stamp = stamp_of(app)
    return {
        **SITE,
        "name": f"{parent}({slot})" if slot else parent,
        "state": app.state,
        "hostNames": names,
        "webSpace": space,
        "selfLink": f"https://{stamp}.api.azurewebsites.windows.net:454/subscriptions/{subscription}/webspaces/{space}/sites/{parent}",
        "repositorySiteName": parent,
        "enabledHostNames": [*names, scm],
        "hostNameSslStates": [
            _ssl_state(app.default_host, app),
            *(_ssl_state(name, app) for name in names if name != app.default_host),
            _ssl_state(scm, app, "Repository"),
        ],
        "serverFarmId": app.plan or default_plan(subscription, app),
        "reserved": "linux" in app.kind,
        "lastModifiedTimeUtc": modified(app),
        "siteConfig": _thin_config(app),
        "deploymentId": app.given.get("deploymentId") or deployment_id(app),
        "targetSwapSlot": app.given.get("targetSwapSlot"),
        "trafficManagerHostNames": list(trafficked) or None,
        "sku": app.sku,
        "clientAffinityEnabled": app.affinity,
        "customDomainVerificationId": hashlib.sha256(subscription.encode()).hexdigest().upper(),
        "kind": app.kind,
        "inboundIpAddress": address,
        "possibleInboundIpAddresses": address,
        "ftpUsername": f"{parent}\\${parent}",
        "ftpsHostName": f"ftps://{stamp}.ftp.azurewebsites.windows.net/site/wwwroot",
        "outboundIpAddresses": OUTBOUND,
        "possibleOutboundIpAddresses": OUTBOUND,
        "homeStamp": stamp,
        "tags": dict(app.tags) if app.tags is not None else None,
        "resourceGroup": app.group,
        "defaultHostName": app.default_host,
        "slotSwapStatus": app.given.get("slotSwapStatus"),
        "httpsOnly": app.https_only,
        "publicNetworkAccess": app.given.get("publicNetworkAccess", "Enabled"),
    }


def _thin_config(app: WebApp) -> JsonObject:
    told = ("linuxFxVersion", "alwaysOn", "http20Enabled")
    return {**THIN_CONFIG, **{key: app.web_config[key] for key in told if key in app.web_config}}


def _ssl_state(name: str, app: WebApp, kind: str = "Standard") -> JsonObject:
    secured = name in app.certificates
    return {
        "name": name,
        "sslState": "SniEnabled" if secured else "Disabled",
        "ipBasedSslResult": None,
        "virtualIP": None,
        "virtualIPv6": None,
        "thumbprint": hashlib.sha1(name.encode()).hexdigest().upper() if secured else None,
        "certificateResourceId": None,
        "toUpdate": None,
        "toUpdateIpBasedSsl": None,
        "ipBasedSslState": "NotConfigured",
        "hostType": kind,
    }


def config_json(subscription: str, app: WebApp, name: str, properties: Mapping[str, Any]) -> JsonObject:
    """Return one of a site's `config/…` resources.

    Listed settings are named for themselves, and of one type for slots, too; config/web is named for the site [R].
    """
    body: JsonObject = {
        "id": f"{site_id(subscription, app)}/config/{name}",
        "name": app.name if name == "web" else name,
        "type": f"{site_type(app) if name == 'web' else TYPE}/config",
        "location": display(app.location),
    }
    if app.tags is not None:
        body["tags"] = dict(app.tags)
    body["properties"] = dict(properties)
    return body


def web_config(app: WebApp) -> JsonObject:
    """Return the properties of config/web: defaults, then what was set."""
    return {**WEB_CONFIG, **app.web_config}


def slot_names_json(app: WebApp) -> JsonObject:
    body: JsonObject = {"id": None, "name": app.name, "type": TYPE, "location": display(app.location)}
    if app.tags is not None:
        body["tags"] = dict(app.tags)
    body["properties"] = {
        "connectionStringNames": list(app.slot_strings) or None,
        "appSettingNames": list(app.slot_settings) or None,
        "azureStorageConfigNames": None,
    }
    return body


def binding_json(subscription: str, app: WebApp, host: str) -> JsonObject:
    secured = host in app.certificates
    body: JsonObject = {
        "id": f"{site_id(subscription, app)}/hostNameBindings/{host}",
        "name": f"{app.name}/{host}",
        "type": f"{site_type(app)}/hostNameBindings",
        "location": display(app.location),
        "properties": {"siteName": app.name, "domainId": None, "hostNameType": "Verified"},
    }
    if secured:
        body["properties"] |= {"sslState": "SniEnabled", "thumbprint": _ssl_state(host, app)["thumbprint"]}
    return body


def default_plan(subscription: str, app: WebApp) -> str:
    place = display(app.location).replace(" ", "").lower()
    return f"/subscriptions/{subscription}/resourceGroups/{app.group}/providers/Microsoft.Web/serverfarms/plan-{place}"


def scm_host(default_host: str) -> str:
    first, _, rest = default_host.partition(".")
    return f"{first}.scm.{rest}"


def deployment_id(app: WebApp) -> str:
    """Return what names an app's content, as it was made: a swap exchanges it [R]."""
    parent, _, slot = app.name.partition("/")
    return f"{parent}__{hashlib.sha256(slot.encode()).hexdigest()[:4]}" if slot else parent


def stamp_of(app: WebApp) -> str:
    digest = hashlib.sha256(display(app.location).encode()).hexdigest()
    return f"waws-prod-{display(app.location)[:2].lower()}{digest[0]}-{int(digest[1:5], 16) % 900 + 100}"


def unique_host(name: str, location: str) -> str:
    """Newer sites carry a hash and their region: never build a host from a name (azure-facts §2.3)."""
    region = display(location).replace(" ", "").lower()
    digest = hashlib.sha256(f"{name}/{region}".encode()).digest()
    alphabet = "abcdefgh0123456789"
    return f"{name}-{''.join(alphabet[b % len(alphabet)] for b in digest[:16])}.{region}-01.azurewebsites.net".lower()
