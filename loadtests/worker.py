"""A worker's side of the exchange with the master (see master.py), beside Locust's `WorkerRunner`."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from failover_drill.recorder import Recorder
from failover_drill.traffic import TrafficPlan
from loadtests.clocks import clock_id
from loadtests.foreign import foreign_listener
from loadtests.master import ACK, BEGIN, CLOCK, DONE, HALT, HELLO, KINDS, PING, PONG, READY, SAMPLES, SHARE
from loadtests.process import LoadProcess

DIRECTORY_VARIABLE = "FAILOVER_DRILL_WORKER_DIR"
_SHIP_S = 0.5
_CHUNK = 1 << 20  # bytes of one message; a multiple of the record's size
_DRAIN_S = 5.0
_log = logging.getLogger("failover_drill")


class Worker:
    """Waits for its share of the grid, sends it, and sees to it that its samples reach the run directory."""

    def __init__(self, environment: Any, began: Callable[[], None] | None = None) -> None:
        self.load: LoadProcess | None = None
        self._environment = environment
        self._began = began
        self._remote = False
        self._acked = dict.fromkeys(KINDS, 0)
        self._last_word = Event()
        runner = environment.runner
        for kind, heard in ((PING, self._ping), (CLOCK, self._clock), (ACK, self._ack)):
            runner.register_message(kind, heard)
        runner.register_message(SHARE, self._share)
        runner.register_message(BEGIN, self._begin)
        runner.register_message(HALT, self._halt, concurrent=True)
        environment.events.report_to_master.add_listener(self._count)
        runner.send_message(HELLO, {"clock": clock_id()})

    def restarted(self) -> None:
        if self.load is not None:
            self.load.restarted()

    def halt(self, end_ns: int = 0) -> None:
        """End the traffic: on the master's word, or (0: now) because this process is told to stop."""
        if self.load is not None:
            self.load.halt(end_ns)

    def close(self) -> None:
        if self.load is not None:
            self.load.close()

    def _ping(self, msg: Any, **_: Any) -> None:
        self._say(PONG, {"out_ns": msg.data["out_ns"], "theirs_ns": time.monotonic_ns()})

    def _clock(self, msg: Any, **_: Any) -> None:
        self._set_offset(msg.data)

    def _begin(self, msg: Any, **_: Any) -> None:
        if self.load is not None:
            self.load.begin(int(msg.data["begin_ns"]), self._began)

    def _share(self, msg: Any, **_: Any) -> None:
        said = msg.data
        if self.load is None:
            plan = self._settle(TrafficPlan.from_json(said["plan"]), said["token"], said["ca"])
            self.load = LoadProcess(self._environment, plan, index=said["index"], workers=said["workers"])
            self._environment.failover_drill = self.load
            self._environment.events.request.add_listener(foreign_listener(self.load))
            if self._remote:
                gevent.spawn(self._keep_shipping)
        self._set_offset(said["offset"])
        self.load.settle()
        self._say(READY, {})

    def _settle(self, plan: TrafficPlan, token: str, ca: str) -> TrafficPlan:
        """Write into the run directory where this process reaches it; else into one of its own, to be handed over."""
        own = os.environ.get(DIRECTORY_VARIABLE)
        try:
            shared = not own and (Path(plan.out_dir) / ".workers").read_text() == token
        except OSError:
            shared = False
        if shared:
            return plan
        self._remote = True
        directory = Path(tempfile.mkdtemp(prefix="failover-drill-", dir=own))
        if ca:
            (directory / "ca.pem").write_text(ca)
        return replace(plan, out_dir=str(directory), ca_file=str(directory / "ca.pem") if ca else None)

    def _set_offset(self, offset: dict[str, int]) -> None:
        for recorder in self._recorders():
            recorder.offset_ns, recorder.offset_bound_ns = int(offset["ns"]), int(offset["bound_ns"])

    def _recorders(self) -> tuple[Recorder, ...]:
        return (self.load.recorder, self.load.control_recorder) if self.load is not None else ()

    def _halt(self, msg: Any, **_: Any) -> None:
        """The master is about to stop the test; it waits for our "done"."""
        self._set_offset(msg.data["offset"])
        self.halt(int(msg.data["end_ns"]))
        if self._remote and self.load is not None:
            self.load.close()
            self._drain()
        self._say(DONE, {})

    def _keep_shipping(self) -> None:
        while self.load is not None and not self.load.closed:
            gevent.sleep(_SHIP_S)
            self._ship()

    def _ship(self) -> bool:
        """Send, from each file, what the master does not have yet. True where it has everything."""
        complete = True
        for kind, recorder in zip(KINDS, self._recorders(), strict=True):
            at = self._acked[kind]
            with recorder.path.open("rb") as file:
                file.seek(at)
                chunk = file.read(_CHUNK)
            if chunk or recorder.closed:
                header = recorder.header(finished=recorder.closed).to_json()
                self._say(SAMPLES, {"kind": kind, "at": at, "bytes": chunk, "header": header})
            complete = complete and not chunk
        return complete

    def _drain(self) -> None:
        """Hand over the rest, chunk by chunk, each when the one before has arrived; keep the files where that fails."""
        until = time.monotonic() + _DRAIN_S
        while not self._ship():
            if time.monotonic() > until:
                _log.error("the master did not take all samples; they are kept in %s", self._recorders()[0].path.parent)
                return
            gevent.sleep(0.05)
        gevent.sleep(0.1)
        shutil.rmtree(self._recorders()[0].path.parent, ignore_errors=True)

    def _ack(self, msg: Any, **_: Any) -> None:
        self._acked[msg.data["kind"]] = int(msg.data["size"])

    def _count(self, data: dict[str, Any], **_: Any) -> None:
        """Locust sets a worker's totals to zero with each report; they go on being ours."""
        if self.load is not None:
            total = data["stats_total"]
            self.load.reported(total["num_requests"], total["num_failures"])

    def _say(self, kind: str, said: dict[str, Any]) -> None:
        try:
            self._environment.runner.send_message(kind, said)
        except Exception as error:  # lost messages are made up for: samples by their offset, the rest by repetition
            _log.warning("%s not delivered: %s", kind, error)
