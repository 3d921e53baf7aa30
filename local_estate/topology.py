"""What the estate is made of: web apps, Traffic Manager profiles, endpoints. Values only; no I/O, no clock.

    World ── groups, apps, profiles (each replaced whole, never mutated) ── version goes up with every change

A change is `world.put_app(replace(app, state=…))`; listeners (name server, monitor, front end, truth) are told after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """What an operator set."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"


class Health(StrEnum):
    """What probing found (azure-facts §3.1). Endpoint and profile statuses share one enum."""

    CHECKING_ENDPOINT = "CheckingEndpoint"
    CHECKING_ENDPOINTS = "CheckingEndpoints"
    ONLINE = "Online"
    DEGRADED = "Degraded"
    DISABLED = "Disabled"
    INACTIVE = "Inactive"
    STOPPED = "Stopped"
    UNMONITORED = "Unmonitored"


class Kind(StrEnum):
    """The type segment of an endpoint's resource id."""

    AZURE = "azureEndpoints"
    EXTERNAL = "externalEndpoints"
    NESTED = "nestedEndpoints"


@dataclass(frozen=True, slots=True)
class Header:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Subnet:
    first: str
    last: str | None = None
    scope: int | None = None


@dataclass(frozen=True, slots=True)
class StatusRange:
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    name: str
    kind: Kind
    target: str = ""  # host name or IP address; derived for azure and nested endpoints
    target_resource_id: str | None = None
    status: Status = Status.ENABLED
    weight: int = 1
    priority: int = 1
    location: str | None = None  # display form, "East US"
    min_child: int | None = None
    min_child_v4: int | None = None
    min_child_v6: int | None = None
    always_serve: Status = Status.DISABLED
    headers: tuple[Header, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    geo: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """monitorConfig of a profile."""

    protocol: str = "HTTP"
    port: int = 80
    path: str | None = "/"
    interval_s: int = 30
    timeout_s: int = 10
    tolerated: int = 3
    headers: tuple[Header, ...] = ()
    expected: tuple[StatusRange, ...] = ()  # empty means 200 only


@dataclass(frozen=True, slots=True)
class Profile:
    group: str
    name: str
    relative_name: str
    status: Status = Status.ENABLED
    routing: str = "Priority"
    ttl: int = 60
    probe: Probe = Probe()
    endpoints: tuple[Endpoint, ...] = ()
    max_return: int | None = None
    view: Status = Status.DISABLED  # trafficViewEnrollmentStatus
    record_type: str | None = None
    tags: Mapping[str, str] | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.group.lower(), self.name.lower()

    @property
    def fqdn(self) -> str:
        return f"{self.relative_name}.trafficmanager.net"


@dataclass(frozen=True, slots=True)
class WebApp:
    group: str
    name: str
    location: str  # display form, "East US"
    default_host: str
    state: str = "Running"  # the desired state that ARM shows: Running, Stopped
    host_names: tuple[str, ...] = ()  # custom names bound to the app, without the default host
    modified_ns: int = 0  # wall clock, ns since 1970: lastModifiedTimeUtc and the ETag
    sku: str = "Standard"
    kind: str = "app"
    settings: Mapping[str, str] = field(default_factory=dict)  # application settings
    web_config: Mapping[str, object] = field(default_factory=dict)  # what was set of config/web
    slot_settings: tuple[str, ...] = ()  # slotConfigNames
    affinity: bool = True
    https_only: bool = False
    plan: str | None = None  # serverFarmId
    tags: Mapping[str, str] | None = None
    version: str = "1.0.0"  # what the app says its deployed version is
    certificates: tuple[str, ...] = ()  # custom names that have a certificate (SniEnabled)
    strings: Mapping[str, object] = field(default_factory=dict)  # connection strings
    slot_strings: tuple[str, ...] = ()  # slotConfigNames' connectionStringNames
    given: Mapping[str, object] = field(default_factory=dict)  # properties a client set that have no field of their own

    @property
    def key(self) -> tuple[str, str]:
        return self.group.lower(), self.name.lower()

    @property
    def region(self) -> str:
        return region_of(self.location)

    @property
    def is_slot(self) -> bool:
        """A deployment slot is an app of its own, named "app/slot" (as ARM names it) with a host name of its own."""
        return "/" in self.name


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    location: str
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Plain:
    """A resource that the estate only keeps: an App Service plan, a public IP address."""

    id: str
    kind: str  # "Microsoft.Web/serverfarms"
    body: Mapping[str, object]  # as a GET prints it

    @property
    def key(self) -> str:
        return self.id.lower()


def region_of(location: str) -> str:
    """Return the programmatic name of a region: "East US" and "eastus" both give "eastus"."""
    return location.replace(" ", "").lower()


Listener = Callable[["World"], None]


@dataclass
class World:
    """All that exists, keyed case-insensitively. One writer: the control-plane process's event loop."""

    subscription: str
    groups: dict[str, Group] = field(default_factory=dict)
    apps: dict[tuple[str, str], WebApp] = field(default_factory=dict)
    profiles: dict[tuple[str, str], Profile] = field(default_factory=dict)
    plain: dict[str, Plain] = field(default_factory=dict)
    version: int = 0
    listeners: list[Listener] = field(default_factory=list)
    deliver: Callable[[Callable[[], None]], None] | None = None  # a fault that holds changes back, where one is set

    def put_group(self, group: Group) -> None:
        self.groups[group.name.lower()] = group
        self._changed()

    def put_app(self, app: WebApp) -> None:
        self.apps[app.key] = app
        self._changed()

    def put_profile(self, profile: Profile) -> None:
        self.profiles[profile.key] = profile
        self._changed()

    def put_plain(self, resource: Plain) -> None:
        self.plain[resource.key] = resource
        self._changed()

    def drop_plain(self, key: str) -> None:
        del self.plain[key]
        self._changed()

    def drop_group(self, name: str) -> None:
        key = name.lower()
        del self.groups[key]
        self.apps = {k: v for k, v in self.apps.items() if k[0] != key}
        self.profiles = {k: v for k, v in self.profiles.items() if k[0] != key}
        self.plain = {k: v for k, v in self.plain.items() if f"/resourcegroups/{key}/" not in k}
        self._changed()

    def drop_app(self, key: tuple[str, str]) -> None:
        """Remove an app with its slots."""
        group, name = key
        self.apps = {
            k: v for k, v in self.apps.items() if k != key and not (k[0] == group and k[1].startswith(name + "/"))
        }
        self._changed()

    def drop_profile(self, key: tuple[str, str]) -> None:
        del self.profiles[key]
        self._changed()

    def names_to(self, app: WebApp) -> tuple[str, ...]:
        """Return the names of the profiles that have *app* as an endpoint: that binds them to it [D]."""
        target = app.default_host.lower()
        return tuple(
            profile.fqdn
            for profile in self.profiles.values()
            if any(e.kind is Kind.AZURE and e.target.lower() == target for e in profile.endpoints)
        )

    def tell(self) -> None:
        """Tell all listeners that something changed."""
        for listener in self.listeners:
            listener(self)

    def _changed(self) -> None:
        self.version += 1
        if self.deliver is None:
            self.tell()
        else:
            self.deliver(self.tell)
