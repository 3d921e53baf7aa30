"""The samples of a run, folded once: every figure of the findings is read from here.

    records ──chunks──► Fold.of(chunk) ──then──► Fold      a.then(b) is the fold of a followed by b

Where the stream is cut doesn't matter, and memory is bounded by chunks, seconds and episodes, not by samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from failover_drill.facts import ClockAnchor, Flag, Population, SampleNames, SampleRecords, SampleTable
from failover_drill.pace import Ceiling
from failover_drill.stats import Latencies
from failover_drill.strand import LULL_NS, Strand, Stream
from failover_drill.tally import Buckets, Columns, Tally

CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Lens:
    """What has to be known beforehand to fold samples."""

    names: SampleNames
    anchor: ClockAnchor
    judged: tuple[Population, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """`judged` and `everyone` are streams of several populations on one time line."""

    tally: Tally
    ceiling: Ceiling
    straight: Latencies  # of good answers at the first attempt
    buckets: Buckets | None
    judged: Strand
    everyone: Strand  # maximal runs in which each population was bad; one with no sample in a run may have been served
    populations: Mapping[Population, Strand]
    paths: Mapping[int, Strand]  # of the judged populations; empty where there is only one path

    @classmethod
    def of(cls, records: SampleRecords, lens: Lens) -> Fold:
        """Fold samples that are in order of sending."""
        columns = Columns.of(records)
        population = records["population"]
        uncut = columns.uncut
        judged = uncut & np.isin(population, [int(each) for each in lens.judged])
        done, due = columns.sent_ns + columns.took_ns, records["intended_ns"]
        whole = Stream(columns.sent_ns, done, records["outcome"], population, due)
        straight = columns.good & (records["flags"] & Flag.RETRIED == 0)
        return cls(
            Tally.of(columns, lens.names, judged, lens.anchor),
            Ceiling.of(columns.sent_ns[straight], columns.took_ns[straight]),
            Latencies.of(records["took_us"][straight]),
            Buckets.of(columns, lens.names),
            Strand.of(whole.only(judged)),
            _of_everyone(whole.only(uncut)),
            {each: Strand.of(whole.only(uncut & (population == each))) for each in Population},
            _by_path(whole, judged, records["path"], len(lens.names.paths)),
        )

    @property
    def everyone_mask(self) -> int:
        """The populations that have samples, as bits."""
        return sum(1 << each for each, strand in self.populations.items() if strand.samples)

    def then(self, later: Fold) -> Fold:
        buckets = self.buckets.then(later.buckets) if self.buckets and later.buckets else self.buckets or later.buckets
        return Fold(
            self.tally.then(later.tally),
            self.ceiling.then(later.ceiling),
            self.straight + later.straight,
            buckets,
            self.judged.then(later.judged),
            self.everyone.then(later.everyone),
            {each: self.populations[each].then(later.populations[each]) for each in Population},
            {each: self.paths[each].then(later.paths[each]) for each in self.paths},
        )


def _of_everyone(stream: Stream) -> Strand:
    return Strand.of(stream, lull_ns=0).pruned(mask_of(stream.population), growing=True)


def mask_of(population: NDArray[np.uint8]) -> int:
    """Return the populations that are there, as bits."""
    return int(sum(1 << each for each in Population if (population == each).any()))


def _by_path(whole: Stream, judged: NDArray[np.bool_], path: NDArray[np.uint8], paths: int) -> dict[int, Strand]:
    if paths < 2:
        return {}
    return {each: Strand.of(whole.only(judged & (path == each)), LULL_NS) for each in range(paths)}


def fold(table: SampleTable, lens: Lens, chunk: int = CHUNK) -> Fold:
    """Fold a whole table, chunk by chunk."""
    return reduce(Fold.then, (Fold.of(part, lens) for part in chunks(table.records, chunk)))


def chunks(records: SampleRecords, chunk: int = CHUNK) -> Iterator[SampleRecords]:
    """Yield the records in parts; at least one, even of none."""
    for begin in range(0, max(1, len(records)), chunk):
        yield records[begin : begin + chunk]
