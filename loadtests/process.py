"""One load process, from Locust's `init` to its `quit`: plan, recorders, streams, and the thread to its parent.

init        read the plan, open the recorders
test start  the user class drives the stream; Locust's statistics hear of each request, the recorder had it first
test stop   no more slots; requests under way end by themselves, their deadline is the longest wait
quit        the last event of all: close the recorders
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent import socket as gsocket
from gevent.lock import Semaphore

from failover_drill import clock
from failover_drill.facts import Outcome
from failover_drill.recorder import Recorder
from failover_drill.traffic import TrafficPlan
from loadtests.caches import NameCache
from loadtests.control import Responder
from loadtests.stream import NEVER, Attempt, Stream

PARENT_VARIABLE = "FAILOVER_DRILL_PARENT_FD"
_FLUSH_S = 0.5
_NICENESS = -10
_LEAD_NS = 20_000_000  # from "ready" to slot 0, where the plan does not say when to begin
OURS = {"recorded": True}  # the context of requests that the recorder has already


class RequestFailed(Exception):
    """How Locust's statistics are told of a sample that is not good."""


class LoadProcess:
    """What one process records and sends. `index` and `workers` say which share of the grid is its own."""

    def __init__(self, environment: Any, plan: TrafficPlan, *, index: int = 0, workers: int = 1) -> None:
        anchor = clock.anchor()
        self.plan = plan
        self._environment = environment
        self._earlier = self._seen = (0, 0)  # Locust's totals before it last set them to zero; and at its last stop
        self._outlive_resets(environment.stats)
        self._end_ns = NEVER
        self._settled = False
        self._under_way: list[Any] = []
        self._failures: dict[tuple[Outcome, int], RequestFailed] = {}
        self._names = [path for path, _ in plan.paths]
        self._responder = None if plan.control_url else Responder()
        control = plan.control(self._responder.url if self._responder else "", workers)
        out, rate = Path(plan.out_dir), plan.rate / workers
        self.recorder = Recorder(out, worker=index, rate=rate, paths=self._names, anchor=anchor)
        self.control_recorder = Recorder(out, worker=index, kind="control", rate=control.rate / workers, anchor=anchor)
        self._stream = Stream(plan, self.recorder, index=index, workers=workers, heard=self._tell_locust)
        self._control = Stream(control, self.control_recorder, index=index, workers=workers)
        self._writing = Semaphore()
        self._flusher = gevent.spawn(self._keep_flushing)

    def settle(self) -> None:
        """Do beforehand what would make the first slots late. Safe to call twice."""
        if not self._settled:
            self._settled = True
            settle_memory(collect=self._foreign_users())
            take_precedence()

    def begin(self, begin_ns: int = 0, began: Callable[[], None] | None = None) -> None:
        """Send the plan's traffic from *begin_ns* on (0: from now on), in the background, until `halt`."""
        self.settle()
        self._end_ns = NEVER
        begin_ns = begin_ns or self.plan.begin_ns or time.monotonic_ns() + _LEAD_NS
        self._under_way = [
            gevent.spawn(self._control.run, begin_ns, self._ending),
            gevent.spawn(self._stream.run, begin_ns, self._ending, began),
        ]

    def halt(self, end_ns: int = 0) -> None:
        """Send no slot from *end_ns* on (0: from now), and wait for what is under way. Safe to call twice.

        The longest wait is a request's deadline.
        """
        self._end_ns = min(self._end_ns, end_ns or time.monotonic_ns())
        gevent.joinall(self._under_way, timeout=self.plan.timeout_s + 3.0)
        self._under_way = []
        self._seen = self._locust_totals()
        if not self.closed:
            self.flush()

    def name_cache(self, number: int) -> NameCache:
        """Return a name cache for a user class that is not ours."""
        return self._stream.caches[number % len(self._stream.caches)]

    @property
    def closed(self) -> bool:
        return self.recorder.closed

    def flush(self) -> None:
        """Write what was recorded. In a thread: the disk may keep its writer waiting, the next slot may not."""
        requests, failures = self._locust_totals()
        self.recorder.locust_requests, self.recorder.locust_failures = requests, failures
        control = self.control_recorder
        control.locust_requests = control.recorded  # nobody else counts these
        with self._writing:
            for recorder in (self.recorder, control):
                recorder.take()
            gevent.get_hub().threadpool.apply(self._write)

    def _write(self) -> None:
        self.recorder.write()
        self.control_recorder.write()

    def close(self) -> None:
        """Cut what is still under way, write everything, say the last word."""
        if self.closed:
            return
        self._end_ns = 0
        self._stream.finish(0.0)
        self._control.finish(0.0)
        self._flusher.kill()
        self.flush()
        self.recorder.close()
        self.control_recorder.close()
        if self._responder is not None:
            self._responder.close()

    def restarted(self) -> None:
        """Locust has just set its totals to zero: those of earlier starts (its web page can stop and start) add up."""
        self._earlier = self._seen

    def reported(self, requests: int, failures: int) -> None:
        """Locust has sent these totals to its master, and set its own to zero."""
        self._earlier = self._earlier[0] + requests, self._earlier[1] + failures

    def _outlive_resets(self, stats: Any) -> None:
        """Locust's web page and `--reset-stats` set its totals to zero in the middle of a run: what was counted adds up."""
        reset_all = stats.reset_all

        def reset() -> None:
            self._earlier = self._locust_totals()
            reset_all()

        stats.reset_all = reset

    def _locust_totals(self) -> tuple[int, int]:
        total = self._environment.stats.total
        return self._earlier[0] + total.num_requests, self._earlier[1] + total.num_failures

    def _ending(self) -> int:
        return self._end_ns

    def _foreign_users(self) -> bool:
        return any(not getattr(users, "drives_the_plan", False) for users in self._environment.user_classes)

    def _keep_flushing(self) -> None:
        while True:
            gevent.sleep(_FLUSH_S)
            self.flush()

    def _tell_locust(self, attempt: Attempt) -> None:
        self._environment.events.request.fire(
            request_type=self.plan.method,
            name=self._names[attempt.path],
            response_time=(attempt.done_ns - attempt.intended_ns) / 1e6,
            response_length=attempt.length,
            exception=None if attempt.outcome is Outcome.OK else self._failure(attempt.outcome, attempt.status),
            context=OURS,
            start_time=self.recorder.anchor.wall_s(attempt.sent_ns),
            url=self.plan.url,
            response=None,
        )

    def _failure(self, outcome: Outcome, status: int) -> RequestFailed:
        """One exception per kind: new ones for each failure would cost memory, and Locust groups them by text."""
        known = self._failures.get((outcome, status))
        if known is None:
            said = outcome.name.lower().replace("_", " ") + (f" (status {status})" if status else "")
            known = self._failures[outcome, status] = RequestFailed(said)
        return known


