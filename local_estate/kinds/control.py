"""What faults of the control plane have in common: whom they strike. The probability is the chance for each call.

All of them strike calls that match `only` ("all", "reads", "writes") and, where given, `operation` (a name of
docs/fidelity.md with `*` for anything, such as "Endpoints_*").
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field

from local_estate.arm import Proceed, with_headers
from local_estate.arm_call import Effect, Operation
from local_estate.errors import site_error
from local_estate.faults_stage import Stage
from local_estate.rbac import allowed
from local_estate.wire import Request, Response

ONLY = ("all", "reads", "writes")


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


class Control:
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

    fault: Control
    stage: Stage
    probability: float
    locks: dict[str, float] = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def around(self, request: Request, operation: Operation | None, proceed: Proceed) -> Response | None:
        if not self.fault.aims_at(request, operation):
            return await proceed()
        if self.locks.get(resource(request), 0.0) > time.monotonic():
            return with_headers(locked(), request, operation)
        if self.stage.rng.random() >= self.probability:
            return await proceed()
        return await self.fault.struck(Blow(request, operation, proceed, self.locks, self.over))


def resource(request: Request) -> str:
    """The resource a call is about: its path without the action."""
    return re.sub(r"/(start|stop|restart|config/.*)$", "", request.path.lower())


def locked() -> Response:
    message = "Cannot acquire exclusive lock to create, update or delete this site. Retry the request later."
    refused = site_error(429, "429", message, "59206", message, []).response
    return Response(429, refused.body, (("Content-Type", "application/json; charset=utf-8"),), close=True)
