"""Who may call: tokens, and the three doors that hand them out.

    App Service   GET  /msi/token                            X-IDENTITY-HEADER    (azure-facts §4.5)
    IMDS          GET  /metadata/identity/oauth2/token       Metadata: true
    Entra         POST /{tenant}/oauth2/v2.0/token           client id and secret, or an assertion

A token is a JWT signed with a key of this run (HMAC), so it can be checked without a list and outlives a restart that
keeps its run directory. Nothing here logs a token.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from local_estate.wire import Request, Response, json_response

PUBLIC_AUDIENCES = frozenset(
    {
        "https://management.azure.com",
        "https://management.core.windows.net",
        "https://management.chinacloudapi.cn",
        "https://management.core.chinacloudapi.cn",
        "https://management.usgovcloudapi.net",
        "https://management.core.usgovcloudapi.net",
    }
)


NOBODY = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId"
CHOICES = ("client_id", "object_id", "principal_id", "mi_res_id", "msi_res_id")  # of a user-assigned identity


@dataclass(frozen=True, slots=True)
class Identity:
    """The one principal of an estate, and what it proves itself with."""

    tenant: str
    client_id: str
    object_id: str
    client_secret: str = field(repr=False)
    header: str = field(repr=False)  # X-IDENTITY-HEADER
    key: bytes = field(repr=False)  # signs tokens
    lifetime_s: float = 86_400.0


EXPIRED = "The access token expiry UTC time is earlier than current UTC time."


class Refused(Exception):
    """A token that does not count. `code` is ARM's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def issue(who: Identity, audience: str, now: float, number: int = 0) -> str:
    """Return a signed token for `audience`, valid from now on. `number` counts the tokens of an issuer."""
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{who.tenant}/",
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now + who.lifetime_s),
        "appid": who.client_id,
        "idtyp": "app",
        "oid": who.object_id,
        "sub": who.object_id,
        "rh": number,
        "tid": who.tenant,
        "uti": uuid.uuid4().hex[:22],
        "ver": "1.0",
    }
    signed = f"{_text({'typ': 'JWT', 'alg': 'HS256'})}.{_text(claims)}"
    return f"{signed}.{_b64(_mac(who.key, signed))}"


def check(who: Identity, authorization: str | None, audiences: frozenset[str], now: float) -> Mapping[str, Any]:
    """Return the claims of an `Authorization` header. Raises Refused with ARM's code and message."""
    if not authorization:
        raise Refused("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused(
            "AuthenticationFailedInvalidHeader", "Authentication failed. The 'Authorization' header is not valid."
        )
    signed, _, mac = token.rpartition(".")
    if token.count(".") != 2 or not hmac.compare_digest(
        _b64(_mac(who.key, signed)).encode(), mac.encode("utf-8", "replace")
    ):
        raise Refused("InvalidAuthenticationToken", "The access token is invalid.")
    claims = _claims(signed)
    if str(claims.get("aud", "")).rstrip("/").lower() not in audiences:
        raise Refused(
            "InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience or resource."
        )
    if claims["exp"] <= now:
        raise Refused(
            "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time."
        )
    return claims


def _claims(signed: str) -> dict[str, Any]:
    try:
        text = signed.partition(".")[2]
        claims = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return {**claims, "exp": float(claims["exp"])}
    except (ValueError, TypeError, KeyError, binascii.Error):
        raise Refused("InvalidAuthenticationToken", "The access token is invalid.") from None


def _mac(key: bytes, signed: str) -> bytes:
    return hmac.new(key, signed.encode("latin-1", "replace"), hashlib.sha256).digest()


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _text(claims: Mapping[str, Any]) -> str:
    return _b64(json.dumps(claims, separators=(",", ":")).encode())


