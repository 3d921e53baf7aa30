"""What faults have in common that spoil the answers of a region, such as "eastus"."""

from __future__ import annotations

from local_estate.behaviour import Behaviour
from local_estate.faults import FaultError
from local_estate.faults_stage import Stage


class Spoilt:
    """Answers spoilt for a share of the requests: the probability is the share."""

    __slots__ = ()
    region: str

    def behaviour(self, share: float) -> Behaviour:
        raise NotImplementedError

    async def begin(self, stage: Stage, fault_id: str, probability: float) -> None:
        if self.region not in stage.regions.state():
            raise FaultError(f"no region {self.region!r}; there are: {', '.join(sorted(stage.regions.state()))}")
        await stage.regions.set_behaviour(self.region, self.behaviour(probability), key=fault_id)

    async def end(self, stage: Stage, fault_id: str) -> None:
        await stage.regions.set_behaviour(self.region, None, key=fault_id)
