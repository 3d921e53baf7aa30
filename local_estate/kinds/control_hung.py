"""ARM that does not answer."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import ClassVar

from local_estate.kinds.control import Blow, Control
from local_estate.wire import Response


@dataclass(frozen=True, slots=True)
class Hung(Control):
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
