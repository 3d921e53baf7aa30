"""When an outage can have begun and ended, at the earliest and at the latest.

A request sees the service at some moment between being sent (a) and being answered (b), and how long it waits to be seen may
differ from request to request. So all that is known of an outage from B to E is, with L, F, G, N the last good before, first
bad, last bad and first good after, in order of sending:

    some bad request was answered at b          B ≤ b           it had begun by then
    some bad request hung, sent at a            B ≤ a + d       had the service stayed up until then, it would have answered
    G was bad                                   E > a_G
    a good one was answered before G was sent   B > its a       it can't have seen the time after the outage
    a good one was sent when it had begun       E ≤ its b       it can't have seen the time before the outage

d is the slowest good answer shortly before. L nearly always was answered before G was sent, and N sent when the outage had
begun; where not (the outage was shorter than an answer takes), the next sample of the grid that surely was takes their place.

A bad answer counts as hung where nothing bad was answered before G was sent, or within the latency limit: a suspended server
that is resumed, or killed, answers all at once, and that moment tells nothing about when it was suspended.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from failover_drill.pace import Ceiling, Pace
from failover_drill.strand import LULL_NS, NEVER_NS, NONE_NS, Episodes, Ints


@dataclass(frozen=True, slots=True)
class Edges:
    """Of each of many episodes, instants in ns: it began after, and by, and was over by. `NONE_NS` where that is unknown.

    `d_ns`: the slowest good answer shortly before.
    """

    begun_after_ns: Ints
    begun_by_ns: Ints
    over_by_ns: Ints
    d_ns: Ints


def edges(episodes: Episodes, ceiling: Ceiling, pace: Pace) -> Edges:
    d = _slowest_before(episodes, ceiling, pace)
    begun_by = _begun_by(episodes, d, pace)
    return Edges(_begun_after(episodes, d, pace), begun_by, _over_by(episodes, begun_by, ceiling, pace), d)


def _slowest_before(episodes: Episodes, ceiling: Ceiling, pace: Pace) -> Ints:
    """Return `d` of each episode: no less than answers usually take at most, for at low rates there are few of them."""
    before = np.where(episodes["before_ns"] == NONE_NS, episodes["first_ns"], episodes["before_ns"])
    return np.maximum(ceiling.before(before), pace.slow_ns)


def _begun_by(episodes: Episodes, d: Ints, pace: Pace) -> Ints:
    """Return the first bad answer; or, where that tells nothing, `d` after a request that hung was sent."""
    first, answered, hung = episodes["first_ns"], episodes["answered_ns"], episodes["hung_ns"]
    patience = np.where(answered <= episodes["last_ns"], pace.limit_ns, LULL_NS)
    telling = (answered != NEVER_NS) & (answered - first <= patience)
    by_answer = np.where(telling, answered, first + d)
    return np.minimum(by_answer, np.where(hung == NEVER_NS, NEVER_NS, hung + d))


def _begun_after(episodes: Episodes, d: Ints, pace: Pace) -> Ints:
    before, last = episodes["before_ns"], episodes["last_ns"]
    took, gap = episodes["before_done_ns"] - before, np.maximum(pace.gap_ns, episodes["first_ns"] - before)
    overtaken = (before != NONE_NS) & (episodes["before_done_ns"] > last)
    return np.where(overtaken, np.minimum(before, last - np.maximum(d, took) - gap), before)


def _over_by(episodes: Episodes, begun_by: Ints, ceiling: Ceiling, pace: Pace) -> Ints:
    after, done = episodes["after_ns"], episodes["after_done_ns"]
    gap = np.maximum(pace.gap_ns, after - episodes["last_ns"])
    slowest = np.maximum(np.maximum(ceiling.before(begun_by + gap), pace.slow_ns), done - after)
    early = (after != NONE_NS) & (after < begun_by)
    return np.where(early, np.maximum(done, begun_by + gap + slowest), done)
