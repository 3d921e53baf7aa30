"""Reads everything that a readiness check looks at. Reads only: no call here changes anything.

What the caller may not read is left out and noted: a check then says that it could not tell.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from failover_drill.adapters.arm import ArmPlatform
from failover_drill.adapters.direct import DirectAsker
from failover_drill.adapters.read_back import Reader
from failover_drill.adapters.resolver import NameAsker
from failover_drill.clock import Clock
from failover_drill.errors import PlatformError
from failover_drill.forecast_words import from_state
from failover_drill.guards import group_of, resources
from failover_drill.platform import DirectAnswer
from failover_drill.predict import clients_of, delays_of
from failover_drill.preflight_seen import Seen
from failover_drill.settings import Settings
from failover_drill.target import Role, Target

T = TypeVar("T")
SETTLING_S = 15.0
CHECKING = "CheckingEndpoint"
NOBODY = "preflight"  # no run is named so: what begins with it was never written


def look(
    settings: Settings, target: Target, clock: Clock, delays: Mapping[str, float], *, settling_s: float = 0.0
) -> Seen:
    """Read all. *delays*: those of a local estate. Raises PlatformError where profile or apps cannot be read.

    Endpoints that are still being checked are waited for, *settling_s* at most: so an estate is that was just started.
    """
    platform = ArmPlatform(target)
    healths = _healths(platform, target, clock, settling_s)
    profile = platform.snapshot(target.profile_id)
    apps: dict[Role, Mapping[str, Any]] = {role: platform.snapshot(target.region(role).app_id) for role in Role}
    running = {role for role in Role if apps[role].get("properties", {}).get("state") == "Running"}
    direct = DirectAsker(target, timeout_s=settings.watch.timeout_s)
    names = NameAsker(target, timeout_s=settings.watch.timeout_s)
    unread: dict[str, str] = {}
    read = from_state(
        profile,
        target.secondary.endpoint,
        Role.SECONDARY in running,
        primary=target.primary.endpoint,
        time_scale=target.time_scale,
    )
    return Seen(
        target=target,
        rto_s=settings.objectives.rto_s,
        profile=profile,
        healths=healths,
        apps=apps,
        answers={role: direct.ask(target.region(role)) for role in Role},
        probed=_probed(settings, target, profile, running),
        certificates={role: direct.certificate_trouble(target.region(role)) for role in running},
        settings=_by_role(unread, "application settings", lambda r: platform.setting_digests(target.region(r).app_id)),
        plans=_by_role(unread, "plans", lambda r: platform.plan(str(apps[r]["properties"]["serverFarmId"]))),
        permissions=_each(unread, "rights", resources(target), platform.permissions),
        tags=_each(unread, "tags", _places(target), platform.tags),
        resolutions={vantage: names.ask(vantage) for vantage in names.vantages},
        forecast=(read, delays_of(target, delays), clients_of(settings, target)),
        identity=platform.identity,
        lock_by_tag=settings.safety.lock == "tag",
        rpo_s=settings.objectives_for(target).rpo_s,
        deadline_s=settings.traffic.timeout_s,
        listed=_listed(target, running),
        unread=unread,
    )


def _healths(platform: ArmPlatform, target: Target, clock: Clock, settling_s: float) -> Mapping[str, str]:
    until_ns = clock.now_ns() + int(settling_s * 1e9)
    while True:
        endpoints = platform.profile_state(target.profile_id).endpoints
        healths = {name.lower(): each.health for name, each in endpoints.items()}
        if CHECKING not in healths.values() or clock.now_ns() >= until_ns:
            return healths
        clock.wait(0.2)


def _probed(
    settings: Settings, target: Target, profile: Mapping[str, Any], running: set[Role]
) -> Mapping[Role, DirectAnswer]:
    """Ask the running apps what the monitor asks them, with the same name."""
    monitor = profile["properties"].get("monitorConfig") or {}
    if monitor.get("protocol") == "TCP" or not monitor.get("path"):
        return {}
    asker = DirectAsker(replace(target, health_path=str(monitor["path"])), timeout_s=settings.watch.timeout_s)
    return {role: asker.ask(target.region(role)) for role in running}


def _listed(target: Target, running: set[Role]) -> Mapping[Role, str]:
    """Ask the running apps for their list of the data probe's writes; none is written."""
    probe = target.data_probe
    if probe is None:
        return {}
    if probe.token_variable and not os.environ.get(probe.token_variable):
        return dict.fromkeys(Role, f"the environment variable {probe.token_variable} is not set")
    reader = Reader(target, probe, NOBODY)
    return {role: reader(target.region(role)).error for role in Role if role in running}


def _places(target: Target) -> tuple[str, ...]:
    tagged = (target.profile_id, *(region.app_id for region in target.regions))
    return tuple(dict.fromkeys(place for each in tagged for place in (each, group_of(each))))


def _by_role(unread: dict[str, str], what: str, ask: Callable[[Role], T]) -> dict[Role, T]:
    found = _each(unread, what, tuple(Role), lambda role: ask(Role(role)))
    return {Role(role): each for role, each in found.items()}


def _each(unread: dict[str, str], what: str, keys: tuple[str, ...], ask: Callable[[str], T]) -> dict[str, T]:
    found: dict[str, T] = {}
    for key in keys:
        try:
            found[key] = ask(key)
        except PlatformError as error:
            unread[what] = str(error)
    return found
