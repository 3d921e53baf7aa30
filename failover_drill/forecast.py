"""How long a failover will take, before anybody tries it: probes, propagation, caches and clients in virtual time. Pure, seeded.

    t0 ─ fault ─► each location's probes fail ─► most locations say down ─► name servers ─► caches, one by one ─► clients
                  phase + tolerated x (interval + f) + f     Degraded        propagation     what is left of TTL    gap

    unplanned   Traffic Manager finds out by itself: a region that refuses, errs, hangs, or whose app was stopped
    planned     an operator stops the primary, starts the secondary, switches the endpoints; Traffic Manager may be first

Nothing is simulated by ticking. A location's probes after the fault are a chain of equal steps (the next one waits the interval
after the last one *ended*, azure-facts §3.5), so the time of its verdict is one expression; the endpoint is down when more than
half of the locations say so (§3.4), an order statistic. What is random is drawn once per failover: phases of probes and caches,
and each delay that Azure does not publish, evenly between the least and the most that was seen.

The draws do not depend on the settings. So of two profiles, the same failovers are played, and a shorter TTL can only help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from failover_drill.facts import Segment

Seconds = NDArray[np.float64]
LEVELS = (0.005, 0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975, 0.99, 0.995)
INNER = {50: (0.25, 0.75), 95: (0.025, 0.975), 99: (0.005, 0.995)}  # so many of 100 lie between these levels
RUNS = 10_000
DRAWN = (
    "stop_effect",
    "start_effect",
    "cold_start",
    "stopped_signal",
    "propagation",
    "poll",
    *(f"call {n}" for n in range(4)),
)


class Kind(StrEnum):
    """What happens to the primary, and who brings users back."""

    PLANNED = "planned"  # the playbook's three acts
    REFUSED = "refused"  # unplanned: connections refused, or an error status: a probe fails at once
    HANG = "hang"  # unplanned: a probe fails after its timeout
    STOPPED = (
        "stopped"  # unplanned: somebody stops the app; 403 at once, and App Service tells Traffic Manager later (§3.6)
    )


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """What a profile says, and what stands behind it. Seconds; `time_scale` divides interval and timeout, never the TTL.

    `locations`: how many places probe; Azure does not say, and more of them only narrow the spread.
    """

    interval_s: float = 30.0
    timeout_s: float = 10.0
    tolerated: int = 3
    ttl_s: float = 60.0
    locations: int = 3
    secondary_enabled: bool = True  # its endpoint
    secondary_running: bool = True  # its app
    always_serve: bool = False  # the primary's endpoint is answered whatever probes find
    time_scale: float = 1.0

    @property
    def standby(self) -> bool:
        """Can Traffic Manager turn to the secondary by itself?"""
        return self.secondary_enabled and self.secondary_running and not self.always_serve


@dataclass(frozen=True, slots=True)
class Between:
    """A delay that lies anywhere between two values, seconds."""

    least_s: float
    most_s: float

    def at(self, share: Seconds) -> Seconds:
        return self.least_s + (self.most_s - self.least_s) * share


def exactly(seconds: float) -> Between:
    return Between(seconds, seconds)


@dataclass(frozen=True, slots=True)
class Delays:
    """What is not in the profile. Grades as in azure-facts: O observed and published, U unverified."""

    stop_effect: Between = Between(1, 5)  # stop accepted → 403. U: "visible within seconds" (§2.5)
    start_effect: Between = Between(5, 60)  # start accepted → no more 403. O: "~30 s", "1-2 minutes" (§2.5)
    cold_start: Between = Between(2, 30)  # → the first answer. U: seconds (§2.5)
    stopped_signal: Between = Between(60, 600)  # stop → Traffic Manager says Stopped. O: "5-10 minutes" (§3.6)
    propagation: Between = Between(1, 5)  # control plane or monitor → name servers. U (§3.6)
    answer: Between = Between(0.02, 0.3)  # a probe that is answered, from its location. U
    call: Between = Between(1, 5)  # one act of an operator or a drill, with the reads around it. U
    poll: Between = Between(0, 0.2)  # until what has happened is noticed by whoever waits for it

    def scaled(self, time_scale: float) -> Delays:
        """Return Azure's own delays divided by *time_scale*; calls, polls and answers take what they take."""
        kept = {"answer", "call", "poll"}
        return Delays(
            **{
                f.name: each if f.name in kept else Between(each.least_s / time_scale, each.most_s / time_scale)
                for f in fields(self)
                for each in [getattr(self, f.name)]
            }
        )

    @classmethod
    def of_estate(cls, delays: Mapping[str, float], time_scale: float) -> Delays:
        """Return the delays of a local estate, which are known exactly (docs/estate.md, `[delays]`)."""
        known = {
            "stop_effect": exactly(delays["stop_effect_s"]),
            "start_effect": exactly(delays["start_effect_s"]),
            "cold_start": exactly(delays["cold_start_s"]),
            "stopped_signal": exactly(delays["stopped_signal_s"]),
            "propagation": exactly(delays["dns_propagation_s"]),
        }
        near = {"answer": Between(0.001, 0.02), "call": Between(0.01, 0.2), "poll": Between(0, 0.1)}
        return cls(**known, **near).scaled(time_scale)


