"""`failover-drill selftest`: is the instrument fit on this machine?

Plays scripted outages of known start and length (trial.py, faultserver.py) against the very instrument that drills use, and
compares. Its outcome is kept in reports/selftest.json and carried by every report. Exit status: 0 fit, 1 not.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from failover_drill import trial
from failover_drill.adapters.load import Load
from failover_drill.clock import anchor
from failover_drill.errors import DrillError, SettingsError
from failover_drill.facts import ClockAnchor, Facts, Objectives, Population, SampleTable
from failover_drill.findings import Findings, analyse
from failover_drill.samples import read_samples
from failover_drill.selftest_record import FILE
from failover_drill.settings import runs_kept
from failover_drill.traffic import TrafficPlan
from failover_drill.trial import Case, Fault, S, Truth

LEAD_NS = 300_000_000
"""A fault is announced at least this long before it begins."""

RATES = (500.0, 1_000.0, 2_000.0, 4_000.0)
"""What is tried to find the rate that the machine can sustain, requests per second."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A self-test: its cases, the findings it was read from, and what the machine can sustain."""

    cases: tuple[Case, ...]
    reasons: tuple[str, ...]
    sustainable_per_s: float | None
    rate_per_s: float
    at: float

    @property
    def fit(self) -> bool:
        return not self.reasons

    def summary(self) -> dict[str, Any]:
        """Return the form that findings.json carries."""
        errors = [each.error_gaps for each in self.cases if each.error_gaps is not None]
        return {
            "at": self.at,
            "machine": machine(),
            "commit": commit(),
            "fit": self.fit,
            "cases": len(self.cases),
            "bounds_held": sum(each.held for each in self.cases),
            "median_error_gaps": median(errors) if errors else 0.0,
            "p95_error_gaps": quantiles(errors, n=20)[-1] if len(errors) > 1 else 0.0,
            "sustainable_rate_per_s": self.sustainable_per_s,
        }


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="selftest")(command)


def command(
    quick: Annotated[bool, typer.Option("--quick", help="about a minute instead of about four")] = False,
    rate: Annotated[float, typer.Option(help="requests per second")] = 200.0,
    reports: Annotated[
        Path | None, typer.Option(metavar="DIR", help="where the outcome is kept; else where drill.toml has runs")
    ] = None,
) -> None:
    """Play outages of known length against the instrument on this machine, and print how far off it was."""
    if not 10 <= rate <= 10_000:
        raise SettingsError(f"--rate {rate:g}: must be from 10 to 10000 requests per second")
    where = runs_kept(reports)
    try:
        where.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{where}: cannot be made: {error.strerror}") from None
    console = Console(highlight=False)
    outcome = run(quick, rate, console)
    kept = {"summary": outcome.summary(), "reasons": outcome.reasons, "cases": [asdict(each) for each in outcome.cases]}
    (where / FILE).write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    show(outcome, console)
    raise typer.Exit(0 if outcome.fit else 1)


def run(quick: bool, rate: float, console: Console) -> Outcome:
    """Play the script at `rate`, compare, and find the rate that the machine can sustain."""
    script, began = trial.script(quick), anchor()
    lasts = sum(each.for_ns + each.quiet_ns for each in script) / 1e9
    console.print(f"playing {len(script)} faults at {rate:g}/s, about {lasts:.0f} s …")
    with tempfile.TemporaryDirectory(prefix="failover-drill-") as directory, FaultServer() as server:
        truths, findings = play(server, script, rate, Path(directory), began)
    found = trial.cases(truths, findings, round(1e9 / rate), began.wall_ns - began.mono_ns)
    console.print("finding the rate that this machine can sustain …")
    with FaultServer() as server:
        sustained = sustainable(server, 2.0 if quick else 5.0)
    return Outcome(found, trial.unfit(found, findings), sustained, rate, began.wall_ns / 1e9)


