"""The form of findings.json: every value a run is concluded in, as one tree of frozen dataclasses.

    Findings
    ├── drill        what was run, when, and whether it ended by itself
    ├── verdict, reasons, judgements                                                    form_verdict.py
    ├── slo          objective, budget, what this run consumed of it
    ├── recovery     t0 … sustained recovery, cut into segments that sum to it exactly  form_recovery.py
    ├── forecast     what was predicted of it before the first change
    ├── downtime     the time lost, as bounds, and every outage                         form_downtime.py
    ├── traffic      availability and latency: in all, per population, region and path  form_traffic.py
    ├── timeline     the same over time
    ├── dns, monitor strips of answers and of monitor statuses over time                form_strips.py
    ├── instrument   was the measurement itself fit to be believed?                     form_instrument.py
    ├── actions, steps, notes
    └── environment, settings

Instants are epoch seconds, durations end in `_s` (seconds) or `_ns` (whole nanoseconds), shares are fractions.
Every figure that sampling cannot pin down stands between `at_least_s` and `at_most_s`. `None` means: not known, or
without bound. docs/findings.schema.json is generated from them (`python -m failover_drill.findings_schema`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from math import isfinite
from typing import Any, Final, Literal

from failover_drill.errors import Inconclusive, ObjectiveNotMet
from failover_drill.form_downtime import DowntimeForm
from failover_drill.form_instrument import InstrumentForm
from failover_drill.form_recovery import ForecastForm, RecoveryForm
from failover_drill.form_strips import DnsForm, MonitorStrip
from failover_drill.form_traffic import Timeline, TrafficForm
from failover_drill.form_verdict import Judgement, SloForm, Verdict

SCHEMA: Final = "failover-drill/findings/2"
OLDER: Final = ("failover-drill/findings/1",)
"""Without `forecast` and `settings`; read as if there were none."""


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
