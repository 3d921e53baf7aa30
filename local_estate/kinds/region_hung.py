"""A region hung: its process is suspended."""

# ruff: noqa: ARG002 - the arguments are those of every fault

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.faults_stage import Stage


@dataclass(frozen=True, slots=True)
class RegionHung:
    """The region's process is suspended: connections are accepted and nothing is answered. `probability` decides once."""

    region: str
    kind: ClassVar[str] = "region_hung"

    async def begin(self, stage: Stage, fault_id: str, probability: float) -> None:
        if stage.rng.random() < probability:
            await stage.regions.hang(self.region)

    async def end(self, stage: Stage, fault_id: str) -> None:
        state = stage.regions.state()[self.region]
        if state["alive"] and state["hung"]:
            await stage.regions.resume(self.region)
