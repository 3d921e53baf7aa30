"""Requests of users that are not ours: other people's Locust classes, measured all the same.

Locust tells of each request when it is over: its duration, its response, its exception. That makes a sample, though
not one of the grid: such users send when they are free, so what they would have sent while they hung is not there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from geventhttpclient.response import HTTPConnectionClosed

from failover_drill.facts import Outcome, Population
from loadtests.process import OURS, LoadProcess
from loadtests.stream import outcome_of

_LANE = 65535  # theirs; the plan's lanes are below


def record_foreign(
    load: LoadProcess,
    *,
    name: str = "",
    response_time: float | None = 0.0,
    exception: BaseException | str | None = None,
    response: Any = None,
    context: Any = None,
    **_: Any,
) -> None:
    """Record one request of a user class that is not ours. To be hung on `events.request`."""
    if context is OURS or load.closed:
        return
    recorder = load.recorder
    done_ns = time.monotonic_ns()
    sent_ns = done_ns - int((response_time or 0.0) * 1e6)
    status = int(getattr(response, "status_code", 0) or 0)
    recorder.scheduled += 1
    recorder.add(
        sent_ns, sent_ns, done_ns, _LANE, 0, status, _outcome(load, status, exception, done_ns - sent_ns),
        Population.KEEPALIVE, recorder.regions.index(_region(load, response)), 0, recorder.paths.index(name[:200]), 0,
    )  # fmt: skip


def _outcome(load: LoadProcess, status: int, exception: BaseException | str | None, took_ns: int) -> Outcome:
    if exception is None:
        return Outcome.OK if took_ns <= load.plan.slow_s * 1e9 else Outcome.SLOW
    if status:
        # the user class looked at an answer and was not content with it
        return Outcome.WRONG_CONTENT if load.plan.accepts(status) else Outcome.HTTP_ERROR
    kinds = [kind for cause in _causes(exception) if (kind := _kind(cause)) is not None]
    # "refused" is also what any OSError without a better name is called, and wrappers are such
    telling = [kind for kind in kinds if kind is not Outcome.REFUSED]
    return telling[-1] if telling else (Outcome.REFUSED if kinds else Outcome.HTTP_ERROR)


def _kind(cause: BaseException) -> Outcome | None:
    if isinstance(cause, HTTPConnectionClosed):
        return Outcome.RESET
    if "Timeout" in type(cause).__name__:
        return Outcome.TIMEOUT
    return outcome_of(cause) if isinstance(cause, OSError) else None


def _causes(error: BaseException | str | None) -> Iterator[BaseException]:
    """Yield *error* and what it wraps: HTTP libraries hide the socket's error in causes, reasons and arguments."""
    todo = [error] if isinstance(error, BaseException) else []
    seen = set[int]()
    while todo:
        each = todo.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inside = [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
        todo += [cause for cause in inside if isinstance(cause, BaseException)]


def _region(load: LoadProcess, response: Any) -> str:
    headers = getattr(response, "headers", None)
    return str(headers.get(load.plan.region_header) or "")[:64] if headers else ""