Struck = Callable[[Request], Awaitable[Response | bool | None]]
"""A fault of the identity endpoints: False where it lets the request pass, None to reset, else the answer."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """Tokens issued before `since` (the issuer's count) are refused with this chance; all where `since` is None."""

    since: int | None
    probability: float
    rng: random.Random


class Issuer:
    """Answers the identity endpoints, and checks the tokens it handed out."""

    def __init__(self, who: Identity, clock: Callable[[], float] = time.time) -> None:
        self.who = who
        self.faults: dict[str, Struck] = {}
        self._clock = clock
        self._expiries: dict[str, Expiry] = {}
        self._issued = 0

    def expire(self, fault_id: str, *, new_ones_too: bool, probability: float, rng: random.Random) -> None:
        """Have all tokens so far, or all of them, count as expired."""
        self._expiries[fault_id] = Expiry(None if new_ones_too else self._issued, probability, rng)

    def unexpire(self, fault_id: str) -> None:
        self._expiries.pop(fault_id, None)

    def check(self, authorization: str | None, audiences: frozenset[str]) -> Mapping[str, Any]:
        """Return the claims of an `Authorization` header. Raises Refused."""
        claims = check(self.who, authorization, audiences, self._clock())
        for expiry in self._expiries.values():
            old = expiry.since is None or int(claims.get("rh", 0)) <= expiry.since
            if old and expiry.rng.random() < expiry.probability:
                raise Refused("ExpiredAuthenticationToken", EXPIRED)
        return claims

    async def managed(self, request: Request) -> Response | None:
        """The plain-HTTP door: App Service's protocol and IMDS's."""
        for fault in tuple(self.faults.values()):
            struck = await fault(request)
            if not isinstance(struck, bool):
                return struck
        return self._managed(request)

    def _managed(self, request: Request) -> Response:
        if request.method != "GET":
            return _refuse(405, "Only GET is allowed.")
        if request.path == "/msi/token":
            return self._app_service(request)
        if request.path == "/metadata/identity/oauth2/token":
            return self._imds(request)
        return _refuse(404, f"No such identity endpoint: {request.path[:200]}")

    def is_entra(self, request: Request) -> bool:
        """Whether the path is one of Entra's."""
        parts = request.path.strip("/").lower().split("/")
        return parts == ["common", "discovery", "instance"] or (
            len(parts) >= 3
            and (
                parts[-2:] == [".well-known", "openid-configuration"] or (parts[1] == "oauth2" and parts[-1] == "token")
            )
        )

    async def entra(self, request: Request, base: str) -> Response | None:
        """Answer Entra's calls on the TLS door at `base`; None: reset."""
        for fault in tuple(self.faults.values()):
            struck = await fault(request)
            if not isinstance(struck, bool):
                return struck
        parts = request.path.strip("/").lower().split("/")
        if parts == ["common", "discovery", "instance"]:
            return json_response(200, _discovery(base, self.who.tenant))
        if parts[-1] == "openid-configuration":
            return json_response(200, _configuration(base, parts[0]))
        return self._entra_token(request)

    def _app_service(self, request: Request) -> Response:
        if not _same(request.headers.get("x-identity-header", ""), self.who.header):
            return _refuse(401, "The X-IDENTITY-HEADER header is missing or wrong.")
        if request.query.get("api-version") not in {"2019-08-01", "2017-09-01"}:
            return _refuse(400, "The api-version query parameter must be 2019-08-01.")
        return self._managed_token(request, _refuse, NOBODY)

    def _imds(self, request: Request) -> Response:
        if request.headers.get("metadata", "").lower() != "true":
            return _imds_refuse(400, "Required metadata header not specified")
        return self._managed_token(request, _imds_refuse, "Identity not found")

    def _managed_token(self, request: Request, refuse: Callable[[int, str], Response], nobody: str) -> Response:
        resource = request.query.get("resource")
        if not resource:
            return refuse(400, "The resource query parameter is missing.")
        asked_for = [request.query[key].lower() for key in CHOICES if request.query.get(key)]
        if any(one not in {self.who.client_id, self.who.object_id} for one in asked_for):
            return refuse(400, nobody)
        now, lifetime = self._clock(), self.who.lifetime_s
        body = {
            "access_token": self._issue(resource, now),
            "client_id": self.who.client_id,
            "expires_in": str(int(lifetime)),
            "expires_on": str(int(now + lifetime)),
            "ext_expires_in": str(int(lifetime)),
            "not_before": str(int(now)),
            "resource": resource,
            "token_type": "Bearer",
        }
        return json_response(200, body)

    def _entra_token(self, request: Request) -> Response:
        form = request.form()
        if request.method != "POST":
            return _oauth_refuse(400, "invalid_request", "AADSTS900561: The endpoint only accepts POST requests.")
        if form.get("grant_type") != "client_credentials":
            return _oauth_refuse(400, "unsupported_grant_type", "AADSTS70003: The grant type is not supported.")
        if form.get("client_id", "").lower() != self.who.client_id:
            return _oauth_refuse(
                400, "unauthorized_client", "AADSTS700016: Application was not found in the directory."
            )
        if not (form.get("client_assertion") or _same(form.get("client_secret", ""), self.who.client_secret)):
            return _oauth_refuse(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
        audience = form.get("resource") or form.get("scope", "").partition(" ")[0].removesuffix("/.default")
        now, lifetime = self._clock(), self.who.lifetime_s
        body = {
            "token_type": "Bearer",
            "expires_in": int(lifetime),
            "ext_expires_in": int(lifetime),
            "access_token": self._issue(audience, now),
        }
        return json_response(200, body)

    def _issue(self, audience: str, now: float) -> str:
        self._issued += 1
        return issue(self.who, audience, now, self._issued)


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())


def _refuse(status: int, message: str) -> Response:
    return json_response(status, {"statusCode": status, "message": message})


def _imds_refuse(status: int, message: str) -> Response:
    return json_response(status, {"error": "invalid_request", "error_description": message})


def _oauth_refuse(status: int, error: str, description: str) -> Response:
    return json_response(
        status, {"error": error, "error_description": description, "error_codes": [], "trace_id": str(uuid.uuid4())}
    )


def _discovery(base: str, tenant: str) -> dict[str, Any]:
    host = base.removeprefix("https://")
    return {
        "tenant_discovery_endpoint": f"{base}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }


def _configuration(base: str, tenant: str) -> dict[str, Any]:
    return {
        "token_endpoint": f"{base}/{tenant}/oauth2/v2.0/token",
        "authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/devicecode",
        "issuer": f"{base}/{tenant}/v2.0",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "tenant_region_scope": None,
    }