def settle_memory(*, collect: bool) -> None:
    """Keep the collector off what will live as long as the process: its pauses are lag (21.9 -> 0.18 ms at p99).

    With *collect* it goes on for what is made from now on: our own requests leave no cycles, other people's may.
    """
    gc.collect()
    gc.freeze()
    if not collect:
        gc.disable()


def take_precedence() -> None:
    """Run before others where that is permitted: an instrument that waits for the processor measures its own waiting."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    with contextlib.suppress(OSError):
        # Linux weighs sessions against each other before it looks at niceness; the harness gives us one of our own
        if os.getsid(0) == os.getpid():
            Path("/proc/self/autogroup").write_text(str(_NICENESS))


class Parent:
    """The socket to the process that started this one: tells it when traffic flows, and notices when it is gone."""

    def __init__(self, fd: int, grace_s: float) -> None:
        self._sock = gsocket.socket(fileno=fd)
        self._grace_s = grace_s
        gevent.spawn(self._watch)

    def began(self) -> None:
        with contextlib.suppress(OSError):  # gone: the watch sees it, too
            self._sock.sendall(b"1")

    def _watch(self) -> None:
        with contextlib.suppress(OSError):
            while self._sock.recv(1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        gevent.sleep(self._grace_s)
        os._exit(3)


def parent_of(environ: dict[str, str], grace_s: float) -> Parent | None:
    """Return the parent, where one said that it is there."""
    fd = environ.get(PARENT_VARIABLE)
    return Parent(int(fd), grace_s) if fd else None
