"""How long the analysis of N samples takes, and how much memory: `python -m benchmarks.analysis.measure [N …]`.

Each size runs in a process of its own. The samples are a 1 000/s grid of three populations with a 30 s outage in each hour;
`--errors SHARE` makes that share of all samples fail at random instead, the worst case for finding outages.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

from failover_drill.facts import (
    SAMPLE_DTYPE,
    ClockAnchor,
    Facts,
    Objectives,
    Outcome,
    SampleNames,
    SampleRecords,
    SampleTable,
)
from failover_drill.findings import analyse

GAP_NS = 1_000_000
HOUR = 3_600_000


def samples(count: int, errors: float) -> SampleRecords:
    draw = np.random.default_rng(1)
    rows = np.zeros(count, SAMPLE_DTYPE)
    slot = np.arange(count)
    rows["intended_ns"] = slot * GAP_NS
    rows["late_us"] = np.minimum(draw.exponential(60, count), 999)  # as they are read: in order of sending
    rows["took_us"] = 900 + draw.exponential(900, count)
    rows["population"] = np.where(slot % 20 == 13, 2, np.where(slot % 4 == 1, 1, 0))
    rows["resolver"] = slot * 7 % 50
    out = draw.random(count) < errors if errors else slot % HOUR > HOUR - 30_000
    rows["outcome"] = np.where(out, int(Outcome.HTTP_ERROR), int(Outcome.OK))
    rows["region"] = np.where(out, 0, 1)
    return rows


def one(count: int, errors: float) -> None:
    rows = samples(count, errors)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = Facts(
        "benchmark",
        "run",
        ClockAnchor(1_700_000_000 * 10**9, 0),
        "eastus",
        "westus3",
        GAP_NS,
        SampleTable(rows, SampleNames(("", "eastus"))),
        SampleTable(rows[:0]),
    )
    begin, cpu = time.perf_counter(), time.process_time()
    findings = analyse(facts, Objectives())
    took, cpu = time.perf_counter() - begin, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count:>11,} samples  {took:6.2f} s  (CPU {cpu:5.2f} s)  peak {peak:5.0f} MiB (samples {held:4.0f})"
        f"  {findings.downtime.outages_in_all:>7,} outages  D {findings.downtime.user_weighted.estimate_s:.1f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=[1_250_000, 2_500_000, 5_000_000, 10_000_000])
    parser.add_argument("--errors", type=float, default=0.0)
    parser.add_argument("--one", action="store_true", help="in this process")
    given = parser.parse_args()
    for count in given.counts:
        if given.one:
            one(count, given.errors)
        else:
            again = [
                sys.executable,
                "-m",
                "benchmarks.analysis.measure",
                "--one",
                "--errors",
                str(given.errors),
                str(count),
            ]
            subprocess.run(again, check=True)


if __name__ == "__main__":
    main()
