"""A region that resets connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.behaviour import Behaviour, Kind
from local_estate.kinds.spoilt import Spoilt


@dataclass(frozen=True, slots=True)
class ConnectionReset(Spoilt):
    """The connection is reset instead of an answer."""

    region: str
    app: str | None = None
    kind: ClassVar[str] = "reset"

    def behaviour(self, share: float) -> Behaviour:
        return Behaviour(Kind.RESET, share, self.app)
