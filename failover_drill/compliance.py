"""What a period cost of the error budget, for whoever signs for the objective. Pure.

period     [since ─────────────────────────────── until)
excluded        ▒▒▒                      ▒                  maintenance: neither time nor downtime counts
watched      ██      ███████    ████                        by drills and observations
recorded             ▓                 ▓▓                   downtime found elsewhere
unmeasured  █  █ █  █       ████    ██   █████              nobody knows; never counted as uptime

budget     = (1 − objective) × (period − excluded)
burn rate  = spent / budget                                 1 spends it evenly
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from failover_drill.ledger import DOWNTIME, MAINTENANCE, Bounded, Entry, Run
from failover_drill.stretches import Stretch, length, minus, union, within
from failover_drill.trend import Trend, trends


@dataclass(frozen=True, slots=True)
class Spend:
    """Seconds of downtime, by how it is known."""

    drills: Bounded
    observations: Bounded
    recorded_s: float

    @property
    def total(self) -> Bounded:
        parts = (self.drills, self.observations, Bounded(self.recorded_s, self.recorded_s, self.recorded_s))
        return _sum(parts)


@dataclass(frozen=True, slots=True)
class Account:
    """The books of one stretch of time. Seconds. `left_s` is negative where more was spent than there was."""

    began: float
    ended: float
    excluded_s: float
    watched_s: float
    unmeasured_s: float
    budget_s: float
    spend: Spend
    left_s: float
    burn_rate: float | None
    course: tuple[tuple[float, float], ...]
    """Instant, and seconds spent until then, at the end of each run and recorded incident."""

    @property
    def verdict(self) -> str:
        """Return MET, MISSED or INCONCLUSIVE, for the time that was measured or recorded."""
        spent = self.spend.total
        if spent.at_least_s > self.budget_s:
            return "MISSED"
        within = spent.at_most_s is not None and spent.at_most_s <= self.budget_s
        return "MET" if within and self.measured else "INCONCLUSIVE"

    @property
    def measured(self) -> bool:
        return self.watched_s > 0 or self.spend.recorded_s > 0


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective of one service, over the period, and over its own window as it stood at the period's end."""

    service: str
    objective: float
    window_s: float
    time_scale: float  # other than 1: rehearsals on an estate whose time was compressed, no downtime of the service
    period: Account
    window: Account
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Compliance:
    """The compliance report. Everything in it follows from the runs and entries it was made of."""

    since: float
    until: float
    objectives: tuple[Objective, ...]
    trends: tuple[Trend, ...]
    incidents: tuple[Entry, ...]
    exclusions: tuple[Entry, ...]
    uncharged: tuple[Entry, ...]
    """Incidents that are in no account: no objective in real time is known of their service."""


class Key(NamedTuple):
    """What an account is kept of."""

    time_scale: float
    service: str
    objective: float
    window_s: float


@dataclass(frozen=True, slots=True)
class Promised:
    """An objective that somebody wrote down (OpenSLO): a fraction, over a window of seconds."""

    service: str
    objective: float
    window_s: float


def comply(
    runs: Iterable[Run], entries: Iterable[Entry], since: float, until: float, promised: Sequence[Promised] = ()
) -> Compliance:
    """Return the books of [since, until), in epoch seconds. Runs outside it count only for the windows that reach back.

    *promised*: objectives that stand whatever the runs were judged by; each has its account of all runs of its service.
    """
    every, listed = sorted(runs, key=lambda run: run.began), tuple(entries)
    inside = [run for run in every if _touches((run.began, run.ended), since, until)]
    kept = {Key(1, each.service, each.objective, each.window_s) for each in promised}
    grouped: dict[Key, list[Run]] = defaultdict(list)
    for run in every:
        grouped[Key(run.time_scale, run.service, run.objective, run.window_s)].append(run)
    for key in kept:
        grouped[key] = [run for run in every if (run.time_scale, run.service) == (1, key.service)]
    objectives = [
        _objective(key, group, listed, since, until)
        for key, group in sorted(grouped.items())
        if key in kept or _concerns(key, group, listed, since, until)
    ]
    return Compliance(
        since=since,
        until=until,
        objectives=tuple(objectives),
        trends=tuple(trends(inside)),
        incidents=_listed(listed, DOWNTIME, since, until),
        exclusions=_listed(listed, MAINTENANCE, since, until),
        uncharged=tuple(each for each in _listed(listed, DOWNTIME, since, until) if not _charged(each, objectives)),
    )


def _touches(stretch: Stretch, since: float, until: float) -> bool:
    return stretch[0] < until and stretch[1] > since


def _listed(entries: Sequence[Entry], kind: str, since: float, until: float) -> tuple[Entry, ...]:
    chosen = (each for each in entries if each.kind == kind and _touches((each.began, each.ended), since, until))
    return tuple(sorted(chosen, key=lambda each: each.began))


def _charged(entry: Entry, objectives: Sequence[Objective]) -> bool:
    return any(each.time_scale == 1 and entry.service in ("", each.service) for each in objectives)


