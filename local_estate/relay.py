"""Carries writes between the regions' processes, and says what a killed one took with it.

    Region ──{"replicate": rows}──> Relay ──{"do": "receive", "rows": rows}──> every other living Region
    Region ──{"seed": rows, "to": region}──> Relay ──────────────────────────> that Region, which begins anew

A row is [key, value, seq]. The outbox is in the region's own process: what has not left it when the process is killed is gone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from local_estate.region import Region
from local_estate.replication import Hindrance, Pace, hindered
from local_estate.truth import Truth


class Relay:
    """The replication between *regions*, which may grow."""

    def __init__(self, regions: Mapping[str, Region], truth: Truth, pace: Pace) -> None:
        self._regions, self._truth, self._pace = regions, truth, pace
        self._hindrances: dict[str, Hindrance] = {}

    async def hinder(self, key: str, hindrance: Hindrance | None) -> None:
        """Put *hindrance* on replication under *key*, or with None take it away. Raises RegionError."""
        self._hindrances.pop(key, None)
        if hindrance is not None:
            self._hindrances[key] = hindrance
        await asyncio.gather(*(region.ask(self.pace_of(region)) for region in self._regions.values()))

    def pace_of(self, region: Region) -> dict[str, Any]:
        """Return the command that tells *region* how its replication goes."""
        return {"do": "replication", **asdict(hindered(self._pace, region.name, self._hindrances.values()))}

    def seed(self, fresh: Region) -> None:
        """Have one region that lives send everything it keeps to *fresh*."""
        source = next((each for each in self._others(fresh) if not each.hung), None)
        if source is not None:
            source.send({"do": "seed", "to": fresh.name})

    def heard(self, region: Region, message: Mapping[str, Any]) -> None:
        """Pass on what *region* says of its data."""
        if rows := message.get("replicate"):
            others = self._others(region)
            for other in others:
                other.send({"do": "receive", "sender": region.name, "rows": rows})
            if others:
                region.handed_over = rows[-1][2]
        elif (rows := message.get("seed")) and (to := self._regions.get(message["to"])) and to.alive:
            to.send({"do": "receive", "sender": region.name, "rows": rows})

    async def bury(self, region: Region, why: str) -> None:
        """Write down what the ended process of *region* had acknowledged and not handed over."""
        written = await asyncio.to_thread(self._written)
        lost = [
            each["key"]
            for each in written
            if each["region"] == region.name and each["t_ns"] >= region.spawned_ns and each["seq"] > region.handed_over
        ]
        if lost:
            self._truth.write("lost", region=region.name, app=None, keys=lost, why=why)

    def _others(self, region: Region) -> list[Region]:
        return [each for each in self._regions.values() if each is not region and each.alive]

    def _written(self) -> list[dict[str, Any]]:
        lines = self._truth.path.read_bytes().splitlines()
        return [json.loads(line) for line in lines if b'"event":"written"' in line]
