"""The control plane, through the unchanged Azure SDKs. The only module that knows azure-mgmt-*.

Retries: GETs are retried by the SDK's own policy. A write is sent once: a repeated stop or a lost-update race is worse than
an error, and an unknown outcome (timeout, reset) is settled by reading again, which the caller does. Unknown is whatever is not
surely refused: a 4xx, or no connection.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
)
from azure.core.pipeline.policies import RetryPolicy
from azure.core.rest import HttpRequest
from azure.mgmt.trafficmanager import TrafficManagerManagementClient
from azure.mgmt.trafficmanager.models import Endpoint, EndpointProperties
from azure.mgmt.web import WebSiteManagementClient

from failover_drill import telemetry
from failover_drill.adapters.apart import apart, refuse_abandoned
from failover_drill.adapters.credentials import Cloud, Credential, client_options, why_nobody
from failover_drill.errors import PlatformError
from failover_drill.platform import AppState, EndpointState, Identity, Permission, ProfileState, Receipt
from failover_drill.target import Target, group_name, provider_type, resource_name, site_and_slot

logging.getLogger("azure").addHandler(logging.NullHandler())  # it says on stderr what our errors say in one line
for _client in ("web", "trafficmanager"):  # these warn, with a traceback, of each refusal that is no JSON
    logging.getLogger(f"azure.mgmt.{_client}._utils.model_base").setLevel(logging.ERROR)

P = ParamSpec("P")
T = TypeVar("T")

# What changes by itself, or with every write: no part of "the state it was in" (azure-facts §1.3, §2.2).
VOLATILE = frozenset({"etag", "lastModifiedTimeUtc", "endpointMonitorStatus", "profileMonitorStatus", "systemData"})
OWN_TAGS = frozenset({"failover-drill-lock", "failover-drill-stop"})  # how drills and people talk to drills: no drift
ONCE: dict[str, Any] = {"retry_total": 0}
BACKOFF: dict[str, Any] = {"retry_backoff_max": 20}
LOCAL_BACKOFF: dict[str, Any] = {"retry_backoff_factor": 0.1, "retry_backoff_max": 2}
TAGS_VERSION, GROUPS_VERSION, PERMISSIONS_VERSION = "2021-04-01", "2021-04-01", "2022-04-01"
PLANS_VERSION = "2024-04-01"


def translated(operation: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Call the SDK apart, and turn its errors into PlatformError; the second argument of the method is the resource id."""

    def decorate(method: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            with telemetry.within(operation, resource_id=str(args[1])):
                return apart(functools.partial(told, *args, **kwargs))

        def told(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return method(*args, **kwargs)
            except AzureError as error:
                raise _platform_error(error, operation, str(args[1])) from error
            except (
                ValueError,
                OSError,
            ) as error:  # an answer that is no JSON; what identity clients let through (§4.5)
                said = (
                    f"{operation} {resource_name(str(args[1]))}: an answer that cannot be read: {type(error).__name__}"
                )
                raise PlatformError(said, operation=operation, resource_id=str(args[1]), outcome_known=False) from error

        return call

    return decorate


def _platform_error(error: AzureError, operation: str, resource_id: str) -> PlatformError:
    what = f"{operation} {resource_name(resource_id)}"
    status = (error.response.status_code or 0) if isinstance(error, HttpResponseError) and error.response else 0
    known = False
    if isinstance(error, ClientAuthenticationError):
        why = why_nobody(str(error.message)) or _first_line(error)
        said = f"{what}: the token was refused or could not be had: {why}; check the credential: docs/targets.md"
        known = True
    elif isinstance(error, HttpResponseError) and status >= 400:
        said = f"{what}: refused with {status} {_reason(error)}"
        known = status < 500 and status != 408
    elif isinstance(error, ServiceRequestError):
        said = f"{what}: the control plane cannot be reached: {_first_line(error)}"
        known = _never_sent(error)
    else:
        said = f"{what}: no answer, so it may have happened: {_first_line(error)}"
    return PlatformError(said, operation=operation, resource_id=resource_id, outcome_known=known)


def _never_sent(error: ServiceRequestError) -> bool:
    """Was there no connection? Only that is sure; azure-core says "no request was sent" of connections that broke, too."""
    unconnected = (ConnectionRefusedError, socket.gaierror)
    causes = _causes(error.inner_exception)
    return isinstance(error, ServiceRequestTimeoutError) or any(isinstance(cause, unconnected) for cause in causes)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: AzureError) -> str:
    return " ".join(str(error.message).split("\n")[0].split())[:200]


def _reason(error: HttpResponseError) -> str:
    """Return code and message. App Service's own errors are not ARM-shaped, and the SDK does not read them (§4.4)."""
    if error.error is not None and error.error.code:
        return f"{error.error.code}: {_one_line(error.error.message or '')}"
    try:
        body = json.loads(error.response.text())  # type: ignore[union-attr]
        return f"{body['Code']}: {_one_line(body['Message'])}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return str(error.reason or "")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


class Impatient(RetryPolicy[Any, Any]):
    """The SDK's own retries, with each wait within `retry_backoff_max`: a Retry-After of minutes must not hold up an undo."""

    def get_retry_after(self, response: Any) -> float | None:
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, self.backoff_max)


