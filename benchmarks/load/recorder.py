"""What does recording cost? `FastHttpUser` with and without the recorder, paired, in one process.

    python benchmarks/load/recorder.py                 40 pairs of ABBA blocks, about half a minute

Process-to-process noise is ten times what is measured here, so the listener is put in and taken out every 150 ms inside
one process, and processor time per request is compared: plain / recorded, per ABBA block. Exit status 0 where the median
ratio is at least 0.95. (The plan's own clients cost less still: they are measured without Locust's event as the source.)
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks" / "accuracy")]

INSIDE = "RECORDER_BENCHMARK"


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--blocks", type=int, default=40)
    said = ask.parse_args()
    from common import FaultServer, where_and_when

    with tempfile.TemporaryDirectory() as scratch:
        server = FaultServer("127.0.1.23", [[3600.0, 1.0, "503"]], Path(scratch))
        try:
            print(where_and_when())
            environment = os.environ | {INSIDE: f"{server.url} {said.blocks} {scratch}"}
            return subprocess.run([sys.executable, __file__], env=environment, check=False, cwd=scratch).returncode
        finally:
            server.close()


def inside(url: str, blocks: int, scratch: str) -> int:
    import locust  # noqa: F401, I001 - this first: it patches the process
    import gc
    import time

    import gevent
    import numpy as np
    from locust import FastHttpUser, constant, task
    from locust.env import Environment

    from failover_drill.traffic import TrafficPlan
    from loadtests.foreign import foreign_listener
    from loadtests.process import LoadProcess

    class Plain(FastHttpUser):  # type: ignore[misc]
        host = url.rstrip("/")
        wait_time = constant(0)

        @task
        def get(self) -> None:
            self.client.get("/")

    environment = Environment(user_classes=[Plain])
    runner = environment.create_local_runner()
    load = LoadProcess(environment, TrafficPlan(url=url, out_dir=str(Path(scratch) / "run")))

    listener = foreign_listener(load)

    def per_request(recorded: bool, seconds: float = 0.15) -> float:
        hook = environment.events.request
        if recorded:
            hook.add_listener(listener)
        before, began = environment.stats.total.num_requests, time.process_time()
        gevent.sleep(seconds)
        spent, sent = time.process_time() - began, environment.stats.total.num_requests - before
        if recorded:
            hook.remove_listener(listener)
        return spent / sent

    runner.start(16, 1000)
    gevent.sleep(1.0)
    gc.collect()
    gc.freeze()
    ratios, control = [], []
    for _ in range(blocks):
        a, b, b2, a2 = (per_request(recorded) for recorded in (False, True, True, False))
        ratios.append((a + a2) / (b + b2))
        a, b, b2, a2 = (per_request(False) for _ in range(4))
        control.append((a + a2) / (b + b2))
    runner.quit()
    load.close()
    print(f"{load.recorder.recorded} requests recorded")
    for name, found in (("plain / plain (noise)", control), ("plain / recorded", ratios)):
        rng = np.random.default_rng(1)
        medians = [np.median(rng.choice(found, len(found))) for _ in range(2000)]
        low, high = np.percentile(medians, [2.5, 97.5])
        print(f"{name:24} median ratio {np.median(found):.3f}  (95 % interval {low:.3f} to {high:.3f})")
    return int(np.median(ratios) < 0.95)


if __name__ == "__main__":
    if INSIDE in os.environ:
        url, blocks, scratch = os.environ[INSIDE].split()
        sys.exit(inside(url, int(blocks), scratch))
    sys.exit(main())
