"""Faults of the control plane: ARM throttled, failing, hung, cut off, late. The probability is the chance for each call.

All of them strike calls that match `only` ("all", "reads", "writes") and, where given, `operation` (a name of
docs/fidelity.md with `*` for anything, such as "Endpoints_*").
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass, field
from typing import ClassVar

from local_estate.arm import Proceed, with_headers
from local_estate.arm_call import Effect, Operation
from local_estate.errors import gateway, site_error
from local_estate.faults_stage import Stage
from local_estate.rbac import allowed
from local_estate.wire import Request, Response

ONLY = ("all", "reads", "writes")
HTML_503 = (
    b'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">\r\n'
    b"<HTML><HEAD><TITLE>Service Unavailable</TITLE></HEAD>\r\n"
    b"<BODY><h2>Service Unavailable</h2>\r\n<hr><p>HTTP Error 503. The service is unavailable.</p>\r\n</BODY></HTML>\r\n"
)


@dataclass(frozen=True, slots=True)
class Blow:
    """A call that is struck. `locks`: resource -> monotonic time until which writes to it are refused."""

    request: Request
    operation: Operation | None
    proceed: Proceed
    locks: dict[str, float]
    over: asyncio.Event

    def answered(self, response: Response) -> Response:
        return with_headers(response, self.request, self.operation)


class _Control:
    """A fault that wraps control-plane calls. Subclasses say what becomes of one that is struck."""

    __slots__ = ()
    only: str
    operation: str | None

    def __post_init__(self) -> None:
        if self.only not in ONLY:
            raise ValueError(f"only must be one of {', '.join(ONLY)}, not {self.only!r}")

    async def begin(self, stage: Stage, fault_id: str, probability: float) -> None:
        stage.arm.faults[fault_id] = Striking(self, stage, probability)

    async def end(self, stage: Stage, fault_id: str) -> None:
        striking = stage.arm.faults.pop(fault_id, None)
        if isinstance(striking, Striking):
            striking.over.set()

    def aims_at(self, request: Request, operation: Operation | None) -> bool:
        writes = operation.effect is Effect.WRITE if operation else request.method not in {"GET", "HEAD"}
        if self.only != "all" and writes != (self.only == "writes"):
            return False
        return self.operation is None or (operation is not None and allowed(operation.name, (self.operation,)))

    async def struck(self, blow: Blow) -> Response | None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Striking:
    """A control-plane fault in force; `over` is set when it is undone, which frees the calls it holds."""

    fault: _Control
    stage: Stage
    probability: float
    locks: dict[str, float] = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def around(self, request: Request, operation: Operation | None, proceed: Proceed) -> Response | None:
        if not self.fault.aims_at(request, operation):
            return await proceed()
        if self.locks.get(_resource(request), 0.0) > time.monotonic():
            return with_headers(_locked(), request, operation)
        if self.stage.rng.random() >= self.probability:
            return await proceed()
        return await self.fault.struck(Blow(request, operation, proceed, self.locks, self.over))


@dataclass(frozen=True, slots=True)
class Throttled(_Control):
    """429 SubscriptionRequestsThrottled; with a Retry-After header where `retry_after_s` is given. Nothing is carried out."""

    retry_after_s: float | None = None
    only: str = "all"
    operation: str | None = None
    kind: ClassVar[str] = "control_throttled"

    async def struck(self, blow: Blow) -> Response | None:
        wait_s = 6 if self.retry_after_s is None else self.retry_after_s
        path = re.sub(r"/subscriptions/[^/]+", "/SUBSCRIPTIONS", blow.request.path, flags=re.I).upper()[:200]
        message = (
            f"Number of requests for subscription and operation '{blow.request.method}{path}' exceeded the backend storage limit."
            f" Please try again after '{wait_s:g}' seconds."
        )
        headers = () if self.retry_after_s is None else (("Retry-After", f"{self.retry_after_s:g}"),)
        refusal = gateway(429, "SubscriptionRequestsThrottled", message, *headers).response
        return blow.answered(refusal)


@dataclass(frozen=True, slots=True)
class Failing(_Control):
    """`status` 500 or 502 with ARM's JSON, 503 with http.sys's HTML page. Nothing is carried out."""

    status: int = 500
    only: str = "all"
    operation: str | None = None
    kind: ClassVar[str] = "control_failing"

    def __post_init__(self) -> None:
        _Control.__post_init__(self)
        if self.status not in (500, 502, 503):
            raise ValueError(f"status must be 500, 502 or 503, not {self.status!r}")

    async def struck(self, blow: Blow) -> Response | None:
        if self.status == 503:
            page = Response(
                503, HTML_503, (("Content-Type", "text/html; charset=us-ascii"),), reason="Service Unavailable"
            )
            return blow.answered(page)
        code = "InternalServerError" if self.status == 500 else "BadGateway"
        return blow.answered(gateway(self.status, code, "Encountered internal server error.").response)


@dataclass(frozen=True, slots=True)
class TimedOut(_Control):
    """The call is carried out, the answer is 504 after `after_s`; then writes to that resource get the 429 lock for `lock_s`."""

    after_s: float = 1.0
    lock_s: float = 5.0
    only: str = "writes"
    operation: str | None = None
    kind: ClassVar[str] = "control_timed_out"

    async def struck(self, blow: Blow) -> Response | None:
        await blow.proceed()
        blow.locks[_resource(blow.request)] = time.monotonic() + self.after_s + self.lock_s
        await asyncio.sleep(self.after_s)
        namespace = "Microsoft.Web" if "/microsoft.web/" in blow.request.path.lower() else "Microsoft.Network"
        message = f"The gateway did not receive a response from '{namespace}' within the specified time period."
        refusal = gateway(504, "GatewayTimeout", message).response
        headers = tuple((k, "service" if k == "x-ms-failure-cause" else v) for k, v in refusal.headers)
        return blow.answered(Response(504, refusal.body, headers, close=True))


@dataclass(frozen=True, slots=True)
class Hung(_Control):
    """No answer for `hang_s` or until the fault is undone, then a reset; `carried_out` says whether the call took effect."""

    hang_s: float = 3600.0
    carried_out: bool = False
    only: str = "all"
    operation: str | None = None
    kind: ClassVar[str] = "control_hung"

    async def struck(self, blow: Blow) -> Response | None:
        if self.carried_out:
            await blow.proceed()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(blow.over.wait(), self.hang_s)
        return None


@dataclass(frozen=True, slots=True)
class ResetAfter(_Control):
    """The call is carried out, then the connection is reset instead of an answer."""

    only: str = "writes"
    operation: str | None = None
    kind: ClassVar[str] = "control_reset_after"

    async def struck(self, blow: Blow) -> Response | None:
        await blow.proceed()
        return None


@dataclass(frozen=True, slots=True)
class SlowToTakeEffect:
    """Changes are accepted and shown by ARM at once, but reach front ends, monitor and DNS `effect_s` later than they should.

    A later change that takes effect at once carries the held ones along.
    """

    effect_s: float = 10.0
    kind: ClassVar[str] = "control_slow_effect"

    def __post_init__(self) -> None:
        if not 0 < self.effect_s <= 86_400:
            raise ValueError(f"effect_s must be above 0 and at most 86400 seconds, not {self.effect_s!r}")

    async def begin(self, stage: Stage, fault_id: str, probability: float) -> None:
        stage.lateness.set(fault_id, self.effect_s, probability)

    async def end(self, stage: Stage, fault_id: str) -> None:
        stage.lateness.clear(fault_id)


def _resource(request: Request) -> str:
    """The resource a call is about: its path without the action."""
    return re.sub(r"/(start|stop|restart|config/.*)$", "", request.path.lower())


def _locked() -> Response:
    message = "Cannot acquire exclusive lock to create, update or delete this site. Retry the request later."
    refused = site_error(429, "429", message, "59206", message, []).response
    return Response(429, refused.body, refused.headers, close=True)
