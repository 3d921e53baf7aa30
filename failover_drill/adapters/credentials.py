"""Who we are to the control plane: azure-identity's usual chain, pointed at the target's cloud; and which of it had a token.

DefaultAzureCredential   environment, workload identity (CI), managed identity (a VM, App Service), az login (a desk), …
        │                AZURE_TOKEN_CREDENTIALS narrows it, as azure-identity documents
        └─► a token ─► the SDK; of its claims the ids are kept, and nothing else

A cloud is an address, a scope and an authority (azure-facts §4.3): with the address alone, it is sent tokens for public Azure.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from azure.core import AzureClouds
from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.identity import AzureAuthorityHosts, DefaultAzureCredential
from azure.mgmt.core.tools import get_arm_endpoints

from failover_drill.platform import Identity

PUBLIC = "https://management.azure.com"
AUTHORITY_HOST = "AZURE_AUTHORITY_HOST"
USUAL = ("EnvironmentCredential", "WorkloadIdentityCredential", "ManagedIdentityCredential", "AzureCliCredential")
TRIED = re.compile(r"^\t(\w+): (.+)$", re.MULTILINE)
UNAVAILABLE = re.compile(r"^\w+ authentication unavailable[.,]?\s*")
KNOWN: Mapping[str, tuple[AzureClouds, str]] = {
    "public": (AzureClouds.AZURE_PUBLIC_CLOUD, ""),
    "china": (AzureClouds.AZURE_CHINA_CLOUD, AzureAuthorityHosts.AZURE_CHINA),
    "usgovernment": (AzureClouds.AZURE_US_GOVERNMENT, AzureAuthorityHosts.AZURE_GOVERNMENT),
}


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where the control plane is, what tokens for it are asked for, and where; as `Target` holds them."""

    arm_url: str
    token_scope: str
    authority: str
    instance_discovery: bool


def cloud_of(name: str, authority: str = "", audience: str = "") -> Cloud:
    """Return the cloud of a known name, or the one whose Resource Manager has this URL.

    *authority* and *audience* take the place of what is known. An unknown cloud's audience is its own URL; its authority
    is azure-identity's (AZURE_AUTHORITY_HOST, else public).
    """
    if name in KNOWN:
        setting, usual = KNOWN[name]
        found = get_arm_endpoints(setting)
        scope = f"{audience}/.default" if audience else found["credential_scopes"][0]
        return Cloud(found["resource_manager"].rstrip("/"), scope, authority or usual, instance_discovery=True)
    url = name.rstrip("/")
    return Cloud(url, f"{audience or url}/.default", authority, instance_discovery=False)


def client_options(cloud: Cloud, ca_file: str | None) -> dict[str, Any]:
    """Return what an azure-mgmt client must be told to talk to *cloud*."""
    options: dict[str, Any] = {"base_url": cloud.arm_url} if cloud.arm_url != PUBLIC else {}
    if cloud.token_scope:
        options["credential_scopes"] = [cloud.token_scope]
    if ca_file:
        options["connection_verify"] = ca_file
    return options


class Credential:
    """A `TokenCredential` that hands on what the chain gives, and remembers to whom it was given."""

    def __init__(self, cloud: Cloud, ca_file: str | None = None, *, use_env_settings: bool = True) -> None:
        """*use_env_settings*: whether a proxy of the environment counts; not where all is on loopback."""
        options: dict[str, Any] = {"use_env_settings": use_env_settings}
        if not cloud.instance_discovery:
            options["disable_instance_discovery"] = True
        if ca_file:
            options["connection_verify"] = ca_file
        with _authority(cloud.authority):
            self._chain = DefaultAzureCredential(**options)
        self.identity = Identity()

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token, as azure-core asks for it. Raises ClientAuthenticationError where nobody in the chain has one."""
        found = self._chain.get_token(*scopes, **options)
        self._remember(found.token)
        return found

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token, as newer clients ask for it."""
        found = self._chain.get_token_info(*scopes, options=options)
        self._remember(found.token)
        return found

    def _remember(self, token: str) -> None:
        winner = getattr(self._chain, "_successful_credential", self._chain)  # said nowhere else but in a log line
        said = _claims(token)
        self.identity = Identity(
            credential=type(winner).__name__,
            client_id=str(said.get("appid") or said.get("azp") or ""),
            object_id=str(said.get("oid") or ""),
            tenant_id=str(said.get("tid") or ""),
        )


def why_nobody(message: str) -> str:
    """Return in one line why the usual credentials gave no token; "" where *message* is not what the whole chain says.

    The chain's first line names none of them; the lines below it do, each with more sentences than a night has time for.
    """
    said = {name: _briefly(reason) for name, reason in TRIED.findall(message)}
    usual = {name: reason for name, reason in said.items() if name in USUAL}
    return "; ".join(f"{name}: {reason}" for name, reason in (usual or said).items())


def _briefly(reason: str) -> str:
    return UNAVAILABLE.sub("", reason).split(". ")[0].strip(" .")[:200] or "unavailable"


@contextmanager
def _authority(url: str) -> Iterator[None]:
    """Have azure-identity find this authority; "" leaves it to itself.

    By the environment, which it reads when a credential is made: its `authority` does not reach WorkloadIdentityCredential.
    """
    before = os.environ.get(AUTHORITY_HOST)
    if url:
        os.environ[AUTHORITY_HOST] = url
    try:
        yield
    finally:
        if before is not None:
            os.environ[AUTHORITY_HOST] = before
        elif url:
            del os.environ[AUTHORITY_HOST]


def _claims(token: str) -> Mapping[str, Any]:
    """Return what a JWT says, unverified: that is its reader's business. Empty where it is none."""
    try:
        body = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, IndexError):
        return {}
    return found if isinstance(found, dict) else {}