class ArmPlatform:
    """`Platform` over azure-mgmt-web and azure-mgmt-trafficmanager. Who we are is credentials.py's matter."""

    def __init__(self, target: Target, *, read_timeout_s: float = 30.0) -> None:
        cloud = Cloud(target.arm_url, target.token_scope, target.authority, target.instance_discovery)
        options: dict[str, Any] = {
            "read_timeout": read_timeout_s,
            "connection_timeout": 10.0,
            "raw_response_hook": _note,
            "raw_request_hook": refuse_abandoned,
        }
        options |= client_options(cloud, target.ca_file)
        if target.local:
            options |= {"use_env_settings": False}
        backoff: dict[str, Any] = LOCAL_BACKOFF if target.local else BACKOFF
        self._credential = Credential(cloud, target.ca_file, use_env_settings=not target.local)
        whose: tuple[Any, ...] = (self._credential, target.subscription_id)
        self._web = WebSiteManagementClient(*whose, retry_policy=Impatient(**backoff), **options)
        self._names = TrafficManagerManagementClient(*whose, retry_policy=Impatient(**backoff), **options)

    @property
    def identity(self) -> Identity:
        """Who the last token was given to; nobody before the first call."""
        return self._credential.identity

    @translated("read app")
    def app_state(self, app_id: str) -> AppState:
        site = self._of_app("get", app_id)()
        return AppState(str(site.state), str(site.default_host_name), tuple(site.host_names or ()))

    @translated("start app")
    def start(self, app_id: str) -> Receipt:
        return self._ask(self._of_app("start", app_id))

    @translated("stop app")
    def stop(self, app_id: str) -> Receipt:
        return self._ask(self._of_app("stop", app_id))

    def _of_app(self, verb: str, app_id: str) -> Callable[..., Any]:
        """Return the SDK's method for an app, or its twin for a deployment slot, bound to that one."""
        site, slot = site_and_slot(app_id)
        method: Callable[..., Any] = getattr(self._web.web_apps, f"{verb}_slot" if slot else verb)
        return functools.partial(method, group_name(app_id), site, *([slot] if slot else []))

    @translated("read endpoint")
    def endpoint_state(self, endpoint_id: str) -> EndpointState:
        profile_id, kind = _parent(endpoint_id)
        return _endpoint(
            self._names.endpoints.get(
                group_name(profile_id), resource_name(profile_id), kind, resource_name(endpoint_id)
            )
        )

    @translated("set endpoint")
    def set_endpoint(self, endpoint_id: str, *, enabled: bool) -> Receipt:
        profile_id, kind = _parent(endpoint_id)
        change = Endpoint(properties=EndpointProperties(endpoint_status="Enabled" if enabled else "Disabled"))
        group, profile, name = group_name(profile_id), resource_name(profile_id), resource_name(endpoint_id)
        return self._ask(self._names.endpoints.update, group, profile, kind, name, change)

    @translated("read profile")
    def profile_state(self, profile_id: str) -> ProfileState:
        profile = self._names.profiles.get(group_name(profile_id), resource_name(profile_id))
        dns, monitor = profile.dns_config, profile.monitor_config
        return ProfileState(
            enabled=profile.profile_status == "Enabled",
            health=_word(monitor.profile_monitor_status) if monitor else "",
            fqdn=str(dns.fqdn) if dns else "",
            ttl_s=int(dns.ttl or 0) if dns else 0,
            routing=str(profile.traffic_routing_method),
            endpoints={str(e.name): _endpoint(e) for e in profile.endpoints or ()},
        )

    @translated("read tags of")
    def tags(self, resource_id: str) -> Mapping[str, str]:
        if "/providers/" in resource_id:
            return dict(self._read(resource_id).tags or {})
        return self._get(resource_id, GROUPS_VERSION).get("tags") or {}

    @translated("tag")
    def set_tag(self, resource_id: str, name: str, value: str) -> Receipt:
        return self._patch_tags(resource_id, "Merge", {name: value})

    @translated("remove the tag of")
    def remove_tag(self, resource_id: str, name: str, value: str) -> Receipt:
        return self._patch_tags(resource_id, "Delete", {name: value})

    @translated("read the rights on")
    def permissions(self, resource_id: str) -> Sequence[Permission]:
        found = self._get(f"{resource_id}/providers/Microsoft.Authorization/permissions", PERMISSIONS_VERSION)
        return [Permission(tuple(p.get("actions") or ()), tuple(p.get("notActions") or ())) for p in found["value"]]

    @translated("read the settings of")
    def setting_digests(self, app_id: str) -> Mapping[str, str]:
        """Return the name of each application setting and a digest of its value: the values are secrets, and go no further."""
        found = self._of_app("list_application_settings", app_id)().properties
        return {name: hashlib.sha256(str(value).encode()).hexdigest() for name, value in (found or {}).items()}

    @translated("read plan")
    def plan(self, plan_id: str) -> Mapping[str, Any]:
        """Return an App Service plan as ARM shows it: its `sku` has name and capacity."""
        return self._get(plan_id, PLANS_VERSION)

    def _get(self, path: str, version: str) -> dict[str, Any]:
        """Read what no client of ours has a method for, through the same pipeline."""
        answer = self._names.send_request(HttpRequest("GET", path, params={"api-version": version}))
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _patch_tags(self, resource_id: str, operation: str, tags: Mapping[str, str]) -> Receipt:
        request = HttpRequest(
            "PATCH",
            f"{resource_id}/providers/Microsoft.Resources/tags/default",
            params={"api-version": TAGS_VERSION},
            json={"operation": operation, "properties": {"tags": dict(tags)}},
        )
        answer = self._names.send_request(request, **ONCE)
        answer.raise_for_status()
        return Receipt(_request_id(answer.headers))

    @translated("read")
    def snapshot(self, resource_id: str) -> Mapping[str, object]:
        return _settled(self._read(resource_id))

    def _read(self, resource_id: str) -> Any:
        group, name = group_name(resource_id), resource_name(resource_id)
        match provider_type(resource_id).lower().split("/")[1:]:
            case ["sites"] | ["sites", "slots"]:
                return self._of_app("get", resource_id)()
            case ["trafficmanagerprofiles"]:
                return self._names.profiles.get(group, name)
            case _:
                profile_id, kind = _parent(resource_id)
                return self._names.endpoints.get(group, resource_name(profile_id), kind, name)

    def _ask(self, call: Callable[..., Any], *args: object) -> Receipt:
        """Send one write, once, and keep the id under which Azure can be asked about it."""
        ids: list[str] = []
        call(*args, **ONCE, raw_response_hook=lambda answer: ids.append(_note(answer)))
        return Receipt(ids[-1] if ids else "")


