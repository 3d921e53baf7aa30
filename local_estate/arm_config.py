"""A web app's configuration: config/web, application settings, connection strings, slot names, bindings, instances."""

from __future__ import annotations

import html
import re
from typing import Any

from local_estate.arm_call import Call, answer
from local_estate.arm_sites import site, touched
from local_estate.arm_sites_shape import (
    binding_json,
    config_json,
    etag,
    scm_host,
    site_id,
    site_type,
    slot_names_json,
    web_config,
)
from local_estate.errors import bad_request, site_error
from local_estate.locations import display
from local_estate.wire import Response

HOST = re.compile(r"([A-Za-z0-9*]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")


def get_web(call: Call) -> Response:
    app = site(call)
    return answer(200, config_json(call.world.subscription, app, "web", web_config(app)))


def list_configs(call: Call) -> Response:
    app = site(call)
    return answer(
        200,
        {"value": [config_json(call.world.subscription, app, "web", web_config(app))], "nextLink": None, "id": None},
    )


def set_web(call: Call) -> Response:
    """PUT and PATCH alike: what is sent replaces, what is not stays. Answers as the site's own resource [R]."""
    sent = {key: value for key, value in _properties(call).items() if value is not None}
    app = touched(call, site(call), web_config={**site(call).web_config, **sent})
    body = config_json(call.world.subscription, app, "web", web_config(app))
    return answer(200, {**body, "id": site_id(call.world.subscription, app), "type": site_type(app)}, etag(app))


def list_settings(call: Call) -> Response:
    app = site(call)
    return answer(200, config_json(call.world.subscription, app, "appsettings", app.settings))


def put_settings(call: Call) -> Response:
    """Replaces all settings, and restarts a real app (azure-facts §2.5)."""
    settings = {key: _text(key, value) for key, value in _properties(call).items()}
    app = touched(call, site(call), settings=settings)
    call.services.restarted(app)
    return answer(200, config_json(call.world.subscription, app, "appsettings", app.settings), etag(app))


def list_strings(call: Call) -> Response:
    app = site(call)
    return answer(200, config_json(call.world.subscription, app, "connectionstrings", app.strings))


def put_strings(call: Call) -> Response:
    app = touched(call, site(call), strings=_properties(call))
    return answer(200, config_json(call.world.subscription, app, "connectionstrings", app.strings), etag(app))


def list_metadata(call: Call) -> Response:
    return answer(200, config_json(call.world.subscription, site(call), "metadata", {}))


def list_storage(call: Call) -> Response:
    return answer(200, config_json(call.world.subscription, site(call), "azurestorageaccounts", {}))


def get_slot_names(call: Call) -> Response:
    return answer(200, slot_names_json(site(call)))


def put_slot_names(call: Call) -> Response:
    sent = _properties(call)
    names = {key: _names(sent, key) for key in ("appSettingNames", "connectionStringNames")}
    app = touched(call, site(call), slot_settings=names["appSettingNames"], slot_strings=names["connectionStringNames"])
    return answer(200, slot_names_json(app), etag(app))


def list_bindings(call: Call) -> Response:
    app = site(call)
    hosts = [app.default_host, *app.host_names, *call.world.names_to(app)]
    return answer(
        200, {"value": [binding_json(call.world.subscription, app, h) for h in hosts], "nextLink": None, "id": None}
    )


def get_binding(call: Call) -> Response:
    app, host = site(call), call.params["host"].lower()
    if host not in {name.lower() for name in (app.default_host, *app.host_names, *call.world.names_to(app))}:
        message = f"Cannot find HostNameBinding with name {call.params['host']}."
        raise site_error(404, "NotFound", message, "51004", "Cannot find {0} with name {1}.", ["HostNameBinding", host])
    return answer(200, binding_json(call.world.subscription, app, host))


