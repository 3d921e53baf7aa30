"""Chooses what is drilled: the local estate, or a pair of apps on Azure. Nothing after this asks which.

Credentials come from azure-identity's usual chain; for the estate its environment is set as App Service would set it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from failover_drill.adapters.arm import ArmPlatform
from failover_drill.adapters.authority import name_servers
from failover_drill.adapters.credentials import cloud_of
from failover_drill.adapters.estate import Control, EstateProcess, read_ready, target_of
from failover_drill.adapters.reach import check_ca_file
from failover_drill.errors import SettingsError
from failover_drill.settings import Settings
from failover_drill.settings_targets import AzureRegion, AzureTarget, LocalTarget
from failover_drill.target import Region, Role, Target


@contextmanager
def open_target(
    settings: Settings, name: str, ready_file: Path | None, log: Path
) -> Iterator[tuple[Target, Control | None]]:
    """Yield the target that is to be drilled; an estate that we start lives as long as this context.

    Raises SettingsError where there is no such target, EstateError where the estate does not start or is gone.
    """
    table = settings.target.get(name)
    if table is None:
        raise SettingsError(f"there is no [target.{name}]; drill.toml has {', '.join(sorted(settings.target))}")
    with ExitStack() as stack:
        if ready_file is not None:
            ready = read_ready(ready_file)
        elif isinstance(table, LocalTarget):
            ready = stack.enter_context(EstateProcess(settings.estate, log))
        else:
            yield azure_target(table, name), None
            return
        stack.enter_context(_environment(ready.environment))
        yield replace(target_of(ready, name), data_probe=table.probe, rpo_s=table.rpo_s), ready.control


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for as long as the context lasts."""
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def azure_target(table: AzureTarget, name: str) -> Target:
    """Return the target that a [target.NAME] of kind "azure" describes; names are read from the service, never built.

    Raises PlatformError where the profile or an app does not exist or may not be read.
    """
    target = _named(table, name)
    platform = ArmPlatform(target)
    profile = platform.profile_state(target.profile_id)
    regions = {
        region.role: replace(region, default_host=platform.app_state(region.app_id).default_host)
        for region in target.regions
    }
    return replace(
        target,
        profile_fqdn=profile.fqdn,
        primary=regions[Role.PRIMARY],
        secondary=regions[Role.SECONDARY],
        authorities=table.authorities or name_servers(profile.fqdn),
    )


def _named(table: AzureTarget, name: str) -> Target:
    """Return the target with everything that the settings alone tell."""
    root = f"/subscriptions/{table.subscription_id}/resourceGroups"
    profile_id = (
        f"{root}/{table.profile_resource_group}/providers/Microsoft.Network/trafficManagerProfiles/{table.profile}"
    )
    regions = {
        role: Region(
            name=own.endpoint,
            role=role,
            app_id=f"{root}/{own.resource_group}/providers/Microsoft.Web/sites/{own.app}{_slot(own)}",
            default_host="",
            endpoint_id=f"{profile_id}/azureEndpoints/{own.endpoint}",
            address=own.address,
        )
        for role, own in ((Role.PRIMARY, table.primary), (Role.SECONDARY, table.secondary))
    }
    return Target(
        name=name,
        subscription_id=table.subscription_id,
        profile_id=profile_id,
        profile_fqdn="",
        public_host=table.public_host,
        primary=regions[Role.PRIMARY],
        secondary=regions[Role.SECONDARY],
        authorities=table.authorities,
        resolvers=tuple(table.resolvers.items()),
        scheme=table.scheme,
        port=table.port or {"http": 80, "https": 443}[table.scheme],
        health_path=table.health_path,
        **asdict(cloud_of(table.cloud, table.authority, table.audience)),
        ca_file=_ca_file(table, name),
        time_scale=table.time_scale,
        data_probe=table.probe,
        rpo_s=table.rpo_s,
    )


def _slot(region: AzureRegion) -> str:
    return f"/slots/{region.slot}" if region.slot else ""


def _ca_file(table: AzureTarget, name: str) -> str | None:
    """Return the absolute path: a restoration may run elsewhere. Raises SettingsError where it holds no certificates."""
    if table.ca_file is None:
        return None
    try:
        check_ca_file(table.ca_file)
    except SettingsError as error:
        raise SettingsError(f"target.{name}.ca_file = {error}") from None
    return str(Path(table.ca_file).absolute())


@contextmanager
def identity_of(ready_file: Path | None) -> Iterator[None]:
    """Let azure-identity find the identity of an estate whose ready line a file holds, and us its switches; without, nothing."""
    with _environment(read_ready(ready_file).environment if ready_file else {}):
        yield