@dataclass(frozen=True, slots=True)
class Clients:
    """Those who are judged: clients behind caches that honour the TTL, as far as caches do (azure-facts §6).

    A cache keeps an answer for max(floor, TTL x factor) + overstay. `chain_ttl_s`: the least TTL of the other names on the
    way, for caches that keep the whole chain no longer than that, as those of our load process do.
    """

    caches: int = 50
    watched: int = 1  # resolvers whose switch ends the segment "propagate"
    ttl_floor_s: float = 0.0
    ttl_factor: float = 1.0
    ttl_overstay_s: float = 0.0
    chain_ttl_s: float = inf
    gap_s: float = 0.0  # between two requests of one cache's clients: nobody finds out before he asks

    def kept_s(self, ttl_s: float) -> float:
        """Return for how long a cache keeps an answer."""
        return max(self.ttl_floor_s, min(ttl_s, self.chain_ttl_s) * self.ttl_factor) + self.ttl_overstay_s


USUAL = Clients()


def level_name(level: float) -> str:
    """Return the key of a quantile in JSON: "p2.5_s"."""
    return f"p{100 * level:g}_s"


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A distribution of seconds: its mean, and the value at each of `LEVELS`."""

    mean_s: float
    at: Mapping[float, float]

    @property
    def inner_99(self) -> tuple[float, float]:
        """99 of 100 failovers lie between these."""
        return self.inner(99)

    def inner(self, percent: int) -> tuple[float, float]:
        """So many of 100 failovers lie between these; *percent* is of `INNER`."""
        low, high = INNER[percent]
        return self.at[low], self.at[high]

    def to_dict(self) -> dict[str, float]:
        return {"mean_s": self.mean_s, **{level_name(level): self.at[level] for level in LEVELS}}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What `runs` failovers came to. `never` says why nobody would come back, "" where they would.

    The means of the segments sum to the mean of the recovery time; other quantiles do not sum.
    """

    kind: Kind
    runs: int
    seed: int
    recovery: Quantiles
    downtime: Quantiles  # user-weighted (measurement.md §3), of those who are judged
    segments: Mapping[Segment, Quantiles]
    never: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; of a failover that never ends, the reason alone."""
        about = {"kind": str(self.kind), "runs": self.runs, "seed": self.seed}
        if self.never:
            return {**about, "never": self.never}
        return {
            **about,
            "recovery": self.recovery.to_dict(),
            "downtime": self.downtime.to_dict(),
            "segments": {str(name): each.to_dict() for name, each in self.segments.items()},
        }


@dataclass(frozen=True, slots=True)
class Draws:
    """Everything random about `runs` failovers, as shares between 0 and 1. The same for all settings."""

    phase: Seconds  # runs x locations: until the next probe
    answer: Seconds  # runs x locations
    age: Seconds  # runs x caches: what is left of an entry
    gap: Seconds  # runs x caches: since the last request
    watched: Seconds  # runs x watched resolvers
    delays: Mapping[str, Seconds]

    @classmethod
    def of(cls, runs: int, seed: int, locations: int, clients: Clients) -> Draws:
        streams = np.random.default_rng(seed).spawn(6)
        phase, answer = (stream.random((runs, locations)) for stream in streams[:2])
        age, gap = (stream.random((runs, clients.caches)) for stream in streams[2:4])
        watched = streams[4].random((runs, clients.watched))
        single = streams[5].random((len(DRAWN), runs))
        return cls(phase, answer, age, gap, watched, dict(zip(DRAWN, single, strict=True)))


@dataclass(frozen=True, slots=True)
class _Played:
    """`runs` failovers, instants in seconds after t0."""

    out: Seconds  # users begin to be served badly
    ends: tuple[Seconds, ...]  # of detect, disable, enable, switch: each not before the one before it
    switched: Seconds  # the authority answers with the secondary


def forecast(
    profile: ProfileSettings,
    delays: Delays,
    kind: Kind,
    clients: Clients = USUAL,
    *,
    runs: int = RUNS,
    seed: int = 1,
) -> Forecast:
    """Play *runs* failovers and return their distribution. *delays* are scaled already (`Delays.scaled`)."""
    draws = Draws.of(runs, seed, profile.locations, clients)
    never = "" if kind is Kind.PLANNED else nowhere_to_go(profile)
    if never:
        return Forecast(kind, runs, seed, _nothing(), _nothing(), {}, never)
    played = _planned(profile, delays, draws) if kind is Kind.PLANNED else _unplanned(profile, delays, kind, draws)
    followed = _followed(played, clients.kept_s(profile.ttl_s), clients.gap_s, draws)
    end = np.maximum(played.ends[-1], followed.max(axis=1))
    watched = played.switched + draws.watched.max(axis=1) * min(profile.ttl_s, clients.chain_ttl_s)
    bounds = [*played.ends, watched, end]
    took, at = {}, np.zeros(runs)
    for segment, bound in zip(Segment, bounds, strict=False):
        reached = np.minimum(np.maximum(at, bound), end)
        took[segment], at = reached - at, reached
    took[Segment.STABILISE] = end - at
    lost = (followed - played.out[:, None]).mean(axis=1)
    return Forecast(kind, runs, seed, _quantiles(end), _quantiles(lost), {s: _quantiles(t) for s, t in took.items()})


def nowhere_to_go(profile: ProfileSettings) -> str:
    """Say why Traffic Manager would not fail over by itself; "" where it would."""
    if profile.always_serve:
        return "the primary's endpoint is always served: Traffic Manager does not probe it"
    if not profile.secondary_enabled:
        return "the secondary's endpoint is Disabled: Traffic Manager has nowhere to turn to"
    if not profile.secondary_running:
        return "the secondary's app is not running: Traffic Manager has nowhere to turn to"
    return ""


def detection(profile: ProfileSettings, delays: Delays, kind: Kind, draws: Draws) -> Seconds:
    """Return how long after the region went bad most locations say so: (tolerated + 1) failures in a row each."""
    interval, timeout = profile.interval_s / profile.time_scale, profile.timeout_s / profile.time_scale
    answer = np.minimum(delays.answer.at(draws.answer), timeout)
    failing = np.full_like(answer, timeout) if kind is Kind.HANG else answer
    said = draws.phase * interval + profile.tolerated * (interval + failing) + failing
    majority = profile.locations // 2
    return np.asarray(np.partition(said, majority, axis=1)[:, majority])


def _unplanned(profile: ProfileSettings, delays: Delays, kind: Kind, draws: Draws) -> _Played:
    out = np.zeros(len(draws.phase))
    known = detection(profile, delays, kind, draws)
    if kind is Kind.STOPPED:
        out = delays.stop_effect.at(draws.delays["stop_effect"])
        known = np.minimum(out + known, delays.stopped_signal.at(draws.delays["stopped_signal"]))
    switched = known + delays.propagation.at(draws.delays["propagation"])
    return _Played(out, (known, known, known, switched), switched)


def _planned(profile: ProfileSettings, delays: Delays, draws: Draws) -> _Played:
    """The three acts in a row; where the secondary stands by, Traffic Manager's own detection runs against the operator."""
    drawn = {name: getattr(delays, name.split()[0]).at(share) for name, share in draws.delays.items()}
    calls = [drawn[f"call {n}"] for n in range(4)]
    out = calls[0] + drawn["stop_effect"]
    disabled = out + drawn["poll"]
    starting = 0.0 if profile.secondary_running else drawn["start_effect"] + drawn["cold_start"] + drawn["poll"]
    enabled = disabled + calls[1] + starting
    asked = enabled + calls[2] + (0.0 if profile.secondary_enabled else calls[3])
    switched = asked + drawn["propagation"]
    noticed = switched + drawn["poll"]
    if profile.standby:
        found = np.minimum(out + detection(profile, delays, Kind.STOPPED, draws), calls[0] + drawn["stopped_signal"])
        switched = np.minimum(switched, found + drawn["propagation"])
    return _Played(out, (np.zeros_like(out), disabled, enabled, noticed), switched)


def _followed(played: _Played, kept_s: float, gap_s: float, draws: Draws) -> Seconds:
    """Return until when the clients of each cache are served badly: to their last request before the cache follows.

    A recovery is measured from the last bad sample on (measurement.md §4), and between two requests nobody is harmed.
    """
    last = played.switched[:, None] + draws.age * kept_s - draws.gap * gap_s
    return np.maximum(last, played.out[:, None])


def _quantiles(seconds: Seconds) -> Quantiles:
    found = np.quantile(seconds, LEVELS)
    return Quantiles(float(seconds.mean()), {level: float(each) for level, each in zip(LEVELS, found, strict=True)})


def _nothing() -> Quantiles:
    return Quantiles(inf, dict.fromkeys(LEVELS, inf))


def with_settings(profile: ProfileSettings, **changed: float) -> ProfileSettings:
    """Return *profile* with other settings, its timeout kept to what Azure allows at that interval (azure-facts §1.5)."""
    other = replace(profile, **changed)  # type: ignore[arg-type] # tolerated is whole by its name
    return replace(other, timeout_s=min(other.timeout_s, 9.0)) if other.interval_s < 30 else other
