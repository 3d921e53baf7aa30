"""The users of one drill: its traffic, and the writes of the data probe among it.

    traffic ──► settle ──► served well? writes acknowledged, and found again? ──► the drill may go on; not so: Unsafe
                                                                                     │
                           well again, or not within their time ◄── put back ◄───────┘

What they see is judged in judging.py.
"""

from __future__ import annotations

import random
from dataclasses import asdict

from failover_drill.errors import Unsafe
from failover_drill.facts import Objectives
from failover_drill.journal import Journal
from failover_drill.judging import Judging
from failover_drill.lost_writes import data_probe_trouble, lost_writes, missing
from failover_drill.platform import ReadBacks, Traffic
from failover_drill.restoration import World
from failover_drill.target import Region
from failover_drill.waiting import Waits
from failover_drill.wording import spread

RECOVERING_S = 15.0
AT_RANDOM_S = 5.0  # at most, beyond the settling time
WRITTEN_S = 1.5  # samples are on the disk by then: a load process writes each half second
PROBE_PATIENCE_S = 5.0  # until the data probe's first writes must have been acknowledged


class Users:
    """Of one drill. `measured`: were they ever to be?"""

    def __init__(
        self,
        world: World,
        traffic: Traffic,
        read_back: ReadBacks | None,
        judging: Judging,
        objectives: Objectives,
        journal: Journal,
        waits: Waits,
    ) -> None:
        self._target, self._traffic, self._read_back = world.target, traffic, read_back
        self._names = world.names
        self._judging, self._objectives = judging, objectives
        self._journal, self._clock, self._waits = journal, world.clock, waits
        self.measured = False

    def serve(self) -> None:
        """Start the traffic and watch it at rest for the settling time. Raises Unsafe where users are not served well."""
        self._traffic.start()
        self.measured = True
        self._journal.append("traffic began", {})
        watched_s = self._watch_at_rest()
        availability = self._judging.findings().traffic.judged.share
        if availability is None or availability < self._objectives.availability:
            share = "nothing was measured" if availability is None else f"availability is {availability:.3%}"
            raise Unsafe(
                f"steady state does not hold: over {watched_s:.3g} s before the drill {share}, "
                f"under the objective of {self._objectives.availability:.4g}"
            )
        self._check_data_probe()

    def _watch_at_rest(self) -> float:
        """Wait for the settling time, and at random up to a TTL more. Returns both, in seconds.

        The watched caches keep what we asked first. Without that, what is left of it when names are switched, and so the length
        of `propagate`, would follow from our own timetable.
        """
        ttl_s = self._names.ask("authority").ttl_s or 0
        seconds = self._waits.settle_s + random.uniform(0, min(ttl_s, AT_RANDOM_S))
        self._clock.wait(seconds)
        return seconds

    def _check_data_probe(self) -> None:
        """Raise Unsafe unless writes are acknowledged, and found again where they were taken."""
        deadline = self._clock.now_ns() + int(PROBE_PATIENCE_S * 1e9)
        while trouble := self._data_probe_trouble():
            if self._clock.now_ns() >= deadline:
                raise Unsafe(f"the data probe of {self._target.name} does not work: {trouble}")
            self._clock.wait(self._waits.glance_s)

    def _data_probe_trouble(self) -> str:
        if self._read_back is None:
            return ""
        found = self._read_back(self._target.primary)
        return found.error or data_probe_trouble(self._judging.facts().writes, found)

    @property
    def out_of_sight(self) -> bool:
        """Did the load process die, so that what users see is no longer measured?"""
        return self.measured and not self._traffic.alive

    def note_writes(self, region: Region) -> str:
        """Write down which of the data probe's writes the region has now; return what that makes of the data loss, or ""."""
        if self._read_back is None:
            return ""
        self._journal.append("read back", asdict(self._read_back(region)))
        loss = lost_writes(self._judging.facts())
        return "" if loss is None else f"data loss {spread(loss.length)}: {missing(loss)}"

    def let_recover(self) -> None:
        """Measure until users are well again, for a while: an outage left open at the end has no upper bound."""
        if not self._traffic.alive:
            return
        deadline = self._clock.now_ns() + int(RECOVERING_S * 1e9)
        self._clock.wait(WRITTEN_S)  # what the last undo did to users is not on the disk yet
        while self._traffic.alive and not self._judging.users_are_well() and self._clock.now_ns() < deadline:
            self._clock.wait(self._waits.glance_s)
