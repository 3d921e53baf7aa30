"""Data loss from writes and a read-back: the bounds hold the truth, whatever the truth was; and the verdict says why."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from failover_drill.adapters.read_back import ranges_of
from failover_drill.facts import (
    Action,
    ActionOutcome,
    Facts,
    Mark,
    Milestone,
    Objectives,
    ReadBack,
    Write,
    WriteOutcome,
)
from failover_drill.findings import Verdict, analyse
from failover_drill.lost_writes import Loss, data_probe_trouble, lost_writes
from tests.histories import MS, S, facts, strip

GAP = 100 * MS
END = 20 * S
TIMEOUT_NS = S
ACKNOWLEDGED, REFUSED, UNKNOWN = WriteOutcome.ACKNOWLEDGED, WriteOutcome.REFUSED, WriteOutcome.UNKNOWN
UNANSWERED = WriteOutcome.UNANSWERED


def run_of(writes: Iterable[Write], there: Iterable[int], **more: object) -> Facts:
    """A run in which users are out from 10 s to 13 s, the secondary read back at its end."""
    picture = "+" * 100 + "x" * 30 + "+" * 70
    given_ = facts(strip(picture, GAP), GAP, milestones=(Milestone(Mark.FAULT, 10 * S),), secondary="westus3")
    read_back = ReadBack(END, "westus3", ranges_of(there))
    return replace(given_, writes=tuple(writes), **({"read_backs": (read_back,)} | more))  # type: ignore[arg-type]


def drawn(picture: str, took_ns: int = 10 * MS) -> Facts:
    """One write a gap: + kept, - acknowledged and missing, x refused, t unanswered (1 s), ? unknown, ! unknown and there."""
    outcomes = {"+": ACKNOWLEDGED, "-": ACKNOWLEDGED, "x": REFUSED, "t": UNANSWERED, "?": UNKNOWN, "!": UNKNOWN}
    writes = [
        Write(n, n * GAP, n * GAP, n * GAP + (S if mark == "t" else took_ns), outcomes[mark])
        for n, mark in enumerate(picture)
    ]
    return run_of(writes, [n for n, mark in enumerate(picture) if mark in "+!"])


# the law


@dataclass(frozen=True)
class History:
    """What the region kept in [lost_from, ended) is lost; until `back` nobody takes writes, who hangs, or says no."""

    lost_from_ns: int
    ended_ns: int
    back_ns: int
    hangs: bool
    gap_ns: int
    slowest_ns: int
    unknown: float
    seed: int


HISTORIES = st.builds(
    lambda lost_from, loss, out, hangs, gap, slow, unknown, seed: History(
        lost_from, lost_from + loss, lost_from + loss + out, hangs, gap, slow, unknown, seed
    ),
    st.integers(2 * S, 6 * S), st.integers(0, 4 * S), st.integers(0, 5 * S), st.booleans(),
    st.integers(50 * MS, S), st.integers(MS, 2 * S), st.sampled_from([0.0, 0.05, 0.5]), st.integers(0, 1 << 30),
)  # fmt: skip


def lived(history: History) -> tuple[list[Write], list[int]]:
    """What a writer saw of a history, overlapping answers and unknown outcomes included; and what the secondary has."""
    rng, writes, there = random.Random(history.seed), [], []
    for number in range(int(18 * S / history.gap_ns)):
        due = number * history.gap_ns
        sent = due + int(rng.random() * min(history.gap_ns, 50 * MS))
        kept = sent + int(rng.random() ** 3 * history.slowest_ns)
        done = kept + int(rng.random() ** 3 * history.slowest_ns)
        taken = not history.ended_ns <= kept < history.back_ns
        lost = history.lost_from_ns <= kept < history.ended_ns
        if not taken and history.hangs:
            done = max(done, sent + TIMEOUT_NS)
        said = ACKNOWLEDGED if taken else UNANSWERED if history.hangs else REFUSED
        outcome = UNKNOWN if rng.random() < history.unknown else said
        writes.append(Write(number, due, sent, done, outcome))
        there += [number] if taken and not lost else []
    return writes, there


def loss_of(writes: Iterable[Write], there: Iterable[int]) -> Loss:
    """The loss that a read-back long after them shows; samples of users have no part in it."""
    read_back = ReadBack(2 * END, "westus3", ranges_of(there))
    loss = lost_writes(facts([], GAP, writes=tuple(writes), read_backs=(read_back,)))
    assert loss is not None
    return loss


@settings(max_examples=300, deadline=None)
@given(HISTORIES)
def test_the_bounds_hold_the_truth(history: History) -> None:
    """For any history, the time over which what was acknowledged is lost lies within the bounds, and so does the estimate."""
    writes, there = lived(history)
    loss = loss_of(writes, there)
    truth = history.ended_ns - history.lost_from_ns
    assert loss.length.at_least_ns <= truth <= loss.length.at_most_ns
    assert loss.length.at_least_ns <= loss.length.estimate_ns <= loss.length.at_most_ns


@settings(max_examples=100, deadline=None)
@given(HISTORIES)
def test_every_lost_acknowledged_write_is_counted_and_no_other(history: History) -> None:
    """No refused write and none of unknown outcome is called lost; no acknowledged one that is missing is left out."""
    writes, there = lived(history)
    loss = loss_of(writes, there)
    missing = {each.number for each in writes if each.outcome is ACKNOWLEDGED} - set(there)
    assert {each.number for each in loss.lost} == missing
    assert loss.acknowledged + loss.refused + loss.unknown == len(writes)


@settings(max_examples=100, deadline=None)
@given(HISTORIES, st.integers(0, 1 << 30))
def test_not_knowing_an_outcome_never_narrows_the_bounds(history: History, pick: int) -> None:
    """A write that was kept, and whose answer got lost, makes the bounds wider, never narrower."""
    writes, there = lived(history)
    kept = [n for n, each in enumerate(writes) if each.outcome is ACKNOWLEDGED and each.number in there]
    assume(kept)
    at = kept[pick % len(kept)]
    ends = [Write(9_000 + n, at_ns, at_ns, at_ns + MS, ACKNOWLEDGED) for n, at_ns in enumerate((-S, 30 * S))]
    writes, there = [*writes, *ends], [*there, 9_000, 9_001]
    vaguer = [*writes[:at], replace(writes[at], outcome=UNKNOWN), *writes[at + 1 :]]
    one, two = loss_of(writes, there), loss_of(vaguer, there)
    assert two.length.at_least_ns == one.length.at_least_ns
    assert two.length.at_most_ns >= one.length.at_most_ns


# tables


@pytest.mark.parametrize(
    ("picture", "lost", "least_s", "most_s"),
    [
        ("++++----xxxx++", 4, 0.29, 0.51),  # sent 0.3 to 0.8 s, answered 10 ms later
        ("++++-xxxx+++++", 1, 0.0, 0.21),
        ("++++xxxx++++++", 0, 0.0, 0.11),
        ("++++--??xxxx++", 2, 0.09, 0.51),  # who knows what became of the two: no proof that the region took none
        ("++++--????++++", 2, 0.09, 0.71),
        ("++++--tttttttttttttttttt++", 2, 0.09, 1.3),  # unanswered: the region took none at some moment of that second
        ("++++!!xxxx++++", 0, 0.0, 0.31),  # unknown, and there: not lost
        ("+++-x-x-xxx+++", 3, 0.39, 0.91),  # refused now and then: a refusal proves no end
    ],
)
def test_bounds_of(picture: str, lost: int, least_s: float, most_s: float) -> None:
    """The cases a reader can check by hand."""
    loss = lost_writes(drawn(picture))
    assert loss is not None
    assert len(loss.lost) == lost
    assert loss.length.at_least_ns / 1e9 == pytest.approx(least_s, abs=1e-9)
    assert loss.length.at_most_ns / 1e9 == pytest.approx(most_s, abs=1e-9)


def test_without_a_write_that_was_kept_before_there_is_no_upper_bound() -> None:
    """Where everything since the first write is lost, the loss began nobody knows when."""
    loss = lost_writes(drawn("-----xxxx++"))
    assert loss is not None
    assert (loss.length.at_least_ns, loss.length.at_most_ns) == (390 * MS, float("inf"))


def test_a_write_under_way_when_the_region_was_asked_is_not_missing() -> None:
    """Only writes answered before the read-back can be missing in it."""
    late = Write(7, END - MS, END - MS, END + MS, ACKNOWLEDGED)
    early = [Write(n, n * GAP, n * GAP, n * GAP + MS, ACKNOWLEDGED) for n in range(3)]
    loss = lost_writes(run_of([*early, late], [0, 1, 2]))
    assert loss is not None
    assert (loss.acknowledged, loss.lost) == (3, ())


def test_what_is_there_after_the_undo_counts_for_nothing() -> None:
    """What the undo brought back, the playbook did not."""
    undo = Action(1, "start app", "/app", "eastus", "undo", 15 * S, 15 * S, 16 * S, ActionOutcome.OK)
    asked = (ReadBack(14 * S, "westus3", ((0, 3),)), ReadBack(17 * S, "westus3", ((0, 99),)))
    writes = [Write(n, n * GAP, n * GAP, n * GAP + MS, ACKNOWLEDGED) for n in range(6)]
    loss = lost_writes(run_of(writes, [], read_backs=asked, actions=(undo,)))
    assert loss is not None
    assert [each.number for each in loss.lost] == [4, 5]


def test_of_a_failover_and_a_failback_the_longer_loss_counts() -> None:
    """What the failover lost does not become unlost because users return to the region that has it."""
    asked = (ReadBack(14 * S, "westus3", ((0, 3),)), ReadBack(17 * S, "eastus", ((0, 99),)))
    writes = [Write(n, n * GAP, n * GAP, n * GAP + MS, ACKNOWLEDGED) for n in range(6)]
    loss = lost_writes(run_of(writes, [], read_backs=asked))
    assert loss is not None
    assert (len(loss.lost), loss.read_back.region) == (2, "westus3")


# the verdict


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        ("+" * 96 + "-" * 4 + "x" * 30 + "+" * 20,
         "Data loss: what was written in 400 ms (290 ms to 510 ms); 4 of 120 acknowledged writes are not in westus3."),
        ("+" * 100 + "x" * 30 + "+" * 20,
         "Data loss: none of 120 acknowledged writes is missing in westus3; one of 110 ms could hide between two."),
        ("x" * 9, None),
    ],
)  # fmt: skip
def test_the_findings_tell_it_in_words(picture: str, said: str | None) -> None:
    """What is missing where, with its bounds, or what could hide; nothing where nothing was acknowledged."""
    found = [
        each.text for each in analyse(drawn(picture), Objectives(stabilisation_s=2.0)).notes if each.topic == "data"
    ]
    assert found == ([] if said is None else [said])


def judged(given_: Facts, rpo_s: float | None) -> tuple[Verdict, str] | None:
    findings = analyse(given_, Objectives(stabilisation_s=2.0, rpo_s=rpo_s))
    found = [each for each in findings.judgements if each.objective == "data loss"]
    return (found[0].verdict, found[0].reason) if found else None


LOSING = "+" * 96 + "-" * 4 + "x" * 30 + "+" * 20


def test_the_verdict_follows_from_the_bounds() -> None:
    """Within even at most: MET. Beyond even at least: MISSED. Between: INCONCLUSIVE. Not asked: not judged."""
    said = "data loss: 400 ms (290 ms to 510 ms): 4 of 120 acknowledged writes are not in westus3, "
    assert judged(drawn(LOSING), 1.0) == (Verdict.MET, said + "within the 1 s allowed")
    assert judged(drawn(LOSING), 0.2) == (Verdict.MISSED, said + "beyond the 200 ms allowed")
    assert judged(drawn(LOSING), 0.4) == (Verdict.INCONCLUSIVE, said + "not surely within the 400 ms allowed")
    assert judged(drawn(LOSING), None) is None


def test_nothing_lost_is_met_with_what_could_hide() -> None:
    """A drill that lost nothing says how much it could not have seen."""
    assert judged(drawn("+" * 100 + "x" * 30 + "+" * 20), 1.0) == (
        Verdict.MET,
        "data loss: 0 s: none of 120 acknowledged writes is missing in westus3; 110 ms could hide between two, "
        "within the 1 s allowed",
    )


def test_unknown_outcomes_are_told() -> None:
    """They are reported apart, and may leave the verdict open."""
    found = judged(drawn("+" * 96 + "-" * 4 + "?" * 30 + "+" * 20), 1.0)
    assert found is not None
    assert found[0] is Verdict.INCONCLUSIVE
    assert "4 of 120 acknowledged writes are not in westus3, and of 30 the outcome is unknown" in found[1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"writes": ()}, "no data probe measured any"),
        ({"read_backs": ()}, "nothing was read back: the failover did not complete"),
        ({"read_backs": (ReadBack(END, "westus3", error="404"),)}, "westus3 could not be read back: 404"),
        ({"writes": (Write(0, 0, 0, MS, REFUSED),)}, "the data probe had no write acknowledged before the failover"),
    ],
)
def test_what_was_not_measured_is_inconclusive(change: dict[str, object], why: str) -> None:
    """An objective that nobody could measure is never met, and the reason says what was missing."""
    given_ = replace(drawn(LOSING), **change)  # type: ignore[arg-type]
    found = judged(given_, 5.0)
    assert found == (Verdict.INCONCLUSIVE, f"data loss: an objective of 5 s is set, but {why}")


def test_the_findings_carry_the_figures() -> None:
    """findings.json has the counts, the span, and when the first and the last lost write were sent."""
    given_ = drawn(LOSING)
    loss = analyse(given_, Objectives(stabilisation_s=2.0)).recovery.data_loss
    assert loss is not None
    assert (loss.acknowledged, loss.lost, loss.refused, loss.unknown, loss.region) == (120, 4, 30, 0, "westus3")
    assert loss.first_lost == given_.anchor.wall_s(96 * GAP)
    assert loss.last_lost == given_.anchor.wall_s(99 * GAP)


# the probe itself


def test_a_data_probe_that_does_not_work_is_told_before_the_drill() -> None:
    """No acknowledged write, or one that its own region does not list, is trouble; otherwise there is none."""
    kept = [Write(n, n, n, n + 1, ACKNOWLEDGED, 201) for n in range(3)]
    listed = ReadBack(S, "eastus", ((0, 2),))
    assert data_probe_trouble(kept, listed) == ""
    assert (
        data_probe_trouble(kept, ReadBack(S, "eastus", ((0, 1),))) == "eastus acknowledged write 2 and does not list it"
    )
    refused = [Write(0, 0, 0, 1, REFUSED, 404)]
    assert data_probe_trouble(refused, listed) == "no write was acknowledged, the last one met 404"
    assert data_probe_trouble([], listed) == "no write was acknowledged, none was sent"


@given(st.frozensets(st.integers(0, 300)))
def test_ranges_say_the_same_numbers(numbers: frozenset[int]) -> None:
    """Ranges are only a shorter way to write them."""
    assert ReadBack(0, "r", ranges_of(numbers)).numbers() == numbers
