"""What a drill asks of the world, in the fewest verbs: one protocol per thing it talks to, and the values that come back.

Platform   the control plane: read and set app and endpoint states     adapters/arm.py
Direct     one HTTP request to one region, past all DNS                adapters/direct.py
Names      one DNS question to the authority or a watched resolver     adapters/resolver.py
Traffic    the load process                                            adapters/load.py
Faults     the local estate's own faults                               adapters/estate.py
ReadBacks  which writes of the data probe one region has               adapters/read_back.py
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from failover_drill.facts import ReadBack, Resolution
from failover_drill.target import Region


@dataclass(frozen=True, slots=True)
class AppState:
    """A web app as the control plane shows it. `state` is what was asked for, not proof of serving (azure-facts §2.2)."""

    state: str  # "Running", "Stopped", "QuotaExceeded", …
    default_host: str
    host_names: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        return self.state == "Running"


@dataclass(frozen=True, slots=True)
class EndpointState:
    """An endpoint: `enabled` is what an operator set, `health` what probing found (azure-facts §3.1)."""

    enabled: bool
    health: str
    target: str = ""
    priority: int | None = None
    target_id: str = ""  # of the app that it leads to; "" for an external one


@dataclass(frozen=True, slots=True)
class ProfileState:
    enabled: bool
    health: str
    fqdn: str
    ttl_s: int
    routing: str
    endpoints: Mapping[str, EndpointState]  # by endpoint name


@dataclass(frozen=True, slots=True)
class Permission:
    """One role's word on what the caller may do. `*` stands for anything; case does not matter."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the control plane takes us for, as the token says; never the token. A field is "" where it does not say."""

    credential: str = ""  # which one of azure-identity's chain had a token
    client_id: str = ""
    object_id: str = ""
    tenant_id: str = ""

    def __str__(self) -> str:
        ids = (("client id", self.client_id), ("object id", self.object_id), ("tenant", self.tenant_id))
        return ", ".join([self.credential or "nobody", *(f"{name} {each}" for name, each in ids if each)])


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the control plane gave back for a change: the id under which it can be asked about."""

    request_id: str = ""


@dataclass(frozen=True, slots=True)
class DirectAnswer:
    """One region's answer when asked directly. `status` is 0 where none came; `said` is one line for people."""

    status: int
    said: str
    version: str = ""  # what the app says of itself in its health JSON; "" where it does not

    @property
    def good(self) -> bool:
        return 200 <= self.status < 400


class Platform(Protocol):
    """The control plane. Every verb raises PlatformError; `outcome_known` is False after a timeout or reset."""

    @property
    def identity(self) -> Identity:
        """Who made the last call; nobody before the first one."""

    def app_state(self, app_id: str) -> AppState: ...
    def start(self, app_id: str) -> Receipt: ...
    def stop(self, app_id: str) -> Receipt: ...
    def endpoint_state(self, endpoint_id: str) -> EndpointState: ...
    def set_endpoint(self, endpoint_id: str, *, enabled: bool) -> Receipt: ...
    def profile_state(self, profile_id: str) -> ProfileState: ...

    def tags(self, resource_id: str) -> Mapping[str, str]:
        """Return the tags of a resource, or of the resource group whose id it is."""

    def set_tag(self, resource_id: str, name: str, value: str) -> Receipt:
        """Add or replace one tag, leaving the others alone."""

    def remove_tag(self, resource_id: str, name: str, value: str) -> Receipt:
        """Remove one tag if it has this value."""

    def permissions(self, resource_id: str) -> Sequence[Permission]:
        """Return what the caller's roles allow on a resource; any one of them suffices."""

    def snapshot(self, resource_id: str) -> Mapping[str, object]:
        """Return the whole state of one resource, less what changes by itself (times, monitor statuses, ETags)."""


class Direct(Protocol):
    def ask(self, region: Region) -> DirectAnswer:
        """Ask *region* for the health path, past all DNS. Never raises for what the region does."""

    def certificate_trouble(self, region: Region) -> str:
        """Say why *region*'s front end cannot prove that it is the public host; "" where it can, or need not (http)."""


class Names(Protocol):
    vantages: tuple[str, ...]  # "authority" first, then each watched resolver

    def ask(self, vantage: str) -> Resolution:
        """Ask *vantage* for the public host. Never raises for what the server does."""


class Faults(Protocol):
    """Every verb raises PlatformError, on a target that has no faults on request always."""

    def set(self, request: Mapping[str, object]) -> None:
        """Set a fault; `request` names its kind, its id and its settings."""

    def end(self, fault_id: str) -> None:
        """End a fault; harmless where it is over, or never was."""

    def on(self, fault_id: str) -> bool:
        """Is it in force, or about to be?"""


class Traffic(Protocol):
    def start(self) -> None:
        """Start the load and return when the first request is out. Raises DrillError where it cannot."""

    def stop(self) -> None:
        """End the load; every sample is on the disk afterwards. Harmless when it is not running."""

    @property
    def alive(self) -> bool: ...


ReadBacks = Callable[[Region], ReadBack]
"""Ask a region, past all DNS, which writes it has. Never raises for what the region does: `ReadBack.error` says it."""
