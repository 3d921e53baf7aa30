"""The same outages past what people use today, and past us: the error of each.

    python benchmarks/accuracy/peers.py                24 outages, about 3 minutes
    python benchmarks/accuracy/peers.py --chaos ~/venvs/chaos/bin/chaos

At their usual settings, all at once, on one server: Locust's own statistics (50 users, one request a second each),
blackbox_exporter scraped every second, hey (50 a second), chaostoolkit with a one-second probe (from a virtual environment
of its own, made where `--chaos` names none), and ours at 200 a second. A tool that is not installed is left out, and said so.

Each tool is given the kindest reading of its output that we know: a series of (instant, length, share that was bad), summed
over the time that belongs to an outage. Exit status 0 where our median error is at most a hundredth of the best peer's.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import (
    KINDS,
    FaultServer,
    Truth,
    cases_of,
    duration_s,
    now_anchor,
    random_schedule,
    start_ours,
    where_and_when,
)

TIMEOUT_S = 5.0
PAUSE_S = 4.0
Series = list[tuple[float, float, float]]  # instant (s, CLOCK_MONOTONIC), length (s), share that was bad

PLAIN_LOCUST = f"""
from locust import FastHttpUser, constant_throughput, task

class Visitor(FastHttpUser):
    wait_time = constant_throughput(PACE)
    connection_timeout = network_timeout = {TIMEOUT_S}

    @task
    def visit(self):
        self.client.get("/")
"""


class Peer:
    """One tool at work. `read` turns what it left into a series; `total_s` is its own word on the sum, where it has one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.series: Series = []
        self.total_s: float | None = None


