"""Locust as a process of its own: started, watched, stopped without losing a sample.

Always a subprocess: importing locust monkey-patches the importer. It gets its plan through a file, and one end of a
socket pair: it says "1" there when traffic flows, and ends itself when the other end is gone, however we died. It has
a session of its own, so that Ctrl-C at the terminal stops the drill, not the measuring of the drill's undo.
"""

from __future__ import annotations

import contextlib
import importlib.resources
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from failover_drill.errors import DrillError, JournalError
from failover_drill.facts import SampleTable
from failover_drill.sample_header import read_header
from failover_drill.samples import note_death, tail
from failover_drill.traffic import PLAN_FILE, PLAN_VARIABLE, TrafficPlan

_PARENT_VARIABLE = "FAILOVER_DRILL_PARENT_FD"
_PRIORITY = -10
_START_S = 60.0  # on a very busy machine; half a second on a quiet one
_REMOTE_START_S = 120.0  # somebody has to start the remote workers, too
_LIVE_RECORDS = 65536  # what a live view may look back on


class Load:
    """The traffic of one run. `start`, then `stop` or `kill`; also a context manager that kills what is left."""

    def __init__(
        self,
        python: str = sys.executable,
        locustfile: Path | None = None,
        limits: Mapping[str, int] | None = None,
        users: int = 1,
    ) -> None:
        """`locustfile` may be one of the user's own that holds ours, with `users` of their classes.

        `limits` are resource limits of the load process (`{"RLIMIT_NOFILE": 60}`), for rehearsing their lack.
        """
        self._python = python
        self._users = users
        self._limits = dict(limits or {})
        self._locustfile = locustfile or _shipped_locustfile()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._links: list[socket.socket] = []
        self._run_dir = Path()
        self._plan: TrafficPlan | None = None
        self._offsets: dict[Path, int] = {}

    @property
    def log(self) -> Path:
        """Where Locust's own words go."""
        return self._run_dir / "locust.log"

    @property
    def pids(self) -> tuple[int, ...]:
        """The process, or the master and then its workers."""
        return tuple(process.pid for process in self._processes)

    @property
    def alive(self) -> bool:
        return bool(self._processes) and all(process.poll() is None for process in self._processes)

    def start(self, plan: TrafficPlan, run_dir: Path) -> None:
        """Start the traffic and return when its first request is out. Raises `DrillError`, with Locust's last line."""
        if self._processes:
            raise DrillError("traffic is already running")
        self._run_dir, self._plan = run_dir, plan
        run_dir.mkdir(parents=True, exist_ok=True)
        plan_file = run_dir / PLAN_FILE
        plan_file.write_text(plan.to_json())
        for arguments in self._commands(plan):
            self._spawn(arguments, plan_file)
        try:
            self._await_first_request(_REMOTE_START_S if plan.remote_workers else _START_S)
        except BaseException:
            self.kill()
            raise

    def stop(self, grace_s: float = 15.0) -> None:
        """Send no more, wait for what is under way (its deadline plus *grace_s* at most), and keep every sample.

        A process that does not end by then is killed, which its header shows. Safe to call twice.
        """
        deadline_s = (self._plan.timeout_s if self._plan else 0.0) + 3.0 + grace_s
        for process in self._processes[:1]:  # the only one, or the master, which sees to its workers
            _signal(process, signal.SIGTERM)
        until = time.monotonic() + deadline_s
        for process in self._processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
        self._settle()

    def kill(self) -> None:
        """End it now; at most the last half second of samples is lost, and counted."""
        for process in self._processes:
            _signal(process, signal.SIGKILL)
            process.wait()
        self._settle()

    def live(self) -> tuple[tuple[Path, SampleTable], ...]:
        """Return, for each worker's file, the samples written since the last call (the newest 65536 at most)."""
        fresh = []
        for path in sorted(self._run_dir.glob("samples-*.bin")):
            records, self._offsets[path] = tail(path, self._offsets.get(path, 0))
            try:
                names = read_header(path).names
            except JournalError:
                continue
            fresh.append((path, SampleTable(records[-_LIVE_RECORDS:], names)))
        return tuple(fresh)

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _commands(self, plan: TrafficPlan) -> list[list[str]]:
        """Return the command of each process: one alone, or a master and its workers."""
        locust = [self._python, "-m", "locust", "-f", str(self._locustfile)]
        alone = [
            *locust, "--headless", "--users", str(max(1, self._users)), "--spawn-rate", "100",
            "--stop-timeout", str(int(plan.timeout_s) + 3), "--exit-code-on-error", "0", "--only-summary",
            "--host", plan.url.rstrip("/"),
        ]  # fmt: skip
        if plan.workers == 1 and not plan.remote_workers:
            return [alone]
        port = str(plan.master_port or _free_port(plan.master_host))
        bind = ["--master-bind-host", plan.master_host, "--master-bind-port", port]
        master = [*alone, "--master", "--expect-workers", str(plan.workers), *bind]
        worker = [*locust, "--worker", "--master-host", plan.master_host, "--master-port", port]
        return [master, *[worker] * (plan.workers - plan.remote_workers)]

    def _spawn(self, arguments: list[str], plan_file: Path) -> None:
        ours, theirs = socket.socketpair()
        self._links.append(ours)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("LOCUST_")}
        environment[PLAN_VARIABLE] = str(plan_file)
        environment[_PARENT_VARIABLE] = str(theirs.fileno())
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (_root(), environment.get("PYTHONPATH"))))
        with theirs, self.log.open("ab") as log:
            process = subprocess.Popen(
                [*self._limiting(), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._processes.append(process)
        _prefer(process.pid)

    def _limiting(self) -> list[str]:
        if not self._limits:
            return []
        options = [f"--{name.removeprefix('RLIMIT_').lower()}={most}" for name, most in self._limits.items()]
        return ["prlimit", *options, "--"]

    def _await_first_request(self, within_s: float) -> None:
        until = time.monotonic() + within_s
        for link in self._links:
            ready, _, _ = select.select([link], [], [], max(0.0, until - time.monotonic()))
            if not ready or link.recv(1) != b"1":
                why = "ended at once" if ready else f"sent nothing within {within_s:g} s"
                raise DrillError(f"traffic: Locust {why}: {self._last_words()}")

    def _last_words(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        telling = [line for line in lines if "Error" in line] or lines
        return telling[-1] if telling else f"it said nothing (see {self.log})"

    def _settle(self) -> None:
        """Count what workers that died did not send any more, and let go of them."""
        ended = time.monotonic_ns()
        for path in self._run_dir.glob("*-*.bin") if self._processes else ():
            note_death(path, ended)
        for link in self._links:
            link.close()
        self._processes, self._links = [], []


def _prefer(pid: int) -> None:
    """Let the generator go before whatever else the machine does, where we may; a session is an autogroup (sched(7))."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, _PRIORITY)
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(_PRIORITY))


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _shipped_locustfile() -> Path:
    return Path(str(importlib.resources.files("loadtests") / "locustfile.py"))


def _root() -> str:
    return str(_shipped_locustfile().parent.parent)
