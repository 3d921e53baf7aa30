"""Tokens past their time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.faults_stage import Stage


@dataclass(frozen=True, slots=True)
class TokenExpired:
    """Tokens handed out before the fault began count as expired; with `new_ones_too`, later ones as well."""

    new_ones_too: bool = False
    kind: ClassVar[str] = "token_expired"

    async def begin(self, stage: Stage, fault_id: str, probability: float) -> None:
        stage.issuer.expire(fault_id, new_ones_too=self.new_ones_too, probability=probability, rng=stage.rng)

    async def end(self, stage: Stage, fault_id: str) -> None:
        stage.issuer.unexpire(fault_id)
