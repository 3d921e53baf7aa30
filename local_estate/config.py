"""The estate's settings: one TOML or JSON file, checked wholly before anything starts.

Every error is one line that names the file, the key, the value and what would be right. Times are unscaled seconds;
`time_scale` divides probe intervals, probe timeouts and delays, never the TTL and the lag of replication.
"""

from __future__ import annotations

import ipaddress
import json
import tomllib
import uuid
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from local_estate.delays import Delays
from local_estate.locations import display, known
from local_estate.topology import region_of

Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._()-]*[A-Za-z0-9_()-])?$")]
Label = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$")]
HostName = Annotated[
    str, Field(max_length=253, pattern=r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$")
]
Port = Annotated[int, Field(ge=0, le=65_535)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


_DEFAULT = Delays()


class ConfigError(Exception):
    """The settings are wrong; one line."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ProfileConfig(_Table):
    name: Name = "proseware"
    relative_name: Label = "proseware"
    group: Name = "rg-proseware-global"
    status: Literal["Enabled", "Disabled"] = "Enabled"
    ttl: Annotated[int, Field(ge=0, le=2_147_483_647)] = 5
    interval_s: Literal[10, 30] = 10
    tolerated: Annotated[int, Field(ge=0, le=9)] = 3
    timeout_s: Annotated[int, Field(ge=5, le=10)] = 5
    routing: Literal["Performance", "Priority", "Weighted", "Geographic", "MultiValue", "Subnet"] = "Priority"
    max_return: Annotated[int, Field(ge=1, le=8)] | None = None
    monitor_protocol: Literal["HTTP", "HTTPS", "TCP"] = "HTTP"
    monitor_path: str | None = "/health"
    monitor_port: Port = 0  # 0: the estate's own port of that protocol
    tags: dict[str, str] = {"failover-drill": "allowed"}

    @model_validator(mode="after")
    def _timeout_fits(self) -> ProfileConfig:
        if self.interval_s == 10 and self.timeout_s > 9:
            raise ValueError("timeout_s must be 5 to 9 where interval_s is 10")
        return self


class RegionConfig(_Table):
    location: str
    address: str | None = None
    group: Name | None = None
    app: Name | None = None
    default_host: HostName | None = None
    role: Literal["primary", "secondary"] | None = None
    state: Literal["Running", "Stopped", "QuotaExceeded"] = "Running"
    endpoint: Literal["Enabled", "Disabled"] = "Enabled"
    endpoint_name: Name | None = None
    priority: Annotated[int, Field(ge=1, le=1000)] | None = None
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    geo: list[str] = []
    always_serve: Literal["Enabled", "Disabled"] = "Disabled"
    host_bound: bool = True
    certificate_for_public_host: bool = True
    sku: Literal["Free", "Shared", "Basic", "Standard", "Premium", "PremiumV2", "PremiumV3", "Isolated"] = "Standard"
    version: str = "1.0.0"
    affinity: bool = True
    https_only: bool = False
    settings: dict[str, str] = {}
    tags: dict[str, str] = {"failover-drill": "allowed"}

    @field_validator("location")
    @classmethod
    def _is_region(cls, location: str) -> str:
        if not known(location):
            raise ValueError('must be a region of Azure such as "eastus" or "East US"')
        return location

    @field_validator("address")
    @classmethod
    def _is_loopback(cls, address: str | None) -> str | None:
        if address is not None and not _loopback(address):
            raise ValueError("must be an IPv4 loopback address such as 127.0.1.1")
        return address


class DelaysConfig(_Table):
    stop_effect_s: Seconds = _DEFAULT.stop_effect_s
    start_effect_s: Seconds = _DEFAULT.start_effect_s
    cold_start_s: Seconds = _DEFAULT.cold_start_s
    stopped_signal_s: Seconds = _DEFAULT.stopped_signal_s
    restart_noticed_s: Seconds = _DEFAULT.restart_noticed_s
    dns_propagation_s: Seconds = _DEFAULT.dns_propagation_s


class MonitorConfig(_Table):
    locations: Annotated[int, Field(ge=1, le=50)] = 3


class ReplicationConfig(_Table):
    """How the regions' data reach each other. Real seconds, never divided by `time_scale`."""

    lag_s: Seconds = 1.0
    paused: bool = False


class IdentityConfig(_Table):
    token_lifetime_s: Annotated[float, Field(gt=0, le=31_536_000)] = 86_400.0
    tenant_id: uuid.UUID | None = None
    client_id: uuid.UUID | None = None
    role: list[str] | None = None  # actions that the identity may call; None: all
    not_role: list[str] = []  # actions taken away again


class ResolverConfig(_Table):
    """The estate's own caching resolvers in front of its name server."""

    count: Annotated[int, Field(ge=0, le=8)] = 0
    floor_s: Seconds = 0.0
    factor: Annotated[float, Field(gt=0, le=1000)] = 1.0
    overstay_s: Seconds = 0.0


class SourceConfig(_Table):
    """Where clients of a network are: for Performance and Geographic routing."""

    network: str
    region: str | None = None
    geo: list[str] = []

    @field_validator("network")
    @classmethod
    def _is_network(cls, network: str) -> str:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            raise ValueError("must be a network such as 203.0.113.0/24") from None
        return network


class TrafficManagerConfig(_Table):
    delete_body: Literal["empty", "object"] = "empty"
    dns_answer: Literal["chain", "cname"] = "chain"


class EstateConfig(_Table):
    time_scale: Annotated[float, Field(gt=0, le=10_000)] = 1.0
    run_dir: Path | None = None
    truth_log: Path | None = None
    subscription_id: uuid.UUID | None = None
    public_host: HostName = "www.proseware.example"
    http_port: Port = 0
    https_port: Port = 0
    dns_port: Port = 0
    arm_port: Port = 0
    identity_port: Port = 0
    control_port: Port = 0
    proxy_port: Port = 0
    cut_in_flight: bool = False  # whether requests under way at a stop are cut
    seed: int | None = None  # of weighted routing and of faults' chances; None: a fresh one
    profile: ProfileConfig = ProfileConfig()
    regions: list[RegionConfig] = [RegionConfig(location="eastus"), RegionConfig(location="westus3")]
    delays: DelaysConfig = DelaysConfig()
    monitor: MonitorConfig = MonitorConfig()
    identity: IdentityConfig = IdentityConfig()
    tm: TrafficManagerConfig = TrafficManagerConfig()
    sources: list[SourceConfig] = []
    resolver: ResolverConfig = ResolverConfig()
    replication: ReplicationConfig = ReplicationConfig()

    @field_validator("regions")
    @classmethod
    def _regions_differ(cls, regions: list[RegionConfig]) -> list[RegionConfig]:
        names = [region_of(region.location) for region in regions]
        if not names:
            raise ValueError("must name at least one region")
        if len(set(names)) != len(names):
            raise ValueError("must name each region once: Traffic Manager takes one web app per region")
        return regions

    @model_validator(mode="after")
    def _addresses_differ(self) -> EstateConfig:
        chosen = [address_of(region, index) for index, region in enumerate(self.regions)]
        if len(set(chosen)) != len(chosen):
            raise ValueError("regions: every region needs an address of its own")
        return self


def address_of(region: RegionConfig, index: int) -> str:
    """Return the region's address; the default is 127.0.<number>.1, counted from 1."""
    return region.address or f"127.0.{index + 1}.1"


def endpoint_name(region: RegionConfig) -> str:
    return region.endpoint_name or region_of(region.location)


def app_name(region: RegionConfig) -> str:
    return region.app or f"proseware-{region_of(region.location)}"


def group_name(region: RegionConfig) -> str:
    return region.group or f"rg-proseware-{region_of(region.location)}"


def location_name(region: RegionConfig) -> str:
    return display(region.location)


def load(path: Path | None) -> EstateConfig:
    """Return the settings in *path*, or the defaults where it is None. Raises ConfigError."""
    return EstateConfig() if path is None else parse(_read(path), str(path))


def parse(raw: Mapping[str, Any], source: str) -> EstateConfig:
    """Return the settings in *raw*; an `[estate]` table counts as the top level. Raises ConfigError naming *source*."""
    inner = raw.get("estate", {})
    if not isinstance(inner, Mapping):
        raise ConfigError(f"{source}: estate = {inner!r} must be a table")
    flat = {**{k: v for k, v in raw.items() if k != "estate"}, **inner}
    try:
        return EstateConfig.model_validate(flat)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_first(error)}") from None


def delays_of(config: EstateConfig) -> Delays:
    """Return the unscaled delays."""
    return Delays(**{f.name: getattr(config.delays, f.name) for f in fields(Delays)})


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text; write TOML, or JSON in a file named .json") from None
    try:
        raw = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path}: is not {'JSON' if path.suffix == '.json' else 'TOML'}: {str(error).splitlines()[0]}"
        ) from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: must be a table of settings, not {type(raw).__name__}")
    return raw


def _first(error: ValidationError) -> str:
    """Say the first complaint as: key = value, what would be right."""
    complaint = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in complaint["loc"]) or "settings"
    if complaint["type"] == "extra_forbidden":
        return f"{key} = {_shown(complaint['input'])} is not a setting; known here: {_known(complaint['loc'])}"
    message = complaint["msg"].removeprefix("Value error, ")
    return f"{key} = {_shown(complaint['input'])}: {message[0].lower()}{message[1:]}"


def _shown(value: object) -> str:
    text = json.dumps(value, default=str) if not isinstance(value, BaseModel) else "{…}"
    return text if len(text) <= 80 else text[:77] + "…"


def _known(location: tuple[int | str, ...]) -> str:
    """Name the settings of the table in which an unknown key was found."""
    table: Any = EstateConfig
    for part in location[:-1]:
        if isinstance(part, str):
            table = {"regions": RegionConfig, "sources": SourceConfig}.get(part) or table.model_fields[part].annotation
    return ", ".join(table.model_fields)


def _loopback(address: str) -> bool:
    try:
        return ipaddress.IPv4Address(address).is_loopback
    except ValueError:
        return False
