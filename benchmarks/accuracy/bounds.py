"""Do the bounds hold? Random outages of known length, watched at several rates at once.

    python benchmarks/accuracy/bounds.py                       300 outages, 10/50/200/1000 per second, about 20 minutes
    python benchmarks/accuracy/bounds.py --outages 20 --rates 50,200
    python benchmarks/accuracy/bounds.py --apart --outages 75  one rate after the other: kinder to a small machine

Exit status 0 where the truth lay within the bounds in every case in which the generator was fit, and the error of the
estimate was as theory has it: median at most 0.4 of a gap, 95th percentile at most one gap.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
from common import Case, FaultServer, cases_of, duration_s, now_anchor, random_schedule, start_ours, where_and_when

LISTED = 40


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--outages", type=int, default=300)
    ask.add_argument("--rates", default="10,50,200,1000")
    ask.add_argument("--seed", type=int, default=1)
    ask.add_argument("--timeout", type=float, default=2.0)
    ask.add_argument("--apart", action="store_true")
    ask.add_argument("--json", type=Path)
    said = ask.parse_args()
    rates = [float(rate) for rate in said.rates.split(",")]
    together = [[rate] for rate in rates] if said.apart else [rates]
    cases = [
        case
        for number, some in enumerate(together)
        for case in run(said.outages, some, said.seed + number, said.timeout)
    ]
    if said.json:
        said.json.write_text(json.dumps([asdict(case) for case in cases]))
    return report(cases)


def run(outages: int, rates: list[float], seed: int, timeout_s: float) -> list[Case]:
    schedule = random_schedule(outages, seed)
    print(f"{outages} outages, {duration_s(schedule) / 60:.1f} minutes", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        server = FaultServer("127.0.1.21", schedule, directory)
        anchor, running = now_anchor(), []
        try:
            for rate in rates:
                running.append(start_ours(server.url, rate, directory / f"{rate:g}", timeout_s))
            server.go()
            truths = server.wait()
            for load, _ in running:
                load.stop()
        finally:
            for load, _ in running:
                load.kill()
            server.close()
        return [case for _, plan in running for case in cases_of(plan, anchor, truths)]


def report(cases: list[Case]) -> int:
    print(where_and_when())
    print(
        f"{'rate':>6} {'kind':>8} {'cases':>6} {'fit':>5} {'held':>5} {'of fit':>7}   gaps of error: median   p95   max  width ms"
    )
    worst = 0
    for rate in sorted({case.rate for case in cases}):
        at_rate = [case for case in cases if case.rate == rate]
        for kind in [*sorted({case.truth.kind for case in at_rate}), "all"]:
            worst |= line(rate, kind, [case for case in at_rate if kind in ("all", case.truth.kind)])
    for case in [case for case in cases if not case.held][:LISTED]:
        print(
            f"  not held: {case.rate:g}/s {case.truth.kind} {case.truth.length_s:.4f} s in {case.found} outages, "
            f"{case.at_least_s:.4f}..{case.at_most_s:.4f} s, lag {case.lag_s * 1e3:.1f} ms, "
            f"truth unsure by {case.truth.unsure_s * 1e3:.2f} ms"
        )
    return worst


def line(rate: float, kind: str, cases: list[Case]) -> int:
    fit = [case for case in cases if case.fit]
    held = sum(case.held for case in fit)
    sure = all(case.held or case.held_by_the_other_stamps for case in fit)
    gaps = np.array([case.error_s * rate for case in fit]) if fit else np.array([np.nan])
    median, p95 = float(np.median(gaps)), float(np.percentile(gaps, 95))
    width = float(np.median([case.at_most_s - case.at_least_s for case in fit])) * 1e3 if fit else float("nan")
    share = f"{held}/{len(fit)}"
    print(
        f"{rate:6g} {kind:>8} {len(cases):6d} {len(fit):5d} {sum(case.held for case in cases):5d} {share:>7}"
        f"   {median:21.2f} {p95:5.2f} {gaps.max():5.2f} {width:10.1f}"
    )
    return int(kind == "all" and not (sure and median <= 0.4 and p95 <= 1.0))


if __name__ == "__main__":
    sys.exit(main())
