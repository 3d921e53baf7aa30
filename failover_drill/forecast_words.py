"""A forecast in words: the documented formulas beside it, and what other settings would bring. Pure.

(interval 10, tolerated 1, TTL 20): 95 % within 47 s, saves 118 s
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from failover_drill.forecast import (
    RUNS,
    USUAL,
    Clients,
    Delays,
    Forecast,
    Kind,
    ProfileSettings,
    forecast,
    with_settings,
)

SURELY = 0.95
WORTH_S = 0.5  # a variant that saves less is not shown


@dataclass(frozen=True, slots=True)
class Formula:
    """What somebody published, filled in. Seconds."""

    name: str
    words: str
    seconds: float
    source: str


def formulas(profile: ProfileSettings) -> tuple[Formula, ...]:
    """Return the published estimates of an unplanned failover (azure-facts §3.5). None knows of propagation or of caches."""
    interval, timeout = profile.interval_s / profile.time_scale, profile.timeout_s / profile.time_scale
    tolerated, ttl = profile.tolerated, profile.ttl_s
    return (
        Formula(
            "Microsoft",
            f"TTL + retry x interval = {ttl:g} + {tolerated} x {interval:g}",
            ttl + tolerated * interval,
            "Disaster recovery using Azure DNS and Traffic Manager",
        ),
        Formula(
            "worst case",
            f"(interval + timeout) x (tolerated + 1) + TTL = ({interval:g} + {timeout:g}) x {tolerated + 1} + {ttl:g}",
            (interval + timeout) * (tolerated + 1) + ttl,
            "MicrosoftDocs/azure-docs#104593",
        ),
        Formula(
            "failing at once",
            f"(tolerated + 1) x interval + TTL = {tolerated + 1} x {interval:g} + {ttl:g}",
            (tolerated + 1) * interval + ttl,
            "the same, where a probe is refused or gets an error status at once",
        ),
    )


@dataclass(frozen=True, slots=True)
class Variant:
    """Other settings, and what they would bring. `saves_s`: less at 95 %, seconds."""

    settings: str
    profile: ProfileSettings
    forecast: Forecast
    saves_s: float

    @property
    def words(self) -> str:
        within = self.forecast.recovery.at[SURELY]
        return f"{self.settings}: 95 % within {within:.0f} s, saves {self.saves_s:.0f} s"

    def to_dict(self) -> dict[str, Any]:
        within = self.forecast.recovery.at[SURELY]
        return {"settings": self.settings, "p95_s": within, "saves_s": self.saves_s, "words": self.words}


def what_if(
    profile: ProfileSettings,
    delays: Delays,
    kind: Kind,
    clients: Clients = USUAL,
    *,
    runs: int = RUNS,
    seed: int = 1,
) -> tuple[Variant, ...]:
    """Return the settings that would save something at 95 %, the most first; none where nobody would come back as it is."""
    before = forecast(profile, delays, kind, clients, runs=runs, seed=seed)
    others: dict[ProfileSettings, str] = {}
    for settings, other in _others(profile, kind):
        others.setdefault(other, settings)  # together may be no more than one alone
    found = []
    for other, settings in others.items():
        after = forecast(other, delays, kind, clients, runs=runs, seed=seed)
        saves_s = before.recovery.at[SURELY] - after.recovery.at[SURELY] if not before.never else 0.0
        if saves_s >= WORTH_S:
            found.append(Variant(settings, other, after, saves_s))
    return tuple(sorted(found, key=lambda each: (-each.saves_s, each.settings)))


def _others(profile: ProfileSettings, kind: Kind) -> Iterator[tuple[str, ProfileSettings]]:
    """Yield settings worth a thought: each alone, then together. Only ever towards faster."""
    ttl, fast = min(profile.ttl_s, 20.0), min(profile.interval_s, 10.0)
    for seconds in (20.0, 5.0):
        if seconds < profile.ttl_s:
            yield f"TTL {seconds:g}", replace(profile, ttl_s=seconds)
    if kind is Kind.PLANNED:
        if not profile.secondary_running:
            yield "secondary kept running", replace(profile, secondary_running=True)
            yield f"secondary kept running, TTL {ttl:g}", replace(profile, secondary_running=True, ttl_s=ttl)
        return
    for tolerated in (1, 0):
        if tolerated < profile.tolerated:
            yield f"tolerated {tolerated}", replace(profile, tolerated=tolerated)
    if fast < profile.interval_s:
        yield f"interval {fast:g}", with_settings(profile, interval_s=fast)
    if profile.timeout_s > 5:
        yield "timeout 5", replace(profile, timeout_s=5.0)
    tolerated = min(profile.tolerated, 1)
    together = with_settings(profile, interval_s=fast, tolerated=tolerated, ttl_s=ttl)
    yield f"interval {fast:g}, tolerated {tolerated}, TTL {ttl:g}", together


def from_state(
    profile: Mapping[str, Any],
    endpoint: str,
    secondary_running: bool,
    *,
    primary: str = "",
    time_scale: float = 1.0,
    locations: int = 3,
) -> ProfileSettings:
    """Return the settings in a profile as `Platform.snapshot` gives it. *endpoint*, *primary*: names of the two endpoints.

    What ARM leaves out has Azure's default: interval 30, timeout 10, tolerated 3, TTL 60 (azure-facts §1.5).
    """
    properties = profile["properties"]
    monitor, dns = properties.get("monitorConfig") or {}, properties.get("dnsConfig") or {}
    endpoints = {str(e["name"]).lower(): e.get("properties") or {} for e in properties.get("endpoints") or ()}
    own, first = endpoints.get(endpoint.lower(), {}), endpoints.get(primary.lower(), {})
    interval = _or(monitor.get("intervalInSeconds"), 30)
    return ProfileSettings(
        interval_s=interval,
        timeout_s=_or(monitor.get("timeoutInSeconds"), 10 if interval >= 30 else 9),
        tolerated=int(_or(monitor.get("toleratedNumberOfFailures"), 3)),
        ttl_s=_or(dns.get("ttl"), 60),
        locations=locations,
        secondary_enabled=own.get("endpointStatus", "Enabled") == "Enabled" and bool(own),
        secondary_running=secondary_running,
        always_serve=first.get("alwaysServe") == "Enabled",
        time_scale=time_scale,
    )


def _or(value: Any, default: float) -> float:
    return float(default if value is None else value)
