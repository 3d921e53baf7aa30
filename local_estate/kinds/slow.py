"""A region that answers late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.behaviour import Behaviour, Kind
from local_estate.kinds.spoilt import Spoilt


@dataclass(frozen=True, slots=True)
class Slow(Spoilt):
    """Answers come `slow_s` later, else unchanged."""

    region: str
    slow_s: float = 1.0
    app: str | None = None
    kind: ClassVar[str] = "slow"

    def behaviour(self, share: float) -> Behaviour:
        return Behaviour(Kind.SLOW, share, self.app, slow_s=self.slow_s)
