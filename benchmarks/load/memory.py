"""Does the load process grow? Its resident memory over a run, good answers and time-outs alike.

    python benchmarks/load/memory.py                   2 minutes at 1000/s

The first part of the run is warming up; the growth of the rest is given per request and per hour.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "accuracy"))

from common import FaultServer, read_samples, start_ours, where_and_when  # noqa: E402


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seconds", type=float, default=120.0)
    ask.add_argument("--rate", type=float, default=1000.0)
    said = ask.parse_args()
    half = said.seconds / 2
    print(where_and_when())
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        # the second half is one long hang, each request running into its deadline
        server = FaultServer("127.0.1.24", [[half, half + 10.0, "hang"]], directory)
        load, _ = start_ours(server.url, said.rate, directory / "run", 1.0)
        try:
            process = psutil.Process(load.pids[0])
            server.go()
            answered = watch(process, half)
            timed_out = watch(process, half)
            spent = process.cpu_times()
        finally:
            load.stop()
            server.close()
        records = read_samples(directory / "run")[0].records
    seconds = said.seconds
    print(f"{len(records)} samples, {(spent.user + spent.system) / seconds * 100:.0f} % of a core")
    late = np.percentile(records["late_us"], [50, 99])
    print(f"lag: median {late[0] / 1e3:.2f} ms, p99 {late[1] / 1e3:.2f} ms")
    for name, (times, sizes) in (("answered", answered), ("timed out", timed_out)):
        settled = times > times[0] + (times[-1] - times[0]) / 3
        slope = np.polyfit(times[settled], sizes[settled], 1)[0]
        per_request = slope / said.rate
        print(
            f"{name:>10}: {sizes[-1] / 2**20:.1f} MiB at the end, {per_request:+.2f} B/request, {slope * 3600 / 2**20:+.1f} MiB/h"
        )
    return 0


def watch(process: psutil.Process, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    times, sizes = [], []
    until = time.monotonic() + seconds
    while (now := time.monotonic()) < until:
        times.append(now)
        sizes.append(process.memory_info().rss)
        time.sleep(0.25)
    return np.array(times), np.array(sizes, dtype=float)


if __name__ == "__main__":
    sys.exit(main())
