"""What faults act on: the parts of a running estate, and lateness of effects. Values that the kinds of fault are given."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local_estate.topology import World

if TYPE_CHECKING:
    from local_estate.arm import Arm
    from local_estate.identity import Issuer
    from local_estate.nameserver import NameServer
    from local_estate.regions import Regions
    from local_estate.resolver import Resolver


@dataclass(slots=True)
class Lateness:
    """Changes of the World that reach its listeners late: `holds` maps a fault to (seconds, probability)."""

    world: World
    rng: random.Random
    holds: dict[str, tuple[float, float]] = field(default_factory=dict)

    def set(self, fault_id: str, seconds: float, probability: float) -> None:
        self.holds[fault_id] = (seconds, probability)
        self.world.deliver = self._deliver

    def clear(self, fault_id: str) -> None:
        """Let go of one fault; with the last one, all that is still held back takes effect now."""
        self.holds.pop(fault_id, None)
        if not self.holds:
            self.world.deliver = None
            self.world.tell()

    def _deliver(self, tell: Callable[[], None]) -> None:
        late_s = sum(seconds for seconds, chance in self.holds.values() if self.rng.random() < chance)
        if late_s:
            asyncio.get_running_loop().call_later(late_s, tell)
        else:
            tell()


@dataclass(slots=True)
class Stage:
    """The parts of one estate. `rng` decides whom a fault with a probability strikes."""

    world: World
    regions: Regions
    names: NameServer
    arm: Arm
    issuer: Issuer
    resolvers: Sequence[Resolver]
    lateness: Lateness
    rng: random.Random
