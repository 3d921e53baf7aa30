"""A region that answers with somebody else's page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.behaviour import Behaviour, Kind
from local_estate.kinds.spoilt import Spoilt


@dataclass(frozen=True, slots=True)
class WrongContent(Spoilt):
    """Answers are 200 with JSON that is not the app's."""

    region: str
    app: str | None = None
    kind: ClassVar[str] = "wrong_content"

    def behaviour(self, share: float) -> Behaviour:
        return Behaviour(Kind.WRONG_CONTENT, share, self.app)
