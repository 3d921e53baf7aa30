"""What a drill acts on, spelled out: exact resource ids, names, addresses, and the blast radius. Values only.

The same type for the local estate and for Azure; nothing after the composition root asks which it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """What a region is in the pair. Roles swap in a failover; region names do not."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


@dataclass(frozen=True, slots=True)
class Region:
    """One region's share of the estate.

    `address` is where its front end listens, or "" where its default host name is to be resolved by the system.
    """

    name: str  # "eastus"
    role: Role
    app_id: str  # full ARM resource id of the web app
    default_host: str
    endpoint_id: str  # full ARM resource id of its endpoint in the profile
    address: str = ""

    @property
    def app(self) -> str:
        """The app's name; of a slot "app/slot"."""
        return resource_name(self.app_id)

    @property
    def endpoint(self) -> str:
        return self.endpoint_id.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class DataProbe:
    """Where the app takes numbered writes and lists them: PUT `path`/KEY, GET `path`?prefix=TEXT."""

    path: str
    rate: float = 10.0  # writes per second
    token_variable: str = ""  # the environment variable that holds a bearer token for it


@dataclass(frozen=True, slots=True)
class Target:
    """Everything one drill needs to know of the estate it acts on.

    `authorities` and `resolvers` are "ip:port". `time_scale` is 1 on Azure; an estate that compresses time says by how much.
    """

    name: str
    subscription_id: str
    profile_id: str
    profile_fqdn: str
    public_host: str
    primary: Region
    secondary: Region
    authorities: tuple[str, ...]
    resolvers: tuple[tuple[str, str], ...] = ()  # (name, "ip:port")
    scheme: str = "http"
    port: int = 80
    health_path: str = "/health"
    arm_url: str = "https://management.azure.com"
    token_scope: str = (
        ""  # what tokens for `arm_url` are asked for; "" leaves that to the SDK, which knows public Azure
    )
    authority: str = ""  # where they are asked for; "" leaves that to azure-identity
    instance_discovery: bool = True  # whether the authority is one that Microsoft's discovery knows
    ca_file: str | None = None
    local: bool = False
    time_scale: float = 1.0
    data_probe: DataProbe | None = None
    rpo_s: float | None = None  # the data loss allowed here; None: as [objectives] says
    control_url: str = ""  # the local estate's own switches: faults, truth. "" on Azure

    @property
    def regions(self) -> tuple[Region, Region]:
        return self.primary, self.secondary

    @property
    def blast_radius(self) -> frozenset[str]:
        """The resource ids that a drill may change, in lower case."""
        ids = [self.profile_id]
        for region in self.regions:
            ids += [region.app_id, region.endpoint_id]
        return frozenset(i.lower() for i in ids)

    @property
    def url(self) -> str:
        """What users ask for."""
        usual = {"http": 80, "https": 443}[self.scheme]
        return f"{self.scheme}://{self.public_host}" + (f":{self.port}" if self.port != usual else "")

    def region(self, role: Role) -> Region:
        return self.primary if role is Role.PRIMARY else self.secondary

    def by_address(self) -> dict[str, str]:
        """Return region names by front-end address, for those whose address is known."""
        return {r.address: r.name for r in self.regions if r.address}


def target_from(fields: Mapping[str, Any]) -> Target:
    """Return the target that `dataclasses.asdict` made *fields* of, as a journal's header keeps it."""
    plain = dict(fields)
    for role in Role:
        plain[role.value] = Region(**{**plain[role.value], "role": role})
    plain["data_probe"] = DataProbe(**plain["data_probe"]) if plain.get("data_probe") else None
    plain["authorities"] = tuple(plain["authorities"])
    plain["resolvers"] = tuple((name, server) for name, server in plain["resolvers"])
    return Target(**plain)


def resource_name(resource_id: str) -> str:
    """Return the last name in a full ARM id; for a deployment slot "app/slot"."""
    return "/".join(part for part in site_and_slot(resource_id) if part)


def site_and_slot(app_id: str) -> tuple[str, str]:
    """Return the names of a web app and of its deployment slot, "" where the id is the app's own."""
    parts = app_id.split("/")
    return (parts[-3], parts[-1]) if len(parts) > 2 and parts[-2].lower() == "slots" else (parts[-1], "")


def group_name(resource_id: str) -> str:
    """Return the resource group of a full ARM resource id."""
    parts = resource_id.split("/")
    return parts[[p.lower() for p in parts].index("resourcegroups") + 1]


def provider_type(resource_id: str) -> str:
    """Return the type of a full ARM id, "Microsoft.Web/sites" or "Microsoft.Network/trafficManagerProfiles/azureEndpoints"."""
    parts = resource_id.split("/providers/", 1)[1].split("/")
    return "/".join([parts[0], *parts[1::2]])
