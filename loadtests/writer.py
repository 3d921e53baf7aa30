"""The data probe: numbered writes through the public host, on an open-loop grid of their own, as a user would make them.

    slot n ── due at begin + n / write_rate ──► PUT <write_path>/<write_prefix>-<n> ──► one line of writes.jsonl

Each goes out on a new connection to what a name cache of its own, which honours the TTL, says; once, with one total deadline.
A write that hangs costs itself its outcome, never the next one its existence.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gevent
from gevent import GreenletExit

from failover_drill.errors import SettingsError
from failover_drill.facts import Write, WriteOutcome
from failover_drill.traffic import WRITES, TrafficPlan
from loadtests.caches import NameCache, asker, is_address
from loadtests.exchange import Malformed, Opener, request_of
from loadtests.stream import NEVER, OWN_FAULT, Deadline
from loadtests.timers import exact_timer

_LOOK_UP_NS = 250_000_000  # how long the grid may sleep before it looks whether to end
_FLUSH_S = 0.5
_NO_ANSWER = (502, 504)  # a gateway that heard nothing from the app does not know either


class Writer:
    """Writes until it is told to end. Raises `SettingsError` where the plan names a token that is not there."""

    def __init__(self, plan: TrafficPlan, environ: Mapping[str, str]) -> None:
        self._plan = plan
        self._headers = _authorization(plan, environ)
        self._opener = Opener(plan)
        self._cache = NameCache(asker(plan), plan, 1.0)
        self._path = Path(plan.out_dir) / WRITES
        self._end_ns = NEVER
        self._background: list[Any] = []
        self._under_way: set[Any] = set()
        self._unwritten: list[Write] = []

    def begin(self) -> None:
        """Send from now on, in the background."""
        self._end_ns = NEVER
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._background = [gevent.spawn(self._run), gevent.spawn(self._keep_flushing)]
        if not is_address(self._plan.host):
            self._background.append(gevent.spawn(self._cache.keep_warm, self._plan.host))

    def end(self) -> None:
        """Send no more."""
        self._end_ns = 0

    def halt(self) -> None:
        """Send no more; let what is under way come to its end, and write it down. Safe to call twice."""
        self.end()
        gevent.joinall(list(self._under_way), timeout=self._plan.timeout_s + 1.0)
        gevent.killall(list(self._under_way), timeout=1.0)
        gevent.killall(self._background, timeout=1.0)
        self._background = []
        self._flush()

    def _run(self) -> None:
        timer, begin_ns, number = exact_timer(), time.monotonic_ns(), 0
        try:
            while (due_ns := begin_ns + int(number * 1e9 / self._plan.write_rate)) < self._end_ns:
                now_ns = time.monotonic_ns()
                if now_ns < due_ns:
                    timer.until(min(due_ns, now_ns + _LOOK_UP_NS))
                    continue
                under_way = gevent.Greenlet(self._write, number, due_ns)
                self._under_way.add(under_way)
                under_way.start()
                number += 1
        finally:
            timer.close()

    def _write(self, number: int, due_ns: int) -> None:
        sent_ns = time.monotonic_ns()
        gevent.get_hub().loop.update_now()  # as in stream.py: a timer counts from the loop's idea of now
        deadline = gevent.Timeout(self._plan.timeout_s, Deadline)
        deadline.start()
        outcome, status, region = WriteOutcome.UNSENT, 0, ""
        try:
            address = self._address()
            outcome = WriteOutcome.REFUSED
            connection = self._opener.open(address)
            outcome = WriteOutcome.UNKNOWN
            status, region = self._ask(connection, number)
            outcome = outcome_of(status)
        except (Deadline, GreenletExit, OSError, Malformed) as error:
            outcome = _cut_short(error, outcome)
            error.__traceback__ = error.__context__ = None  # a cycle here would leak with the collector off
        finally:
            deadline.close()
            self._under_way.discard(gevent.getcurrent())
            self._unwritten.append(Write(number, due_ns, sent_ns, time.monotonic_ns(), outcome, status, region))

    def _ask(self, connection: Any, number: int) -> tuple[int, str]:
        """Return status and region of the answer."""
        path = f"{self._plan.write_path}/{self._plan.write_prefix}-{number}"
        request = request_of(self._plan, path, "PUT", str(number), self._headers, close=True)
        try:
            answer = connection.ask(request, "PUT", keep_body=False)
        finally:
            connection.close()
        told = answer.get(self._plan.region_header) if self._plan.region_header else None
        region = str(told[0] if isinstance(told, list) else told)[:64] if told else ""
        return int(answer.get_code()), region or self._plan.regions.get(connection.address, "")

    def _address(self) -> str:
        host = self._plan.host
        return host if is_address(host) else self._cache.addresses(host)[0]

    def _keep_flushing(self) -> None:
        while True:
            gevent.sleep(_FLUSH_S)
            self._flush()

    def _flush(self) -> None:
        """Write down what has an outcome. In a thread: the disk may keep its writer waiting, the next slot may not."""
        done, self._unwritten = self._unwritten, []
        if done:
            text = "".join(json.dumps(asdict(each), separators=(",", ":")) + "\n" for each in done)
            gevent.get_hub().threadpool.apply(self._append, (text.encode(),))

    def _append(self, lines: bytes) -> None:
        with self._path.open("ab", buffering=0) as file:
            file.write(lines)


def outcome_of(status: int) -> WriteOutcome:
    """Return what an answer's status is worth to the one who wrote."""
    if 200 <= status <= 299:
        return WriteOutcome.ACKNOWLEDGED
    return WriteOutcome.UNKNOWN if status in _NO_ANSWER else WriteOutcome.REFUSED


def _cut_short(error: BaseException, reached: WriteOutcome) -> WriteOutcome:
    """Return what an error makes of a write that had come as far as *reached*."""
    if isinstance(error, Deadline) and reached is WriteOutcome.UNKNOWN:
        return WriteOutcome.UNANSWERED
    ours = isinstance(error, GreenletExit) or (isinstance(error, OSError) and error.errno in OWN_FAULT)
    return WriteOutcome.UNSENT if ours and reached is WriteOutcome.REFUSED else reached


def writer_for(plan: TrafficPlan) -> Writer | None:
    """Return the data probe of a plan, where it has one."""
    return Writer(plan, os.environ) if plan.write_path else None


def _authorization(plan: TrafficPlan, environ: Mapping[str, str]) -> dict[str, str]:
    if not plan.write_token:
        return {}
    token = environ.get(plan.write_token, "")
    if not token:
        raise SettingsError(f"traffic: write_token = {plan.write_token!r}: there is no such environment variable")
    return {"Authorization": f"Bearer {token}"}
