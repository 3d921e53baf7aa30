"""The bounds against an adversary, who decides for each request how long it takes, and when in that time it sees the service.

One outage, from B to E, that fails everybody. The adversary's only limits are those that edges.py states.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from failover_drill.facts import Objectives, Outcome, Sample
from failover_drill.measured import measure
from failover_drill.outages import Outage
from tests.histories import MS, US, S, facts

ANSWERED = st.sampled_from(
    [Outcome.HTTP_ERROR, Outcome.WRONG_CONTENT, Outcome.REFUSED, Outcome.RESET, Outcome.TLS_ERROR]
)
GAPS = st.sampled_from([2 * MS, 5 * MS, 10 * MS])
BEGAN_NS = 1_500 * MS  # after so much of quiet service
SLOWEST_NS = 140 * MS  # with a gap, less than the lull of 0.15 s
USUAL_NS = MS


@dataclass(frozen=True)
class Request:
    """What the adversary decides: how long the request takes, and at which share of that it sees the service."""

    takes_ns: int = USUAL_NS
    sees_at: float = 0.5


@dataclass(frozen=True)
class History:
    """One outage, and the requests of each slot of the grid, from `SLOWEST_NS` before it to a little after it."""

    gap_ns: int
    began_ns: int
    ended_ns: int
    outcome: Outcome
    requests: tuple[Request, ...]

    def samples(self) -> list[Sample]:
        first = (self.began_ns - SLOWEST_NS) // self.gap_ns
        return [
            self._sample(slot, self.requests[slot - first] if 0 <= slot - first < len(self.requests) else Request())
            for slot in range((self.ended_ns + S) // self.gap_ns)
        ]

    def _sample(self, slot: int, request: Request) -> Sample:
        sent = slot * self.gap_ns
        sees = sent + int(request.takes_ns * request.sees_at)
        if not self.began_ns <= sees < self.ended_ns:
            return Sample(sent, sent, sent + request.takes_ns, Outcome.OK, region="eastus")
        if self.outcome is Outcome.TIMEOUT:
            return Sample(sent, sent, sent + 5 * S, Outcome.TIMEOUT)
        return Sample(sent, sent, sees + 100 * US, self.outcome)

    def found(self) -> tuple[Outage, ...]:
        return measure(facts(self.samples(), self.gap_ns), Objectives()).outages


@st.composite
def histories(draw: st.DrawFn, outcome: st.SearchStrategy[Outcome], slowest_ns: int) -> History:
    gap = draw(GAPS)
    began = BEGAN_NS + draw(st.integers(0, gap // US)) * US
    ended = began + draw(st.integers(1, 400 * MS // US)) * US
    slots = (ended - began + SLOWEST_NS) // gap + 3
    request = st.builds(
        Request,
        st.one_of(st.just(USUAL_NS), st.integers(1, slowest_ns // US).map(lambda us: us * US)),
        st.sampled_from([0.0, 0.5, 0.99]),
    )
    chosen = draw(st.lists(request, max_size=slots))
    return History(gap, began, ended, draw(outcome), tuple(chosen))


def judge(history: History) -> None:
    """Assert that what was found, if anything, is the outage, at least and at most as long, begun and over when it was."""
    found = history.found()
    event(f"{len(found)} found")
    assert len(found) <= 1
    for outage in found:
        assert outage.begun_after_ns is not None
        assert outage.over_by_ns is not None
        assert outage.begun_after_ns <= history.began_ns <= outage.begun_by_ns
        assert outage.last_ns <= history.ended_ns <= outage.over_by_ns
        length = outage.length
        assert length.at_least_ns <= history.ended_ns - history.began_ns <= length.at_most_ns
        assert length.at_least_ns <= length.estimate_ns <= length.at_most_ns


STRAGGLER = History(
    5 * MS, BEGAN_NS, BEGAN_NS + 11 * MS, Outcome.HTTP_ERROR, (Request(SLOWEST_NS, 0.99), *[Request()] * 40)
)
"""The first bad answer is slower than all good ones: with the good ones' time alone, it lasted at least 149 ms, not 11."""

OUTLIVED = History(
    2 * MS, BEGAN_NS - MS, BEGAN_NS + 10 * MS, Outcome.RESET, (*[Request()] * 71, Request(30 * MS, 0.99))
)
"""The last good request before the first bad one was sent when it had begun, and answered when it was over."""

EARLY = History(
    2 * MS, BEGAN_NS + 600 * US, BEGAN_NS + MS, Outcome.REFUSED, (*[Request()] * 60, Request(20_900 * US, 0.99))
)
"""The first good request after the only bad one was answered before it had begun."""


@given(histories(ANSWERED, SLOWEST_NS))
@example(STRAGGLER)
@example(OUTLIVED)
@example(EARLY)
@settings(max_examples=300, deadline=None)
def test_bounds_hold_however_long_each_answer_takes(history: History) -> None:
    """Where the service answers badly, the bounds hold whatever each request waits for, up to the lull."""
    judge(history)


@given(histories(st.just(Outcome.TIMEOUT), 20 * MS), st.sampled_from([25 * MS, 60 * MS]))
@settings(max_examples=200, deadline=None)
def test_bounds_hold_where_requests_hang_no_later_than_good_ones_take(history: History, slow_ns: int) -> None:
    """Where it hangs, they hold whatever each request waits for, up to the slowest good answer of the second before."""
    early = (BEGAN_NS - SLOWEST_NS) // history.gap_ns - 5
    samples = history.samples()
    slow = samples[early]
    samples[early] = Sample(slow.sent_ns, slow.sent_ns, slow.sent_ns + slow_ns, Outcome.OK, region="eastus")
    (found,) = measure(facts(samples, history.gap_ns), Objectives()).outages or (None,)
    if found is not None:
        assert found.begun_by_ns >= history.began_ns
        assert found.length.at_least_ns <= history.ended_ns - history.began_ns <= found.length.at_most_ns


def test_a_hang_that_ends_in_resets_is_bounded_by_when_it_was_sent() -> None:
    """All that hung is cut when it ends: that moment says nothing of the beginning, and costs nothing of the bound."""
    began, ended, gap = BEGAN_NS, BEGAN_NS + 3 * S, 5 * MS
    samples = [
        Sample(at, at, ended + MS, Outcome.RESET) if began <= at < ended else Sample(at, at, at + MS, Outcome.OK)
        for at in range(0, ended + S, gap)
    ]
    (outage,) = measure(facts(samples, gap), Objectives()).outages
    assert 3 * S - 10 * MS < outage.length.at_least_ns <= 3 * S <= outage.length.at_most_ns < 3 * S + 10 * MS


def test_bad_answers_that_come_at_once_tighten_the_lower_bound() -> None:
    """However slow good answers are, an outage had begun when the first bad answer came."""
    samples = [
        Sample(at, at, at + 100 * US, Outcome.REFUSED)
        if BEGAN_NS <= at < BEGAN_NS + S
        else Sample(at, at, at + 80 * MS, Outcome.OK)
        for at in range(0, BEGAN_NS + 2 * S, 10 * MS)
    ]
    (outage,) = measure(facts(samples, 10 * MS), Objectives()).outages
    assert outage.length.at_least_ns == S - 10 * MS - 100 * US
