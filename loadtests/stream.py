"""An open-loop stream of requests: each goes out when the schedule says, whatever the ones before it do.

    dispatcher ── slot k due ──► lane k % lanes ──► request ──► sample
       (one greenlet, exact timer)       (a greenlet each, one total deadline)

A late slot is still sent, with its intended, sent and done instants recorded. A hung service costs samples their
outcome, never their existence.
"""

from __future__ import annotations

import random
import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from gevent import GreenletExit

from failover_drill.facts import Flag, Outcome, Population
from failover_drill.recorder import Recorder
from failover_drill.traffic import TrafficPlan, lane_populations
from loadtests.caches import LookupFailed, NameCache, is_address, name_caches
from loadtests.exchange import Answer, Connection, Malformed, Opener, Unanswered, requests_of
from loadtests.timers import Timer, exact_timer

_LOOK_UP_NS = 250_000_000  # how long the dispatcher may wait before it looks whether to stop
NEVER = 1 << 62
_HOPELESS_NS = 1_000_000_000  # slots this late are not made up for at the beginning, nor after the end
_BREATHE = 32  # slots sent late in a row before the requests themselves get a turn
_SPARE_FILES = 256  # descriptors left to everything that is not a request
OWN_FAULT = (23, 24, 12, 99, 105)  # ENFILE, EMFILE, ENOMEM, EADDRNOTAVAIL, ENOBUFS
_REPEATABLE = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")  # idempotent, RFC 9110 §9.2.2

Heard = Callable[["Attempt"], None]
"""Told of every request that has an outcome; Locust's own statistics hang on this."""


class Deadline(BaseException):
    """The total time of a request is over. No `Exception`, so that nothing on the way can swallow it."""


class Attempt:
    """One request under way; filled in as it goes, so that whatever cuts it short finds what is known."""

    __slots__ = (
        "address", "done_ns", "flags", "intended_ns", "length", "looking_up", "outcome", "path", "region", "sent_ns",
        "status",
    )  # fmt: skip

    def __init__(self, intended_ns: int, path: int) -> None:
        self.intended_ns = intended_ns
        self.path = path
        self.sent_ns = time.monotonic_ns()
        self.done_ns = 0
        self.outcome = Outcome.CUT
        self.status = 0
        self.flags = 0
        self.length = 0
        self.address = ""
        self.region = ""
        self.looking_up = False


