"""Traffic Manager's monitor: what probing makes of an endpoint, and endpoints of a profile. Tables; no clock, no socket.

Rules
-----
Everything that changes a health lives here. Nothing here knows what time it is: whoever probes calls `Vote.heard` when a probe
has ended, and `step` when something happened.

Theory of operation (azure-facts §3.1, §3.4, §3.6)
--------------------------------------------------
1. What the operator set comes first (`OPERATOR`): a disabled endpoint is Disabled, an endpoint of a disabled profile Inactive,
   one with alwaysServe Unmonitored. Only what is left is probed.
2. Probes come from several locations, and each counts for itself (`Location`): beyond the tolerated number of consecutive
   failures it says DOWN, after a single success UP.
3. The endpoint is up while at least half of the locations do not say DOWN (`verdict`), and some location has said UP.
4. A web app that stops makes its endpoint Stopped, which is not probed any more. Only when the restart is noticed, or the
   endpoint is disabled and enabled again, does it go back to CheckingEndpoint. That is the failback trap.
5. A nested endpoint is not probed: it follows the number of its child's healthy endpoints (`nested`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from local_estate.topology import Endpoint, Health, Probe, Profile, Status


class Event(StrEnum):
    """What can happen to an endpoint."""

    ENABLED = "enabled"  # also: profile enabled again, alwaysServe switched off
    DISABLED = "disabled"
    PROFILE_DISABLED = "profile disabled"
    ALWAYS_SERVE = "always served"
    PROBES_UP = "probes say up"
    PROBES_DOWN = "probes say down"
    APP_STOPPED = "app stopped"
    APP_RESTARTED = "restart noticed"


_CHECKING, _ONLINE, _DEGRADED = Health.CHECKING_ENDPOINT, Health.ONLINE, Health.DEGRADED
_STOPPED, _DISABLED, _INACTIVE, _UNMONITORED = Health.STOPPED, Health.DISABLED, Health.INACTIVE, Health.UNMONITORED

HEALTHS = (_CHECKING, _ONLINE, _DEGRADED, _STOPPED, _DISABLED, _INACTIVE, _UNMONITORED)
PROBED = frozenset({_CHECKING, _ONLINE, _DEGRADED})

# Whatever the health was, the operator's word decides.
_BY_OPERATOR = {
    Event.DISABLED: _DISABLED,
    Event.PROFILE_DISABLED: _INACTIVE,
    Event.ALWAYS_SERVE: _UNMONITORED,
    Event.ENABLED: _CHECKING,
}

TRANSITIONS: Mapping[tuple[Health, Event], Health] = {
    **{(health, event): after for event, after in _BY_OPERATOR.items() for health in HEALTHS},
    # Enabling what is being checked, probed or stopped already changes nothing.
    **{(health, Event.ENABLED): health for health in (_CHECKING, _ONLINE, _DEGRADED, _STOPPED)},
    (_CHECKING, Event.PROBES_UP): _ONLINE,
    (_CHECKING, Event.PROBES_DOWN): _DEGRADED,
    (_ONLINE, Event.PROBES_UP): _ONLINE,
    (_ONLINE, Event.PROBES_DOWN): _DEGRADED,
    (_DEGRADED, Event.PROBES_UP): _ONLINE,
    (_DEGRADED, Event.PROBES_DOWN): _DEGRADED,
    (_CHECKING, Event.APP_STOPPED): _STOPPED,
    (_ONLINE, Event.APP_STOPPED): _STOPPED,
    (_DEGRADED, Event.APP_STOPPED): _STOPPED,
    (_STOPPED, Event.APP_STOPPED): _STOPPED,
    (_STOPPED, Event.APP_RESTARTED): _CHECKING,
}

# (profile status, endpoint status, alwaysServe) -> what the operator's settings amount to
OPERATOR: Mapping[tuple[Status, Status, Status], Event] = {
    (profile, endpoint, always): (
        Event.DISABLED
        if endpoint is Status.DISABLED
        else Event.PROFILE_DISABLED
        if profile is Status.DISABLED
        else Event.ALWAYS_SERVE
        if always is Status.ENABLED
        else Event.ENABLED
    )
    for profile in Status
    for endpoint in Status
    for always in Status
}


def step(health: Health, event: Event) -> Health:
    """Return the health after *event*; what the table does not name changes nothing (a late probe of a Stopped endpoint)."""
    return TRANSITIONS.get((health, event), health)


def operator_event(profile: Profile, endpoint: Endpoint) -> Event:
    """Return what the operator's settings for *endpoint* amount to."""
    return OPERATOR[profile.status, endpoint.status, endpoint.always_serve]


@dataclass(frozen=True, slots=True)
class Location:
    """What one probing location found so far. `up` is None until it has made up its mind."""

    failures: int = 0  # consecutive
    up: bool | None = None

    def heard(self, success: bool, tolerated: int) -> Location:
        """Return this location after one more probe."""
        if success:
            return Location(0, True)
        failures = self.failures + 1
        return Location(failures, False if failures > tolerated else self.up)


def verdict(locations: Iterable[Location]) -> Event | None:
    """Return what the locations say together, None while none has said anything.

    Up while at least half of them do not say DOWN (MON: degraded when "less than 50 %" say up).
    """
    votes = [location.up for location in locations]
    if 2 * votes.count(False) > len(votes):
        return Event.PROBES_DOWN
    return Event.PROBES_UP if True in votes else None


@dataclass(slots=True)
class Vote:
    """All locations that probe one endpoint."""

    count: int
    locations: list[Location] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything: the endpoint is checked anew."""
        self.locations = [Location() for _ in range(self.count)]

    def heard(self, location: int, success: bool, tolerated: int) -> Event | None:
        """Take in one probe; return what the locations now say together."""
        self.locations[location] = self.locations[location].heard(success, tolerated)
        return verdict(self.locations)


def is_success(probe: Probe, status: int) -> bool:
    """Whether HTTP *status* counts as up: 200, or in one of the expected ranges where there are any."""
    return status == 200 if not probe.expected else any(r.low <= status <= r.high for r in probe.expected)


def profile_health(status: Status, endpoints: Iterable[Health]) -> Health:
    """Return a profile's monitor status (azure-facts §3.1). An Unmonitored endpoint counts as Online (U: undocumented)."""
    if status is Status.DISABLED:
        return Health.DISABLED
    found = set(endpoints)
    for members, health in PROFILE_TABLE:
        if found & members:
            return health
    return Health.INACTIVE


# The first line that has a member among the endpoints' healths decides.
PROFILE_TABLE: tuple[tuple[frozenset[Health], Health], ...] = (
    (frozenset({_DEGRADED}), Health.DEGRADED),
    (frozenset({_ONLINE, _UNMONITORED}), Health.ONLINE),
    (frozenset({_CHECKING}), Health.CHECKING_ENDPOINTS),
)


def nested(child: Health, endpoints: Iterable[Health], min_child: int) -> Health:
    """Return the health of a nested endpoint from its child profile's (D NEST); *child* is the child's own status."""
    if child in (Health.DISABLED, Health.INACTIVE):
        return Health.STOPPED
    found = list(endpoints)
    online = found.count(_ONLINE) + found.count(_UNMONITORED)
    if online >= min_child:
        return Health.ONLINE
    return Health.CHECKING_ENDPOINT if online + found.count(_CHECKING) >= min_child else Health.DEGRADED
