"""Replication that comes late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.kinds.hindering import Hindering
from local_estate.replication import Hindrance


@dataclass(frozen=True, slots=True)
class ReplicationSlow(Hindering):
    """Writes leave the region `late_s` later than the estate's lag."""

    region: str | None = None
    late_s: float = 5.0
    kind: ClassVar[str] = "replication_slow"

    def __post_init__(self) -> None:
        if not 0 <= self.late_s <= 86_400:
            raise ValueError(f"late_s must be from 0 to 86400 seconds, not {self.late_s!r}")

    def hindrance(self) -> Hindrance:
        return Hindrance(self.region, late_s=self.late_s)
