"""ARM giving up on a call that is carried out all the same, and the lock that follows."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import ClassVar

from local_estate.errors import gateway
from local_estate.kinds.control import Blow, Control, resource
from local_estate.wire import Response


@dataclass(frozen=True, slots=True)
class TimedOut(Control):
    """The call is carried out, the answer is 504 after `after_s`; then writes to that resource get the 429 lock for `lock_s`."""

    after_s: float = 1.0
    lock_s: float = 5.0
    only: str = "writes"
    operation: str | None = None
    kind: ClassVar[str] = "control_timed_out"

    async def struck(self, blow: Blow) -> Response | None:
        await blow.proceed()
        blow.locks[resource(blow.request)] = time.monotonic() + self.after_s + self.lock_s
        await asyncio.sleep(self.after_s)
        namespace = "Microsoft.Web" if "/microsoft.web/" in blow.request.path.lower() else "Microsoft.Network"
        message = f"The gateway did not receive a response from '{namespace}' within the specified time period."
        refusal = gateway(504, "GatewayTimeout", message).response
        headers = tuple((k, "service" if k == "x-ms-failure-cause" else v) for k, v in refusal.headers)
        return blow.answered(Response(504, refusal.body, headers, close=True))
