"""From what was measured to the form of findings.json: unit by unit, nothing is decided here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf, isinf

import numpy as np

from failover_drill.facts import Facts, Objectives, Population
from failover_drill.form_downtime import DowntimeForm, OutageForm, WorstClient
from failover_drill.form_figures import Span
from failover_drill.form_recovery import DataLoss, MilestoneForm, RecoveryForm, SegmentForm
from failover_drill.form_traffic import GroupForm, PopulationForm, RegionShare, Series, Timeline, TrafficForm
from failover_drill.form_verdict import SloForm
from failover_drill.lost_writes import Loss
from failover_drill.measured import LISTED, Measured, lost_in, still_open, worst_client
from failover_drill.outages import Bounds, Outage
from failover_drill.recovery import Recovery, undone_from
from failover_drill.slo import Budget
from failover_drill.stats import quantiles_us
from failover_drill.tally import Buckets, Grouped, sent_ns


def span(bounds: Bounds) -> Span:
    return Span(bounds.estimate_ns / 1e9, bounds.at_least_ns / 1e9, _finite(bounds.at_most_ns / 1e9))


def _finite(value: float) -> float | None:
    return None if isinf(value) else value


def _name(population: Population) -> str:
    return population.name.lower()


def slo_form(objectives: Objectives, measured: Measured) -> SloForm:
    budget, lost = Budget.of(objectives), measured.downtime
    return SloForm(
        objective=objectives.availability,
        window_s=objectives.window_s,
        budget_s=budget.whole_s,
        drill_share=budget.share,
        allowed_s=budget.allowed_s,
        consumed=span(lost),
        consumed_share=budget.consumed_share(lost.estimate_ns / 1e9),
        consumed_share_at_least=budget.consumed_share(lost.at_least_ns / 1e9),
        consumed_share_at_most=_finite(budget.consumed_share(lost.at_most_ns / 1e9)),
        events_affordable=budget.events(lost.estimate_ns / 1e9),
        rto_s=objectives.rto_s,
        rpo_s=objectives.rpo_s,
        stabilisation_s=objectives.stabilisation_s,
        judged=tuple(_name(each) for each in objectives.judged),
    )


def outage_form(outage: Outage, facts: Facts) -> OutageForm:
    at, length, slack = facts.anchor.wall_s, outage.length, outage.slack_ns
    return OutageForm(
        began=at(round(outage.began_ns)),
        ended=at(round(outage.ended_ns)),
        began_earliest=None if outage.begun_after_ns is None else at(outage.begun_after_ns - slack),
        began_latest=at(outage.begun_by_ns + slack),
        ended_earliest=at(outage.last_ns - slack),
        ended_latest=None if outage.over_by_ns is None else at(outage.over_by_ns + slack),
        estimate_s=length.estimate_ns / 1e9,
        at_least_s=length.at_least_ns / 1e9,
        at_most_s=_finite(length.at_most_ns / 1e9),
        outcome=outage.outcome.name.lower(),
        outcomes={kind.name.lower(): count for kind, count in outage.outcomes.items()},
        partial=outage.partial,
        availability=outage.availability,
        lost_s=outage.lost.estimate_ns / 1e9,
        open_start=outage.before_ns is None,
        open_end=outage.after_ns is None,
        bad=outage.bad,
        populations=tuple(_name(each) for each in sorted(outage.populations)),
    )


def listed(outages: Sequence[Outage], facts: Facts) -> tuple[OutageForm, ...]:
    """Return the longest outages, oldest first."""
    kept = sorted(outages, key=lambda each: each.length.estimate_ns)[-LISTED:]
    return tuple(outage_form(each, facts) for each in sorted(kept, key=lambda each: each.first_ns))


def downtime_form(facts: Facts, objectives: Objectives, measured: Measured) -> DowntimeForm:
    worst = worst_client(measured)
    minutes = _whole_minutes(measured)
    judged = measured.fold.judged
    return DowntimeForm(
        user_weighted=span(measured.downtime),
        full_outage=span(measured.full_outage),
        worst_client=None
        if worst is None
        else WorstClient(_name(worst[0]), span(worst[1].length), worst[0] in objectives.judged),
        sla_minutes=sum(not good for good in minutes),
        minutes_watched=len(minutes),
        blind_spot_s=judged.blind_ns / 1e9 if judged.blind_ns else None,
        outages=listed(measured.outages, facts),
        outages_in_all=len(measured.outages),
        full_outages=listed(measured.full, facts),
    )


def _whole_minutes(measured: Measured) -> list[bool]:
    """Return, for each clock minute watched from end to end, whether a sample was good in it."""
    minutes = measured.fold.tally.minutes
    return [good for minute, good in minutes.items() if minute not in (min(minutes), max(minutes))]


def recovery_form(facts: Facts, objectives: Objectives, measured: Measured) -> RecoveryForm:
    at, recovery = facts.anchor.wall_s, measured.recovery
    loss = None if measured.loss is None else loss_form(measured.loss, facts)
    milestones = tuple(MilestoneForm(str(each.mark), at(each.at_ns), each.note) for each in facts.milestones)
    if recovery is None:
        rto_s = objectives.rto_s
        return RecoveryForm(False, False, None, "", None, None, None, None, None, rto_s, (), milestones, loss)
    time = recovery.time_ns
    return RecoveryForm(
        occurred=True,
        recovered=time is not None,
        began=at(recovery.start.at_ns),
        began_by=recovery.start.what,
        ended=None if recovery.ended_ns is None else at(recovery.ended_ns),
        time_s=None if time is None else time / 1e9,
        time_ns=time,
        at_least_s=recovery.at_least_ns / 1e9,
        at_most_s=_finite(recovery.at_most_ns / 1e9),
        rto_s=objectives.rto_s,
        segments=_segments(facts, recovery),
        milestones=milestones,
        data_loss=loss,
    )


def loss_form(loss: Loss, facts: Facts) -> DataLoss:
    at = facts.anchor.wall_s
    return DataLoss(
        acknowledged=loss.acknowledged,
        lost=len(loss.lost),
        loss=span(loss.length),
        refused=loss.refused,
        unknown=loss.unknown,
        arrived=loss.arrived,
        first_lost=at(loss.lost[0].sent_ns) if loss.lost else None,
        last_lost=at(loss.lost[-1].sent_ns) if loss.lost else None,
        read_back=at(loss.read_back.at_ns),
        region=loss.read_back.region,
    )


def _segments(facts: Facts, recovery: Recovery) -> tuple[SegmentForm, ...]:
    whole = sum(part.took_ns for part in recovery.parts)
    return tuple(
        SegmentForm(
            name=str(part.segment),
            began=facts.anchor.wall_s(part.began_ns),
            ended=facts.anchor.wall_s(part.ended_ns),
            took_s=part.took_ns / 1e9,
            took_ns=part.took_ns,
            share=part.took_ns / whole if whole else 0.0,
            occurred=part.occurred,
            ended_by=part.ended_by,
        )
        for part in recovery.parts
    )


def traffic_form(facts: Facts, objectives: Objectives, measured: Measured) -> TrafficForm:
    tally, everyone = measured.fold.tally, measured.fold.everyone
    at, names = facts.anchor.wall_s, facts.samples.names
    return TrafficForm(
        began=at(everyone.first_ns) if everyone.samples else None,
        ended=at(everyone.last_ns) if everyone.samples else None,
        rate_per_s=1e9 / facts.interval_ns,
        gap_s=facts.interval_ns / 1e9,
        latency_limit_s=facts.latency_limit_ns / 1e9,
        overall=tally.populations.availability(),
        judged=tally.populations.availability([int(each) for each in objectives.judged]),
        latency=tally.populations.latency(),
        outcomes=tally.populations.outcome_counts(),
        populations=tuple(_population(each, facts, objectives, measured) for each in measured.present()),
        regions=_groups(names.regions, tally.regions, facts),
        paths=tuple(_path(i, each, measured) for i, each in enumerate(_groups(names.paths, tally.paths, facts))),
    )


def _population(population: Population, facts: Facts, objectives: Objectives, measured: Measured) -> PopulationForm:
    strand, tally = measured.fold.populations[population], measured.fold.tally
    found = measured.by_population[population]
    undone = undone_from(facts)
    gap = (strand.last_ns - strand.first_ns) / (strand.samples - 1) / 1e9 if strand.samples > 1 else None
    first, last = moved(population, facts, measured, inf if undone is None else undone)
    longest = max((each.length for each in found), key=lambda each: each.estimate_ns, default=None)
    return PopulationForm(
        name=_name(population),
        judged=population in objectives.judged,
        share=strand.samples / measured.fold.everyone.samples,
        gap_s=gap,
        availability=tally.populations.availability([population]),
        latency=tally.populations.latency([population]),
        downtime=span(lost_in(found)),
        outages=listed(found, facts),
        longest=None if longest is None else span(longest),
        regions=tuple(
            RegionShare(name, int(good), int(bad))
            for name, (good, bad) in zip(facts.samples.names.regions, tally.served[population], strict=True)
            if good or bad
        ),
        outcomes=tally.populations.outcome_counts([population]),
        cut_over=first,
        left_primary=last,
        came_back=not still_open(found, inf if undone is None else undone),
    )


def moved(
    population: Population, facts: Facts, measured: Measured, until_ns: float
) -> tuple[float | None, float | None]:
    """Return when a population was first served where users are moved to, and last where from: after t0, before `until_ns`."""
    if measured.recovery is None:
        return None, None
    records = facts.samples.records
    sent = sent_ns(records)
    good = (records["outcome"] == 0) & (records["population"] == int(population))
    chosen = good & (sent >= measured.recovery.start.at_ns) & (sent < until_ns)
    regions = list(facts.samples.names.regions)
    found: list[float | None] = []
    for name, pick in ((facts.destination, 0), (facts.origin, -1)):
        here = sent[chosen & (records["region"] == regions.index(name))] if name in regions else sent[:0]
        found.append(facts.anchor.wall_s(int(here[pick])) if len(here) else None)
    return found[0], found[1]


def _groups(names: Iterable[str], grouped: Grouped, facts: Facts) -> tuple[GroupForm, ...]:
    return tuple(_group(index, name, grouped, facts) for index, name in enumerate(names))


def _group(index: int, name: str, grouped: Grouped, facts: Facts) -> GroupForm:
    seen = grouped.good_span(index)
    return GroupForm(
        name=name,
        availability=grouped.availability([index]),
        latency=grouped.latency([index]),
        first_good=facts.anchor.wall_s(seen[0]) if seen else None,
        last_good=facts.anchor.wall_s(seen[1]) if seen else None,
        downtime=None,
    )


def _path(index: int, group: GroupForm, measured: Measured) -> GroupForm:
    lost = measured.by_path.get(index)
    if lost is None:
        return group
    return GroupForm(group.name, group.availability, group.latency, group.first_good, group.last_good, span(lost))


def timeline(facts: Facts, objectives: Objectives, buckets: Buckets | None) -> Timeline:
    if buckets is None:
        return Timeline(facts.anchor.wall_s(facts.anchor.mono_ns), 1.0, 0, (), (), (), (), (), (), (), (), ())
    width_s = buckets.width_ns / 1e9
    every = buckets.regions.sum(axis=1)
    judged = buckets.populations[:, [int(each) for each in objectives.judged]].sum(axis=1)
    present = [each for each in Population if buckets.populations[:, each].any()]
    return Timeline(
        began=facts.anchor.wall_s(buckets.first * buckets.width_ns),
        bucket_s=width_s,
        buckets=len(every),
        good=_whole(every[:, 0]),
        bad=_whole(every[:, 1]),
        availability=tuple(good / (good + bad) if good + bad else None for good, bad in judged.tolist()),
        rate_per_s=tuple(sum(each) / width_s for each in every.tolist()),
        p50_s=_quantiles(buckets, 0.5),
        p95_s=_quantiles(buckets, 0.95),
        p99_s=_quantiles(buckets, 0.99),
        regions=tuple(
            Series(name, _whole(buckets.regions[:, i, 0]), _whole(buckets.regions[:, i, 1]))
            for i, name in enumerate(facts.samples.names.regions)
        ),
        populations=tuple(
            Series(_name(each), _whole(buckets.populations[:, each, 0]), _whole(buckets.populations[:, each, 1]))
            for each in present
        ),
    )


def _whole(counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> tuple[int, ...]:
    return tuple(counts.tolist())


def _quantiles(buckets: Buckets, share: float) -> tuple[float | None, ...]:
    found = quantiles_us(buckets.latencies, share)
    return tuple(None if each is None else each / 1e6 for each in found)
