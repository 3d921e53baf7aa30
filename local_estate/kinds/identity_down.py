"""No tokens to be had."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from local_estate.faults_stage import Stage
from local_estate.wire import Request, Response, json_response

HOW = ("error", "reset", "hang")


@dataclass(frozen=True, slots=True)
class IdentityDown:
    """Token requests fail: `how` is error (500), reset, or hang. The probability is the chance for each request."""

    how: str = "error"
    kind: ClassVar[str] = "identity_down"

    def __post_init__(self) -> None:
        if self.how not in HOW:
            raise ValueError(f"how must be one of {', '.join(HOW)}, not {self.how!r}")

    async def begin(self, stage: Stage, fault_id: str, probability: float) -> None:
        async def struck(_request: Request) -> Response | bool | None:
            if stage.rng.random() >= probability:
                return False
            if self.how == "hang":
                await asyncio.sleep(3600)
            if self.how == "error":
                return json_response(500, {"statusCode": 500, "message": "The identity service is down."})
            return None

        stage.issuer.faults[fault_id] = struck

    async def end(self, stage: Stage, fault_id: str) -> None:
        stage.issuer.faults.pop(fault_id, None)
