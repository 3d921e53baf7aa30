"""ARM that is slow to carry out: the call is done late, and done even where the caller has gone by then."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from local_estate.kinds.control import Blow, Control
from local_estate.wire import Response


@dataclass(frozen=True, slots=True)
class CarriedOutLate(Control):
    """The call is carried out, and answered, `late_s` after it arrived; whoever hung up meanwhile does not stop it."""

    late_s: float = 2.0
    only: str = "writes"
    operation: str | None = None
    kind: ClassVar[str] = "control_late"

    async def struck(self, blow: Blow) -> Response | None:
        return await asyncio.shield(asyncio.ensure_future(self._later(blow)))

    async def _later(self, blow: Blow) -> Response | None:
        await asyncio.sleep(self.late_s)
        return await blow.proceed()
