"""From the first disruptive act to sustained recovery, cut into segments that sum to it exactly (measurement.md §4).

    t0 ─detect─┬─disable primary─┬─enable secondary─┬─switch DNS─┬─propagate─┬─drain─┬─stabilise─► recovered
               DETECTED          PRIMARY_DISABLED   SECONDARY_…  AUTHORITY_…  RESOLVERS_…  last client served

All instants are whole ns, each boundary is held between the one before it and the end, and the last segment takes what is
left: so the sum is exact by construction. A boundary that nothing marked makes its segment 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from failover_drill.facts import (
    Action,
    ActionOutcome,
    Facts,
    Mark,
    Objectives,
    Outcome,
    Population,
    Reading,
    Resolution,
    SampleTable,
    Segment,
)
from failover_drill.outages import Bounds
from failover_drill.strand import Ints
from failover_drill.tally import sent_ns

AUTHORITY = "authority"
KNOWN_BAD = {"Degraded", "Inactive", "Stopped", "Disabled"}
"""Monitor statuses that tell of a loss (azure-facts §3.1)."""


@dataclass(frozen=True, slots=True)
class Start:
    """t0 and what it was."""

    at_ns: int
    what: str
    planned: bool  # the operator's own act: nothing has to be detected


@dataclass(frozen=True, slots=True)
class Boundary:
    """The end of one segment."""

    segment: Segment
    at_ns: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Part:
    segment: Segment
    began_ns: int
    ended_ns: int
    occurred: bool
    ended_by: str

    @property
    def took_ns(self) -> int:
        return self.ended_ns - self.began_ns


@dataclass(frozen=True, slots=True)
class Recovery:
    """The recovery time. Not recovered: `ended_ns` is None, and the parts cover the time until the last bad sample."""

    start: Start
    ended_ns: int | None
    at_least_ns: float
    at_most_ns: float
    by_undo: bool
    parts: tuple[Part, ...]

    @property
    def time_ns(self) -> int | None:
        return None if self.ended_ns is None else self.ended_ns - self.start.at_ns

    @property
    def bounds(self) -> Bounds:
        time = self.time_ns
        return Bounds(self.at_least_ns if time is None else time, self.at_least_ns, self.at_most_ns)


def start_of(facts: Facts) -> Start | None:
    """Return the first disruptive act: the injected fault where one is marked, else the first deed. None: there was none.

    What only prepared a scenario (purpose "preparation") disrupts nobody, and counts for neither.
    """
    first = min(_acts(facts, "deed"), key=_sent, default=None)
    fault = mark_of(facts, Mark.FAULT)
    if fault is not None:
        injected = any(_sent(each) <= fault for each in _acts(facts, "fault"))
        planned = first is not None and not injected and abs(_sent(first) - fault) < 1_000_000_000
        note = next((each.note for each in facts.milestones if each.mark is Mark.FAULT and each.note), "")
        return Start(fault, note or (_told(first) if first and planned else "the fault"), planned)
    return None if first is None else Start(_sent(first), _told(first), True)


def _acts(facts: Facts, purpose: str) -> list[Action]:
    return [each for each in facts.actions if each.purpose == purpose and _may_have_acted(each)]


def undone_from(facts: Facts) -> int | None:
    """Return when the undoing began: what came back later, the playbook did not bring back."""
    return min(
        (_sent(each) for each in facts.actions if each.purpose == "undo" and each.sent_ns is not None), default=None
    )


def mark_of(facts: Facts, mark: Mark) -> int | None:
    """Return the first instant that the drill noted for a mark."""
    return min((each.at_ns for each in facts.milestones if each.mark is mark), default=None)


@dataclass(frozen=True, slots=True)
class Judged:
    """The judged samples from some instant on, as columns."""

    sent_ns: Ints
    done_ns: Ints
    bad: NDArray[np.bool_]
    client: NDArray[np.int32]  # population and name cache as one number
    region: NDArray[np.uint8]

    @classmethod
    def since(cls, table: SampleTable, from_ns: int, judged: Iterable[Population]) -> Judged:
        records = table.records
        sent = sent_ns(records)
        records, sent = records[(begin := int(np.searchsorted(sent, from_ns))) :], sent[begin:]
        chosen = np.isin(records["population"], [int(each) for each in judged]) & (records["outcome"] != Outcome.CUT)
        return cls(
            sent[chosen],
            sent[chosen] + records["took_us"][chosen].astype(np.int64) * 1000,
            records["outcome"][chosen] != Outcome.OK,
            records["population"][chosen].astype(np.int32) << 16 | records["resolver"][chosen],
            records["region"][chosen],
        )


@dataclass(frozen=True, slots=True)
class Recovered:
    """The first instant of sustained recovery, between the last bad sample sent and the good one after it answered."""

    at_ns: int
    earliest_ns: int
    latest_ns: int


def sustained(samples: Judged, from_ns: int, objective: float, hold_ns: int, gap_ns: int) -> Recovered | None:
    """Return the first instant from `from_ns` from which availability over `hold_ns` is at or above `objective`.

    It begins with a good sample whose neighbour before was bad, or at `from_ns` itself. None: the samples end before
    that much time has been seen.
    """
    sent, bad = samples.sent_ns, samples.bad
    lead = np.concatenate([[True], bad[:-1]]) if len(bad) else bad
    starts = np.flatnonzero(~bad & (sent >= from_ns) & (lead | (np.concatenate([[from_ns - 1], sent[:-1]]) < from_ns)))
    ends = np.searchsorted(sent, sent[starts] + hold_ns)
    failed = np.concatenate([[0], np.cumsum(bad)])
    share = (failed[ends] - failed[starts]) / np.maximum(1, ends - starts)
    watched = sent[starts] + hold_ns <= (sent[-1] + 2 * gap_ns if len(sent) else 0)
    fit = np.flatnonzero(watched & (share <= 1 - objective + 1e-12))
    return _recovered(samples, int(starts[fit[0]]), from_ns) if len(fit) else None


def _recovered(samples: Judged, index: int, from_ns: int) -> Recovered:
    if index == 0 or not samples.bad[index - 1]:
        return Recovered(from_ns, from_ns, from_ns)
    before, after = int(samples.sent_ns[index - 1]), int(samples.sent_ns[index])
    return Recovered(max(from_ns, (before + after) // 2), max(from_ns, before), int(samples.done_ns[index]))


def recovery(facts: Facts, objectives: Objectives, slack_ns: int = 0) -> Recovery | None:
    """Return the recovery of a run, or None where nothing disruptive was done."""
    start = start_of(facts)
    if start is None:
        return None
    samples = Judged.since(facts.samples, start.at_ns, objectives.judged)
    marks = in_time(boundaries(facts, start))
    disrupted = max(
        (each.at_ns for each in marks if each.at_ns is not None and each.segment is not Segment.PROPAGATE),
        default=start.at_ns,
    )
    undone = undone_from(facts)
    noticed = len(_bad_before(samples, undone)) > 0
    found = sustained(
        samples,
        max(start.at_ns, disrupted) if noticed else start.at_ns,
        objectives.availability,
        round(objectives.stabilisation_s * 1e9),
        facts.interval_ns,
    )
    by_undo = found is not None and undone is not None and found.at_ns >= undone
    if found is None or by_undo:
        return _unrecovered(start, samples, undone, by_undo, marks)
    marks.append(
        Boundary(
            Segment.DRAIN,
            drained(facts, samples, found.latest_ns),
            f"the last judged client was served by {facts.destination or 'the secondary'}",
        )
    )
    return Recovery(
        start,
        found.at_ns,
        max(0, found.earliest_ns - start.at_ns - slack_ns),
        found.latest_ns - start.at_ns + slack_ns,
        False,
        cut(start.at_ns, found.at_ns, marks),
    )


def _unrecovered(start: Start, samples: Judged, undone: int | None, by_undo: bool, marks: list[Boundary]) -> Recovery:
    bad = _bad_before(samples, undone)
    last = int(bad[-1]) if len(bad) else start.at_ns
    return Recovery(start, None, last - start.at_ns, inf, by_undo, cut(start.at_ns, last, marks))


def _bad_before(samples: Judged, undone: int | None) -> Ints:
    bad = samples.sent_ns[samples.bad]
    return bad if undone is None else bad[bad < undone]


def boundaries(facts: Facts, start: Start) -> list[Boundary]:
    """Return what ended the first five segments: the drill's own marks, else what actions, readings and answers tell."""
    t0, to = start.at_ns, facts.destination or "the secondary"
    return [
        Boundary(Segment.DETECT, None if start.planned else _detected(facts, t0), "the loss was known"),
        Boundary(
            Segment.DISABLE_PRIMARY,
            _noted(facts, Mark.PRIMARY_DISABLED, t0) or _confirmed(facts.actions, Segment.DISABLE_PRIMARY),
            f"the platform confirmed, and {facts.origin or 'the primary'} no longer served",
        ),
        Boundary(
            Segment.ENABLE_SECONDARY,
            _noted(facts, Mark.SECONDARY_ENABLED, t0) or _confirmed(facts.actions, Segment.ENABLE_SECONDARY),
            f"{to} answered when asked directly",
        ),
        Boundary(
            Segment.SWITCH_DNS,
            _noted(facts, Mark.AUTHORITY_SWITCHED, t0) or switched(facts.resolutions, AUTHORITY, facts.destination, t0),
            f"the authority answered with {to}",
        ),
        Boundary(
            Segment.PROPAGATE,
            _noted(facts, Mark.RESOLVERS_SWITCHED, t0) or last_switched(facts, t0),
            f"the last watched resolver answered with {to}",
        ),
    ]


