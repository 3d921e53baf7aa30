"""The small frozen values that a drill writes down. Everything else is computed from them.

    Sample      one scheduled request, as its sender saw it
    Resolution  one DNS answer, as the asker saw it
    Action      one call that changes the estate: promised, then its outcome
    StepMark    one Gherkin step, begun and ended
    Milestone   one instant that bounds a segment of the recovery time
    Reading     one look at a Traffic Manager endpoint's or profile's monitor status
    Write       one numbered write of the data probe, as its sender saw it
    ReadBack    which of those writes a region had when asked

All instants are nanoseconds of the harness host's CLOCK_MONOTONIC (`*_ns`); the run's `ClockAnchor`, taken
once at the start, turns them into wall time. A clock step can therefore neither create nor hide an outage.

Samples are many, so they also have a fixed 32-byte record (`SAMPLE_DTYPE`), which is what the load process writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np


class Outcome(IntEnum):
    """How one request ended (measurement.md §1). Only `OK` is good; `CUT` is neither good nor bad."""

    OK = 0
    HTTP_ERROR = 1
    WRONG_CONTENT = 2
    SLOW = 3
    REFUSED = 4
    RESET = 5
    TIMEOUT = 6
    DNS_ERROR = 7
    TLS_ERROR = 8
    SHED = 9
    CUT = 10


class Population(IntEnum):
    """The kinds of client that are driven at once (measurement.md §2)."""

    FRESH = 0
    KEEPALIVE = 1
    STICKY = 2


class Flag(IntEnum):
    """Bits of `Sample.flags`."""

    RETRIED = 1  # a reused connection proved stale before a byte came back; sent again once
    REUSED = 2  # went out on a pooled connection


class Segment(StrEnum):
    """The parts of the recovery time, in order (measurement.md §4). They sum to it exactly."""

    DETECT = "detect"
    DISABLE_PRIMARY = "disable primary"
    ENABLE_SECONDARY = "enable secondary"
    SWITCH_DNS = "switch DNS"
    PROPAGATE = "propagate"
    DRAIN = "drain"
    STABILISE = "stabilise"


class Mark(StrEnum):
    """The instants the drill itself notes; the end of the segment named beside each."""

    FAULT = "fault"  # t0: the first disruptive act, or the injected fault
    DETECTED = "detected"  # detect
    PRIMARY_DISABLED = "primary disabled"  # disable primary: confirmed, and the region no longer serves
    SECONDARY_ENABLED = "secondary enabled"  # enable secondary: confirmed, and it answers when asked directly
    AUTHORITY_SWITCHED = "authority switched"  # switch DNS: the authority answers with the secondary
    RESOLVERS_SWITCHED = "resolvers switched"  # propagate: every watched resolver does


class ActionOutcome(StrEnum):
    PROMISED = "promised"  # journalled, not (yet) known to have been sent
    OK = "ok"
    FAILED = "failed"  # the platform said no: nothing changed
    UNKNOWN = "unknown"  # timeout or reset: settled later by reading again


class WriteOutcome(StrEnum):
    """What the sender of a write may count on."""

    ACKNOWLEDGED = "acknowledged"  # the app said that it keeps it
    REFUSED = "refused"  # the app, or its front end, said no; or gave no connection
    UNSENT = "unsent"  # it never left: no address, or this machine had no means
    UNANSWERED = "unanswered"  # sent, and no answer came in time
    UNKNOWN = "unknown"  # sent, and the connection broke, or a gateway answered that heard none


SAMPLE_DTYPE = np.dtype(
    [
        ("intended_ns", "<i8"),  # the instant that the open-loop grid said to send
        ("late_us", "<u4"),  # sent − intended, µs
        ("took_us", "<u4"),  # done − sent, µs
        ("lane", "<u2"),  # stream of one client
        ("resolver", "<u2"),  # which name cache was asked
        ("status", "<u2"),  # HTTP status, 0 where there was none
        ("worker", "<u2"),  # load process, 0 when there is one
        ("outcome", "u1"),  # Outcome
        ("population", "u1"),  # Population
        ("region", "u1"),  # index into SampleNames.regions; 0 is "nobody"
        ("address", "u1"),  # index into SampleNames.addresses; 0 is "none"
        ("path", "u1"),  # index into SampleNames.paths
        ("flags", "u1"),  # bits of Flag
        ("spare", "<u2"),
    ]
)
assert SAMPLE_DTYPE.itemsize == 32

UNPLANNED_LANE = 65535
"""The lane of requests that nobody had scheduled, of user classes that are not ours; the plan's lanes are below."""

SampleRecords = np.ndarray[tuple[int], np.dtype[np.void]]
"""A 1-d array of `SAMPLE_DTYPE`."""


@dataclass(frozen=True, slots=True)
class ClockAnchor:
    """One instant read on both clocks: wall (ns since 1970) and CLOCK_MONOTONIC (ns)."""

    wall_ns: int
    mono_ns: int

    def wall_s(self, mono_ns: int) -> float:
        """Return the wall time, in epoch seconds, of a monotonic instant."""
        return (self.wall_ns + mono_ns - self.mono_ns) / 1e9


@dataclass(frozen=True, slots=True)
class SampleNames:
    """What the small integers of a sample record stand for."""

    regions: tuple[str, ...] = ("",)
    addresses: tuple[str, ...] = ("",)
    paths: tuple[str, ...] = ("/",)


@dataclass(frozen=True, slots=True)
class Sample:
    """One request, spelled out. For people, tests and property laws; arrays carry the bulk."""

    intended_ns: int
    sent_ns: int
    done_ns: int
    outcome: Outcome
    status: int = 200
    region: str = ""
    address: str = ""
    population: Population = Population.FRESH
    lane: int = 0
    resolver: int = 0
    path: str = "/"
    worker: int = 0
    flags: int = 0

    @property
    def good(self) -> bool:
        return self.outcome is Outcome.OK


