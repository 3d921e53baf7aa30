"""ARM out of patience: 429."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import ClassVar

from local_estate.errors import gateway
from local_estate.kinds.control import Blow, Control
from local_estate.rates import PREFIX
from local_estate.wire import Response


@dataclass(frozen=True, slots=True)
class Throttled(Control):
    """429 SubscriptionRequestsThrottled; with a Retry-After header where `retry_after_s` is given. Nothing is carried out."""

    retry_after_s: float | None = None
    only: str = "all"
    operation: str | None = None
    kind: ClassVar[str] = "control_throttled"

    async def struck(self, blow: Blow) -> Response | None:
        wait_s = 6 if self.retry_after_s is None else self.retry_after_s
        message = (
            f"Number of requests for subscription '{_subscription(blow)}' and operation '{_operation(blow)}' exceeded the backend"
            f" storage limit. Please try again after '{wait_s:g}' seconds."
        )
        headers = () if self.retry_after_s is None else (("Retry-After", f"{self.retry_after_s:g}"),)
        refused = blow.answered(gateway(429, "SubscriptionRequestsThrottled", message, *headers).response)
        told = tuple((k, v) for k, v in refused.headers if k != "x-ms-failure-cause" and not k.startswith(PREFIX))
        return replace(refused, headers=told, close=True)


def _subscription(blow: Blow) -> str:
    found = re.match(r"/subscriptions/([^/]+)", blow.request.path, re.I)
    return found[1] if found else ""


def _operation(blow: Blow) -> str:
    """Name the operation as the service does: its method and path, in capitals, without the names of resources [R]."""
    path = blow.operation.path if blow.operation else blow.request.path
    words = [word for word in path.split("/") if word and not word.startswith("{")]
    return f"{blow.request.method}/{'/'.join(words)}/".upper()
