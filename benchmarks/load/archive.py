"""How large is an hour? 3.6 million samples of a run at 1000/s, archived and read back.

    python benchmarks/load/archive.py

A short real run gives the lateness and the answering times, which are drawn from at random for the hour: repeating the run
itself would let the compressor cheat. Exit status 0 where the archive is smaller than 50 MB.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "accuracy"))

from common import FaultServer, read_samples, start_ours, where_and_when  # noqa: E402

from failover_drill.facts import SAMPLE_DTYPE  # noqa: E402
from failover_drill.recorder import Recorder  # noqa: E402
from failover_drill.samples import archive  # noqa: E402


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seconds", type=int, default=3600)
    ask.add_argument("--rate", type=int, default=1000)
    said = ask.parse_args()
    print(where_and_when())
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        real = short_run(directory, said.rate)
        hour = directory / "hour"
        write(hour, like(real, said.seconds * said.rate, said.rate))
        raw = (hour / "samples-0.bin").stat().st_size
        began = time.perf_counter()
        (made,) = archive(hour)
        archived = time.perf_counter()
        table, _ = read_samples(hour)
        read = time.perf_counter()
        size = made.stat().st_size
    count = len(table.records)
    print(f"{count} samples: raw {raw / 1e6:.1f} MB, archive {size / 1e6:.1f} MB, {size / count:.2f} B/sample")
    print(f"archived (and read back to be sure) in {archived - began:.1f} s, read in {read - archived:.1f} s")
    return int(size >= 50e6)


def short_run(directory: Path, rate: int) -> np.ndarray:
    server = FaultServer("127.0.1.25", [[10.0, 2.0, "503"], [14.0, 2.0, "refused"]], directory)
    load, _ = start_ours(server.url, rate, directory / "short", 1.0)
    server.go()
    time.sleep(20.0)
    load.stop()
    server.close()
    return read_samples(directory / "short")[0].records


def like(real: np.ndarray, count: int, rate: int) -> np.ndarray:
    """Return *count* samples: outages, lanes and caches in the real run's pattern, everything noisy drawn anew."""
    rng = np.random.default_rng(1)
    drawn = real[rng.integers(0, len(real), count)]
    records = np.resize(real, count)
    records["intended_ns"] = real["intended_ns"].min() + (np.arange(count) * (10**9 // rate))
    for noisy in ("late_us", "took_us"):
        records[noisy] = drawn[noisy]
    return records.astype(SAMPLE_DTYPE)


def write(directory: Path, records: np.ndarray) -> None:
    recorder = Recorder(directory, rate=1000.0)
    recorder.scheduled = recorder.recorded = len(records)
    for name in ("eastus", "127.0.1.25"):
        recorder.regions.index(name)
        recorder.addresses.index(name)
    recorder.close()
    with recorder.path.open("ab") as file:
        file.write(records.tobytes())


if __name__ == "__main__":
    sys.exit(main())
