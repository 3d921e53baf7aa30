"""ARM cut off after the deed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.kinds.control import Blow, Control
from local_estate.wire import Response


@dataclass(frozen=True, slots=True)
class ResetAfter(Control):
    """The call is carried out, then the connection is reset instead of an answer."""

    only: str = "writes"
    operation: str | None = None
    kind: ClassVar[str] = "control_reset_after"

    async def struck(self, blow: Blow) -> Response | None:
        await blow.proceed()
        return None
