"""The master of several load processes: shares out the grid, compares clocks, collects what remote workers recorded.

worker ── hello ──────────────────► master
worker ◄─ ping / pong ────────────► master      only where their clocks are not the same one
worker ◄─ share: plan, index ────── master      once Locust starts the test
worker ── ready ──────────────────► master
worker ◄─ begin: the instant ────── master      once all are ready
worker ── samples (bytes at offset) ► master    only from workers that cannot reach the run directory
worker ◄─ ack ──────────────────── master
worker ◄─ halt ──────────────────── master      before Locust stops anything: requests under way get their outcome
worker ── done ──────────────────► master
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import gevent

from failover_drill.errors import JournalError
from failover_drill.sample_header import Header
from failover_drill.traffic import TrafficPlan
from loadtests.clocks import Exchange, Offset, OffsetEstimate, clock_id

_WORDS = ("hello", "ping", "pong", "clock", "share", "ready", "begin", "samples", "ack", "halt", "done")
HELLO, PING, PONG, CLOCK, SHARE, READY, BEGIN, SAMPLES, ACK, HALT, DONE = (f"failover_drill_{w}" for w in _WORDS)
KINDS = ("samples", "control")
_LEAD_NS = 300_000_000  # from "begin" to slot 0: the message must be there by then
_HALT_NS = 200_000_000  # from "halt" to the end of the grid, likewise
_PINGS_TO_BEGIN = 16
_PATIENCE_S = 10.0  # to wait for the workers, before it begins with those that are there
_log = logging.getLogger("failover_drill")


class Worker:
    """What the master knows of one worker."""

    def __init__(self, client_id: str, clock: str) -> None:
        self.client_id = client_id
        self.same_clock = clock == clock_id()
        self.estimate = OffsetEstimate()
        self.index = -1
        self.ready = self.done = False
        self.sizes = dict.fromkeys(KINDS, 0)  # bytes collected

    @property
    def offset(self) -> Offset:
        return Offset() if self.same_clock or not self.estimate.count else self.estimate.offset()

    @property
    def timed(self) -> bool:
        return self.same_clock or self.estimate.count >= _PINGS_TO_BEGIN


class Master:
    """Runs beside Locust's `MasterRunner`. `began` is called when the workers have been told to begin."""

    def __init__(self, environment: Any, plan: TrafficPlan, began: Callable[[], None] | None = None) -> None:
        self.plan = plan
        self._runner = environment.runner
        self._began = began
        self._workers: dict[str, Worker] = {}
        self._out = Path(plan.out_dir)
        self._out.mkdir(parents=True, exist_ok=True)
        self._token = secrets.token_hex(16)
        (self._out / ".workers").write_text(self._token)
        for kind, heard in self._ears():
            self._runner.register_message(kind, heard)
        gevent.spawn(self._keep_time)

    def start(self) -> None:
        """Locust starts the test: share out the grid, as soon as the clocks are known."""
        gevent.spawn(self._begin)

    def halt(self) -> None:
        """Let every worker finish its requests and hand over its samples; return when they have, or cannot."""
        working = [worker for worker in self._workers.values() if worker.index >= 0 and not worker.done]
        end_ns = time.monotonic_ns() + _HALT_NS
        for worker in working:
            self._send(HALT, {"end_ns": end_ns + worker.offset.ns, "offset": asdict(worker.offset)}, worker)
        until = time.monotonic() + self.plan.timeout_s + 5.0
        while time.monotonic() < until and not all(worker.done or self._gone(worker) for worker in working):
            gevent.sleep(0.02)

    def _ears(self) -> tuple[tuple[str, Callable[..., None]], ...]:
        return (
            (HELLO, self._hello), (PONG, self._pong), (READY, self._ready), (SAMPLES, self._samples), (DONE, self._done),
        )  # fmt: skip

    def close(self) -> None:
        (self._out / ".workers").unlink(missing_ok=True)

    def _hello(self, msg: Any, **_: Any) -> None:
        self._workers[msg.node_id] = Worker(msg.node_id, str(msg.data["clock"]))

    def _keep_time(self) -> None:
        """Ping fast until each clock is known, then once a second; tell each worker what is known of its clock."""
        while True:
            strangers = [worker for worker in self._workers.values() if not worker.same_clock and not worker.done]
            for worker in strangers:
                self._send(PING, {"out_ns": time.monotonic_ns()}, worker)
                if worker.timed:
                    self._send(CLOCK, asdict(worker.offset), worker)
            gevent.sleep(0.02 if not all(worker.timed for worker in strangers) else 1.0)

    def _pong(self, msg: Any, **_: Any) -> None:
        back_ns = time.monotonic_ns()
        if worker := self._workers.get(msg.node_id):
            worker.estimate.add(Exchange(int(msg.data["out_ns"]), back_ns, int(msg.data["theirs_ns"])))

    def _begin(self) -> None:
        self._await(lambda: bool(self._workers) and all(worker.timed for worker in self._workers.values()))
        crew = list(self._workers.values())
        for index, worker in enumerate(crew):
            worker.index, worker.ready, worker.done = index, False, False
            self._send(SHARE, self._share(index, len(crew), worker.offset), worker)
        self._await(lambda: all(worker.ready for worker in crew))
        begin_ns = max(self.plan.begin_ns, time.monotonic_ns() + _LEAD_NS)
        for worker in crew:
            self._send(BEGIN, {"begin_ns": begin_ns + worker.offset.ns}, worker)
        _log.info("traffic begins: %d workers, %g requests/s together", len(crew), self.plan.rate)
        if self._began is not None:
            self._began()

    def _share(self, index: int, workers: int, offset: Offset) -> dict[str, Any]:
        return {
            "plan": self.plan.to_json(),
            "ca": Path(self.plan.ca_file).read_text() if self.plan.ca_file else "",
            "token": self._token,
            "index": index,
            "workers": workers,
            "offset": asdict(offset),
        }

    def _await(self, truth: Callable[[], bool]) -> None:
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until and not truth():
            gevent.sleep(0.01)

    def _ready(self, msg: Any, **_: Any) -> None:
        if worker := self._workers.get(msg.node_id):
            worker.ready = True

    def _samples(self, msg: Any, **_: Any) -> None:
        """Append what a remote worker sent, where it goes on from what is here; always say how much is here."""
        worker = self._workers.get(msg.node_id)
        if worker is None or worker.index < 0 or msg.data["kind"] not in KINDS:
            return
        kind, chunk = str(msg.data["kind"]), bytes(msg.data["bytes"])
        if int(msg.data["at"]) == worker.sizes[kind]:
            self._keep(worker, kind, chunk, str(msg.data["header"]))
        self._send(ACK, {"kind": kind, "size": worker.sizes[kind]}, worker)

    def _keep(self, worker: Worker, kind: str, chunk: bytes, said: str) -> None:
        path = self._out / f"{kind}-{worker.index}.bin"
        try:
            header = Header.from_json(said, f"worker {worker.index}")
        except JournalError as error:
            _log.error("%s", error)
            return
        offset = worker.offset
        report = replace(header.report, offset_ns=offset.ns, offset_bound_ns=offset.bound_ns)
        spare = path.with_suffix(".json.new")
        spare.write_text(replace(header, report=report).to_json())
        spare.replace(path.with_suffix(".json"))
        with path.open("ab") as file:
            file.write(chunk)
        worker.sizes[kind] += len(chunk)

    def _done(self, msg: Any, **_: Any) -> None:
        if worker := self._workers.get(msg.node_id):
            worker.done = True

    def _gone(self, worker: Worker) -> bool:
        client = self._runner.clients.get(worker.client_id)
        return client is None or client.state == "missing"

    def _send(self, kind: str, said: dict[str, Any], worker: Worker) -> None:
        try:
            self._runner.send_message(kind, said, client_id=worker.client_id)
        except Exception as error:  # Locust's RPC errors have no common parent that says "not delivered"
            _log.warning("worker %d: %s not delivered: %s", worker.index, kind, json.dumps(str(error)))