class Lane:
    """One virtual client: its population, its name cache, and its idle connections."""

    def __init__(self, stream: Stream, number: int, population: Population, cache: NameCache, cache_no: int) -> None:
        self.number = number
        self.population = population
        self.cache_no = cache_no
        self._stream = stream
        self._cache = cache
        self._idle: list[Connection] = []
        self._kept = ""  # sticky: the address it will keep asking
        self._pooled = population is not Population.FRESH
        self._requests = stream.requests[self._pooled]

    def send(self, attempt: Attempt) -> Answer:
        """Carry out one request; once more where a reused connection proves stale before a byte comes back."""
        connection = self._reuse() or self._open(attempt)
        try:
            return self._ask(connection, attempt)
        except Unanswered:
            if not (connection.used and self._stream.repeatable):
                raise
        attempt.flags = Flag.RETRIED
        self._drop_idle()
        return self._ask(self._open(attempt), attempt)

    def _ask(self, connection: Connection, attempt: Attempt) -> Answer:
        plan = self._stream.plan
        attempt.address = connection.address
        if connection.used:
            attempt.flags |= Flag.REUSED
        try:
            answer = connection.ask(
                self._requests[attempt.path], plan.method, keep_body=plan.expect_content is not None
            )
        except BaseException:
            connection.close()
            raise
        if self._pooled and not answer.should_close():
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _reuse(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.alive():
                return connection
            connection.close()
        return None

    def _open(self, attempt: Attempt) -> Connection:
        attempt.looking_up = True
        address = attempt.address = self._address()
        attempt.looking_up = False
        return self._stream.opener.open(address)

    def _address(self) -> str:
        if self._kept:
            return self._kept
        name = self._stream.plan.host
        if is_address(name):
            return name
        found = self._cache.addresses(name)
        address = found[self.number % len(found)]
        if self.population is Population.STICKY:
            self._kept = address
        return address

    def _drop_idle(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    close = _drop_idle


class Stream:
    """The share of the grid that one worker sends: the slots k with k % `workers` == `index`.

    `heard` is told of each finished request. Raises `SettingsError`, `OSError` or `ssl.SSLError` where the plan cannot
    be carried out at all (a CA file that is none).
    """

    def __init__(
        self, plan: TrafficPlan, recorder: Recorder, *, index: int = 0, workers: int = 1, heard: Heard | None = None
    ) -> None:
        self.plan = plan
        self.recorder = recorder
        self.opener = Opener(plan)
        self.requests = {pooled: requests_of(plan, close=not pooled) for pooled in (False, True)}
        self.repeatable = plan.method in _REPEATABLE
        self._index, self._workers = index, workers
        self._heard = heard
        self._in_flight: set[Any] = set()
        self._most = plan.max_in_flight or max(64, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _SPARE_FILES)
        self._content = plan.expect_content.encode() if plan.expect_content is not None else None
        self._slow_ns = int(plan.slow_s * 1e9)
        self._paths = _path_choice(plan, index)
        self._warmers: list[Any] = []
        self.caches = name_caches(plan, plan.seed * 1009 + index)
        self.lanes = self._make_lanes()

    def _make_lanes(self) -> tuple[Lane, ...]:
        populations = lane_populations(self.plan.mix, self.plan.lanes_for(self._workers))
        order = list(range(len(self.caches)))
        random.Random(self.plan.seed).shuffle(order)
        return tuple(
            Lane(self, number, population, self.caches[cache_no], cache_no)
            for number, population in enumerate(populations)
            for cache_no in (order[number // self._workers % len(order)],)
        )

    def warm(self) -> None:
        """Fill the name caches and keep them so, in the background."""
        if is_address(self.plan.host) or self._warmers:
            return
        used = {lane.cache_no for lane in self.lanes[self._index :: self._workers]}
        self._warmers = [gevent.spawn(self.caches[number].keep_warm, self.plan.host) for number in sorted(used)]

    def run(self, begin_ns: int, ending: Callable[[], int], began: Callable[[], None] | None = None) -> None:
        """Send the slots from *begin_ns* (or now, where that is long past) to `ending()`; wait for what is under way.

        `ending()` is asked again and again; it says `NEVER` until the end is known.
        """
        self.warm()
        timer = exact_timer()
        try:
            self._send_slots(timer, begin_ns, ending, began)
        finally:
            timer.close()
        self.finish(self.plan.timeout_s + 1.0)

    def _send_slots(
        self, timer: Timer, begin_ns: int, ending: Callable[[], int], began: Callable[[], None] | None
    ) -> None:
        k, late = self._first_slot(begin_ns), 0
        while (due_ns := begin_ns + int(k * 1e9 / self.plan.rate)) < (end_ns := ending()):
            now = time.monotonic_ns()
            if now < due_ns:
                late = 0
                timer.until(min(due_ns, now + _LOOK_UP_NS))
                continue
            if now > end_ns + _HOPELESS_NS:
                self._give_up(due_ns, end_ns)
                break
            self._send(due_ns, self.lanes[k % len(self.lanes)])
            k += self._workers
            late += 1
            if late % _BREATHE == 0:
                gevent.sleep(0)
            if began is not None:
                began()
                began = None

    def finish(self, within_s: float) -> None:
        """Wait for the requests under way, then cut the rest; each leaves its sample. Safe to call again."""
        gevent.killall(self._warmers, block=False)
        self._warmers = []
        gevent.joinall(list(self._in_flight), timeout=within_s)
        gevent.killall(list(self._in_flight), timeout=1.0)
        for lane in self.lanes:
            lane.close()

    def _give_up(self, due_ns: int, end_ns: int) -> None:
        """Count the slots that fell due and will never be sent, so that they are missed."""
        self.recorder.scheduled += 1 + int((end_ns - due_ns) * self.plan.rate / 1e9 / self._workers)

    def _first_slot(self, begin_ns: int) -> int:
        """Return the first slot of ours: slot 0 or its neighbour, a little late if need be; or the next one due."""
        elapsed = time.monotonic_ns() - begin_ns
        k = int(elapsed * self.plan.rate / 1e9) + 1 if elapsed > _HOPELESS_NS else 0
        return k + (self._index - k) % self._workers

    def _send(self, due_ns: int, lane: Lane) -> None:
        self.recorder.scheduled += 1
        path = next(self._paths)
        if len(self._in_flight) >= self._most:
            attempt = Attempt(due_ns, path)
            attempt.outcome = Outcome.SHED
            self._record(attempt, lane)
            return
        under_way = gevent.Greenlet(self._request, due_ns, path, lane)
        self._in_flight.add(under_way)
        under_way.start()

    def _request(self, due_ns: int, path: int, lane: Lane) -> None:
        attempt = Attempt(due_ns, path)
        gevent.get_hub().loop.update_now()  # a timer counts from the loop's idea of now, which may be stale
        deadline = gevent.Timeout(self.plan.timeout_s, Deadline)
        deadline.start()
        try:
            answer = lane.send(attempt)
            attempt.outcome = self._judge(answer, attempt)
        except GreenletExit:
            attempt.outcome = Outcome.CUT
        except (Deadline, Exception) as error:
            attempt.outcome = self._classify(error, attempt)
            error.__traceback__ = error.__context__ = None  # a cycle here would leak with the collector off
        finally:
            deadline.close()
            self._in_flight.discard(gevent.getcurrent())
            self._record(attempt, lane)

    def _judge(self, answer: Answer, attempt: Attempt) -> Outcome:
        attempt.status = answer.get_code()
        attempt.length = answer.length
        told = answer.get(self.plan.region_header) if self.plan.region_header else None
        attempt.region = str(told[0] if isinstance(told, list) else told)[:64] if told else ""
        if not self.plan.accepts(attempt.status):
            return Outcome.HTTP_ERROR
        if self._content is not None and self._content not in answer.body:
            return Outcome.WRONG_CONTENT
        slow = time.monotonic_ns() - attempt.sent_ns > self._slow_ns
        return Outcome.SLOW if slow else Outcome.OK

    def _classify(self, error: BaseException, attempt: Attempt) -> Outcome:
        if isinstance(error, OSError) and error.errno in OWN_FAULT:
            self.recorder.unsent += 1
            return Outcome.CUT
        if attempt.looking_up:
            return Outcome.DNS_ERROR
        return outcome_of(error)

    def _record(self, attempt: Attempt, lane: Lane) -> None:
        attempt.done_ns = time.monotonic_ns()
        recorder = self.recorder
        region = attempt.region or self.plan.regions.get(attempt.address, "")
        recorder.add(
            attempt.intended_ns, attempt.sent_ns, attempt.done_ns, lane.number, lane.cache_no, attempt.status,
            attempt.outcome, lane.population, recorder.regions.index(region),
            recorder.addresses.index(attempt.address), attempt.path, attempt.flags,
        )  # fmt: skip
        if self._heard is not None and attempt.outcome is not Outcome.CUT:
            self._heard(attempt)


def outcome_of(error: BaseException) -> Outcome:
    """Return what a request that ended in *error* is called."""
    for kinds, outcome in _OUTCOMES:
        if isinstance(error, kinds):
            return outcome
    return Outcome.REFUSED if isinstance(error, OSError) else Outcome.HTTP_ERROR


_OUTCOMES: tuple[tuple[tuple[type[BaseException], ...], Outcome], ...] = (
    ((Deadline, TimeoutError), Outcome.TIMEOUT),
    ((LookupFailed, socket.gaierror), Outcome.DNS_ERROR),
    ((ConnectionResetError, BrokenPipeError, ConnectionAbortedError), Outcome.RESET),
    ((ssl.SSLError, ssl.CertificateError), Outcome.TLS_ERROR),
    ((Malformed,), Outcome.HTTP_ERROR),
)


def _path_choice(plan: TrafficPlan, index: int) -> Iterator[int]:
    """Yield indices into the plan's paths by weight. At random: a pattern could lock step with the lanes."""
    rng = random.Random(plan.seed * 7919 + index)
    numbers, weights = range(len(plan.paths)), [weight for _, weight in plan.paths]
    while True:
        yield from rng.choices(numbers, weights, k=1000) if len(numbers) > 1 else (0,)