class Locust(Peer):
    def __init__(self, url: str, seconds: float, directory: Path, users: int = 50) -> None:
        super().__init__("Locust's statistics, 50/s")
        script = directory / "plain.py"
        script.write_text(PLAIN_LOCUST.replace("PACE", str(50 / users)))
        self._csv, self._seconds = directory / "plain", seconds
        self._process = subprocess.Popen(
            [sys.executable, "-m", "locust", "-f", str(script), "--headless", "-u", str(users), "-r", "50", "-H", url.rstrip("/"),
             "-t", f"{int(seconds)}s", "--csv", str(self._csv), "--csv-full-history", "--exit-code-on-error", "0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory,
        )  # fmt: skip

    def finish(self) -> None:
        self._process.wait(60)
        shift = time.time() - time.monotonic()
        with Path(f"{self._csv}_stats_history.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["Name"] == "Aggregated"]
        for before, row in itertools.pairwise(rows):
            sent = int(row["Total Request Count"]) - int(before["Total Request Count"])
            failed = int(row["Total Failure Count"]) - int(before["Total Failure Count"])
            length = float(row["Timestamp"]) - float(before["Timestamp"])
            self.series.append((float(before["Timestamp"]) - shift, length, failed / sent if sent else 0.0))
        self.failed, self.sent = int(rows[-1]["Total Failure Count"]), int(rows[-1]["Total Request Count"])
        self.total_s = self.failed / self.sent * self._seconds


class Blackbox(Peer):
    def __init__(self, program: str, url: str, seconds: float, directory: Path, port: int) -> None:
        super().__init__("blackbox_exporter, 1 s")
        config = directory / "blackbox.yml"
        config.write_text("modules:\n  http_2xx:\n    prober: http\n    timeout: 5s\n")
        self._process = subprocess.Popen(
            [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._probe = f"http://127.0.0.1:{port}/probe?module=http_2xx&target={url}"
        self._until = time.monotonic() + seconds
        self._thread = threading.Thread(target=self._scrape)
        self._thread.start()

    def _scrape(self) -> None:
        due = time.monotonic() + 1.0
        while due < self._until:
            time.sleep(max(0.0, due - time.monotonic()))
            threading.Thread(target=self._look, args=(due,)).start()
            due += 1.0

    def _look(self, at: float) -> None:
        # as Prometheus scrapes every second: its timeout cannot be longer than that
        ask = urllib.request.Request(self._probe, headers={"X-Prometheus-Scrape-Timeout-Seconds": "1"})
        try:
            with urllib.request.urlopen(ask, timeout=3) as answer:
                good = b"\nprobe_success 1" in answer.read()
        except (urllib.error.URLError, OSError):
            good = False
        self.series.append((at, 1.0, 0.0 if good else 1.0))

    def finish(self) -> None:
        self._thread.join()
        time.sleep(3.0)
        self._process.kill()
        self._process.wait()
        self.series.sort()


class Hey(Peer):
    def __init__(self, program: str, url: str, seconds: float, directory: Path) -> None:
        super().__init__("hey, 50/s")
        self._out = directory / "hey.csv"
        self._seconds = int(seconds)
        self._began = time.monotonic()
        with self._out.open("w") as out:
            self._process = subprocess.Popen(
                [program, "-z", f"{self._seconds}s", "-c", "50", "-q", "1", "-t", str(int(TIMEOUT_S)), "-o", "csv", url],
                stdout=out, stderr=subprocess.DEVNULL,
            )  # fmt: skip

    def finish(self) -> None:
        """Its CSV leaves errors out: a second is as bad as good answers are missing in it."""
        self._process.wait(60)
        with self._out.open() as file:
            rows = [row for row in csv.DictReader(file) if row["status-code"] == "200"]
        good = np.bincount([int(float(row["offset"])) for row in rows], minlength=self._seconds)[: self._seconds]
        self.series = [(self._began + second, 1.0, max(0.0, 1.0 - count / 50)) for second, count in enumerate(good)]


class Chaos(Peer):
    def __init__(self, program: str, url: str, seconds: float, directory: Path) -> None:
        super().__init__("chaostoolkit, 1 s probe")
        experiment = directory / "experiment.json"
        experiment.write_text(json.dumps(chaos_experiment(url, seconds)))
        self._journal = directory / "journal.json"
        self._process = subprocess.Popen(
            [program, "--no-version-check", "run", "--hypothesis-strategy", "during-method-only", "--hypothesis-frequency",
             "1", "--journal-path", str(self._journal), str(experiment)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory,
        )  # fmt: skip

    def finish(self) -> None:
        self._process.wait(90)
        shift = time.time() - time.monotonic()
        looks = sorted(
            (seconds_of(probe["start"]) - shift, bool(state["steady_state_met"]))
            for state in json.loads(self._journal.read_text())["steady_states"]["during"]
            for probe in state["probes"]
        )
        for (at, met), (later, _) in itertools.pairwise(looks):
            self.series.append((at, later - at, 0.0 if met else 1.0))


def chaos_experiment(url: str, seconds: float) -> dict[str, object]:
    probe = {"type": "http", "url": url, "timeout": TIMEOUT_S}
    wait = {"type": "process", "path": "sleep", "arguments": str(int(seconds)), "timeout": seconds + 60}
    return {
        "title": "watch", "description": "watch",
        "steady-state-hypothesis": {
            "title": "it answers", "probes": [{"type": "probe", "name": "answers", "tolerance": 200, "provider": probe}],
        },
        "method": [{"type": "action", "name": "wait", "provider": wait}],
    }  # fmt: skip


def seconds_of(stamp: str) -> float:
    from datetime import UTC, datetime

    return datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()


def chaos_program(named: str | None, directory: Path) -> str | None:
    """Return chaostoolkit's command; install it in an environment of its own where none is named."""
    if named:
        return named
    try:
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True, capture_output=True)
        pip = [str(directory / "bin" / "pip"), "install", "--quiet", "chaostoolkit", "requests"]
        subprocess.run(pip, check=True, capture_output=True)
    except subprocess.CalledProcessError:
        return None
    return str(directory / "bin" / "chaos")


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--outages", type=int, default=24)
    ask.add_argument("--seed", type=int, default=2)
    ask.add_argument("--chaos", help="the chaos command of an environment that has chaostoolkit")
    said = ask.parse_args()
    schedule = random_schedule(said.outages, said.seed, pause_s=PAUSE_S)
    seconds = duration_s(schedule) + 3.0
    print(f"{said.outages} outages, {seconds / 60:.1f} minutes", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        starters = installed(said.chaos, directory)
        server = FaultServer("127.0.1.26", schedule, directory)
        load, plan = start_ours(server.url, 200.0, directory / "ours", TIMEOUT_S)
        anchor = now_anchor()
        try:
            peers = [start(server.url, seconds) for start in starters]
            time.sleep(3.0)
            server.go()
            truths = server.wait()
            time.sleep(2.0)
            for peer in peers:
                peer.finish()
            load.stop()
        finally:
            load.kill()
            server.close()
        ours = cases_of(plan, anchor, truths)
    errors = {"ours, 200/s": [case.error_s for case in ours]}
    totals = {"ours, 200/s": sum(case.estimate_s for case in ours)}
    for peer in peers:
        found = estimates(peer.series, truths)
        errors[peer.name] = [abs(f - truth.length_s) for f, truth in zip(found, truths, strict=True)]
        totals[peer.name] = sum(found)
        if peer.total_s is not None:
            totals[f"{peer.name}: failure share x time"] = peer.total_s
    return report(truths, errors, totals)


def installed(chaos: str | None, directory: Path) -> list[Callable[[str, float], Peer]]:
    found: list[Callable[[str, float], Peer]] = [lambda url, seconds: Locust(url, seconds, directory)]
    if program := shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter"):
        found.append(lambda url, seconds, it=program: Blackbox(it, url, seconds, directory, free_port()))  # type: ignore[misc]
    else:
        print("blackbox_exporter is not installed: left out")
    if program := shutil.which("hey"):
        found.append(lambda url, seconds, it=program: Hey(it, url, seconds, directory))  # type: ignore[misc]
    else:
        print("hey is not installed: left out")
    if program := chaos_program(chaos, directory / "chaos"):
        found.append(lambda url, seconds, it=program: Chaos(it, url, seconds, directory))  # type: ignore[misc]
    else:
        print("chaostoolkit could not be installed: left out")
    return found


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def estimates(series: Series, truths: tuple[Truth, ...]) -> list[float]:
    """Return, for each outage, the bad time from shortly before it to shortly before the next one."""
    begins = [truth.began_ns[0] / 1e9 - 1.0 for truth in truths] + [float("inf")]
    return [
        sum(length * bad for at, length, bad in series if begin <= at < end)
        for begin, end in itertools.pairwise(begins)
    ]


def report(truths: tuple[Truth, ...], errors: dict[str, list[float]], totals: dict[str, float]) -> int:
    true_s = sum(truth.length_s for truth in truths)
    print(where_and_when())
    print(f"\nerror per outage, median in ms ({len(truths)} outages, {true_s:.1f} s in all)")
    print(f"{'':46}" + "".join(f"{kind:>10}" for kind in KINDS) + f"{'all':>10}{'worst':>10}{'total found/true':>18}")
    for name in totals:
        line = f"{name:46}"
        if name in errors:
            found = np.array(errors[name]) * 1e3
            for kind in KINDS:
                line += f"{np.median(found[[truth.kind == kind for truth in truths]]):10.1f}"
            line += f"{np.median(found):10.1f}{found.max():10.1f}"
        else:
            line += " " * 60
        print(line + f"{totals[name] / true_s:18.3f}")
    medians = {name: float(np.median(found)) for name, found in errors.items()}
    ours = medians.pop("ours, 200/s")
    best = min(medians, key=lambda name: medians[name])
    print(f"\nthe best of the others, {best}, errs {medians[best] / ours:.0f} times as much as we do")
    return int(medians[best] < 100 * ours)


if __name__ == "__main__":
    os.environ.pop("FAILOVER_DRILL_PLAN", None)
    sys.exit(main())