def in_time(marks: list[Boundary]) -> list[Boundary]:
    """Return the boundaries with the disabling last where names were led elsewhere first, as in a failback."""
    detect, disable, enable, switch, propagate = marks
    if disable.at_ns is None or switch.at_ns is None or disable.at_ns <= switch.at_ns:
        return marks
    return [detect, enable, switch, propagate, disable]


def cut(began_ns: int, ended_ns: int, marks: Iterable[Boundary]) -> tuple[Part, ...]:
    """Cut [began, ended] at the boundaries; the last segment, stabilise, is what is left."""
    parts: list[Part] = []
    at = began_ns
    for mark in marks:
        end = at if mark.at_ns is None else min(max(at, mark.at_ns), ended_ns)
        parts.append(Part(mark.segment, at, end, mark.at_ns is not None, mark.what if mark.at_ns is not None else ""))
        at = end
    last = Part(
        Segment.STABILISE, at, ended_ns, ended_ns > at, "availability stayed at or above the objective from there on"
    )
    return (*parts, last)


def drained(facts: Facts, samples: Judged, until_ns: int) -> int | None:
    """Return when the last of the judged clients was first served where users are moved to; None where none was by then."""
    if facts.destination not in facts.samples.names.regions:
        return None
    there = facts.samples.names.regions.index(facts.destination)
    served = ~samples.bad & (samples.region == there) & (samples.sent_ns <= until_ns)
    _, first = np.unique(samples.client[served], return_index=True)
    return int(samples.sent_ns[served][first].max()) if len(first) else None


