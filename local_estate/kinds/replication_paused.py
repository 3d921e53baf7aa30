"""Replication that stands still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.kinds.hindering import Hindering
from local_estate.replication import Hindrance


@dataclass(frozen=True, slots=True)
class ReplicationPaused(Hindering):
    """No write leaves the region for another one; undone, what is left of them follows."""

    region: str | None = None
    kind: ClassVar[str] = "replication_paused"

    def hindrance(self) -> Hindrance:
        return Hindrance(self.region, paused=True)
