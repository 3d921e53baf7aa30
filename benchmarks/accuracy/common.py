"""What the accuracy benchmarks share: schedules, the server, our own measurement, and where and when it was taken."""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from failover_drill.adapters.load import Load  # noqa: E402
from failover_drill.clock import anchor as now_anchor  # noqa: E402
from failover_drill.facts import ClockAnchor, Facts, Objectives  # noqa: E402
from failover_drill.measured import measure  # noqa: E402
from failover_drill.samples import read_samples  # noqa: E402
from failover_drill.traffic import TrafficPlan  # noqa: E402

KINDS = ("refused", "503", "reset", "hang")
LEAD_S = 2.0
AFTER_HANG_S = 2.5  # longer than the client's time limit


@dataclass(frozen=True)
class Truth:
    """One outage as the server made it; each instant as [just before the switch, just after]."""

    kind: str
    began_ns: tuple[int, int]
    ended_ns: tuple[int, int]

    @property
    def length_s(self) -> float:
        return (self.ended_ns[0] - self.began_ns[0]) / 1e9

    @property
    def unsure_s(self) -> float:
        """How far the two stamps of the two switches lie apart: the server was itself kept from running."""
        return (self.ended_ns[1] - self.ended_ns[0] + self.began_ns[1] - self.began_ns[0]) / 1e9


@dataclass(frozen=True)
class Case:
    """One outage as seen at one rate. Errors in seconds; `found` is how many outages were reported for it."""

    truth: Truth
    rate: float
    found: int
    estimate_s: float
    at_least_s: float
    at_most_s: float
    lag_s: float

    @property
    def error_s(self) -> float:
        return abs(self.estimate_s - self.truth.length_s)

    @property
    def held(self) -> bool:
        return self.found == 1 and self.at_least_s <= self.truth.length_s <= self.at_most_s

    @property
    def held_by_the_other_stamps(self) -> bool:
        unsure = self.truth.unsure_s
        return self.found == 1 and self.at_least_s - unsure <= self.truth.length_s <= self.at_most_s + unsure

    @property
    def fit(self) -> bool:
        """The generator kept its schedule at both switches (lag p99 of at most a gap), and the truth is known well."""
        return self.lag_s <= 1 / self.rate and self.truth.unsure_s <= 0.1 / self.rate


def random_schedule(outages: int, seed: int, kinds: Sequence[str] = KINDS, pause_s: float = 1.2) -> list[list[object]]:
    """Outages of 0.2 to 5 s, uniformly, kinds in turn, with random pauses so that no grid is in step with them.

    After a hang the pause is longer: what still waits would be reset all at once by the next outage, a burst of its own.
    """
    rng = random.Random(seed)
    at, schedule = LEAD_S, []
    for number in range(outages):
        length, kind = rng.uniform(0.2, 5.0), kinds[number % len(kinds)]
        schedule.append([at, length, kind])
        at += length + (AFTER_HANG_S if kind == "hang" else pause_s) + rng.uniform(0.0, 0.6)
    return schedule


def duration_s(schedule: Sequence[Sequence[object]]) -> float:
    return float(schedule[-1][0]) + float(schedule[-1][1]) + 2.0  # type: ignore[arg-type]


class FaultServer:
    """The server as a process of its own."""

    def __init__(self, address: str, schedule: Sequence[object], directory: Path) -> None:
        self.truth_file = directory / "truth.jsonl"
        script = directory / "schedule.json"
        script.write_text(json.dumps(schedule))
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "server.py"), address, str(script), str(self.truth_file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.url = f"http://{address}:{self.port}/"

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def wait(self) -> tuple[Truth, ...]:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "done\n"
        lines = self.truth_file.read_text().splitlines()
        return tuple(
            Truth(each["kind"], tuple(each["began_ns"]), tuple(each["ended_ns"])) for each in map(json.loads, lines)
        )

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def start_ours(
    url: str, rate: float, directory: Path, timeout_s: float, **settings: object
) -> tuple[Load, TrafficPlan]:
    plan = TrafficPlan(url=url, out_dir=str(directory), rate=rate, timeout_s=timeout_s, **settings)  # type: ignore[arg-type]
    load = Load()
    load.start(plan, directory)
    return load, plan


def facts_of(plan: TrafficPlan, anchor: ClockAnchor) -> Facts:
    samples, workers = read_samples(Path(plan.out_dir))
    control, control_workers = read_samples(Path(plan.out_dir), "control")
    return Facts(
        drill="accuracy", run="1", anchor=anchor, primary="eastus", secondary="", interval_ns=plan.gap_ns,
        samples=samples, control=control, workers=workers, control_workers=control_workers,
        latency_limit_ns=int(plan.slow_s * 1e9),
    )  # fmt: skip


def cases_of(plan: TrafficPlan, anchor: ClockAnchor, truths: Iterable[Truth]) -> list[Case]:
    """Hold each true outage against what was measured at this plan's rate."""
    facts = facts_of(plan, anchor)
    found = measure(facts, Objectives()).outages
    records = facts.samples.records
    sent = records["intended_ns"] + records["late_us"].astype("<i8") * 1000
    cases = []
    for truth in truths:
        margin = 600_000_000
        near = [o for o in found if o.first_ns < truth.ended_ns[0] + margin and o.last_ns > truth.began_ns[0] - margin]
        bounds = [outage.length for outage in near]
        cases.append(
            Case(
                truth, plan.rate, len(near),
                sum(b.estimate_ns for b in bounds) / 1e9,
                sum(b.at_least_ns for b in bounds) / 1e9,
                sum(b.at_most_ns for b in bounds) / 1e9,
                max(_lag_s(records["late_us"], np.searchsorted(sent, at)) for at in (truth.began_ns[0], truth.ended_ns[0])),
            )
        )  # fmt: skip
    return cases


def _lag_s(late_us: np.ndarray, slot: int) -> float:
    """Return the lag p99 of the hundred slots around *slot*, seconds: what went out late elsewhere moves no edge."""
    near = late_us[max(0, slot - 50) : slot + 50]
    return float(np.percentile(near, 99)) / 1e6 if len(near) else float("inf")


def where_and_when() -> str:
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    load = os.getloadavg()
    stamp = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return (
        f"{os.cpu_count()}-core {platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}, "
        f"commit {commit}, {stamp}, load average {load[0]:.1f}"
    )


__all__ = [
    "KINDS", "ROOT", "Case", "FaultServer", "Truth", "cases_of", "duration_s", "facts_of", "now_anchor",
    "random_schedule", "read_samples", "start_ours", "where_and_when",
]  # fmt: skip
