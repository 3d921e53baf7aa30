"""A region that answers with errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.behaviour import Behaviour, Kind
from local_estate.kinds.spoilt import Spoilt


@dataclass(frozen=True, slots=True)
class Erroring(Spoilt):
    """Answers have the HTTP status `status`, as those of a crashing worker or a broken app."""

    region: str
    status: int = 503
    app: str | None = None
    kind: ClassVar[str] = "erroring"

    def behaviour(self, share: float) -> Behaviour:
        return Behaviour(Kind.ERROR, share, self.app, status=self.status)
