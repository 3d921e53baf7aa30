"""The form of findings.json: every value a run is concluded in, as one tree of frozen dataclasses.

    Findings
    ├── drill        what was run, when, and whether it ended by itself
    ├── verdict, reasons, judgements
    ├── slo          objective, budget, what this run consumed of it
    ├── recovery     t0 … sustained recovery, cut into segments that sum to it exactly
    ├── forecast     what was predicted of it before the first change
    ├── downtime     the time lost, as bounds, and every outage
    ├── traffic      availability and latency: in all, per population, region and path
    ├── dns, monitor strips of answers and of monitor statuses over time
    ├── instrument   was the measurement itself fit to be believed?
    ├── actions, steps, timeline, notes
    └── environment, settings

Instants are epoch seconds, durations end in `_s` (seconds) or `_ns` (whole nanoseconds), shares are fractions.
Every figure that sampling cannot pin down stands between `at_least_s` and `at_most_s`. `None` means: not known, or
without bound. docs/findings.schema.json is generated from this module (`python -m failover_drill.findings_schema`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from math import isfinite
from typing import Any, Final, Literal

from failover_drill.errors import Inconclusive, ObjectiveNotMet

SCHEMA: Final = "failover-drill/findings/2"
OLDER: Final = ("failover-drill/findings/1",)
"""Without `forecast` and `settings`; read as if there were none."""


class Verdict(StrEnum):
    """At most ≤ limit is MET, at least > limit is MISSED, anything else INCONCLUSIVE (measurement.md §5)."""

    MET = "MET"
    MISSED = "MISSED"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, slots=True)
class DrillForm:
    """What was run."""

    name: str
    kind: Literal["drill", "observation"]
    run: str
    began: float
    ended: float
    duration_s: float
    interrupted: str
    """Why the run did not end by itself; empty where it did."""
    restored: str
    """"yes", empty (nothing to restore), or what still differs from the state at the start."""
    time_scale: float
    """Probe intervals and platform delays of the estate were divided by this; 1 is real time."""
    primary: str
    secondary: str
    ttl_s: int | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One objective held against what was measured."""

    objective: Literal[
        "recovery time", "error budget", "data loss", "availability", "restored", "completed", "instrument"
    ]
    verdict: Verdict
    reason: str
    limit_s: float | None = None
    at_least_s: float | None = None
    at_most_s: float | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A duration known only to lie between two values. `at_most_s` None: without bound (open outage)."""

    estimate_s: float
    at_least_s: float
    at_most_s: float | None


@dataclass(frozen=True, slots=True)
class Availability:
    """Request-based availability, good / (good + bad), with its Wilson 95 % interval. None: no samples."""

    good: int
    bad: int
    cut: int
    """Killed at the end of the run: neither good nor bad."""
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Latency:
    """Of good samples, seconds. None: there were none."""

    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None


@dataclass(frozen=True, slots=True)
class SloForm:
    """The error budget, and what this run consumed of it (measurement.md §5)."""

    objective: float
    window_s: float
    budget_s: float
    drill_share: float
    """Share of the budget that this run may cost."""
    allowed_s: float
    """The same in seconds."""
    consumed: Span
    consumed_share: float
    consumed_share_at_least: float
    consumed_share_at_most: float | None
    events_affordable: int | None
    """How many such events the window affords; None: this one cost nothing that could be seen."""
    rto_s: float
    rpo_s: float | None
    stabilisation_s: float
    judged: tuple[str, ...]
    """The populations that the objectives are judged on: those that honour the TTL."""


@dataclass(frozen=True, slots=True)
class SegmentForm:
    """One part of the recovery time. `occurred` False: nothing marked its end, so it is 0 s."""

    name: str
    began: float
    ended: float
    took_s: float
    took_ns: int
    share: float
    """Of the time that all segments cover."""
    occurred: bool
    ended_by: str
    """What bounded it, in words."""


@dataclass(frozen=True, slots=True)
class MilestoneForm:
    mark: str
    at: float
    note: str


@dataclass(frozen=True, slots=True)
class DataLoss:
    """Acknowledged writes that were missing afterwards (RPO, actual). Present where the app has a data probe."""

    acknowledged: int
    """Before the read-back; so are all that follow."""
    lost: int
    """Acknowledged, and missing where users were moved to."""
    loss: Span
    """From the first lost write until the region that lost it took no more."""
    refused: int
    """The app said no, or they were never sent."""
    unknown: int
    """Sent, and nobody said what became of them, in time or at all."""
    arrived: int
    """Of those of unknown outcome: there all the same."""
    first_lost: float | None
    """When the first lost write was sent."""
    last_lost: float | None
    read_back: float
    """When the region was asked that users were moved to."""
    region: str
    """Who was asked."""


@dataclass(frozen=True, slots=True)
class RecoveryForm:
    """From the first disruptive act to sustained recovery of the judged clients."""

    occurred: bool
    """False: nothing disruptive was done, so there is nothing to recover from."""
    recovered: bool
    began: float | None
    """t0."""
    began_by: str
    ended: float | None
    """The first instant from which availability stays at or above the objective for `stabilisation_s`."""
    time_s: float | None
    time_ns: int | None
    """Exactly the sum of the segments' `took_ns`. None: not recovered; the segments then reach to the last bad sample."""
    at_least_s: float | None
    at_most_s: float | None
    rto_s: float
    segments: tuple[SegmentForm, ...]
    milestones: tuple[MilestoneForm, ...]
    data_loss: DataLoss | None = None


