"""Requests of users that are not ours: other people's Locust classes, measured all the same.

Locust tells of each request when it is over: its duration, its response, its exception. That makes a sample, though
not one of the grid: such users send when they are free, so what they would have sent while they hung is not there.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

from geventhttpclient.response import HTTPConnectionClosed

from failover_drill.facts import Outcome
from failover_drill.recorder import LATEST_US, ROOM, UNPLANNED
from loadtests.process import OURS, LoadProcess
from loadtests.stream import outcome_of

_NOT_SENT = ("", "")
_MOST_MET = 1024  # names with a number in them are ever new: they must not fill the memory


def foreign_listener(load: LoadProcess) -> Callable[..., None]:
    """Return what is to be hung on `events.request`: it records each request of a user class that is not ours.

    It runs once per request of theirs, and may cost them 5 %: hence the locals, and no call into our own code where the
    request was good and one with the same name, status and region was met before. Then only its times are new.
    """
    recorder, header, slow_ms = load.recorder, load.plan.region_header.lower(), load.plan.slow_s * 1e3
    clock, pack, held, room = time.monotonic_ns, UNPLANNED.pack, recorder.unplanned, ROOM
    hold, field = held.append, dict.get  # geventhttpclient's headers are a dict by lower-case name, with a slow `get`
    met: dict[tuple[str, int, str, bool], bytes] = {}

    def heard(
        *,
        request_type: str = "",  # noqa: ARG001 - named, as all that Locust tells: what is left over would cost a dictionary
        name: str = "",
        response_time: float | None = 0.0,
        response_length: int = 0,  # noqa: ARG001
        exception: BaseException | str | None = None,
        response: Any = None,
        context: Any = None,
        start_time: float = 0.0,  # noqa: ARG001
        url: str | None = None,  # noqa: ARG001
        **_: Any,
    ) -> None:
        if context is OURS:
            return
        done_ns = clock()
        try:
            good = exception is None and response_time <= slow_ms  # type: ignore[operator] # None is a TypeError, too
            rest = met[name, response.status_code, field(response.headers, header, _NOT_SENT)[1], good]
            took_us = int(response_time * 1e3) + 1  # type: ignore[operator]
            hold(pack(done_ns - took_us * 1000, 0, took_us, rest))
        except (KeyError, AttributeError, TypeError, struct.error):
            hold(unlike_the_others(done_ns, name, response_time or 0.0, exception, response))
        if len(held) >= room:
            recorder.take()

    def unlike_the_others(
        done_ns: int, name: str, took_ms: float, exception: BaseException | str | None, response: Any
    ) -> bytes:
        status, region = _told(response, header)
        outcome = Outcome.OK if took_ms <= slow_ms else Outcome.SLOW
        if exception is not None:
            outcome = _failure(load, status, exception)
        names = recorder.regions.index(region[:64]), recorder.paths.index(name)
        rest = recorder.unplanned_rest(status, outcome, *names)
        if outcome is Outcome.OK and len(met) < _MOST_MET:
            met[name, status, region, True] = rest
        took_us = max(0, min(int(took_ms * 1e3) + 1, LATEST_US))  # rounded up: bounds only widen
        return UNPLANNED.pack(done_ns - took_us * 1000, 0, took_us, rest)

    return heard


def _told(response: Any, header: str) -> tuple[int, str]:
    """Return the status and the region of an answer; 0 and "" where there is none, or one that tells less."""
    status = getattr(response, "status_code", 0) or 0
    try:
        region = response.headers.get(header) or ""
    except (AttributeError, TypeError):
        region = ""
    return status, str(region[0] if isinstance(region, list) else region)


def _failure(load: LoadProcess, status: int, exception: BaseException | str) -> Outcome:
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
