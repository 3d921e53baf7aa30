"""What others saw over time, as strips: DNS answers per vantage, monitor statuses per endpoint; actions and steps beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TypeVar

from failover_drill.facts import Action, Facts, Mark, Reading, Resolution, StepMark
from failover_drill.findings_form import ActionForm, StepForm
from failover_drill.form_strips import AnswerSpan, AnswerStrip, DnsForm, MonitorSpan, MonitorStrip
from failover_drill.recovery import AUTHORITY, last_switched, mark_of, start_of, switched

Row = TypeVar("Row")

UNANSWERED = {"TIMEOUT", "ERROR"}


def dns_form(facts: Facts) -> DnsForm:
    start = start_of(facts)
    from_ns = None if start is None else start.at_ns
    authority = mark_of(facts, Mark.AUTHORITY_SWITCHED) or _switched(facts, AUTHORITY, from_ns)
    last = None if from_ns is None else mark_of(facts, Mark.RESOLVERS_SWITCHED) or last_switched(facts, from_ns)
    return DnsForm(
        ttl_s=facts.ttl_s,
        names=tuple(sorted({each.name for each in facts.resolutions})),
        questions=len(facts.resolutions),
        unanswered=sum(each.rcode in UNANSWERED for each in facts.resolutions),
        authority_switched=_wall(facts, authority),
        last_switched=_wall(facts, last),
        propagation_s=None if authority is None or last is None else max(0, last - authority) / 1e9,
        strips=tuple(
            AnswerStrip(vantage, _answers(rows, facts), _wall(facts, _switched(facts, vantage, from_ns)))
            for vantage, rows in _apart(facts.resolutions, lambda each: each.vantage)
        ),
    )


def monitor_strips(facts: Facts) -> tuple[MonitorStrip, ...]:
    return tuple(
        MonitorStrip(subject, _statuses(rows, facts))
        for subject, rows in _apart(facts.readings, lambda each: each.subject)
    )


def action_form(action: Action, facts: Facts) -> ActionForm:
    took = None if action.sent_ns is None or action.done_ns is None else (action.done_ns - action.sent_ns) / 1e9
    return ActionForm(
        seq=action.seq,
        verb=action.verb,
        resource=action.resource,
        region=action.region,
        purpose=action.purpose,
        promised=facts.anchor.wall_s(action.promised_ns),
        sent=_wall(facts, action.sent_ns),
        done=_wall(facts, action.done_ns),
        took_s=took,
        outcome=str(action.outcome),
        before={key: str(value) for key, value in action.before.items()},
        after={key: str(value) for key, value in action.after.items()},
        segment=None if action.segment is None else str(action.segment),
        request_id=action.request_id,
        error=action.error,
    )


def step_form(step: StepMark, facts: Facts) -> StepForm:
    took = None if step.began_ns is None or step.ended_ns is None else (step.ended_ns - step.began_ns) / 1e9
    return StepForm(
        step.index,
        step.keyword,
        step.text,
        _wall(facts, step.began_ns),
        _wall(facts, step.ended_ns),
        took,
        step.outcome,
        step.error,
    )


def _wall(facts: Facts, at_ns: int | None) -> float | None:
    return None if at_ns is None else facts.anchor.wall_s(at_ns)


def _switched(facts: Facts, vantage: str, from_ns: int | None) -> int | None:
    return None if from_ns is None else switched(facts.resolutions, vantage, facts.destination, from_ns)


def _apart(rows: Iterable[Row], key: Callable[[Row], str]) -> list[tuple[str, list[Row]]]:
    """Return the rows of each key; the authority and the profile first, the others by name."""
    apart: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        apart[key(row)].append(row)
    return sorted(apart.items(), key=lambda pair: (pair[0] not in (AUTHORITY, "profile"), pair[0]))


def _answers(rows: Sequence[Resolution], facts: Facts) -> tuple[AnswerSpan, ...]:
    """One span for each stretch of equal answers, from the first time it was seen until another was."""
    ordered = sorted(rows, key=lambda each: each.answered_ns)
    runs = [list(run) for _, run in groupby(ordered, lambda each: (_said(each), each.rcode, each.region))]
    ends = [run[0].answered_ns for run in runs[1:]] + [runs[-1][-1].answered_ns]
    return tuple(
        AnswerSpan(
            facts.anchor.wall_s(run[0].answered_ns),
            facts.anchor.wall_s(end),
            _said(run[0]),
            run[0].region,
            run[0].rcode,
        )
        for run, end in zip(runs, ends, strict=True)
    )


def _said(resolution: Resolution) -> str:
    return ", ".join(sorted(resolution.addresses)) or resolution.rcode


def _statuses(rows: Sequence[Reading], facts: Facts) -> tuple[MonitorSpan, ...]:
    ordered = sorted(rows, key=lambda each: each.at_ns)
    runs = [list(run) for _, run in groupby(ordered, lambda each: (each.enabled, each.health))]
    ends = [run[0].at_ns for run in runs[1:]] + [runs[-1][-1].at_ns]
    return tuple(
        MonitorSpan(facts.anchor.wall_s(run[0].at_ns), facts.anchor.wall_s(end), run[0].enabled, run[0].health)
        for run, end in zip(runs, ends, strict=True)
    )