Within = Literal["50 %", "95 %", "99 %", "below", "above"]
"""The narrowest interval of a forecast that holds a measured figure; below or above them all."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """A predicted duration: its mean, its median, and between what so many of 100 failovers lie. Seconds."""

    mean_s: float
    """The means of the segments sum to the mean of the recovery time; nothing else sums."""
    median_s: float
    inner_50: tuple[float, float]
    inner_95: tuple[float, float]
    inner_99: tuple[float, float]
    measured_s: float | None
    """None: users had not recovered when the run, or the drill's own way of bringing them back, was over."""
    measured_within: Within | None
    """None also where the forecast leaves this segment out."""


@dataclass(frozen=True, slots=True)
class PredictedSegment:
    name: str
    took: Predicted


@dataclass(frozen=True, slots=True)
class ForecastForm:
    """What was predicted before the first change, from the profile and the time scale as they were then."""

    kind: Literal["planned", "refused", "hang", "stopped"]
    """By the operator's acts; or Traffic Manager alone, the region refusing or erring, hanging, or its app stopped."""
    runs: int
    """Failovers played."""
    seed: int
    never: str
    """Why nobody would have come back; empty where they would. Where it is told, there are no figures."""
    recovery: Predicted | None
    downtime: Predicted | None
    """Of the failover itself, weighted by users: until they recovered. What putting back costs is not predicted."""
    segments: tuple[PredictedSegment, ...]


@dataclass(frozen=True, slots=True)
class OutageForm:
    """One stretch in which the service was out. `at_least_s` ≤ true length ≤ `at_most_s`."""

    began: float
    """Point estimate."""
    ended: float
    """Point estimate; where `open_end`, the last that was seen of it."""
    began_earliest: float | None
    began_latest: float
    ended_earliest: float
    ended_latest: float | None
    estimate_s: float
    at_least_s: float
    at_most_s: float | None
    outcome: str
    """What most of its bad samples met: refused, timeout, http_error, …"""
    outcomes: Mapping[str, int]
    partial: bool
    """Some samples inside it were good: only some clients were out."""
    availability: float
    """Share of good samples inside it; 0 where it was total."""
    lost_s: float
    """User-weighted downtime inside it."""
    open_start: bool
    """The run began inside it."""
    open_end: bool
    """The run ended inside it."""
    bad: int
    populations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorstClient:
    """The longest outage of any one population."""

    population: str
    length: Span
    judged: bool


