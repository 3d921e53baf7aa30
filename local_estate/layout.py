"""The World as configured: groups, web apps, the profile and its endpoints. Pure but for the clock it is given."""

from __future__ import annotations

from dataclasses import replace

from local_estate.arm_sites_shape import default_plan, unique_host
from local_estate.config import EstateConfig, RegionConfig, app_name, endpoint_name, group_name, location_name
from local_estate.topology import Endpoint, Group, Kind, Plain, Probe, Profile, Status, WebApp, World, region_of

SKU_NAMES = {
    "Free": "F1",
    "Shared": "D1",
    "Basic": "B1",
    "Standard": "S1",
    "Premium": "P1",
    "PremiumV2": "P1v2",
    "PremiumV3": "P1v3",
    "Isolated": "I1",
}


def populate(world: World, config: EstateConfig, http_port: int, https_port: int, now_ns: int) -> None:
    """Put everything that the settings describe into an empty World."""
    profile = config.profile
    world.put_group(Group(profile.group, region_of(config.regions[0].location), dict(profile.tags)))
    for region in config.regions:
        if group_name(region).lower() not in world.groups:
            world.put_group(Group(group_name(region), region_of(region.location), dict(region.tags)))
        app = app_of(world, config, region, now_ns)
        world.put_plain(plan_of(app))
        world.put_app(app)
    port = profile.monitor_port or (https_port if profile.monitor_protocol == "HTTPS" else http_port)
    world.put_profile(profile_of(world, config, port))


def app_of(world: World, config: EstateConfig, region: RegionConfig, now_ns: int) -> WebApp:
    name, location = app_name(region), location_name(region)
    bound = (config.public_host,) if region.host_bound else ()
    bare = WebApp(
        group=group_name(region),
        name=name,
        location=location,
        default_host=region.default_host or unique_host(name, location),
        state=region.state,
        host_names=bound,
        modified_ns=now_ns,
        sku=region.sku,
        settings=dict(region.settings),
        web_config={"alwaysOn": True, "healthCheckPath": "/health"},
        affinity=region.affinity,
        https_only=region.https_only,
        tags=dict(region.tags),
        version=region.version,
        certificates=bound if region.certificate_for_public_host else (),
    )
    return _with_plan(world, bare)


def _with_plan(world: World, app: WebApp) -> WebApp:
    return replace(app, plan=default_plan(world.subscription, app))


def plan_of(app: WebApp) -> Plain:
    """The App Service plan an app runs on; its tier is the app's."""
    here = str(app.plan)
    body = {
        "id": here,
        "name": here.rsplit("/", 1)[1],
        "type": "Microsoft.Web/serverfarms",
        "kind": app.kind,
        "location": app.location,
        "sku": {"name": SKU_NAMES.get(app.sku, app.sku), "tier": app.sku, "capacity": 1},
        "properties": {"status": "Ready", "numberOfWorkers": 1, "provisioningState": "Succeeded"},
    }
    return Plain(here, "Microsoft.Web/serverfarms", body)


def profile_of(world: World, config: EstateConfig, monitor_port: int) -> Profile:
    profile = config.profile
    return Profile(
        group=profile.group,
        name=profile.name,
        relative_name=profile.relative_name,
        status=Status(profile.status),
        routing=profile.routing,
        ttl=profile.ttl,
        probe=Probe(
            protocol=profile.monitor_protocol,
            port=monitor_port,
            path=None if profile.monitor_protocol == "TCP" else profile.monitor_path or "/",
            interval_s=profile.interval_s,
            timeout_s=profile.timeout_s,
            tolerated=profile.tolerated,
        ),
        endpoints=tuple(_endpoint(world, region, index) for index, region in enumerate(config.regions)),
        max_return=profile.max_return,
        tags=dict(profile.tags),
    )


def _endpoint(world: World, region: RegionConfig, index: int) -> Endpoint:
    app = world.apps[(group_name(region).lower(), app_name(region).lower())]
    here = f"/subscriptions/{world.subscription}/resourceGroups/{app.group}/providers/Microsoft.Web/sites/{app.name}"
    return Endpoint(
        name=endpoint_name(region),
        kind=Kind.AZURE,
        target=app.default_host,
        target_resource_id=here,
        status=Status(region.endpoint),
        weight=region.weight,
        priority=region.priority or index + 1,
        location=app.location,
        always_serve=Status(region.always_serve),
        geo=tuple(region.geo),
    )


def roles(config: EstateConfig) -> dict[str, str]:
    """Return region -> role: as configured, else the first is the primary and the second the secondary."""
    chosen: dict[str, str] = {region_of(r.location): r.role for r in config.regions if r.role}
    for role in ("primary", "secondary"):
        free = next((region_of(r.location) for r in config.regions if region_of(r.location) not in chosen), None)
        if role not in chosen.values() and free:
            chosen[free] = role
    return {region_of(r.location): chosen.get(region_of(r.location), "") for r in config.regions}