def _concerns(key: Key, runs: Sequence[Run], entries: Sequence[Entry], since: float, until: float) -> bool:
    """Did a run of this account lie in the period, or, in real time, an incident of this very service?"""
    hurt = key.time_scale == 1 and any(e.service == key.service for e in _listed(entries, DOWNTIME, since, until))
    return hurt or any(_touches((run.began, run.ended), since, until) for run in runs)


def _objective(key: Key, runs: Sequence[Run], entries: Sequence[Entry], since: float, until: float) -> Objective:
    own = [each for each in entries if each.service in ("", key.service) and key.time_scale == 1]
    return Objective(
        service=key.service,
        objective=key.objective,
        window_s=key.window_s,
        time_scale=key.time_scale,
        period=account(runs, own, (since, until), key.objective),
        window=account(runs, own, (until - key.window_s, until), key.objective),
        runs=tuple(run for run in runs if _touches((run.began, run.ended), since, until)),
    )


def account(runs: Sequence[Run], entries: Sequence[Entry], period: Stretch, objective: float) -> Account:
    """Return the books of one service over `period`."""
    excluded = within(((e.began, e.ended) for e in entries if e.kind == MAINTENANCE), period)
    counted = minus([period], excluded)
    watched = _shared(union(_watched(run) for run in runs), counted)
    recorded = [each for each in entries if each.kind == DOWNTIME]
    spend = Spend(
        drills=_sum(_cost(run, counted) for run in runs if run.kind == "drill"),
        observations=_sum(_cost(run, counted) for run in runs if run.kind != "drill"),
        recorded_s=_recorded(recorded, minus(counted, watched)),
    )
    known = union([*watched, *_shared(union((e.began, e.ended) for e in recorded), counted)])
    budget = (1 - objective) * length(counted)
    spent = spend.total.estimate_s
    return Account(
        began=period[0],
        ended=period[1],
        excluded_s=length(excluded),
        watched_s=length(watched),
        unmeasured_s=length(counted) - length(known),
        budget_s=budget,
        spend=spend,
        left_s=budget - spent,
        burn_rate=spent / budget if budget > 0 else None,
        course=_course(runs, recorded, counted, watched),
    )


def _watched(run: Run) -> Stretch:
    if run.watched_began is None or run.watched_ended is None:
        return (run.began, run.began)
    return (run.watched_began, run.watched_ended)


def _shared(one: Sequence[Stretch], other: Sequence[Stretch]) -> tuple[Stretch, ...]:
    return union(piece for each in other for piece in within(one, each))


def _cost(run: Run, counted: Sequence[Stretch]) -> Bounded:
    """What a run cost in the time that counts: an outage half inside it costs half."""
    lost = sum(each.lost_s for each in run.losses)
    if lost > 0:
        inside = sum(each.lost_s * _part((each.began, each.ended), counted) for each in run.losses) / lost
    else:
        inside = _part(_watched(run), counted)
    cost, high = run.consumed, run.consumed.at_most_s
    return Bounded(
        cost.estimate_s * inside, cost.at_least_s * inside, None if high is None and inside else (high or 0) * inside
    )


def _part(stretch: Stretch, counted: Sequence[Stretch]) -> float:
    whole = stretch[1] - stretch[0]
    if whole <= 0:
        return float(any(a <= stretch[0] < b for a, b in counted))
    return length(_shared([stretch], counted)) / whole


def _recorded(entries: Sequence[Entry], counted: Sequence[Stretch]) -> float:
    """Downtime recorded by hand, where it was not watched: a measurement outweighs a recollection.

    Where entries overlap, the largest share counts, once.
    """
    spent, left = 0.0, tuple(counted)
    for each in sorted(entries, key=lambda entry: -entry.share):
        mine = _shared([(each.began, each.ended)], left)
        spent += each.share * length(mine)
        left = minus(left, mine)
    return spent


def _course(
    runs: Sequence[Run], recorded: Sequence[Entry], counted: Sequence[Stretch], watched: Sequence[Stretch]
) -> tuple[tuple[float, float], ...]:
    costs = [(run.ended, _cost(run, counted).estimate_s) for run in runs]
    free = minus(counted, watched)
    ends = sorted(each.ended for each in recorded)
    until = [_recorded([replace(e, ended=min(e.ended, end)) for e in recorded if e.began < end], free) for end in ends]
    costs += [(end, now - before) for end, before, now in zip(ends, [0.0, *until], until, strict=False)]
    spent, course = 0.0, []
    for at, cost in sorted(costs):
        if cost > 0:
            spent += cost
            course.append((at, spent))
    return tuple(course)


def _sum(parts: Iterable[Bounded]) -> Bounded:
    every = list(parts)
    highs = [each.at_most_s for each in every]
    high = None if None in highs else sum(each for each in highs if each is not None)
    return Bounded(sum(e.estimate_s for e in every), sum(e.at_least_s for e in every), high)
