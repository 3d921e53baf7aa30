"""Outages, drawn: + a good sample, x a bad one, one each second (or as said), each answered within a millisecond."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from failover_drill.facts import Outcome, Population, Sample
from failover_drill.outages import Outage, downtime, merge, outages, whole
from failover_drill.pace import Ceiling, Pace
from failover_drill.strand import Strand, Stream
from failover_drill.tally import Columns
from tests.histories import MS, S, records, strip


def stream(samples: Sequence[Sample]) -> Stream:
    columns = Columns.of(records(samples))
    kept = columns.uncut
    return Stream(
        columns.sent_ns,
        columns.sent_ns + columns.took_ns,
        columns.records["outcome"],
        columns.records["population"],
        columns.records["intended_ns"],
    ).only(kept)


def found_in(samples: Sequence[Sample], gap_ns: int = S, slack_ns: int = 0) -> tuple[Outage, ...]:
    """Return the outages of samples that are all of one population."""
    pace, columns = Pace(gap_ns, MS, MS), Columns.of(records(samples))
    ceiling = Ceiling.of(columns.sent_ns[columns.good], columns.took_ns[columns.good])
    return outages(whole(Strand.of(stream(samples)).episodes, pace, ceiling), ceiling, pace, slack_ns)


def lengths(outage: Outage) -> tuple[float, float, float]:
    length = outage.length
    return length.at_least_ns / S, length.estimate_ns / S, length.at_most_ns / S


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("+++++", []),
        ("", []),
        ("+xxx+", [(1.999, 3.0, 4.001)]),
        ("++x++", [(0.0, 1.0, 2.001)]),
        ("+xx+x+", [(0.999, 2.0, 3.001), (0.0, 1.0, 2.001)]),
        ("+x x+", [(1.999, 3.0, 4.001)]),
        ("+xcx+", [(1.999, 3.0, 4.001)]),
        ("+ttt+", [(1.999, 3.0, 4.001)]),
    ],
)
def test_bounds(picture: str, expected: list[tuple[float, float, float]]) -> None:
    """An outage lasted at least from its first bad answer to its last bad sample, and at most from good to good answer."""
    assert expected == [pytest.approx(lengths(each)) for each in found_in(strip(picture))]


def test_open_outages_have_no_upper_bound() -> None:
    """Where the run begins or ends inside an outage, nothing bounds it on that side."""
    (begun,) = found_in(strip("xx++"))
    (ended,) = found_in(strip("++xx"))
    assert (begun.before_ns, lengths(begun)) == (None, (0.999, 1.5, float("inf")))
    assert (ended.after_ns, lengths(ended)) == (None, (0.999, 1.5, float("inf")))


def test_samples_count_by_when_they_were_sent() -> None:
    """Five-second timeouts lengthen nothing: the outage is where the requests were sent."""
    (timeouts,) = found_in(strip("+tttttttt+"))
    (refusals,) = found_in(strip("+xxxxxxxx+"))
    assert timeouts.length == refusals.length


def test_slow_good_answers_widen_the_lower_bound() -> None:
    """Of requests that hung, the first may have waited before it was struck: so d, the slowest good answer, is taken off."""
    slow = strip("+", took_ns=800 * MS) + strip("ttt+", begin_ns=S)
    (outage,) = found_in(slow)
    assert lengths(outage) == pytest.approx((1.2, 3.0, 4.001))


def test_the_service_may_have_been_back_only_when_it_answered() -> None:
    """The first good sample may have been sent before the service was back: its answer bounds the outage, not its sending."""
    (outage,) = found_in(strip("+xxx") + strip("+", took_ns=600 * MS, begin_ns=4 * S))
    assert lengths(outage)[2] == pytest.approx(4.6)


def test_clock_offsets_widen_both_bounds() -> None:
    """Instants of different load processes may each be off by the bound of their clocks' offset."""
    (outage,) = found_in(strip("+xxx+"), slack_ns=10 * MS)
    assert lengths(outage) == pytest.approx((1.979, 3.0, 4.021))


