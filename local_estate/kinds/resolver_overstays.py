"""A caching resolver that keeps answers too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.faults import FaultError
from local_estate.faults_stage import Stage


@dataclass(frozen=True, slots=True)
class ResolverOverstays:
    """The caching resolver serves everything `overstay_s` longer than the TTL allows. `probability` decides per resolver."""

    overstay_s: float = 60.0
    kind: ClassVar[str] = "resolver_overstays"

    def __post_init__(self) -> None:
        if not 0 < self.overstay_s <= 86_400:
            raise ValueError(f"overstay_s must be above 0 and at most 86400 seconds, not {self.overstay_s!r}")

    async def begin(self, stage: Stage, fault_id: str, probability: float) -> None:
        if not stage.resolvers:
            raise FaultError("the estate runs no resolver; set [resolver] count = 1 in its settings")
        for resolver in stage.resolvers:
            if stage.rng.random() < probability:
                resolver.overstay(fault_id, self.overstay_s)

    async def end(self, stage: Stage, fault_id: str) -> None:
        for resolver in stage.resolvers:
            resolver.overstay(fault_id, None)
