"""One stream of samples in order of sending, folded to the stretches in which it was bad.

        before  first      last  after
    + + +       x x x + x x x       + + +        x bad, + good, in order of sending
          |     '--episode--'     |
          '----- the edges -------'

A fold over chunks: `Strand.of(chunk)` for each, then `a.then(b)` for neighbours; the outcome does not depend on where the
stream was cut. What is kept is proportional to the number of episodes, not of samples.

Bad runs closer together than the strand's lull (bad to bad) are one episode: where answers overtake each other at the
edges of an outage, and where only some clients are out, good and bad interleave. A lull of 0 keeps maximal runs apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from failover_drill.facts import Outcome

LULL_NS = 150_000_000
"""Good for less than this (bad to bad) does not end an outage. Under two gaps at 10/s, so there one good sample does."""

NONE_NS = np.iinfo(np.int64).min
"""No such sample."""

NEVER_NS = np.iinfo(np.int64).max
"""No such sample, where the earliest is asked for."""

HUNG = (Outcome.SLOW, Outcome.TIMEOUT, Outcome.DNS_ERROR, Outcome.SHED)
"""Bad outcomes that say when the client gave up or was served late, not when the service answered badly."""

EPISODE = np.dtype(
    [
        ("before_ns", "<i8"),  # last good before it was sent, or NONE_NS
        ("before_done_ns", "<i8"),  # … and was answered
        ("first_ns", "<i8"),  # first bad sent
        ("last_ns", "<i8"),  # last bad sent
        ("first_due_ns", "<i8"),  # the same two, as the grid had them
        ("last_due_ns", "<i8"),
        ("after_ns", "<i8"),  # first good after it was sent, or NONE_NS
        ("after_done_ns", "<i8"),  # … and was answered
        ("answered_ns", "<i8"),  # the earliest bad answer, or NEVER_NS
        ("hung_ns", "<i8"),  # first bad sent that hung, or NEVER_NS
        ("bad", "<i8"),
        ("good", "<i8"),  # inside it
        ("goods_before", "<i8"),  # good samples of the strand before it
        ("apart_ns", "<i8"),  # the longest distance between two neighbouring bad samples in it, by the grid
        ("lost2_ns", "<i8"),  # twice the integral of badness from first to last
        ("noise_us2", "<f8"),  # Σ gap² over the changes of state from first to last; in µs, so that sums are exact
        ("outcomes", "<u4", (len(Outcome),)),
        ("populations", "u1"),  # bits
    ]
)

Ints = NDArray[np.int64]
Episodes = np.ndarray[tuple[int], np.dtype[np.void]]


@dataclass(frozen=True, slots=True)
class Stream:
    """Samples of one stream as columns, in order of sending, none of them cut.

    `due_ns` is when the grid said to send (where not given: when they were sent).
    """

    sent_ns: Ints
    done_ns: Ints
    outcome: NDArray[np.uint8]
    population: NDArray[np.uint8]
    due_ns: Ints | None = None

    def only(self, chosen: NDArray[np.bool_]) -> Stream:
        due = None if self.due_ns is None else self.due_ns[chosen]
        return Stream(self.sent_ns[chosen], self.done_ns[chosen], self.outcome[chosen], self.population[chosen], due)


@dataclass(frozen=True, slots=True)
class Strand:
    """The fold. `first_…` and `last_…` are of all its samples; the empty strand has `samples` 0."""

    lull_ns: int
    samples: int
    goods: int
    first_ns: int
    first_done_ns: int
    first_good: bool
    last_ns: int
    last_done_ns: int
    last_good: bool
    blind_ns: int
    episodes: Episodes

    @classmethod
    def empty(cls, lull_ns: int = LULL_NS) -> Strand:
        return cls(lull_ns, 0, 0, NONE_NS, NONE_NS, False, NONE_NS, NONE_NS, False, 0, np.zeros(0, EPISODE))

    @classmethod
    def of(cls, stream: Stream, lull_ns: int = LULL_NS) -> Strand:
        """Fold one chunk."""
        sent, done = stream.sent_ns, stream.done_ns
        if not len(sent):
            return cls.empty(lull_ns)
        bad = stream.outcome != Outcome.OK
        pair = ~bad[1:] & ~bad[:-1]
        blind = (done[1:] - sent[:-1])[pair]
        runs = _bad_runs(stream, bad)
        return cls(
            lull_ns,
            len(sent),
            int(len(sent) - np.count_nonzero(bad)),
            int(sent[0]),
            int(done[0]),
            not bad[0],
            int(sent[-1]),
            int(done[-1]),
            not bad[-1],
            int(blind.max()) if len(blind) else 0,
            join(runs, runs["first_ns"][1:] - runs["last_ns"][:-1] <= lull_ns),
        )

    def then(self, later: Strand) -> Strand:
        """Return the fold of this stretch followed by `later`."""
        if not self.samples or not later.samples:
            return self if self.samples else later
        seam = later.first_done_ns - self.last_ns if self.last_good and later.first_good else 0
        return Strand(
            self.lull_ns,
            self.samples + later.samples,
            self.goods + later.goods,
            self.first_ns,
            self.first_done_ns,
            self.first_good,
            later.last_ns,
            later.last_done_ns,
            later.last_good,
            max(self.blind_ns, later.blind_ns, seam),
            self._episodes_then(later),
        )

    def pruned(self, populations: int, growing: bool = False) -> Strand:
        """Leave out the episodes in which one of `populations` (bits) had no bad sample.

        While it is growing, one at an open end stays: what comes before or after may complete it.
        """
        kept = self.episodes["populations"] & populations == populations
        if growing and len(kept):
            kept[0] |= not self.first_good
            kept[-1] |= not self.last_good
        return replace(self, episodes=self.episodes[kept])

    def _episodes_then(self, later: Strand) -> Episodes:
        ours, theirs = self.episodes.copy(), later.episodes.copy()
        theirs["goods_before"] += self.goods
        if not self.last_good and later.first_good:
            ours["after_ns"][-1], ours["after_done_ns"][-1] = later.first_ns, later.first_done_ns
        if self.last_good and not later.first_good:
            theirs["before_ns"][0], theirs["before_done_ns"][0] = self.last_ns, self.last_done_ns
        together = np.concatenate([ours, theirs])
        glued = np.zeros(max(0, len(together) - 1), dtype=bool)
        if len(ours) and len(theirs):
            touching = not self.last_good and not later.first_good
            near = int(theirs["first_ns"][0] - ours["last_ns"][-1]) <= self.lull_ns
            glued[len(ours) - 1] = touching or near
        return join(together, glued)


def _bad_runs(stream: Stream, bad: NDArray[np.bool_]) -> Episodes:
    """Return the maximal runs of bad samples, each an episode of its own."""
    edges = np.diff(bad.astype(np.int8), prepend=0, append=0)
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    runs = np.zeros(len(begins), EPISODE)
    sent, last = stream.sent_ns, len(bad) - 1
    due = sent if stream.due_ns is None else stream.due_ns
    runs["first_ns"], runs["last_ns"] = sent[begins], sent[ends]
    runs["first_due_ns"], runs["last_due_ns"] = due[begins], due[ends]
    before = np.maximum(begins - 1, 0)
    runs["before_ns"] = np.where(begins > 0, sent[before], NONE_NS)
    runs["before_done_ns"] = np.where(begins > 0, stream.done_ns[before], NONE_NS)
    after = np.minimum(ends + 1, last)
    runs["after_ns"] = np.where(ends < last, sent[after], NONE_NS)
    runs["after_done_ns"] = np.where(ends < last, stream.done_ns[after], NONE_NS)
    runs["bad"] = ends - begins + 1
    runs["goods_before"] = begins - (np.cumsum(runs["bad"]) - runs["bad"])
    runs["lost2_ns"] = 2 * (runs["last_ns"] - runs["first_ns"])
    if len(begins):
        # by the grid: where the generator stalled, nothing was sent, which is no sign of an outage that thins out
        distances = np.diff(due[bad], prepend=due[bad][0])
        heads = np.cumsum(runs["bad"]) - runs["bad"]
        distances[heads] = 0
        runs["apart_ns"] = np.maximum.reduceat(distances, heads)
        hung = np.isin(stream.outcome[bad], HUNG)
        runs["answered_ns"] = np.minimum.reduceat(np.where(hung, NEVER_NS, stream.done_ns[bad]), heads)
        runs["hung_ns"] = np.minimum.reduceat(np.where(hung, sent[bad], NEVER_NS), heads)
        _count_kinds(runs, stream, bad, heads)
    return runs


def _count_kinds(runs: Episodes, stream: Stream, bad: NDArray[np.bool_], heads: Ints) -> None:
    run = np.repeat(np.arange(len(runs)), runs["bad"])
    kinds = len(Outcome)
    counted = np.bincount(run * kinds + stream.outcome[bad], minlength=len(runs) * kinds)
    runs["outcomes"] = counted.reshape(-1, kinds)
    bits = np.left_shift(np.uint8(1), stream.population[bad])
    runs["populations"] = np.bitwise_or.reduceat(bits, heads)


def join(episodes: Episodes, glued: NDArray[np.bool_]) -> Episodes:
    """Return the episodes with each pair of neighbours made one where `glued` (one entry for each pair)."""
    if not glued.any():
        return episodes
    ahead, behind = episodes[:-1], episodes[1:]
    goods = behind["goods_before"] - ahead["goods_before"] - ahead["good"]
    apart = behind["first_ns"] - ahead["last_ns"]
    fading = np.where(goods > 0, ahead["after_ns"] - ahead["last_ns"], apart)
    rising = np.where(goods > 0, behind["first_ns"] - behind["before_ns"], apart)
    noise = np.where(goods > 0, (fading / 1e3) ** 2 + (rising / 1e3) ** 2, 0.0)
    starts = np.flatnonzero(np.concatenate([[True], ~glued]))
    ends = np.append(starts[1:] - 1, len(episodes) - 1)
    joined = episodes[starts]
    for name in ("last_ns", "last_due_ns", "after_ns", "after_done_ns"):
        joined[name] = episodes[name][ends]
    for name in ("answered_ns", "hung_ns"):
        joined[name] = np.minimum.reduceat(episodes[name], starts)
    joined["bad"] = np.add.reduceat(episodes["bad"], starts)
    joined["outcomes"] = np.add.reduceat(episodes["outcomes"], starts, axis=0)
    joined["populations"] = np.bitwise_or.reduceat(episodes["populations"], starts)
    for name, between, gather in (
        ("good", goods, np.add),
        ("lost2_ns", fading + rising, np.add),
        ("noise_us2", noise, np.add),
        ("apart_ns", behind["first_due_ns"] - ahead["last_due_ns"], np.maximum),
    ):
        seams = np.concatenate([[0], np.where(glued, between, 0)]).astype(episodes[name].dtype)
        joined[name] = gather(gather.reduceat(episodes[name], starts), gather.reduceat(seams, starts))
    return joined
