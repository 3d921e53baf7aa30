"""analyse(facts, objectives) -> Findings. Pure: the same facts give the same findings, today and in a year.

facts ──measure──► outages, downtime, recovery ──judge──► verdict and reasons ──► Findings ──► findings.json
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from failover_drill.facts import Facts, Objectives
from failover_drill.findings_form import SCHEMA, DrillForm, Findings
from failover_drill.form_instrument import SelfTestForm
from failover_drill.form_verdict import Verdict
from failover_drill.forms import downtime_form, recovery_form, slo_form, timeline, traffic_form
from failover_drill.instrument import fitness
from failover_drill.judgements import conclude, judgements
from failover_drill.measured import Measured, in_order, measure
from failover_drill.notes import notes
from failover_drill.predicted import forecast_form
from failover_drill.strips import action_form, dns_form, monitor_strips, step_form

__all__ = ["SCHEMA", "Findings", "Verdict", "analyse"]


def analyse(facts: Facts, objectives: Objectives) -> Findings:
    """Judge one run."""
    facts = replace(facts, samples=in_order(facts.samples), control=in_order(facts.control))
    measured = measure(facts, objectives)
    fit = fitness(facts, measured.fold, measured.outages, self_test_form(facts.self_test))
    judged = judgements(facts, objectives, measured, fit)
    verdict, reasons = conclude(judged)
    predicted = forecast_form(facts, measured)
    return Findings(
        schema=SCHEMA,
        drill=_drill(facts, measured),
        verdict=verdict,
        reasons=reasons,
        judgements=judged,
        notes=notes(facts, objectives, measured, fit, predicted),
        slo=slo_form(objectives, measured),
        recovery=recovery_form(facts, objectives, measured),
        forecast=predicted,
        downtime=downtime_form(facts, objectives, measured),
        traffic=traffic_form(facts, objectives, measured),
        dns=dns_form(facts),
        monitor=monitor_strips(facts),
        instrument=fit,
        actions=tuple(action_form(each, facts) for each in facts.actions),
        steps=tuple(step_form(each, facts) for each in facts.steps),
        timeline=timeline(facts, objectives, measured.fold.buckets),
        environment=dict(facts.environment),
        settings=dict(facts.settings),
    )


def self_test_form(told: Mapping[str, Any]) -> SelfTestForm | None:
    """Return the newest self-test in its form; None where there is none, or one of another version."""
    wanted = SelfTestForm.__dataclass_fields__
    return SelfTestForm(**{name: told[name] for name in wanted}) if wanted.keys() <= told.keys() else None


def _drill(facts: Facts, measured: Measured) -> DrillForm:
    began, ended = _extent(facts, measured)
    return DrillForm(
        name=facts.drill,
        kind="drill" if facts.steps or facts.actions or facts.milestones else "observation",
        run=facts.run,
        began=facts.anchor.wall_s(began),
        ended=facts.anchor.wall_s(ended),
        duration_s=(ended - began) / 1e9,
        interrupted=facts.interrupted,
        restored=facts.restored,
        time_scale=facts.time_scale,
        primary=facts.primary,
        secondary=facts.secondary,
        ttl_s=facts.ttl_s,
    )


def _extent(facts: Facts, measured: Measured) -> tuple[int, int]:
    """Return when the run began and ended: the hull of everything that was written down."""
    instants = [facts.anchor.mono_ns, *(facts.window_ns or ())]
    instants += [at for step in facts.steps for at in (step.began_ns, step.ended_ns) if at is not None]
    instants += [at for each in facts.actions for at in (each.sent_ns, each.done_ns) if at is not None]
    everyone = measured.fold.everyone
    if everyone.samples:
        instants += [everyone.first_ns, everyone.last_ns]
    return min(instants), max(instants)
