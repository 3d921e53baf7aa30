"""Requests of users that are not ours: other people's Locust classes, measured all the same.

Locust tells of each request when it is over: its duration, its response, its exception. That makes a sample, though
not one of the grid: such users send when they are free, so what they would have sent while they hung is not there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from geventhttpclient.response import HTTPConnectionClosed

from failover_drill.facts import Outcome
from loadtests.process import OURS, LoadProcess
from loadtests.stream import outcome_of


def foreign_listener(load: LoadProcess) -> Callable[..., None]:
    """Return what is to be hung on `events.request`: it records each request of a user class that is not ours.

    It runs once per request of theirs, and may cost them 5 %: hence the locals.
    """
    recorder, plan = load.recorder, load.plan
    regions, paths, header = recorder.regions, recorder.paths, plan.region_header
    slow_ms, clock, ok, slow = plan.slow_s * 1e3, time.monotonic_ns, int(Outcome.OK), int(Outcome.SLOW)

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
        if context is OURS or recorder.closed:
            return
        done_ns = clock()
        took_ms = response_time or 0.0
        status, region, region_no = 0, "", None
        try:
            status = response.status_code or 0
            region = response.headers.get(header) or ""
            region_no = regions.get(region)
        except (AttributeError, TypeError):  # no response; one that tells less; a header that came twice, as a list
            pass
        if region_no is None:
            region_no = regions.index(str(region)[:64])
        path_no = paths.get(name)
        if path_no is None:
            path_no = paths.index(name)
        well = ok if took_ms <= slow_ms else slow
        outcome = well if exception is None else int(_failure(load, status, exception))
        recorder.add_unplanned(done_ns, took_ms, status, outcome, region_no, path_no)

    return heard


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
