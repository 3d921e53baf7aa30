"""Every benchmark, by one command: `python -m benchmarks [NAME …]` (`make bench`). Each runs alone, one after the other.

Exit status 0 where each that was run says that its figure holds. Take figures on a machine that does nothing else.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS: dict[str, tuple[str, str]] = {
    "estate": ("regional server beside nginx, name server, time until ready; 1 min", "benchmarks/estate/run.py"),
    "recorder": ("what recording costs; 1 min", "benchmarks/load/recorder.py"),
    "memory": ("does the load process grow; 2 min", "benchmarks/load/memory.py"),
    "archive": ("how large is an hour; 1 min", "benchmarks/load/archive.py"),
    "analysis": ("10 million samples; 1 min", "-m benchmarks.analysis.measure"),
    "report": ("the report of an hour at 1 000 requests/s; 1 min", "-m benchmarks.report.hour"),
    "live": ("what the live view costs; half a minute", "-m benchmarks.live"),
    "forecast": ("10 000 simulated failovers; a few seconds", "-m benchmarks.forecast.speed"),
    "validate": ("the forecast against the estate, 60 failovers; 15 min", "-m benchmarks.forecast.validate"),
    "hang": ("a 20 s hang in a minute, beside plain Locust; 2 min", "benchmarks/accuracy/hang.py"),
    "peers": ("our error beside that of what people use; 5 min", "benchmarks/accuracy/peers.py"),
    "bounds": ("do the bounds hold, over 300 outages; 20 min", "benchmarks/accuracy/bounds.py"),
    "safety": ("drills killed at every step and at random; 1 h", "-m benchmarks.safety"),
}


def main() -> int:
    """Run what the command line names, or everything."""
    wanted = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in wanted if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 254
    failed = [name for name in wanted if not _holds(name)]
    print(f"\nnot as claimed: {', '.join(failed)}" if failed else "\nall as claimed")
    return 1 if failed else 0


def _holds(name: str) -> bool:
    about, command = BENCHMARKS[name]
    print(f"\n=== {name}: {about}\n    python {command}", flush=True)
    return subprocess.run([sys.executable, *command.split()], cwd=ROOT).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