@dataclass(frozen=True, slots=True)
class Resolution:
    """One DNS answer. `vantage` names who was asked: "authority", or a resolver of the target."""

    asked_ns: int
    answered_ns: int
    vantage: str
    name: str
    rcode: str  # "NOERROR", "NXDOMAIN", … or "TIMEOUT", "ERROR" where no answer came
    addresses: tuple[str, ...] = ()
    cnames: tuple[str, ...] = ()
    ttl_s: int | None = None
    region: str = ""  # the region that the addresses belong to, "" where unknown


@dataclass(frozen=True, slots=True)
class Action:
    """One change of the estate and its outcome. `segment` is None for undos and for acts outside a recovery."""

    seq: int
    verb: str  # "stop app", "start app", "enable endpoint", "disable endpoint", …
    resource: str  # full ARM resource id
    region: str
    purpose: str  # "deed", "undo"; "preparation", "fault"; "lock", "wake"
    promised_ns: int
    sent_ns: int | None = None
    done_ns: int | None = None
    outcome: ActionOutcome = ActionOutcome.PROMISED
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    segment: Segment | None = None
    request_id: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class StepMark:
    """One Gherkin step. `outcome` is "passed", "failed", "interrupted" or "not run"."""

    index: int
    keyword: str
    text: str
    began_ns: int | None = None
    ended_ns: int | None = None
    outcome: str = "not run"
    error: str = ""


@dataclass(frozen=True, slots=True)
class Milestone:
    mark: Mark
    at_ns: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a monitor status. `subject` is an endpoint's name, or "profile"."""

    at_ns: int
    subject: str
    enabled: str  # endpointStatus / profileStatus
    health: str  # endpointMonitorStatus / profileMonitorStatus


@dataclass(frozen=True, slots=True)
class Write:
    """One write of the data probe. Numbers count up from 0, one for each slot of its grid."""

    number: int
    intended_ns: int
    sent_ns: int
    done_ns: int
    outcome: WriteOutcome
    status: int = 0  # HTTP status, 0 where there was none
    region: str = ""  # who answered; "" where nobody told


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Which writes a region had: ranges of numbers, first and last included. `error` says why it could not be read."""

    at_ns: int  # just before it was asked
    region: str
    ranges: tuple[tuple[int, int], ...] = ()
    error: str = ""

    def numbers(self) -> frozenset[int]:
        return frozenset(number for first, last in self.ranges for number in range(first, last + 1))


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What one load process says of itself, to be held against its samples."""

    worker: int
    scheduled: int  # slots that fell due
    recorded: int  # records written
    locust_requests: int  # Locust's own totals
    locust_failures: int
    offset_ns: int = 0  # its clock minus the harness's; 0 on one host
    offset_bound_ns: int = 0
    finished: bool = True  # False: the process died; what it had not flushed is lost
    unsent: int = 0  # of those recorded: cut because this machine had no port, descriptor or memory left to send them


@dataclass(frozen=True, slots=True)
class SampleTable:
    """Samples of one run, sorted by `intended_ns + late_us` (order of sending)."""

    records: SampleRecords
    names: SampleNames = SampleNames()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything one run wrote down, as `analyse` takes it.

    `primary` and `secondary` are region names at the start of the drill. `interval_ns` is the gap of the sampling grid.
    `window_ns` is what the traffic was asked to cover, begin and end. `interrupted` says why a drill did not end by itself
    ("" where it did).
    """

    drill: str
    run: str
    anchor: ClockAnchor
    primary: str
    secondary: str
    interval_ns: int
    samples: SampleTable
    control: SampleTable
    workers: tuple[WorkerReport, ...] = ()
    control_workers: tuple[WorkerReport, ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    actions: tuple[Action, ...] = ()
    steps: tuple[StepMark, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    readings: tuple[Reading, ...] = ()
    writes: tuple[Write, ...] = ()
    read_backs: tuple[ReadBack, ...] = ()
    window_ns: tuple[int, int] | None = None
    time_scale: float = 1.0
    ttl_s: int | None = None
    latency_limit_ns: int = 1_000_000_000
    interrupted: str = ""
    restored: str = ""  # "" not attempted, "yes", or what still differs
    environment: Mapping[str, str] = field(default_factory=dict)  # versions, commit, machine; never a secret
    settings: Mapping[str, str] = field(default_factory=dict)  # in force; what could be a secret is left out
    self_test: Mapping[str, object] = field(
        default_factory=dict
    )  # the newest self-test on this machine, if there is one
    forecasts: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict
    )  # by kind of failover, made before the first change (forecast.Forecast.to_dict); empty where none was made

    @property
    def destination(self) -> str:
        """The region that users are moved to: the one whose endpoint was first enabled, else the secondary.

        In a failback that is the primary: what had moved users away before was preparation, and no deed.
        """
        enabled = [a for a in self.actions if a.purpose == "deed" and a.verb == "enable endpoint"]
        return self.primary if enabled and enabled[0].region == self.primary else self.secondary

    @property
    def origin(self) -> str:
        """The region that users are moved from."""
        return self.secondary if self.destination == self.primary else self.primary


@dataclass(frozen=True, slots=True)
class Objectives:
    """What the drill is judged against. Shares are fractions: 99.9 % is 0.999."""

    availability: float = 0.999
    window_s: float = 30 * 86_400.0
    rto_s: float = 60.0
    drill_share: float = 0.10  # of the error budget that one drill may cost
    rpo_s: float | None = None
    stabilisation_s: float = 10.0
    judged: tuple[Population, ...] = (Population.FRESH, Population.KEEPALIVE)  # the clients that honour the TTL
