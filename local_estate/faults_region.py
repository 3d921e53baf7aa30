"""Faults of a region: its process lost or suspended, or its answers spoilt. `region` is its name, such as "eastus"."""

# ruff: noqa: ARG002 - the arguments are those of every fault

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.behaviour import Behaviour, Kind
from local_estate.faults import FaultError
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


class _Spoilt:
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


@dataclass(frozen=True, slots=True)
class Slow(_Spoilt):
    """Answers come `slow_s` later, else unchanged."""

    region: str
    slow_s: float = 1.0
    app: str | None = None
    kind: ClassVar[str] = "slow"

    def behaviour(self, share: float) -> Behaviour:
        return Behaviour(Kind.SLOW, share, self.app, slow_s=self.slow_s)


@dataclass(frozen=True, slots=True)
class Erroring(_Spoilt):
    """Answers have the HTTP status `status`, as those of a crashing worker or a broken app."""

    region: str
    status: int = 503
    app: str | None = None
    kind: ClassVar[str] = "erroring"

    def behaviour(self, share: float) -> Behaviour:
        return Behaviour(Kind.ERROR, share, self.app, status=self.status)


@dataclass(frozen=True, slots=True)
class WrongContent(_Spoilt):
    """Answers are 200 with JSON that is not the app's."""

    region: str
    app: str | None = None
    kind: ClassVar[str] = "wrong_content"

    def behaviour(self, share: float) -> Behaviour:
        return Behaviour(Kind.WRONG_CONTENT, share, self.app)


@dataclass(frozen=True, slots=True)
class ConnectionReset(_Spoilt):
    """The connection is reset instead of an answer."""

    region: str
    app: str | None = None
    kind: ClassVar[str] = "reset"

    def behaviour(self, share: float) -> Behaviour:
        return Behaviour(Kind.RESET, share, self.app)


@dataclass(frozen=True, slots=True)
class Flapping(_Spoilt):
    """The region is down for `down_s`, up for `up_s`, and so on; down as `then` says: error, reset, hang, slow, stopped …"""

    region: str
    up_s: float = 5.0
    down_s: float = 5.0
    then: str = "error"
    status: int = 503
    app: str | None = None
    kind: ClassVar[str] = "flapping"

    def __post_init__(self) -> None:
        if self.then not in set(Kind):
            raise ValueError(f"then must be one of {', '.join(Kind)}, not {self.then!r}")
        self.behaviour(1.0)

    def behaviour(self, share: float) -> Behaviour:
        return Behaviour(Kind.FLAPPING, share, self.app, self.status, 1.0, self.up_s, self.down_s, Kind(self.then))