def test_an_answer_that_waited_tells_when_the_service_was_back() -> None:
    """After a stall the first good answer came when the service did, however early it was asked for."""
    samples = [*strip("+" + "t" * 19, gap_ns=100 * MS), Sample(2 * S, 2 * S, 2 * S + 900 * MS, Outcome.OK)]
    (outage,) = found_in(samples, gap_ns=100 * MS)
    assert outage.ended_ns == 2 * S + 899 * MS


def test_interleaved_samples_are_one_partial_outage() -> None:
    """Where only some clients are out, good and bad interleave: one outage, of which users lost a part."""
    (outage,) = found_in(strip("+" * 5 + "x+" * 20 + "++++", gap_ns=10 * MS), gap_ns=10 * MS)
    assert (outage.partial, outage.bad, outage.good) == (True, 20, 19)
    assert outage.lost.estimate_ns == 200 * MS
    assert outage.lost.at_least_ns < 200 * MS < outage.lost.at_most_ns


def test_a_thinning_tail_belongs_to_its_outage() -> None:
    """As caches expire bad samples grow rarer; those far apart at the end are still the same outage."""
    picture = "+" * 5 + "x" * 30 + "x++" * 8 + "".join("x" + "+" * n for n in (6, 12, 24, 36)) + "+" * 200
    (outage,) = found_in(strip(picture, gap_ns=5 * MS), gap_ns=5 * MS)
    assert outage.partial


