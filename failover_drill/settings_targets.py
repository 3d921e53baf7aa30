"""[target.NAME] of drill.toml: the local estate, or a pair of web apps behind a Traffic Manager profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from failover_drill.setting_types import (
    Address,
    Audience,
    Cloud,
    HostName,
    HttpsUrl,
    NameServer,
    PlainPath,
    ProbePath,
    ResourceName,
    Seconds,
    SlotName,
    SubscriptionId,
    VariableName,
)
from failover_drill.settings_tables import Table
from failover_drill.target import DataProbe

Port = Annotated[int, Field(ge=1, le=65_535)]


class ProbedTarget(Table):
    """Any [target.NAME]: its data probe, PUT `data_probe`/KEY and GET `data_probe`?prefix=TEXT. An empty path: none."""

    data_probe: ProbePath = ""
    """The path at which the app takes and lists writes; "" for none."""
    data_probe_rate: Annotated[float, Field(gt=0, le=100)] = 10
    """Writes per second."""
    data_probe_token_variable: VariableName = ""
    """The environment variable that holds a bearer token for both; "" for none."""
    rpo_s: Seconds | None = None
    """The data loss allowed here, instead of what [objectives] says for every target."""

    @property
    def probe(self) -> DataProbe | None:
        if not self.data_probe:
            return None
        return DataProbe(self.data_probe, self.data_probe_rate, self.data_probe_token_variable)


class LocalTarget(ProbedTarget):
    """[target.NAME] with kind = "local": the harness starts the local estate itself, as [estate] says."""

    kind: Literal["local"] = "local"
    data_probe: ProbePath = "/data"
    """The path at which the app takes and lists writes; "" for none."""


class AzureRegion(Table):
    """[target.NAME.primary] and [.secondary]: one web app, or a deployment slot of it, and its endpoint in the profile."""

    app: ResourceName
    resource_group: ResourceName
    endpoint: ResourceName
    """The name of the app's endpoint in the profile."""
    slot: SlotName = ""
    """The deployment slot that the endpoint leads to; "" for the app's own, production."""
    address: Address = ""
    """Where the region's front end listens, for estates whose names the system does not resolve; "" for Azure."""


class AzureTarget(ProbedTarget):
    """[target.NAME] with kind = "azure": a pair of web apps behind a Traffic Manager profile."""

    kind: Literal["azure"]
    subscription_id: SubscriptionId
    profile: ResourceName
    """The name of the Traffic Manager profile."""
    profile_resource_group: ResourceName
    public_host: HostName
    """The name that users ask for: the custom domain, or the profile's own name."""
    primary: AzureRegion
    secondary: AzureRegion
    scheme: Literal["http", "https"] = "https"
    port: Port | None = None
    """Where users connect; the scheme's usual port where it is left out."""
    health_path: PlainPath = "/health"
    resolvers: Mapping[str, NameServer] = Field(default_factory=dict)
    """Name servers that users have, by a name of your choice: watched, and asked by the synthetic users."""
    authorities: tuple[NameServer, ...] = ()
    """The name servers that answer for the profile; found by DNS where they are left out."""
    cloud: Cloud = "public"
    """"public", "china", "usgovernment", or the URL of a Resource Manager."""
    authority: HttpsUrl = ""
    """Where tokens come from; "" is the cloud's own, for a URL as cloud azure-identity's (AZURE_AUTHORITY_HOST)."""
    audience: Audience = ""
    """What tokens are asked for; "" is the cloud's own, for a URL as cloud that URL."""
    ca_file: str | None = None
    """PEM file of the CA that control plane, identity and public host have their certificates of; absent: the usual ones."""
    time_scale: Annotated[float, Field(gt=0)] = 1
    """What a local estate divides its delays by; 1 on Azure."""

    @model_validator(mode="after")
    def a_pair(self) -> AzureTarget:
        one, other = self.primary, self.secondary
        if one.endpoint.lower() == other.endpoint.lower():
            raise ValueError(f"primary and secondary have the same endpoint, {one.endpoint}")
        if _place(one) == _place(other):
            raise ValueError(f"primary and secondary are the same app, {one.app}")
        return self


def _place(region: AzureRegion) -> tuple[str, str, str]:
    return region.resource_group.lower(), region.app.lower(), region.slot.lower()


TargetTable = Annotated[LocalTarget | AzureTarget, Field(discriminator="kind")]
