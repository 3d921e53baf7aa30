"""Reads what a forecast needs, and forecasts each kind of failover. Reads only.

    profile, secondary's app ──────────────────► ProfileSettings ─┐
    the estate's own delays, or Azure's as observed ──► Delays ───┼─► forecast, once for each kind
    settings of the traffic, the chain's TTL ─────► Clients ──────┘

A run is foretold before its first change; its journal keeps that, and the analysis picks the kind that then happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

from failover_drill import forecast_words
from failover_drill.errors import PlatformError
from failover_drill.forecast import Clients, Delays, Forecast, Kind, ProfileSettings, forecast
from failover_drill.platform import Names, Platform
from failover_drill.settings import Settings
from failover_drill.target import Target

ESTATE_DELAYS: Mapping[str, float] = {
    "stop_effect_s": 1.0,
    "start_effect_s": 1.0,
    "cold_start_s": 2.0,
    "stopped_signal_s": 60.0,
    "restart_noticed_s": 60.0,
    "dns_propagation_s": 2.0,
}
"""The local estate's defaults (docs/estate.md), for where it is not there to be asked."""


class Foreteller:
    """What a run foretells: once before its first change, and again where preparations then changed the estate."""

    def __init__(
        self, platform: Platform, names: Names, target: Target, settings: Settings, state: Mapping[str, Any]
    ) -> None:
        """*state*: as for `read`."""
        self._foretell = partial(foretell, platform, names, target, settings, state)
        self._prepared = 0
        self.forecasts = self._foretell()

    def again_after(self, prepared: int) -> bool:
        """Foretell anew where more changes than before have prepared the estate. Return whether that was so."""
        if prepared <= self._prepared:
            return False
        self._prepared, self.forecasts = prepared, self._foretell()
        return True

    def plain(self) -> dict[str, Any]:
        """Return the forecasts by kind, for the journal."""
        return {str(kind): each.to_dict() for kind, each in self.forecasts.items()}


def foretell(
    platform: Platform, names: Names, target: Target, settings: Settings, state: Mapping[str, Any]
) -> dict[Kind, Forecast]:
    """Return the forecast of each kind, for the clients that the settings judge; none where the profile cannot be read.

    *state*: as for `read`. Our load's caches keep a whole chain of names for no longer than the least TTL in it.
    """
    try:
        profile, delays = read(platform, target, state)
    except PlatformError:
        return {}
    chain_ttl_s = names.ask(names.vantages[0]).ttl_s
    clients = replace(clients_of(settings, target), chain_ttl_s=inf if chain_ttl_s is None else float(chain_ttl_s))
    return {kind: forecast(profile, delays, kind, clients) for kind in Kind}


def read(platform: Platform, target: Target, state: Mapping[str, Any]) -> tuple[ProfileSettings, Delays]:
    """Read what a forecast needs. *state*: what the local estate tells of itself (`GET /_state`), empty on Azure."""
    profile = forecast_words.from_state(
        platform.snapshot(target.profile_id),
        target.secondary.endpoint,
        platform.app_state(target.secondary.app_id).running,
        primary=target.primary.endpoint,
        time_scale=target.time_scale,
        locations=int(state.get("locations", 3)),
    )
    return profile, delays_of(target, state.get("delays", {}))


def delays_of(target: Target, known: Mapping[str, float]) -> Delays:
    """Return the estate's delays, those in *known* before its defaults; Azure's where the target is no estate of ours."""
    if target.local:
        return Delays.of_estate({**ESTATE_DELAYS, **known}, target.time_scale)
    return Delays().scaled(target.time_scale)


def clients_of(settings: Settings, target: Target) -> Clients:
    """Return the clients that a drill of these settings judges."""
    traffic = settings.traffic
    asking = traffic.rate * (traffic.mix.fresh + traffic.mix.keepalive) / 100
    return Clients(
        caches=traffic.caches,
        watched=1 if target.local else len(target.resolvers) + 1,  # ours alone: first asked at once, so of one age
        ttl_floor_s=traffic.ttl_floor_s,
        ttl_overstay_s=traffic.ttl_overstay_s,
        gap_s=min(traffic.caches / asking if asking else 0.0, 60.0),
    )
