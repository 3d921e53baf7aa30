"""What a live view knows of a service being watched: small, cheap, and folded from samples as they come. Pure.

Only what is shown is kept, so that watching costs next to nothing: the judged stream as a strand, counts, and who answered
lately. The final figures come from `analyse`, over everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from failover_drill.facts import Objectives, SampleTable
from failover_drill.outages import Ceiling, Outage, Pace, lost_ns, outages
from failover_drill.slo import Budget
from failover_drill.strand import Strand, Stream
from failover_drill.tally import Columns
from failover_drill.wording import percent, seconds, spread


@dataclass(frozen=True, slots=True)
class Watched:
    """`addresses` and `regions` answered since the last batch but one."""

    judged: Strand = field(default_factory=Strand.empty)
    slowest_ns: int = 0
    good: int = 0
    bad: int = 0
    addresses: Mapping[str, int] = field(default_factory=dict)
    regions: Mapping[str, int] = field(default_factory=dict)

    def then(self, batch: SampleTable, objectives: Objectives) -> Watched:
        """Return the state after a batch of samples; those that another process sent earlier are put in order within it."""
        columns = Columns.of(batch.records[np.argsort(batch.records["intended_ns"], kind="stable")])
        records, good = columns.records, columns.good & columns.uncut
        chosen = columns.uncut & np.isin(records["population"], [int(each) for each in objectives.judged])
        chosen &= columns.sent_ns >= self.judged.last_ns
        stream = Stream(columns.sent_ns, columns.sent_ns + columns.took_ns, records["outcome"], records["population"])
        return Watched(
            self.judged.then(Strand.of(stream.only(chosen))),
            max(self.slowest_ns, int(columns.took_ns[good].max(initial=0))),
            self.good + int(good.sum()),
            self.bad + int((columns.uncut & ~columns.good).sum()),
            _counted(records["address"][good], batch.names.addresses),
            _counted(records["region"][good], batch.names.regions),
        )

    @property
    def lost_s(self) -> float:
        return float(lost_ns(self.judged.episodes).sum()) / 1e9

    def last_outage(self) -> Outage | None:
        """Return the newest outage, open or not."""
        newest = self.judged.episodes[-1:]
        found = outages(newest, Ceiling(0, np.zeros(0, np.int64)), Pace(0))
        return replace(found[0], d_ns=self.slowest_ns) if found else None

    def state(self) -> str:
        """Return "up", "out" or "waiting"."""
        if not self.judged.samples:
            return "waiting"
        return "up" if self.judged.last_good else "out"

    def outage_line(self) -> str:
        """Return what is to be said of the newest outage, or nothing."""
        newest = self.last_outage()
        if newest is None:
            return "no outage seen"
        how = newest.outcome.name.lower().replace("_", " ")
        if newest.after_ns is None:
            return f"OUT for at least {seconds(newest.last_ns - newest.first_ns)} ({how})"
        return f"{len(self.judged.episodes)} so far, the last {spread(newest.length)} ({how})"

    def budget_line(self, objectives: Objectives) -> str:
        budget = Budget.of(objectives)
        spent = percent(budget.consumed_share(self.lost_s))
        return f"{seconds(self.lost_s * 1e9)} lost, {spent} of the budget of {seconds(budget.whole_s * 1e9)}"

    def availability_line(self) -> str:
        total = self.good + self.bad
        return f"{percent(self.good / total)} of {total} requests" if total else "nothing sent yet"

    def answering_line(self) -> str:
        """Return who answers: addresses with their regions where they are told."""
        return ", ".join(_ranked(self.regions) + _ranked(self.addresses)) or "nobody"


def _counted(indices: np.ndarray[tuple[int], np.dtype[np.uint8]], names: tuple[str, ...]) -> dict[str, int]:
    found, counts = np.unique(indices, return_counts=True)
    return {
        names[i]: int(n) for i, n in zip(found.tolist(), counts.tolist(), strict=True) if i < len(names) and names[i]
    }


def _ranked(counts: Mapping[str, int]) -> list[str]:
    return sorted(counts, key=lambda name: -counts[name])
