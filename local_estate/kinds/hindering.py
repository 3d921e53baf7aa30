"""What faults of replication have in common: writes leave a region late, or not at all."""

from __future__ import annotations

from local_estate.faults import FaultError
from local_estate.faults_stage import Stage
from local_estate.replication import Hindrance


class Hindering:
    """Replication hindered while the fault is on, out of `region` or (None) of every region. `probability` decides once."""

    __slots__ = ()
    region: str | None

    def hindrance(self) -> Hindrance:
        raise NotImplementedError

    async def begin(self, stage: Stage, fault_id: str, probability: float) -> None:
        if self.region is not None and self.region not in stage.regions.state():
            raise FaultError(f"no region {self.region!r}; there are: {', '.join(sorted(stage.regions.state()))}")
        if stage.rng.random() < probability:
            await stage.regions.relay.hinder(fault_id, self.hindrance())

    async def end(self, stage: Stage, fault_id: str) -> None:
        await stage.regions.relay.hinder(fault_id, None)
