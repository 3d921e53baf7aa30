"""Which acknowledged writes are missing after a failover, and over how long a time they had been taken (measurement.md §5).

       kept      lost                lost      refused                       kept
       |--|     |--|       ...      |--|      x          ...                 |--|
       a_P       b_F                a_G        b_N
       |          '---- at least ----'         |
       '------------------ at most ------------'

A write was kept by the service at *some* moment between its sending and its answer. F and G are the first and the last
acknowledged write that is missing where users were moved to; P is the last one that is there and was answered before F was
sent; N is the first after G that the service refused, left unanswered, or kept. What lies between is the data loss: from the
oldest thing lost until the region that lost it took no more. Downtime after that is downtime, and counted there.

Where none is missing, the same window could still hide between two writes: that is the upper bound. Writes of unknown
outcome, and those that never reached anybody, prove nothing: where one stands in for P or N the bounds widen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from failover_drill.facts import Facts, ReadBack, Write, WriteOutcome
from failover_drill.outages import Bounds
from failover_drill.recovery import undone_from

NOT_TAKEN = (WriteOutcome.REFUSED, WriteOutcome.UNANSWERED)
"""What shows that the service acknowledged nothing at some moment between sending and outcome."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What one read-back showed of the writes before it. `length` has no upper bound where nothing bounds it."""

    read_back: ReadBack
    acknowledged: int
    refused: int  # or never sent
    unknown: int  # or unanswered
    arrived: int  # of those of unknown outcome: there all the same
    lost: tuple[Write, ...]  # acknowledged and missing, in order of sending
    length: Bounds


def lost_writes(facts: Facts) -> Loss | None:
    """Return the data loss of a run, the longest where it was read back more than once; None where it never was."""
    return longest_loss(facts.writes, read_backs_of(facts))


def longest_loss(writes: Sequence[Write], read_backs: Iterable[ReadBack]) -> Loss | None:
    """Return the longest data loss that any of these read-backs shows; None where none of them could be read."""
    losses = [_loss(_before(writes, each), each) for each in read_backs if not each.error]
    return max(losses, key=lambda each: (each.length.estimate_ns, each.length.at_most_ns), default=None)


def read_backs_of(facts: Facts) -> list[ReadBack]:
    """Return the read-backs before anything was undone: what the undo brings back, the playbook did not."""
    undone = undone_from(facts)
    return [each for each in facts.read_backs if undone is None or each.at_ns < undone]


def _before(writes: Sequence[Write], read_back: ReadBack) -> list[Write]:
    """Return the writes that had their outcome when a region was asked, in order of sending."""
    known = [each for each in writes if each.done_ns <= read_back.at_ns]
    return sorted(known, key=lambda each: (each.sent_ns, each.number))


def data_probe_trouble(writes: Sequence[Write], found: ReadBack) -> str:
    """Say why a data probe measures nothing, from its first writes and a read-back of the region that takes them; else ""."""
    acknowledged = [each for each in writes if each.outcome is WriteOutcome.ACKNOWLEDGED]
    if not acknowledged:
        last = max(writes, key=lambda each: each.number, default=None)
        told = "none was sent" if last is None else f"the last one met {last.status or last.outcome}"
        return f"no write was acknowledged, {told}"
    there = found.numbers()
    missing = [each for each in acknowledged if each.done_ns <= found.at_ns and each.number not in there]
    return f"{found.region} acknowledged write {missing[0].number} and does not list it" if missing else ""


def missing(loss: Loss) -> str:
    """Return how many writes are missing where: "10 of 174 acknowledged writes are not in westus3"."""
    region, count = loss.read_back.region, loss.acknowledged
    if loss.lost:
        return f"{len(loss.lost)} of {count} acknowledged writes are not in {region}"
    return f"none of {count} acknowledged writes is missing in {region}"


def _loss(writes: Sequence[Write], read_back: ReadBack) -> Loss:
    there = read_back.numbers()
    acknowledged = [each for each in writes if each.outcome is WriteOutcome.ACKNOWLEDGED]
    lost = tuple(each for each in acknowledged if each.number not in there)
    kept = [each for each in acknowledged if each.number in there]
    not_taken = [each for each in writes if each.outcome in NOT_TAKEN]
    unknown = [each for each in writes if each.outcome in (WriteOutcome.UNKNOWN, WriteOutcome.UNANSWERED)]
    return Loss(
        read_back=read_back,
        acknowledged=len(acknowledged),
        refused=len(writes) - len(acknowledged) - len(unknown),
        unknown=len(unknown),
        arrived=sum(each.number in there for each in unknown),
        lost=lost,
        length=length_of(lost, kept, not_taken) if lost else Bounds(0.0, 0.0, unseen((*kept, *not_taken))),
    )


def length_of(lost: Sequence[Write], kept: Sequence[Write], not_taken: Sequence[Write]) -> Bounds:
    """Return the time over which the *lost* writes, in order of sending, had been acknowledged."""
    first, last = lost[0], lost[-1]
    answered = max(each.done_ns for each in lost)  # of two that overlap, the one sent first may be answered last
    flaky = any(first.sent_ns <= each.sent_ns <= last.sent_ns for each in not_taken)
    ends = [each for each in (*kept, *(() if flaky else not_taken)) if each.sent_ns >= answered]
    before = max((each.sent_ns for each in kept if each.done_ns <= first.sent_ns), default=None)
    after = min(ends, key=lambda each: each.done_ns, default=None)
    at_least = max(0, last.sent_ns - min(each.done_ns for each in lost))
    if before is None or after is None:
        return Bounds(at_least, at_least, inf)
    at_most = after.done_ns - before
    estimate = (last.sent_ns + after.sent_ns - before - first.sent_ns) / 2
    return Bounds(min(max(estimate, at_least), at_most), at_least, at_most)


def unseen(proofs: Iterable[Write]) -> float:
    """Return the longest loss, ns, that could hide where none is missing: one in which no proof lies as a whole.

    Infinite where there are no two proofs.
    """
    widest, soonest = -inf, inf  # the soonest answer to any write sent after this one
    for each in sorted(proofs, key=lambda each: each.sent_ns, reverse=True):
        if soonest < inf:
            widest = max(widest, soonest - each.sent_ns)
        soonest = min(soonest, each.done_ns)
    return widest if widest > -inf else inf