class FaultServer:
    """The fault server as a process. A context manager that ends it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "failover_drill.faultserver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = int(self._read()["port"])

    def play(self, fault: Fault, at_ns: int) -> Truth:
        """Play one fault and return when it really began and ended."""
        assert self._process.stdin is not None
        line = json.dumps({"kind": fault.kind, "at_ns": at_ns, "for_ns": fault.for_ns})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        told = self._read()
        return Truth(fault, told["began_ns"], told["ended_ns"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise DrillError("the self-test's fault server ended before it should")
        told: dict[str, Any] = json.loads(line)
        return told

    def __enter__(self) -> FaultServer:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def play(
    server: FaultServer, script: Sequence[Fault], rate: float, directory: Path, began: ClockAnchor
) -> tuple[list[Truth], Findings]:
    """Send traffic while the server plays the script; return what was true, and what was found."""
    plan = plan_for(server.port, rate, directory)
    truths = []
    with sending(plan, directory):
        at = time.monotonic_ns() + S
        for fault in script:
            at = max(at + fault.quiet_ns, time.monotonic_ns() + LEAD_NS)
            truths.append(server.play(fault, at))
            at = truths[-1].ended_ns
        time.sleep(1.0)  # noqa: TID251 - the outage needs an end
    return truths, analyse(facts_of(plan, directory, began), Objectives(stabilisation_s=1.0))


def plan_for(port: int, rate: float, directory: Path, **more: Any) -> TrafficPlan:
    return TrafficPlan(
        url=f"http://127.0.0.1:{port}/",
        out_dir=str(directory),
        rate=rate,
        expect_content="failover-drill self-test",
        control_rate=10.0,
        **more,
    )


@contextmanager
def sending(plan: TrafficPlan, directory: Path) -> Iterator[None]:
    """Send traffic for as long as the block lasts, and keep every sample of it."""
    with Load() as load:
        load.start(plan, directory)
        yield
        load.stop()


def facts_of(plan: TrafficPlan, directory: Path, began: ClockAnchor) -> Facts:
    samples, workers = read_samples(directory)
    control, control_workers = read_samples(directory, kind="control")
    return Facts(
        "selftest", "", began, "", "", plan.gap_ns, samples, control, workers, control_workers,
        latency_limit_ns=round(plan.slow_s * 1e9),
    )  # fmt: skip


def sustainable(server: FaultServer, for_s: float) -> float | None:
    """Return the highest of `RATES` at which the generator still sent on time; None where it did at none of them."""
    found = None
    for rate in RATES:
        with tempfile.TemporaryDirectory(prefix="failover-drill-") as directory:
            plan = plan_for(server.port, rate, Path(directory))
            with sending(plan, Path(directory)):
                time.sleep(for_s)  # noqa: TID251 - that is how long it has to last
            if not on_time(read_samples(Path(directory))[0], plan.gap_ns):
                return found
        found = rate
    return found


def on_time(samples: SampleTable, gap_ns: int) -> bool:
    """Whether 99 % of the samples went out within a gap of their time, and all of them were good."""
    records = samples.records
    if not len(records):
        return False
    judged = records[np.isin(records["population"], [int(Population.FRESH), int(Population.KEEPALIVE)])]
    return bool(np.quantile(judged["late_us"], 0.99) * 1000 <= gap_ns and (judged["outcome"] % 10 == 0).all())


def show(outcome: Outcome, console: Console) -> None:
    """Print a line for each kind of fault, and the verdict on the instrument."""
    table = Table("fault", "cases", "bounds held", "median error", "worst error", box=None, pad_edge=False)
    for line in trial.lines(outcome.cases):
        typical = "" if line.median_gaps is None else f"{line.median_gaps:.2f} gaps"
        worst = (
            f"{line.worst_ms:.1f} ms"
            if line.worst_gaps is None
            else f"{line.worst_gaps:.2f} gaps ({line.worst_ms:.1f} ms)"
        )
        table.add_row(line.name, str(line.cases), f"{line.held} of {line.cases}", typical, worst)
    console.print(table)
    told = outcome.summary()
    console.print(
        f"one gap is {1e3 / outcome.rate_per_s:g} ms; theory on a uniform grid: median 0.29, 95 % 0.78, worst 1 gap\n"
        f"all: median {told['median_error_gaps']:.2f} gaps, 95 % {told['p95_error_gaps']:.2f} gaps, "
        f"bounds held the truth in {told['bounds_held']} of {told['cases']} cases"
    )
    rate = "less than 500" if outcome.sustainable_per_s is None else f"at least {outcome.sustainable_per_s:g}"
    console.print(f"sustainable rate: {rate} requests/s from one load process on {told['machine']}")
    for reason in outcome.reasons:
        console.print(f"NOT FIT: {reason}", style="bold", markup=False)
    if outcome.fit:
        console.print("FIT: this machine measures downtime within the bounds it states")


def machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def commit() -> str:
    """Return the commit of the source tree, or nothing where it is not one."""
    try:
        told = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return told.stdout.strip() if told.returncode == 0 else ""