@pytest.mark.parametrize("gap_ns", [100 * MS, 20 * MS, 5 * MS, MS])
def test_flapping_is_told_apart(gap_ns: int) -> None:
    """Two outages with 0.4 s of service between them are two, at any rate."""
    up, down = "+" * (400 * MS // gap_ns), "x" * (500 * MS // gap_ns)
    assert len(found_in(strip(up + down + up + down + up, gap_ns=gap_ns), gap_ns)) == 2


def test_outcome_is_what_most_met() -> None:
    """An outage is named after what most of its samples met."""
    (outage,) = found_in(strip("+xxtt" + "t+"))
    assert (outage.outcome, outage.outcomes) == (Outcome.TIMEOUT, {Outcome.HTTP_ERROR: 2, Outcome.TIMEOUT: 3})


def of(population: Population, samples: Sequence[Sample]) -> list[Sample]:
    return [Sample(s.intended_ns, s.sent_ns, s.done_ns, s.outcome, population=population) for s in samples]


def merged(fresh: str, keepalive: str, gap_ns: int = 100 * MS) -> tuple[Outage, ...]:
    """Merge two populations; blanks keep them apart in time."""
    apart = {
        Population.FRESH: of(Population.FRESH, strip(fresh, gap_ns)),
        Population.KEEPALIVE: of(Population.KEEPALIVE, strip(keepalive, gap_ns)),
    }
    pace = Pace(gap_ns, MS, MS)
    together = sorted((s for each in apart.values() for s in each), key=lambda s: s.sent_ns)
    columns = Columns.of(records(together))
    ceiling = Ceiling.of(columns.sent_ns[columns.good], columns.took_ns[columns.good])
    episodes = {p: whole(Strand.of(stream(each)).episodes, pace, ceiling) for p, each in apart.items()}
    return outages(merge(whole(Strand.of(stream(together)).episodes, pace, ceiling), episodes), ceiling, pace)


def test_an_outage_of_all_is_bounded_by_the_samples_of_all() -> None:
    """A population of few samples does not widen what the others saw."""
    (outage,) = merged(
        "+++ xxx xxx +++ +++",
        "   +   x   +   +   ",
    )
    assert (outage.before_ns, outage.first_ns, outage.last_ns, outage.after_ns) == (300 * MS, 400 * MS, S, 1100 * MS)
    assert not outage.partial


def test_an_outage_of_a_seldom_sampled_population_stays_whole() -> None:
    """The good samples of others between its bad ones do not tear it to pieces, they make it partial."""
    (outage,) = merged(
        "+++ +++ +++ +++ +++",
        "   +   x   x   +   ",
    )
    assert (outage.partial, outage.bad, outage.populations) == (True, 2, frozenset({Population.KEEPALIVE}))


def test_a_seldom_sampled_population_does_not_glue_outages_together() -> None:
    """Two outages of all are two, even if a population had no sample between them."""
    found = merged(
        "+++ xxx ++++++ xxx +++",
        "   +   x      x   +   ",
    )
    assert len(found) == 2


def test_downtime_weighs_populations_by_their_share() -> None:
    """One quarter of the users out for 1.2 s, the others served: 0.3 s of user-weighted downtime."""
    gap = 10 * MS
    every = [
        Sample(at, at, at + MS, Outcome.HTTP_ERROR if k % 4 == 0 and 100 <= k < 220 else Outcome.OK, population=p)
        for k, at in enumerate(range(0, 4 * S, gap))
        for p in [Population.KEEPALIVE if k % 4 == 0 else Population.FRESH]
    ]
    pace = Pace(gap, MS, MS)
    nothing = Ceiling.of(*np.zeros((2, 0), int))
    apart = {
        p: whole(Strand.of(stream([s for s in every if s.population is p])).episodes, pace, nothing)
        for p in (Population.FRESH, Population.KEEPALIVE)
    }
    found = outages(merge(whole(Strand.of(stream(every)).episodes, pace, nothing), apart), nothing, pace)
    lost = downtime(found, apart, {Population.FRESH: 0.75, Population.KEEPALIVE: 0.25})
    assert lost.estimate_ns == pytest.approx(0.3 * S)
    assert lost.at_least_ns <= 0.3 * S <= lost.at_most_ns


@pytest.mark.parametrize("gap_ns", [100 * MS, 20 * MS, 5 * MS])
def test_a_stall_is_measured_to_the_gap(gap_ns: int) -> None:
    """A suspended process answers everything when it is resumed; what then comes within the limit is good, and late."""
    begin, end, samples = 2 * S + 7 * MS, 5 * S + 3 * MS, []
    for at in range(0, 7 * S, gap_ns):
        done = max(at + MS, end + MS) if begin <= at < end else at + MS
        samples.append(Sample(at, at, done, Outcome.OK if done - at <= S else Outcome.SLOW))
    (outage,) = found_in(samples, gap_ns)
    length = outage.length
    assert abs(length.estimate_ns - (end - begin)) <= gap_ns
    assert length.at_least_ns <= end - begin <= length.at_most_ns


def test_a_generator_that_stood_still_joins_nothing() -> None:
    """A pause of the generator inside an outage is no thinning tail: what was due then is sent late, not left out."""
    gap, samples = 5 * MS, []
    for slot in range(400):
        at = slot * gap
        sent = max(at, S // 2) if S // 4 <= at < S // 2 else at
        bad = 40 <= slot < 140 or 200 <= slot < 260
        samples.append(Sample(at, sent, sent + MS, Outcome.HTTP_ERROR if bad else Outcome.OK))
    assert len(found_in(samples, gap)) == 2


def test_slow_answers_elsewhere_join_nothing() -> None:
    """Answers that were slow at another time of the run say nothing about the order of samples here."""
    gap = 20 * MS
    slow = strip("+" * 50, gap, took_ns=700 * MS)
    rest = strip("+" * 100 + "x" * 30 + "+" * 15 + "x" * 30 + "+" * 50, gap, begin_ns=S)
    columns = Columns.of(records(slow + rest))
    ceiling = Ceiling.of(columns.sent_ns[columns.good], columns.took_ns[columns.good])
    assert len(whole(Strand.of(stream(slow + rest)).episodes, Pace(gap, MS, 700 * MS), ceiling)) == 2