@dataclass(frozen=True, slots=True)
class DowntimeForm:
    """The time lost by the judged clients."""

    user_weighted: Span
    """Integral of (1 − availability) by send time; the budget is charged with it."""
    full_outage: Span
    """Time in which every population had bad samples and none a good one."""
    worst_client: WorstClient | None
    sla_minutes: int
    """Whole clock minutes without a good sample: only the named arithmetic of cloud SLAs, too coarse for a drill."""
    minutes_watched: int
    blind_spot_s: float | None
    """The longest outage that could hide between two good samples."""
    outages: tuple[OutageForm, ...]
    """Merged over the judged populations; of very many, the longest."""
    outages_in_all: int
    full_outages: tuple[OutageForm, ...]
    """Stretches in which every population had bad samples and none a good one; of very many, the longest."""


@dataclass(frozen=True, slots=True)
class RegionShare:
    region: str
    good: int
    bad: int


@dataclass(frozen=True, slots=True)
class PopulationForm:
    """What one kind of client lived through."""

    name: str
    judged: bool
    share: float
    """Of all samples."""
    gap_s: float | None
    """Median time between its samples."""
    availability: Availability
    latency: Latency
    downtime: Span
    outages: tuple[OutageForm, ...]
    longest: Span | None
    regions: tuple[RegionShare, ...]
    outcomes: Mapping[str, int]
    cut_over: float | None
    """First good answer of the region that users were moved to, after t0, before anything was undone."""
    left_primary: float | None
    """Last good answer of the region that they were moved from, after t0, before anything was undone; None: none."""
    came_back: bool
    """No outage of it was still open when the run ended, or when the undoing began."""


@dataclass(frozen=True, slots=True)
class GroupForm:
    """Samples by the region that served them, or by the path asked for. Region "" is nobody: no answer told one."""

    name: str
    availability: Availability
    latency: Latency
    first_good: float | None
    last_good: float | None
    downtime: Span | None
    """Of the judged clients on this path; None for regions (nobody asks a region) and where there is one path only."""


@dataclass(frozen=True, slots=True)
class TrafficForm:
    """All samples of the run."""

    began: float | None
    ended: float | None
    rate_per_s: float
    """Asked for: one sample each `gap_s`."""
    gap_s: float
    latency_limit_s: float
    overall: Availability
    judged: Availability
    latency: Latency
    outcomes: Mapping[str, int]
    populations: tuple[PopulationForm, ...]
    regions: tuple[GroupForm, ...]
    paths: tuple[GroupForm, ...]


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """One DNS answer, from the first time it was seen to the first time another was."""

    began: float
    ended: float
    answer: str
    """Addresses, or the response code where there were none."""
    region: str
    rcode: str


@dataclass(frozen=True, slots=True)
class AnswerStrip:
    vantage: str
    """"authority", or the resolver asked."""
    spans: tuple[AnswerSpan, ...]
    switched: float | None
    """When it first answered with the region that users were moved to, after t0."""


@dataclass(frozen=True, slots=True)
class DnsForm:
    ttl_s: int | None
    names: tuple[str, ...]
    questions: int
    unanswered: int
    authority_switched: float | None
    last_switched: float | None
    propagation_s: float | None
    """Authority switched → last watched resolver switched."""
    strips: tuple[AnswerStrip, ...]


@dataclass(frozen=True, slots=True)
class MonitorSpan:
    began: float
    ended: float
    enabled: str
    health: str


@dataclass(frozen=True, slots=True)
class MonitorStrip:
    """Statuses of one endpoint (or "profile"): what an operator set, and what probing found."""

    subject: str
    spans: tuple[MonitorSpan, ...]


@dataclass(frozen=True, slots=True)
class Lag:
    """How late the generator sent: sent − intended, seconds."""

    p50_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class WorkerForm:
    worker: int
    scheduled: int
    recorded: int
    lag: Lag | None
    offset_s: float
    offset_bound_s: float
    finished: bool


@dataclass(frozen=True, slots=True)
class ControlForm:
    """The control probe: low-rate traffic to a target that no drill touches."""

    samples: int
    bad: int
    bad_in_outages: int
    """Bad while the target was out: then the fault may be ours."""
    lag: Lag | None


@dataclass(frozen=True, slots=True)
class SelfTestForm:
    """The newest self-test of the instrument on this machine (`failover-drill selftest`)."""

    at: float
    machine: str
    commit: str
    fit: bool
    cases: int
    bounds_held: int
    median_error_gaps: float
    p95_error_gaps: float
    sustainable_rate_per_s: float | None


