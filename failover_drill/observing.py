"""What a live view knows of a service being watched: small, cheap, and folded from samples as they come. Pure.

Only what is shown is kept, so that watching costs next to nothing: the judged stream as a strand, counts, and who answered
lately. The final figures come from `analyse`, over everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from failover_drill.facts import SAMPLE_DTYPE, Objectives, SampleRecords, SampleTable
from failover_drill.outages import Outage, lost_ns, outages
from failover_drill.pace import Ceiling, Pace
from failover_drill.slo import Budget
from failover_drill.strand import Strand, Stream
from failover_drill.tally import Columns, sent_ns
from failover_drill.wording import seconds, share, spread

SILENT_NS = 2_000_000_000
"""Samples come each half second; when none has come for this long, everything that was asked is still waiting."""


@dataclass(frozen=True, slots=True)
class Watched:
    """The state after some batches. A sample is written when its outcome is known, so one that hung comes late.

    `settled` are the samples that none can precede any more, `recent` those since, `judged` both together; `addresses` and
    `regions` are those that answered in the last batch.
    """

    hold_ns: int
    settled: Strand = field(default_factory=Strand.empty)
    recent: SampleRecords = field(default_factory=lambda: np.zeros(0, SAMPLE_DTYPE))
    judged: Strand = field(default_factory=Strand.empty)
    newest_ns: int = 0
    slowest_ns: int = 0
    good: int = 0
    bad: int = 0
    addresses: Mapping[str, int] = field(default_factory=dict)
    regions: Mapping[str, int] = field(default_factory=dict)

    def then(self, batch: SampleTable, objectives: Objectives) -> Watched:
        """Return the state after a batch of samples, in any order."""
        columns = Columns.of(batch.records)
        records, good = columns.records, columns.good
        chosen = columns.uncut & np.isin(records["population"], [int(each) for each in objectives.judged])
        recent = np.concatenate([self.recent, records[chosen]])
        recent = recent[np.argsort(sent_ns(recent), kind="stable")]
        newest = max(self.newest_ns, int((columns.sent_ns + columns.took_ns).max(initial=0)))
        old = int(np.searchsorted(sent_ns(recent), newest - self.hold_ns))
        settled = self.settled.then(_strand(recent[:old]))
        return Watched(
            self.hold_ns,
            settled,
            recent[old:],
            settled.then(_strand(recent[old:])),
            newest,
            max(self.slowest_ns, int(columns.took_ns[good].max(initial=0))),
            self.good + int(good.sum()),
            self.bad + int((columns.uncut & ~good).sum()),
            _counted(records["address"][good], batch.names.addresses),
            _counted(records["region"][good], batch.names.regions),
        )

    @property
    def lost_s(self) -> float:
        return float(lost_ns(self.judged.episodes).sum()) / 1e9

    def last_outage(self) -> Outage | None:
        """Return the newest outage, open or not."""
        newest = self.judged.episodes[-1:]
        found = outages(newest, Ceiling(0, np.zeros(0, np.int64)), Pace(0, slow_ns=self.slowest_ns))
        return found[0] if found else None

    def state(self, now_ns: int | None = None) -> str:
        """Return "up", "out", "silent" (everything asked is still waiting for an answer) or "waiting" (for the first)."""
        if not self.judged.samples:
            return "waiting"
        if now_ns is not None and now_ns - self.newest_ns > SILENT_NS:
            return "silent"
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
        spent = share(budget.consumed_share(self.lost_s))
        return f"{seconds(self.lost_s * 1e9)} lost, {spent} of the budget of {seconds(budget.whole_s * 1e9)}"

    def availability_line(self) -> str:
        total = self.good + self.bad
        return f"{share(self.good / total)} of {total} requests" if total else "nothing sent yet"

    def answering_line(self) -> str:
        """Return who answers: addresses with their regions where they are told."""
        return ", ".join(_ranked(self.regions) + _ranked(self.addresses)) or "nobody"


def _strand(records: SampleRecords) -> Strand:
    columns = Columns.of(records)
    done_ns = columns.sent_ns + columns.took_ns
    return Strand.of(
        Stream(columns.sent_ns, done_ns, records["outcome"], records["population"], records["intended_ns"])
    )


def _counted(indices: np.ndarray[tuple[int], np.dtype[np.uint8]], names: tuple[str, ...]) -> dict[str, int]:
    found, counts = np.unique(indices, return_counts=True)
    return {
        names[i]: int(n) for i, n in zip(found.tolist(), counts.tolist(), strict=True) if i < len(names) and names[i]
    }


def _ranked(counts: Mapping[str, int]) -> list[str]:
    return sorted(counts, key=lambda name: -counts[name])
