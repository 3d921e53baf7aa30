"""The kill matrix: drills struck at every step boundary and at random instants, also in the middle of control-plane calls.

python -m benchmarks.safety                         everything: about an hour
python -m benchmarks.safety --sets boundaries --signals KILL
python -m benchmarks.safety --sets random --count 20 --jobs 2 --seed 7

Each job has an estate of its own and drills it again and again: what one trial left would be the next one's drift.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.safety.trial import Found, Strike, run, spread
from tests.stage import COLD, Estate, estate

SIGNALS = ("INT", "TERM", "HUP", "KILL")
LONG_S = 6.0  # from the last guard to the seal, of the acts alone
LATE_LONG_S = 15.0  # the same where each of ten writes takes a second more
WHOLE, WHOLE_STEPS = "features/failover.feature", 15
ACTS, ACTS_STEPS = "benchmarks/safety/acts.feature", 8
LATE = {"kind": "control_late", "late_s": 1.0, "only": "writes"}
FAULTS: dict[str, tuple[dict[str, object], ...]] = {
    "throttled 30 %": ({"kind": "control_throttled", "probability": 0.3},),
    "500 at 20 %": ({"kind": "control_failing", "status": 500, "probability": 0.2},),
    "503 at 20 %": ({"kind": "control_failing", "status": 503, "probability": 0.2},),
    "reset after, 10 %": ({"kind": "control_reset_after", "probability": 0.1, "only": "all"},),
    "identity down 20 s": ({"kind": "identity_down", "duration_s": 20.0},),
}
SETS = ("boundaries", "random", "both", "faults")


def strikes(
    sets: Iterable[str], signals: Iterable[str], count: int, rng: random.Random, *, whole: bool
) -> Iterator[Strike]:
    """Yield every trial of the chosen sets."""
    chosen = list(signals)
    if "boundaries" in sets:
        name, steps = (WHOLE, WHOLE_STEPS) if whole else (ACTS, ACTS_STEPS)
        for step in (*range(steps), -(steps - 1)):
            yield from (Strike(s, step, set_name="boundaries", feature=name) for s in chosen)
    if "random" in sets:
        for i in range(count):
            late = bool(i // len(chosen) % 2)
            after_s = rng.uniform(0, LATE_LONG_S if late else LONG_S)
            name = "random, calls 1 s late" if late else "random"
            yield Strike(chosen[i % len(chosen)], None, after_s, (LATE,) if late else (), name)
    if "both" in sets:
        for _ in range(count):
            yield Strike("KILL both", None, rng.uniform(0.5, LONG_S * 0.8), set_name="machine lost")
    if "faults" in sets:
        for i in range(count):
            name = list(FAULTS)[i % len(FAULTS)]
            signal = ("none", "KILL", "TERM")[i // len(FAULTS) % 3]
            # struck after the first change, and the faults only then: what is rehearsed is undoing under them
            yield Strike(signal, rng.randrange(2, 8), 0.0, FAULTS[name], f"undo, {name}")


class Job(threading.Thread):
    """Takes trials from the queue, one after the other, on an estate of its own."""

    def __init__(self, waiting: queue.Queue[Strike], done: queue.Queue[Found], where: Path) -> None:
        super().__init__()
        self._waiting, self._done, self._where, self._n = waiting, done, where, 0

    def run(self) -> None:
        while not self._waiting.empty():
            self._n += 1
            with estate(self._where / f"estate-{self._n}", COLD) as stage:
                self._drill(stage)

    def _drill(self, stage: Estate) -> None:
        """Drill until nothing is waiting, or the estate was left changed and must be replaced."""
        while True:
            try:
                strike = self._waiting.get_nowait()
            except queue.Empty:
                return
            found = self._trial(strike, stage)
            self._done.put(found)
            if found.trouble and found.reached:
                return

    def _trial(self, strike: Strike, stage: Estate) -> Found:
        for attempt in range(3):
            directory = self._where / f"trial-{time.monotonic_ns()}"
            try:
                found = run(strike, stage, directory)
            except Exception as error:
                found = Found(
                    strike, reached=True, trouble=[f"the trial itself failed: {type(error).__name__}: {error}"]
                )
            if found.good:
                shutil.rmtree(directory, ignore_errors=True)
            if found.reached or attempt == 2:
                return found
        raise AssertionError


def table(found: list[Found]) -> str:
    """Return the table that README shows."""
    lines = [
        "| set | signal | trials | restored in time | to restored: median / most | to report: median / most | done twice |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    groups = sorted({(f.strike.set_name, f.strike.signal) for f in found})
    for name, signal in groups:
        own = [f for f in found if (f.strike.set_name, f.strike.signal) == (name, signal)]
        restored = spread([f.restored_s for f in own if f.restored_s is not None])
        reported = spread([f.reported_s for f in own if f.reported_s is not None])
        good, twice = sum(f.good for f in own), sum(len(f.doubled) for f in own)
        lines.append(f"| {name} | {signal} | {len(own)} | {good} | {restored} | {reported} | {twice} |")
    lines.append(f"| all | | {len(found)} | {sum(f.good for f in found)} | | | {sum(len(f.doubled) for f in found)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.safety", description="The kill matrix.")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--signals", nargs="+", choices=SIGNALS, default=SIGNALS)
    parser.add_argument("--count", type=int, default=100, help="trials of each random set")
    parser.add_argument("--whole", action="store_true", help="the whole playbook at its boundaries, users included")
    parser.add_argument("--jobs", type=int, default=2, help="drills at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=90, help="begin no trial after this")
    parser.add_argument("--log", type=Path, help="one JSON line for each trial")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    trials = list(strikes(options.sets, options.signals, options.count, rng, whole=options.whole))
    rng.shuffle(trials)  # so that a run that is cut short has some of everything
    found = carry_out(trials, options.jobs, options.minutes * 60, options.log)
    missed = [f for f in found if not f.reached]
    found = [f for f in found if f.reached]
    print(table(found))
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    print(f"\nseed {options.seed}, {len(found)} of {len(trials)} trials, commit {commit or 'unknown'}")
    if missed:
        print(f"{len(missed)} drills ended before their instant came, three times each: they prove nothing")
    bad = [f for f in found if not f.good]
    for each in bad:
        print(f"NOT RESTORED: {json.dumps(each.to_json(), ensure_ascii=False)}")
    return 1 if bad or len(found) < len(trials) else 0


def carry_out(trials: list[Strike], jobs: int, seconds: float, log: Path | None) -> list[Found]:
    waiting: queue.Queue[Strike] = queue.Queue()
    done: queue.Queue[Found] = queue.Queue()
    for strike in trials:
        waiting.put(strike)
    found: list[Found] = []
    where = Path(tempfile.mkdtemp(prefix="failover-drill-safety-"))
    workers = [Job(waiting, done, where / f"job-{i}") for i in range(jobs)]
    for worker in workers:
        worker.start()
    deadline = time.monotonic() + seconds
    while len(found) < len(trials) and any(w.is_alive() for w in workers):
        try:
            found.append(done.get(timeout=1))
        except queue.Empty:
            if time.monotonic() > deadline:
                _empty(waiting)
            continue
        _tell(found, len(trials), log)
    for worker in workers:
        worker.join()
    while not done.empty():
        found.append(done.get())
        _tell(found, len(trials), log)
    if all(f.good for f in found):
        shutil.rmtree(where, ignore_errors=True)
    else:
        print(f"runs that went wrong are kept in {where}", file=sys.stderr)
    return found


def _empty(waiting: queue.Queue[Strike]) -> None:
    while not waiting.empty():
        waiting.get_nowait()


def _tell(found: list[Found], of: int, log: Path | None) -> None:
    last = found[-1].to_json()
    if log is not None:
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(last, ensure_ascii=False) + "\n")
    mark = "ok " if last["good"] else "BAD"
    said = (
        f"{mark} {len(found)}/{of} {last['set']}: {last['signal']} at {last['when']}: restored {last['restored_s']} s"
    )
    print(said, *last["trouble"], sep="; ", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
