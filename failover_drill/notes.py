"""Findings in plain words, each with the figure behind it. A note says what can be done, where something can."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, isinf

from failover_drill.facts import Facts, Objectives, Segment
from failover_drill.findings_form import Note
from failover_drill.form_instrument import InstrumentForm
from failover_drill.form_recovery import ForecastForm
from failover_drill.forms import moved
from failover_drill.lost_writes import Loss, missing
from failover_drill.measured import Measured, lost_in, still_open
from failover_drill.recovery import Part, Recovery, undone_from
from failover_drill.slo import Budget
from failover_drill.stats import most_failing, samples_to_prove
from failover_drill.wording import bounds, duration, held_against, period, seconds, share, spread

LONG_TTL_S = 20
"""A TTL above this, with a recovery that waited for it, is worth shortening; to a tenth, at least 5 s."""


def notes(
    facts: Facts, objectives: Objectives, measured: Measured, fit: InstrumentForm, forecast: ForecastForm | None
) -> tuple[Note, ...]:
    return (
        *_scale(facts),
        *_recovery(measured.recovery),
        *_moved(facts, objectives, measured),
        *_forecast(forecast),
        *_dns(facts, measured.recovery),
        *_outages(measured),
        *_data(measured.loss),
        *_clients(facts, objectives, measured),
        *_events(objectives, measured),
        *_proof(objectives, measured),
        *_instrument(fit),
    )


def _scale(facts: Facts) -> Iterator[Note]:
    if facts.time_scale != 1:
        text = f"The estate's probe intervals and platform delays were divided by {facts.time_scale:g}; name TTLs were not."
        yield Note("estate", text, facts.time_scale, "times")


def _recovery(recovery: Recovery | None) -> Iterator[Note]:
    if recovery is None or not recovery.parts:
        return
    whole = sum(each.took_ns for each in recovery.parts)
    longest = max(recovery.parts, key=lambda each: each.took_ns)
    if whole:
        part = longest.took_ns / whole
        text = f"The longest part of the recovery was “{longest.segment}”: {seconds(longest.took_ns)}, {share(part)} of it."
        yield Note("recovery", text, part, "share")
    elif recovery.time_ns == 0:
        yield Note(
            "recovery", f"Nobody lost anything after “{recovery.start.what}”: the recovery time is 0 s.", 0.0, "s"
        )
    behind = [each for each in recovery.parts if not each.occurred and _should_occur(each, recovery)]
    if behind and recovery.time_ns is not None:
        yield Note("recovery", f"Not marked, so counted as 0 s: {', '.join(each.segment for each in behind)}.")


def _should_occur(part: Part, recovery: Recovery) -> bool:
    return part.segment is not Segment.STABILISE and not (part.segment is Segment.DETECT and recovery.start.planned)


def _moved(facts: Facts, objectives: Objectives, measured: Measured) -> Iterator[Note]:
    """How long a move took that the recovery time says nothing of, as nobody lost anything by it."""
    recovery, until = measured.recovery, undone_from(facts)
    if recovery is None or recovery.time_ns != 0:
        return
    left = [moved(each, facts, measured, inf if until is None else until)[1] for each in objectives.judged]
    last = max((each for each in left if each is not None), default=None)
    if last is not None:
        took_s = last - facts.anchor.wall_s(recovery.start.at_ns)
        text = f"{facts.origin} served the last client that honours the TTL {duration(took_s)} after “{recovery.start.what}”."
        yield Note("recovery", text, took_s, "s")


def _forecast(forecast: ForecastForm | None) -> Iterator[Note]:
    if forecast is None:
        return
    if forecast.recovery is None:
        yield Note("forecast", f"It was predicted that nobody would come back: {forecast.never}.")
        return
    predicted = forecast.recovery
    text = f"Predicted: {duration(predicted.mean_s)} ({bounds(*predicted.inner_99)} in 99 of 100 failovers)"
    if predicted.measured_within is not None:
        text += f"; measured: {duration(predicted.measured_s)}, {held_against(predicted.measured_within)}"
    yield Note("forecast", f"{text}.", predicted.mean_s, "s")
    if predicted.measured_within in ("below", "above"):
        apart = max(forecast.segments, key=lambda each: abs((each.took.measured_s or 0.0) - each.took.mean_s))
        told = f"{duration(apart.took.measured_s)}, predicted {duration(apart.took.mean_s)}"
        yield Note("forecast", f"The segment furthest from its forecast is “{apart.name}”: {told}.")


def _dns(facts: Facts, recovery: Recovery | None) -> Iterator[Note]:
    if recovery is None or not facts.ttl_s:
        return
    whole = sum(each.took_ns for each in recovery.parts)
    waited = sum(each.took_ns for each in recovery.parts if each.segment in (Segment.PROPAGATE, Segment.DRAIN))
    if not whole or not waited:
        return
    part = waited / whole
    held = f"{share(part)} of the recovery time ({seconds(waited)})"
    text = f"Waiting for caches that kept the old answer, with a TTL of {facts.ttl_s} s, was {held}"
    shorter = max(5, facts.ttl_s // 10)
    if facts.ttl_s > LONG_TTL_S and waited > 1e9 * LONG_TTL_S / 2:
        saved = min(waited, facts.ttl_s * 1e9) * (1 - shorter / facts.ttl_s)
        text += f"; a TTL of {shorter} s would save about {seconds(saved)}"
    yield Note("dns", text + ".", part, "share")


def _outages(measured: Measured) -> Iterator[Note]:
    found = measured.outages
    if not found:
        if measured.fold.judged.goods > 1:
            hidden = seconds(measured.fold.judged.blind_ns)
            text = f"No outage was seen. One shorter than {hidden} could hide between two good samples."
            yield Note("outage", text, measured.fold.judged.blind_ns / 1e9, "s")
        return
    longest = max(found, key=lambda each: each.length.estimate_ns)
    kind = "partial" if longest.partial else "total"
    how = longest.outcome.name.lower().replace("_", " ")
    count = "One outage" if len(found) == 1 else f"{len(found)} outages; the longest"
    yield Note(
        "outage", f"{count}: {spread(longest.length)}, {kind}, mostly {how}.", longest.length.estimate_ns / 1e9, "s"
    )


def _data(loss: Loss | None) -> Iterator[Note]:
    if loss is None or not loss.acknowledged:
        return
    if loss.lost:
        text = f"Data loss: what was written in {spread(loss.length)}; {missing(loss)}."
    else:
        text = f"Data loss: {missing(loss)}; one of {seconds(loss.length.at_most_ns)} could hide between two."
    yield Note("data", text, loss.length.estimate_ns / 1e9, "s")


def _clients(facts: Facts, objectives: Objectives, measured: Measured) -> Iterator[Note]:
    undone = undone_from(facts)
    for population in measured.present():
        found = measured.by_population[population]
        if population in objectives.judged or not found:
            continue
        part = measured.fold.populations[population].samples / measured.fold.everyone.samples
        who = f"{population.name.capitalize()} clients ({share(part)} of requests, not judged)"
        lost = lost_in(found)
        until = float("inf") if undone is None else undone
        back = "never came back by themselves" if still_open(found, until) else f"were out for {spread(lost)}"
        yield Note("clients", f"{who} {back}.", lost.estimate_ns / 1e9, "s")


def _events(objectives: Objectives, measured: Measured) -> Iterator[Note]:
    budget, lost = Budget.of(objectives), measured.downtime
    events = budget.events(lost.estimate_ns / 1e9)
    if events is not None and not isinf(lost.at_most_ns):
        window, goal = period(objectives.window_s), share(objectives.availability)
        yield Note("slo", f"{goal} over {window} affords {events} such events.", float(events), "events")


def _proof(objectives: Objectives, measured: Measured) -> Iterator[Note]:
    judged = measured.fold.judged
    if judged.samples and judged.goods == judged.samples:
        proven, needed = 1 - most_failing(judged.samples), samples_to_prove(objectives.availability)
        text = f"{judged.samples} samples without a failure prove {share(proven)} at 95 % confidence"
        more = "" if judged.samples >= needed else f"; {share(objectives.availability)} takes {needed:.0f} of them"
        yield Note("slo", f"{text}{more}.", proven, "share")


def _instrument(fit: InstrumentForm) -> Iterator[Note]:
    if fit.self_test is None:
        yield Note("instrument", "The instrument was not self-tested on this machine: run failover-drill selftest.")
    elif not fit.self_test.fit:
        yield Note("instrument", "The newest self-test on this machine found the instrument not fit.")
