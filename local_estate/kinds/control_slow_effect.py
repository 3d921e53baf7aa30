"""ARM that says yes, and effects that come late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.faults_stage import Stage


@dataclass(frozen=True, slots=True)
class SlowToTakeEffect:
    """Changes are accepted and shown by ARM at once, but reach front ends, monitor and DNS `effect_s` later than they should.

    A later change that takes effect at once carries the held ones along.
    """

    effect_s: float = 10.0
    kind: ClassVar[str] = "control_slow_effect"

    def __post_init__(self) -> None:
        if not 0 < self.effect_s <= 86_400:
            raise ValueError(f"effect_s must be above 0 and at most 86400 seconds, not {self.effect_s!r}")

    async def begin(self, stage: Stage, fault_id: str, probability: float) -> None:
        stage.lateness.set(fault_id, self.effect_s, probability)

    async def end(self, stage: Stage, fault_id: str) -> None:
        stage.lateness.clear(fault_id)