@dataclass(frozen=True, slots=True)
class InstrumentForm:
    """Was the instrument fit? If not, the verdict is INCONCLUSIVE (measurement.md §5-6)."""

    fit: bool
    reasons: tuple[str, ...]
    scheduled: int
    recorded: int
    lost: int
    coverage: float | None
    lag: Lag | None
    locust_requests: int
    locust_failures: int
    locust_agrees: bool
    offset_bound_s: float
    control: ControlForm
    workers: tuple[WorkerForm, ...]
    self_test: SelfTestForm | None = None


@dataclass(frozen=True, slots=True)
class ActionForm:
    """One change of the estate. `purpose`: "deed", "undo"; "preparation" or "fault" of a scenario; "lock"; "wake" (probing)."""

    seq: int
    verb: str
    resource: str
    region: str
    purpose: str
    promised: float
    sent: float | None
    done: float | None
    took_s: float | None
    outcome: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    segment: str | None
    request_id: str
    error: str


@dataclass(frozen=True, slots=True)
class StepForm:
    """One Gherkin step. `outcome` is "passed", "failed", "interrupted" or "not run"."""

    index: int
    keyword: str
    text: str
    began: float | None
    ended: float | None
    took_s: float | None
    outcome: str
    error: str


@dataclass(frozen=True, slots=True)
class Series:
    """Counts per bucket, by send time; one entry for each bucket of the timeline."""

    name: str
    good: tuple[int, ...]
    bad: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The run in at most 600 equal buckets. Bucket i covers [began + i·bucket_s, began + (i+1)·bucket_s)."""

    began: float
    bucket_s: float
    buckets: int
    good: tuple[int, ...]
    bad: tuple[int, ...]
    availability: tuple[float | None, ...]
    """Of the judged populations; None where a bucket has no sample of them."""
    rate_per_s: tuple[float, ...]
    p50_s: tuple[float | None, ...]
    p95_s: tuple[float | None, ...]
    p99_s: tuple[float | None, ...]
    regions: tuple[Series, ...]
    """By the region that answered; "" is nobody."""
    populations: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """One finding in plain words, with the figure behind it."""

    topic: Literal["recovery", "forecast", "budget", "dns", "outage", "clients", "instrument", "slo", "estate", "data"]
    text: str
    figure: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """What one run showed, and the verdict."""

    schema: Literal["failover-drill/findings/2"]
    drill: DrillForm
    verdict: Verdict
    reasons: tuple[str, ...]
    """Why this verdict, the weightiest first."""
    judgements: tuple[Judgement, ...]
    notes: tuple[Note, ...]
    slo: SloForm
    recovery: RecoveryForm
    forecast: ForecastForm | None
    """None: nothing failed over, or nothing was predicted."""
    downtime: DowntimeForm
    traffic: TrafficForm
    dns: DnsForm
    monitor: tuple[MonitorStrip, ...]
    instrument: InstrumentForm
    actions: tuple[ActionForm, ...]
    steps: tuple[StepForm, ...]
    timeline: Timeline
    environment: Mapping[str, str]
    settings: Mapping[str, str]
    """In force during the run, by their dotted names in drill.toml; what could be a secret is left out."""

    def to_dict(self) -> dict[str, Any]:
        """Return the findings as findings.json has them: plain, ready for `json.dumps(…, allow_nan=False)`."""
        plain = as_plain(self)
        assert isinstance(plain, dict)
        return plain

    def raise_unless_met(self) -> None:
        """Raise ObjectiveNotMet where the verdict is MISSED, Inconclusive where it is INCONCLUSIVE, with the reasons."""
        if self.verdict is not Verdict.MET:
            raise (ObjectiveNotMet if self.verdict is Verdict.MISSED else Inconclusive)("; ".join(self.reasons))


def as_plain(value: object) -> Any:
    """Return `value` in JSON's types. Infinite and undefined numbers become None; floats are rounded to 1 ns."""
    if is_dataclass(value):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_plain(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [as_plain(each) for each in value]
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, float):
        return round(value, 9) if isfinite(value) else None
    return value