def _note(answer: Any) -> str:
    """Add status and request id of a response to its span; return the id."""
    request_id = _request_id(answer.http_response.headers)
    telemetry.note(request_id=request_id, http_status=answer.http_response.status_code)
    return request_id


def _request_id(headers: Mapping[str, str]) -> str:
    return headers.get("x-ms-correlation-request-id") or headers.get("x-ms-request-id") or ""


def _parent(endpoint_id: str) -> tuple[str, str]:
    """Return the profile's id and the endpoint's type of an endpoint's full id."""
    profile_id, kind, _ = endpoint_id.rsplit("/", 2)
    return profile_id, kind


def _word(value: Any) -> str:
    """Return an enum of the SDK as Azure writes it; `str` would give its Python name."""
    return str(getattr(value, "value", value) or "")


def _endpoint(model: Any) -> EndpointState:
    return EndpointState(
        enabled=model.endpoint_status == "Enabled",
        health=_word(model.endpoint_monitor_status),
        target=str(model.target or ""),
        priority=model.priority,
        target_id=str(model.target_resource_id or ""),
    )


def _settled(model: Any) -> dict[str, object]:
    """Return a resource's whole state as plain values, less what changes by itself."""
    plain = _without(VOLATILE, model.as_dict())
    assert isinstance(plain, dict)
    tags = {name: value for name, value in (plain.pop("tags", None) or {}).items() if name not in OWN_TAGS}
    return {**plain, "tags": tags} if tags else plain


def _without(keys: frozenset[str], value: object) -> object:
    if isinstance(value, Mapping):
        return {k: _without(keys, v) for k, v in value.items() if k not in keys}
    if isinstance(value, list):
        return [_without(keys, v) for v in value]
    return value