def switched(resolutions: Iterable[Resolution], vantage: str, region: str, from_ns: int) -> int | None:
    """Return when a vantage first answered with `region`, from `from_ns` on."""
    told = (
        each.answered_ns
        for each in resolutions
        if each.vantage == vantage and each.region == region and each.answered_ns >= from_ns and region
    )
    return min(told, default=None)


def last_switched(facts: Facts, from_ns: int) -> int | None:
    """Return when the last watched resolver first answered with the destination; None while one of them has not."""
    vantages = {each.vantage for each in facts.resolutions} - {AUTHORITY}
    told = [switched(facts.resolutions, each, facts.destination, from_ns) for each in vantages]
    known = [each for each in told if each is not None]
    return max(known) if known and len(known) == len(told) else None


def _detected(facts: Facts, t0: int) -> int | None:
    noted = _noted(facts, Mark.DETECTED, t0)
    if noted is not None:
        return noted
    seen = [
        _first_bad_reading(facts.readings, t0),
        min((_sent(a) for a in facts.actions if _acted(a, t0)), default=None),
    ]
    return min((each for each in seen if each is not None), default=None)


def _first_bad_reading(readings: Iterable[Reading], t0: int) -> int | None:
    """Return when something was first seen bad that was not so at t0: a standby that is Disabled tells of no loss."""
    before: dict[str, str] = {}
    for each in readings:
        if each.at_ns < t0:
            before[each.subject] = each.health
        elif each.health in KNOWN_BAD and before.get(each.subject) != each.health:
            return each.at_ns
    return None


def _acted(action: Action, t0: int) -> bool:
    return action.purpose == "deed" and action.sent_ns is not None and action.sent_ns > t0


def _may_have_acted(action: Action) -> bool:
    return action.sent_ns is not None and action.outcome is not ActionOutcome.FAILED


def _noted(facts: Facts, mark: Mark, t0: int) -> int | None:
    return min((each.at_ns for each in facts.milestones if each.mark is mark and each.at_ns >= t0), default=None)


def _confirmed(actions: Iterable[Action], segment: Segment) -> int | None:
    done = [
        a.done_ns for a in actions if a.segment is segment and a.purpose == "deed" and a.outcome is ActionOutcome.OK
    ]
    return max((each for each in done if each is not None), default=None)


def _sent(action: Action) -> int:
    assert action.sent_ns is not None
    return action.sent_ns


def _told(action: Action) -> str:
    return f"{action.verb} {action.region or action.resource}".strip()
