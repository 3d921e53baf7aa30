"""How long 10 000 simulated failovers take: python -m benchmarks.forecast.speed. Exit status 1 above the limit of 5 s."""

from __future__ import annotations

import os
import platform
import sys
import time

from failover_drill.forecast import Delays, Kind, ProfileSettings, forecast
from failover_drill.forecast_words import what_if

RUNS, LIMIT_S = 10_000, 5.0


def main() -> int:
    """Print elapsed and CPU time of each kind, and of the whole what-if table of one."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}; {RUNS} failovers each")
    slowest_s = 0.0
    for kind in Kind:
        began, busy = time.perf_counter(), time.process_time()
        forecast(ProfileSettings(), Delays(), kind, runs=RUNS)
        took_s = time.perf_counter() - began
        slowest_s = max(slowest_s, took_s)
        print(f"  {kind:8} {took_s:6.3f} s elapsed, {time.process_time() - busy:6.3f} s of CPU")
    began, busy = time.perf_counter(), time.process_time()
    variants = what_if(ProfileSettings(), Delays(), Kind.HANG, runs=RUNS)
    took_s, busy_s = time.perf_counter() - began, time.process_time() - busy
    print(f"  what if: {len(variants)} variants, {took_s:6.3f} s elapsed, {busy_s:6.3f} s of CPU")
    return 0 if slowest_s < LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
