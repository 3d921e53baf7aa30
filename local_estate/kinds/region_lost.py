"""A region lost: its process is killed."""

# ruff: noqa: ARG002 - the arguments are those of every fault

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.faults_stage import Stage


@dataclass(frozen=True, slots=True)
class RegionLost:
    """The region's process is killed: connections are refused. Undone by a fresh process. `probability` decides once."""

    region: str
    kind: ClassVar[str] = "region_lost"

    async def begin(self, stage: Stage, fault_id: str, probability: float) -> None:
        if stage.rng.random() < probability:
            await stage.regions.kill(self.region)

    async def end(self, stage: Stage, fault_id: str) -> None:
        if not stage.regions.state()[self.region]["alive"]:
            await stage.regions.respawn(self.region)
