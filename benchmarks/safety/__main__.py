"""The kill matrix: drills struck at every step boundary and at random instants, also in the middle of control-plane calls.

python -m benchmarks.safety                         everything: an hour and more
python -m benchmarks.safety --sets boundaries --signals KILL
python -m benchmarks.safety --log matrix.jsonl      goes on where a run with the same log was cut short
python -m benchmarks.safety --table matrix.jsonl    the table of what was logged, and no trial

Each job has an estate of its own and drills it again and again: what one trial left would be the next one's drift.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.safety.plan import SETS, SIGNALS, plan
from benchmarks.safety.rivals import compete
from benchmarks.safety.table import read, summary, table
from benchmarks.safety.trial import Found, Strike, run
from tests.stage import COLD, Estate, estate

ATTEMPTS = 3
EARLIER = 0.6  # of an instant that the drill did not live to see


@dataclass(frozen=True)
class Course:
    """How the trials are carried out: how many at once, until when (CLOCK_MONOTONIC), and where things go."""

    jobs: int
    until_s: float
    pause: Path
    where: Path


class Job(threading.Thread):
    """Takes trials from the queue, one after the other, on an estate of its own."""

    def __init__(self, waiting: queue.Queue[Strike], done: queue.Queue[Found], course: Course, name: str) -> None:
        super().__init__()
        self._waiting, self._done, self._course, self._n = waiting, done, course, 0
        self._where = course.where / name

    def run(self) -> None:
        while not self._waiting.empty():
            self._n += 1
            with estate(self._where / f"estate-{self._n}", COLD) as stage:
                self._drill(stage)

    def _drill(self, stage: Estate) -> None:
        """Drill until nothing is waiting, or the estate was left changed and must be replaced."""
        while (strike := self._next()) is not None:
            found = self._trial(strike, stage)
            self._done.put(found)
            if found.trouble and found.reached:
                return

    def _next(self) -> Strike | None:
        while self._course.pause.exists():
            time.sleep(1)
        if time.monotonic() > self._course.until_s:
            while not self._waiting.empty():
                self._waiting.get_nowait()
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            return None

    def _trial(self, strike: Strike, stage: Estate) -> Found:
        """Carry it out; a drill that ended before its instant is struck earlier, twice at most."""
        for attempt in range(ATTEMPTS):
            directory = self._where / f"trial-{strike.n}-{attempt}"
            try:
                found = (compete if strike.set_name == "two at once" else run)(strike, stage, directory)
            except Exception as error:
                said = f"the trial itself failed: {type(error).__name__}: {error}"
                found = Found(strike, reached=True, trouble=[said])
            if found.good:
                shutil.rmtree(directory, ignore_errors=True)
            else:
                found.kept = str(directory)
            if found.reached:
                break
            strike = replace(strike, after_s=strike.after_s * EARLIER)
        return found


def main() -> int:
    options = _options()
    if options.table:
        found = read(options.table)
        print(table(found), "", *summary(found), sep="\n")
        return 0
    trials = plan(options.sets, options.signals, options.count, options.seed, whole=options.whole)
    log = options.log or Path(tempfile.mkdtemp(prefix="failover-drill-matrix-")) / "log.jsonl"
    common = {"seed": options.seed, "of": _of(options), "commit": _commit()}
    done = {line["n"] for line in read([log]) if (line["seed"], line["of"]) == (common["seed"], common["of"])}
    where = Path(tempfile.mkdtemp(prefix="failover-drill-safety-"))
    course = Course(options.jobs, time.monotonic() + options.minutes * 60, options.pause, where)
    carry_out([t for t in trials if t.n not in done], course, log, common)
    found = [line for line in read([log]) if (line["seed"], line["of"]) == (common["seed"], common["of"])]
    print(table(found), "", f"{len(found)} of {len(trials)} trials; {log}", *summary(found), sep="\n")
    return 0 if len(found) == len(trials) and all(f["good"] for f in found) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.safety", description="The kill matrix.")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--signals", nargs="+", choices=SIGNALS, default=SIGNALS)
    parser.add_argument("--count", type=int, default=100, help="trials of each random set")
    parser.add_argument("--whole", action="store_true", help="the whole playbook at its boundaries, users included")
    parser.add_argument("--jobs", type=int, default=2, help="drills at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=180, help="begin no trial after this")
    parser.add_argument("--log", type=Path, help="one JSON line for each trial; what it holds is not done again")
    parser.add_argument("--pause", type=Path, default=Path("/tmp/matrix.pause"), help="while it exists no trial begins")
    parser.add_argument("--table", type=Path, nargs="+", metavar="LOG", help="show the table of these logs, and end")
    options: argparse.Namespace = parser.parse_args()
    return options


def _of(options: argparse.Namespace) -> str:
    """Return what tells this plan's numbers from another's."""
    words = [*options.sets, *options.signals, str(options.count), *(["whole"] if options.whole else [])]
    return " ".join(words)


def _commit() -> str:
    said = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    return said or "unknown"


def carry_out(trials: Sequence[Strike], course: Course, log: Path, common: dict[str, Any]) -> None:
    """Carry out the trials and log each as it ends; runs that went wrong are kept, and where is told."""
    waiting: queue.Queue[Strike] = queue.Queue()
    done: queue.Queue[Found] = queue.Queue()
    for strike in trials:
        waiting.put(strike)
    workers = [Job(waiting, done, course, f"job-{i}") for i in range(course.jobs)]
    for worker in workers:
        worker.start()
    bad = told = 0
    while any(w.is_alive() for w in workers) or not done.empty():
        try:
            found = done.get(timeout=1)
        except queue.Empty:
            continue
        told, bad = told + 1, bad + (not found.good)
        _tell(found, f"{told}/{len(trials)}", log, common)
    if bad:
        print(f"runs that went wrong are kept in {course.where}", file=sys.stderr)
    else:
        shutil.rmtree(course.where, ignore_errors=True)


def _tell(found: Found, count: str, log: Path, common: dict[str, Any]) -> None:
    line = {**found.to_json(), **common, "load": round(os.getloadavg()[0], 1)}
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
    mark = "ok " if found.good else "BAD"
    said = f"{mark} {count} {line['set']}: {line['signal']} at {line['when']}: restored {line['restored_s']} s"
    print(said, *found.trouble, sep="; ", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
