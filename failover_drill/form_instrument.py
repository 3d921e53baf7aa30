"""Whether the measurement was fit to be believed, in findings.json."""

from __future__ import annotations

from dataclasses import dataclass


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
