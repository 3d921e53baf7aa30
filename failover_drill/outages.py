"""Find the outages in streams of samples, and say how sure we are (measurement.md §3).

A sample sees the service at some unknown moment between being sent (a) and being answered (b). So an outage has no single
length, only bounds. With L, F, G, N the last good before, first bad, last bad, first good after, in order of sending:

        good      bad              bad      good
        |--|     |--|      ...    |--|     |--|
        a_L      a_F b_F          a_G      a_N b_N
        |            '-- at least --'          |        b_F: the first bad answer. Where requests hung, a_F + d takes its
        '--------------- at most --------------'             place, d being the slowest good answer shortly before.

    at least = max(0, a_G − b_F)    at most = b_N − a_L    estimate = ((a_G + a_N) − (a_L + a_F)) / 2

edges.py has the whole of it. (Where N had to wait for the service to come back, b_N less the usual answering time takes the
place of (a_G + a_N) / 2.) The estimate is also the integral of (1 − availability) with each sample weighing the half-gaps
around it, which stays right where only some clients are out. Outages of several populations are merged over the samples of
them all, on one time line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from failover_drill.edges import Edges, edges
from failover_drill.facts import Outcome, Population
from failover_drill.pace import Ceiling, Pace
from failover_drill.stats import Z95
from failover_drill.strand import NONE_NS, Episodes, Ints, join

PARTIAL_SHARE = 0.02
"""An outage with more good samples than this inside it is partial: only some clients were out."""

WAITED_SHARE = 0.5
"""A first good answer that took more than this share of the latency limit waited for the service to come back."""

LONGEST_LULL_NS = 2_000_000_000
"""The thinning tail of a partial outage is followed across good stretches up to this long."""

FINE_GAP_NS = 20_000_000
"""On a grid coarser than this no tails are followed: a thinning outage can't be told from a flapping one."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A duration in ns, known only to lie between two values. `at_most_ns` may be infinite."""

    estimate_ns: float
    at_least_ns: float
    at_most_ns: float

    def __add__(self, other: Bounds) -> Bounds:
        return Bounds(
            self.estimate_ns + other.estimate_ns,
            self.at_least_ns + other.at_least_ns,
            self.at_most_ns + other.at_most_ns,
        )