def put_binding(call: Call) -> Response:
    app, host = site(call), call.params["host"].lower()
    if not HOST.fullmatch(host):
        raise bad_request(f"The host name '{host[:80]}' is not valid.", "InvalidHostName")
    secured = str((_optional_properties(call)).get("sslState", "")).lower() == "snienabled"
    certificates = {*app.certificates, host} if secured else set(app.certificates)
    app = touched(
        call,
        app,
        host_names=tuple(dict.fromkeys((*app.host_names, host))),
        certificates=tuple(sorted(certificates)),
    )
    return answer(200, binding_json(call.world.subscription, app, host), etag(app))


def delete_binding(call: Call) -> Response:
    app, host = site(call), call.params["host"].lower()
    if host not in app.host_names:
        return Response(204)
    kept = tuple(name for name in app.host_names if name != host)
    touched(call, app, host_names=kept, certificates=tuple(c for c in app.certificates if c != host))
    return Response(200)


def list_instances(call: Call) -> Response:
    """One instance while the app runs, none while it is stopped."""
    app = site(call)
    here = site_id(call.world.subscription, app)
    name = f"{abs(hash(here)):064x}"[:64]
    instance = {
        "id": f"{here}/instances/{name}",
        "name": name,
        "type": f"{site_type(app)}/instances",
        "location": display(app.location),
        "properties": {"siteInstance": {"name": name, "id": f"{here}/instances/{name}"}, "state": "READY"},
    }
    return answer(200, {"value": [instance] if app.state == "Running" else [], "nextLink": None, "id": None})


def get_health(call: Call) -> Response:
    app = site(call)
    body = {
        "id": f"{site_id(call.world.subscription, app)}/resourceHealthMetadata/default",
        "name": "default",
        "type": f"{site_type(app)}/resourceHealthMetadata",
        "properties": {"category": app.sku, "signalAvailability": True},
    }
    return answer(200, body)


def publish_xml(call: Call) -> Response:
    """The publishing profile, with no password in it: nothing can be published to the estate."""
    app = site(call)
    attributes = {
        "profileName": f"{app.name} - Web Deploy",
        "publishMethod": "MSDeploy",
        "publishUrl": f"{scm_host(app.default_host)}:443",
        "msdeploySite": app.name,
        "userName": f"${app.name}",
        "userPWD": "",
        "destinationAppUrl": f"http://{app.default_host}",
        "SQLServerDBConnectionString": "",
        "hostingProviderForumLink": "",
        "controlPanelLink": "https://portal.azure.com",
        "webSystem": "WebSites",
    }
    ftp = attributes | {
        "profileName": f"{app.name} - FTP",
        "publishMethod": "FTP",
        "publishUrl": f"ftps://{scm_host(app.default_host)}/site/wwwroot",
        "ftpPassiveMode": "True",
    }
    profiles = "".join(f"<publishProfile{_attributes(a)}><databases /></publishProfile>" for a in (attributes, ftp))
    text = f"<publishData>{profiles}</publishData>"
    return Response(200, text.encode(), (("Content-Type", "application/xml"),))


def _attributes(values: dict[str, str]) -> str:
    return "".join(f' {key}="{html.escape(value)}"' for key, value in values.items())


def _properties(call: Call) -> dict[str, Any]:
    properties = call.body().get("properties")
    if properties is None:
        return {}
    if not isinstance(properties, dict):
        raise bad_request("The property 'properties' must be an object.")
    return properties


def _optional_properties(call: Call) -> dict[str, Any]:
    return _properties(call) if call.request.body.strip() else {}


def _text(key: str, value: object) -> str:
    if not isinstance(value, str | int | float) and value is not None:
        raise bad_request(f"The value of '{key}' must be a string.")
    return "" if value is None else str(value)


def _names(sent: dict[str, Any], key: str) -> tuple[str, ...]:
    value = [] if sent.get(key) is None else sent[key]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise bad_request(f"The property '{key}' must be a list of names.")
    return tuple(value)
