"""What a control-plane call is: the row of the operation table, and one call of it. Values and protocols only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from local_estate.certs import AZURE_HOSTS
from local_estate.errors import bad_request, gateway, no_group
from local_estate.topology import Group, Health, WebApp, World
from local_estate.wire import Request, Response

Body = dict[str, Any]


class HealthView(Protocol):
    """What probing found; the monitor provides it. Keys are those of `Profile.key`."""

    def health_of(self, profile: tuple[str, str], endpoint: str) -> Health: ...

    def profile_health(self, profile: tuple[str, str]) -> Health: ...


class Effect(StrEnum):
    """What a call does to the estate."""

    READ = "read"
    QUERY = "query"  # a POST that only asks
    WRITE = "write"


class Style(StrEnum):
    """Whose headers an answer carries."""

    GATEWAY = "gateway"
    TRAFFIC_MANAGER = "tm"
    SITES = "web"


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table: it drives routing, rights, the write log, docs/fidelity.md and the 501s.

    `path` has `{placeholders}`. `action` is the right it needs, "" for none. `grade` is the evidence (azure-facts).
    `handler` is None where the call is known and answered with 501. `versions` restricts the api-versions.
    """

    name: str
    method: str
    path: str
    action: str
    grade: str
    handler: Handler | None
    effect: Effect = Effect.READ
    style: Style = Style.GATEWAY
    note: str = ""
    versions: tuple[str, ...] = ()
    needs_version: bool = True
    needs_token: bool = True


@dataclass(slots=True)
class Services:
    """What handlers work on."""

    world: World
    health: HealthView
    tenant: str
    client_id: str
    object_id: str
    base_url: str  # of ARM itself
    wall_ns: Callable[[], int]
    addresses: Callable[[str], str]  # region name -> loopback address
    delete_body: str = "empty"
    actions: tuple[str, ...] = ("*",)
    not_actions: tuple[str, ...] = ()
    restarted: Callable[[WebApp], None] = lambda _app: None  # an app's processes are recycled
    pending: dict[str, int] = field(default_factory=dict)  # long-running operations: id -> answers of 202 left


@dataclass(frozen=True, slots=True)
class Call:
    """One request, matched to its operation. `params` keep the case that the URL had."""

    operation: Operation
    request: Request
    params: Mapping[str, str]
    version: str
    services: Services

    @property
    def world(self) -> World:
        return self.services.world

    @property
    def base_url(self) -> str:
        return base_url(self.request, self.services.base_url)

    @property
    def group(self) -> Group:
        """The resource group in the path. Raises Refusal 404."""
        name = self.params["group"]
        found = self.world.groups.get(name.lower())
        if found is None:
            raise no_group(name)
        return found

    @property
    def group_key(self) -> str:
        return self.group.name.lower()

    def body(self) -> Body:
        """Return the JSON object sent. Raises Refusal 400 where there is none."""
        if not self.request.body.strip():
            raise gateway(400, "MissingRequestBody", "The request body is required for this operation.")
        found = self.optional_body()
        assert found is not None
        return found

    def optional_body(self) -> Body | None:
        if not self.request.body.strip():
            return None
        try:
            found = json.loads(self.request.body)
        except (ValueError, RecursionError):
            raise gateway(
                400, "InvalidRequestContent", "The request content was invalid and could not be deserialized."
            ) from None
        if not isinstance(found, dict):
            raise gateway(400, "InvalidRequestContent", "The request content must be a JSON object.")
        return found


Handler = Callable[[Call], Response]


def base_url(request: Request, own: str) -> str:
    """Return where the client thinks ARM is: Azure's own name where it came through the proxy, else our address."""
    host = request.headers.get("host", "").lower().removesuffix(":443")
    return f"https://{host}" if host in AZURE_HOSTS else own


def answer(status: int, body: object, *headers: tuple[str, str]) -> Response:
    """Compact JSON, slashes as they are: ARM and Microsoft.Web."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Response(
        status, text.encode("utf-8", "replace"), (("Content-Type", "application/json; charset=utf-8"), *headers)
    )


def merged(base: object, patch: object) -> Any:
    """Return *base* with *patch* merged in (RFC 7396): null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    kept: Body = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = merged(kept.get(key), value)
    return kept


def tags_of(body: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the tags in a body, None where none were sent. Raises Refusal 400."""
    tags = body.get("tags")
    if tags is None:
        return None
    if not isinstance(tags, dict) or not all(isinstance(v, str) for v in tags.values()):
        raise bad_request("The 'tags' property must be an object of strings.", "InvalidTags")
    if len(tags) > 50:
        raise bad_request("The number of tags must not exceed 50.", "InvalidTags")
    return tags