NOTHING = Bounds(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Outage:
    """One stretch in which the service was out, for all of its clients or for some. Instants in ns.

    It began after `begun_after_ns` and by `begun_by_ns`, and was over by `over_by_ns`. Two of these, `before_ns`, `after_ns` and
    `after_done_ns` are None where the run began or ended inside it. `slack_ns` is the bound of the clock offsets between load
    processes; `d_ns` the slowest good answer shortly before.
    """

    before_ns: int | None
    first_ns: int
    last_ns: int
    after_ns: int | None
    after_done_ns: int | None
    bad: int
    good: int
    lost_ns: float
    noise_ns2: float
    outcomes: Mapping[Outcome, int]
    populations: frozenset[Population]
    begun_after_ns: int | None
    begun_by_ns: int
    over_by_ns: int | None
    d_ns: int
    slack_ns: int = 0
    usual_ns: int = 0
    waited_ns: int = 500_000_000

    @property
    def began_ns(self) -> float:
        return self.first_ns if self.before_ns is None else (self.before_ns + self.first_ns) / 2

    @property
    def ended_ns(self) -> float:
        """Half-way from the last bad to the first good sample after it; where that one had to wait, when it was answered."""
        if self.after_ns is None or self.after_done_ns is None:
            return self.last_ns
        return self.after_done_ns - self.usual_ns if self._waited else (self.last_ns + self.after_ns) / 2

    @property
    def _waited(self) -> bool:
        """The first good sample hung until the service was back.

        So it is after a stall: what was asked a latency limit before its end, and later, is answered just in time.
        """
        if self.after_ns is None or self.after_done_ns is None:
            return False
        return self.after_done_ns - self.after_ns > max(self.waited_ns, 4 * self.usual_ns)

    @property
    def length(self) -> Bounds:
        """From the first client out to the last one back."""
        known = max(0, self.last_ns - self.begun_by_ns - 2 * self.slack_ns)
        most = inf
        if self.begun_after_ns is not None and self.over_by_ns is not None:
            most = self.over_by_ns - self.begun_after_ns + 2 * self.slack_ns
        return Bounds(self.ended_ns - self.began_ns, known, most)

    @property
    def partial(self) -> bool:
        return self.good > PARTIAL_SHARE * (self.good + self.bad)

    @property
    def availability(self) -> float:
        return self.good / (self.good + self.bad)

    @property
    def outcome(self) -> Outcome:
        """What most of its bad samples met."""
        return max(self.outcomes, key=lambda kind: (self.outcomes[kind], -kind))

    @property
    def lost(self) -> Bounds:
        """User-weighted downtime in it: the integral of badness.

        Of a total outage within the bounds of its length. Of a partial one give or take its 95 % sampling error, for
        which half of Σ gap² over the changes between good and bad stands (the variance of independent draws).
        """
        length = self.length
        if not self.partial:
            return Bounds(self.lost_ns, length.at_least_ns, length.at_most_ns)
        error = Z95 * sqrt(self.noise_ns2 / 2) + self.d_ns
        least, most = max(0.0, self.lost_ns - error), min(self.lost_ns + error, length.at_most_ns)
        return Bounds(self.lost_ns, least, most if length.at_most_ns < inf else inf)


def whole(episodes: Episodes, pace: Pace, ceiling: Ceiling) -> Episodes:
    """Return a strand's episodes with those joined that belong together."""
    return follow_tails(join_overtaken(episodes, pace, ceiling), pace.gap_ns)


def join_overtaken(episodes: Episodes, pace: Pace, ceiling: Ceiling) -> Episodes:
    """Join what slow answers tore apart.

    A request sent before another can see the service after it, by as much as answers take. So at the edges of one
    outage two bad samples with good ones between lie up to an answer's time and a gap apart: the time that 99 % of the
    answers took, or the slowest thereabouts, whichever is less.
    """
    behind, ahead = episodes["first_ns"][1:], episodes["last_ns"][:-1]
    slowest = np.minimum(pace.slow_ns, np.maximum(ceiling.before(ahead), ceiling.before(behind)))
    return join(episodes, behind - ahead <= slowest + pace.gap_ns)


def follow_tails(episodes: Episodes, gap_ns: int) -> Episodes:
    """Join what is left of a partial outage as it thins out, as after a DNS change.

    A bad sample within three times the longest distance between two bad samples of an outage (and within
    `LONGEST_LULL_NS`) belongs to it still. Judged by the bad samples alone, so that a good one more can't widen anything;
    and only on a grid so fine that the distances inside a total outage are far below the lull. By when the samples were
    due: a generator that stood still for a moment leaves no distance between them.
    """
    distances = episodes["first_due_ns"][1:] - episodes["last_due_ns"][:-1]
    longest = 3 * np.maximum(episodes["apart_ns"][:-1], episodes["apart_ns"][1:])
    if gap_ns > FINE_GAP_NS or not (distances <= np.minimum(longest, LONGEST_LULL_NS)).any():
        return episodes
    glued = np.zeros(len(distances), dtype=bool)
    inside = episodes["apart_ns"].tolist()
    reach = inside[0]
    for index, distance in enumerate(distances.tolist()):
        glued[index] = distance <= min(3 * reach, LONGEST_LULL_NS)
        reach = max(reach, distance, inside[index + 1]) if glued[index] else inside[index + 1]
    return join(episodes, glued)


def merge(together: Episodes, apart: Mapping[Population, Episodes]) -> Episodes:
    """Merge the outages of several populations.

    `together` are the episodes of all their samples on one time line, `apart` those of each population. Two neighbours are
    one outage where some population was bad right through from one to the other, and none that was bad in both had
    recovered between: so a population that is sampled seldom neither tears its own outage to pieces nor glues those of
    the others together.
    """
    if len(together) < 2:
        return together
    spanned = np.zeros(len(together) - 1, dtype=bool)
    parted = np.zeros(len(together) - 1, dtype=bool)
    for population, episodes in apart.items():
        if not len(episodes):
            continue
        bad = (together["populations"] >> int(population)) & 1 == 1
        last_of_ahead = np.searchsorted(episodes["first_ns"], together["last_ns"][:-1], side="right") - 1
        first_of_behind = np.searchsorted(episodes["last_ns"], together["first_ns"][1:], side="left")
        both = bad[:-1] & bad[1:]
        same = last_of_ahead == first_of_behind
        spanned |= both & same
        parted |= both & ~same
    return join(together, spanned & ~parted)


def outages(episodes: Episodes, ceiling: Ceiling, pace: Pace, slack_ns: int = 0) -> tuple[Outage, ...]:
    """Return the episodes as outages with bounds, oldest first."""
    found = edges(episodes, ceiling, pace)
    return tuple(_outage(episodes[at], found, at, pace, slack_ns) for at in range(len(episodes)))


def lengths(
    episodes: Episodes, ceiling: Ceiling, pace: Pace, slack_ns: int = 0
) -> tuple[Ints, Ints, NDArray[np.float64]]:
    """Return estimate, at least and at most of very many episodes at once, as `Outage.length` has them."""
    found = edges(episodes, ceiling, pace)
    opened, closed = episodes["before_ns"] != NONE_NS, episodes["after_ns"] != NONE_NS
    began = np.where(opened, (episodes["before_ns"] + episodes["first_ns"]) // 2, episodes["first_ns"])
    ended = np.where(closed, (episodes["last_ns"] + episodes["after_ns"]) // 2, episodes["last_ns"])
    known = episodes["last_ns"] - found.begun_by_ns - 2 * slack_ns
    most = np.where(opened & closed, found.over_by_ns - found.begun_after_ns + 2.0 * slack_ns, inf)
    return ended - began, np.maximum(0, known), most


def total(episodes: Episodes, ceiling: Ceiling, pace: Pace, slack_ns: int = 0) -> Bounds:
    """Return the summed length of very many episodes."""
    estimate, least, most = lengths(episodes, ceiling, pace, slack_ns)
    return Bounds(float(estimate.sum()), float(least.sum()), float(most.sum()))


def longest(episodes: Episodes, count: int) -> Episodes:
    """Return the `count` longest episodes, still oldest first."""
    if len(episodes) <= count:
        return episodes
    kept = np.argsort(episodes["last_ns"] - episodes["first_ns"], kind="stable")[-count:]
    return episodes[np.sort(kept)]


def _outage(episode: np.void, found: Edges, at: int, pace: Pace, slack_ns: int) -> Outage:
    before, first, last = int(episode["before_ns"]), int(episode["first_ns"]), int(episode["last_ns"])
    after = int(episode["after_ns"])
    half_gaps = (0 if before == NONE_NS else first - before) + (0 if after == NONE_NS else after - last)
    noise = (0 if before == NONE_NS else (first - before) ** 2) + (0 if after == NONE_NS else (after - last) ** 2)
    return Outage(
        before_ns=_instant(before),
        first_ns=first,
        last_ns=last,
        after_ns=_instant(after),
        after_done_ns=_instant(int(episode["after_done_ns"])),
        bad=int(episode["bad"]),
        good=int(episode["good"]),
        lost_ns=(int(episode["lost2_ns"]) + half_gaps) / 2,
        noise_ns2=float(episode["noise_us2"]) * 1e6 + noise,
        outcomes={Outcome(kind): int(count) for kind, count in enumerate(episode["outcomes"]) if count},
        populations=frozenset(each for each in Population if int(episode["populations"]) >> each & 1),
        begun_after_ns=_instant(int(found.begun_after_ns[at])),
        begun_by_ns=int(found.begun_by_ns[at]),
        over_by_ns=_instant(int(found.over_by_ns[at])),
        d_ns=int(found.d_ns[at]),
        slack_ns=slack_ns,
        usual_ns=pace.usual_ns,
        waited_ns=round(WAITED_SHARE * pace.limit_ns),
    )


def _instant(ns: int) -> int | None:
    return None if ns == NONE_NS else ns


def lost_ns(episodes: Episodes) -> NDArray[np.float64]:
    """Return the user-weighted downtime of each episode, its edges included, as the half-gap integral has it."""
    rising = np.where(episodes["before_ns"] == NONE_NS, 0, episodes["first_ns"] - episodes["before_ns"])
    fading = np.where(episodes["after_ns"] == NONE_NS, 0, episodes["after_ns"] - episodes["last_ns"])
    return np.asarray((episodes["lost2_ns"] + rising + fading) / 2, np.float64)


def downtime(
    merged: Sequence[Outage], apart: Mapping[Population, Episodes], shares: Mapping[Population, float]
) -> Bounds:
    """Return the user-weighted downtime D of the merged outages of several populations.

    Where everyone was out their shares don't matter, and the samples of all together bound it best. Where only some were, each
    population is integrated over its own samples and counts with its share.
    """
    lost_in_all = NOTHING
    for each in merged:
        lost = each.lost
        if each.partial and len(shares) > 1:
            weighed = sum(shares[p] * _lost_between(apart[p], each.first_ns, each.last_ns) for p in shares)
            lost = Bounds(weighed, min(lost.at_least_ns, weighed), max(lost.at_most_ns, weighed))
        lost_in_all += lost
    return lost_in_all


def _lost_between(episodes: Episodes, first_ns: int, last_ns: int) -> float:
    inside = (episodes["first_ns"] >= first_ns) & (episodes["first_ns"] <= last_ns)
    return float(lost_ns(episodes[inside]).sum())
