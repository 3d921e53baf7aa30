"""A region that is down and up in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.behaviour import Behaviour, Kind
from local_estate.kinds.spoilt import Spoilt


@dataclass(frozen=True, slots=True)
class Flapping(Spoilt):
    """The region is down for `down_s`, up for `up_s`, and so on; down as `then` says: error, reset, hang, slow, stopped …"""

    region: str
    up_s: float = 5.0
    down_s: float = 5.0
    then: str = "error"
    status: int = 503
    app: str | None = None
    kind: ClassVar[str] = "flapping"

    def __post_init__(self) -> None:
        if self.then not in set(Kind):
            raise ValueError(f"then must be one of {', '.join(Kind)}, not {self.then!r}")
        self.behaviour(1.0)

    def behaviour(self, share: float) -> Behaviour:
        return Behaviour(Kind.FLAPPING, share, self.app, self.status, 1.0, self.up_s, self.down_s, Kind(self.then))
