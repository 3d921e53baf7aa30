"""The control plane's front: one HTTPS request in, one answer out.

    request ─ Entra? ─ token (401) ─ operation (501) ─ api-version (400) ─ subscription (404) ─ right (403) ─ handler ─ headers
                 └──────────────────────── faults wrap all of this, in the order they were set ─────────────────────────┘

Paths match without regard to case: SDK and az disagree on it. Every write is told to the truth log, refused ones too.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from local_estate.arm_call import Call, Effect, Operation, Services, Style, base_url
from local_estate.arm_table import OPERATIONS
from local_estate.arm_tm_read import kind_of
from local_estate.errors import Refusal, gateway, not_implemented
from local_estate.identity import PUBLIC_AUDIENCES, Issuer, Refused
from local_estate.rates import remaining
from local_estate.rbac import allowed
from local_estate.truth import Truth
from local_estate.wire import Request, Response

LOG = logging.getLogger("local_estate")
VERSION = re.compile(r"20\d\d-\d\d-\d\d(-\w+)?")
WRITES = frozenset({"PUT", "PATCH", "DELETE", "POST"})


@dataclass(slots=True)
class Node:
    """One level of the table of paths: the literal segments, the placeholder, and what ends here."""

    children: dict[str, Node] = field(default_factory=dict)
    any: Node | None = None
    ends: dict[str, Operation] = field(default_factory=dict)


def routes(operations: Iterable[Operation]) -> Node:
    root = Node()
    for operation in operations:
        node = root
        for part in _parts(operation.path):
            if part.startswith("{"):
                node.any = node.any or Node()
                node = node.any
            else:
                node = node.children.setdefault(part.lower(), Node())
        node.ends[operation.method] = operation
    return root


def match(root: Node, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    """Return the operation that *path* names and its parameters; a literal segment wins over a placeholder."""
    parts = _parts(path)
    found = _descend(root, method, parts, 0)
    if found is None:
        return None
    names = _parts(found.path)
    return found, {n[1:-1]: p for n, p in zip(names, parts, strict=True) if n.startswith("{")}


def _descend(node: Node, method: str, parts: list[str], at: int) -> Operation | None:
    if at == len(parts):
        return node.ends.get(method)
    for child in (node.children.get(parts[at].lower()), node.any):
        found = _descend(child, method, parts, at + 1) if child else None
        if found is not None:
            return found
    return None


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


ROUTES = routes(OPERATIONS)
Proceed = Callable[[], Awaitable[Response]]


class ControlFault(Protocol):
    """A fault of the control plane. It may answer itself, wait, answer None (reset), or let the call proceed."""

    async def around(self, request: Request, operation: Operation | None, proceed: Proceed) -> Response | None: ...


@dataclass(slots=True)
class Told:
    """Whether a write was carried out, and so already told to the truth log."""

    done: bool = False


class Arm:
    """The control plane. `faults` wrap every call, the first outermost."""

    def __init__(self, services: Services, issuer: Issuer, truth: Truth) -> None:
        self.services = services
        self.issuer = issuer
        self.faults: dict[str, ControlFault] = {}
        self.calls = 0
        self.rights: set[str] = set()  # every action that a caller used
        self._truth = truth

    async def handle(self, request: Request) -> Response | None:
        """Answer one request; None means: reset the connection."""
        self.calls += 1
        if self.issuer.is_entra(request):
            return await self.issuer.entra(request, base_url(request, self.services.base_url))
        found = match(ROUTES, request.method, request.path)
        operation = found[0] if found else None
        told = Told()

        async def proceed() -> Response:
            return self._answer(request, found, told)

        for fault in reversed(tuple(self.faults.values())):
            proceed = _wrapped(fault, request, operation, proceed)
        response: Response | None = await proceed()
        if not told.done:
            self._tell(request, operation, response.status if response else None, carried_out=False)
        return response

    def _answer(self, request: Request, found: tuple[Operation, dict[str, str]] | None, told: Told) -> Response:
        try:
            response = self._carried_out(request, found)
        except Refusal as refusal:
            response = refusal.response
        except Exception:
            LOG.exception("%s %s failed", request.method, request.path)
            response = gateway(500, "InternalServerError", "Encountered internal server error.").response
        operation = found[0] if found else None
        if _is_write(request, operation):
            told.done = True
            self._tell(request, operation, response.status, carried_out=response.status < 400)
        return with_headers(response, request, operation)

    def _carried_out(self, request: Request, found: tuple[Operation, dict[str, str]] | None) -> Response:
        operation, params = found or (None, {})
        if operation is None or operation.needs_token:
            self._authenticate(request)
        if operation is None or operation.handler is None:
            raise not_implemented(request.method, request.path[:300])
        call = Call(operation, request, params, self._version(request, operation), self.services)
        self._check_subscription(params)
        self._authorise(call)
        return operation.handler(call)

    def _authenticate(self, request: Request) -> None:
        base = self.services.base_url.lower()
        own = {base, base.replace("127.0.0.1", "localhost")}
        try:
            self.issuer.check(request.headers.get("authorization"), PUBLIC_AUDIENCES | own)
        except Refused as refused:
            challenge = (
                f'Bearer authorization_uri="https://login.windows.net/{self.services.tenant}", error="invalid_token",'
                f' error_description="{refused}"'
            )
            raise gateway(401, refused.code, str(refused), ("WWW-Authenticate", challenge)) from None

    def _version(self, request: Request, operation: Operation) -> str:
        version = request.query.get("api-version", "")
        if not version:
            raise gateway(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        if not VERSION.fullmatch(version):
            raise gateway(400, "InvalidApiVersionParameter", f"The api-version '{version[:40]}' is invalid.")
        if operation.versions and version.lower() not in operation.versions:
            raise gateway(
                400,
                "NoRegisteredProviderFound",
                f"No registered resource provider found for location 'global' and API version '{version}' for type"
                f" 'trafficManagerProfiles'. The supported api-versions are '{', '.join(operation.versions)}'.",
            )
        return version

    def _check_subscription(self, params: dict[str, str]) -> None:
        wanted = params.get("sub")
        if wanted is not None and wanted.lower() != self.services.world.subscription.lower():
            raise gateway(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.")

    def _authorise(self, call: Call) -> None:
        action = call.operation.action
        if "{kind}" in action:
            action = action.replace("{kind}", kind_of(call.params["kind"]))
        services = self.services
        if not allowed(action, services.actions, services.not_actions):
            raise gateway(
                403,
                "AuthorizationFailed",
                f"The client '{services.client_id}' with object id '{services.object_id}' does not have authorization to perform"
                f" action '{action}' over scope '{call.request.path}' or the scope is invalid."
                " If access was recently granted, please refresh your credentials.",
            )
        if action:
            self.rights.add(action)

    def _tell(self, request: Request, operation: Operation | None, status: int | None, *, carried_out: bool) -> None:
        if _is_write(request, operation):
            name = operation.name if operation else ""
            self._truth.write(
                "write",
                method=request.method,
                path=request.path,
                status=status,
                operation=name,
                carried_out=carried_out,
            )


def _wrapped(fault: ControlFault, request: Request, operation: Operation | None, proceed: Proceed) -> Callable[[], Any]:
    async def wrapped() -> Response | None:
        return await fault.around(request, operation, proceed)

    return wrapped


def _is_write(request: Request, operation: Operation | None) -> bool:
    """A call nobody knows counts as a write by its method: better one line too many in the log."""
    return operation.effect is Effect.WRITE if operation else request.method in WRITES


def with_headers(response: Response, request: Request, operation: Operation | None) -> Response:
    """Add what the service in question adds (azure-facts §1.7, §2.2)."""
    correlation = str(uuid.uuid4())
    style = operation.style if operation else Style.GATEWAY
    now = datetime.now(UTC)
    asked = request.headers.get("x-ms-client-request-id")
    echo = asked if asked and style is Style.TRAFFIC_MANAGER else None
    headers = [
        ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
        ("X-Content-Type-Options", "nosniff"),
        ("x-ms-request-id", echo or str(uuid.uuid4())),
        ("x-ms-correlation-request-id", correlation),
        ("x-ms-routing-request-id", f"LOCALESTATE:{now:%Y%m%dT%H%M%SZ}:{correlation}"),
    ]
    if response.header("x-ms-failure-cause") == "gateway" or style is Style.GATEWAY:
        headers += [("Cache-Control", "no-cache"), ("Pragma", "no-cache"), ("Expires", "-1")]
    elif style is Style.TRAFFIC_MANAGER:
        headers += [("Cache-Control", "private"), ("Server", "Microsoft-IIS/10.0"), *_ASP]
    else:
        headers += [("Cache-Control", "no-cache"), ("Pragma", "no-cache"), ("Expires", "-1"), *_ASP]
        headers.append(("x-cache", "CONFIG_NOCACHE"))
        headers.append(
            ("x-msedge-ref", f"Ref A: {uuid.uuid4().hex.upper()} Ref B: LOCALESTATE Ref C: {now:%Y-%m-%dT%H:%M:%SZ}")
        )
    headers.append(remaining(operation))
    return replace(response, headers=(*_typed(response, style), *headers))


def _typed(response: Response, style: Style) -> tuple[tuple[str, str], ...]:
    """Microsoft.Web names no charset [R]."""
    if style is not Style.SITES or response.status >= 400:
        return response.headers
    return tuple((name, value.removesuffix("; charset=utf-8")) for name, value in response.headers)


_ASP = (("X-AspNet-Version", "4.0.30319"), ("X-Powered-By", "ASP.NET"))
