"""Hold what was measured against what was wanted, and say in words what came of it (measurement.md §5).

Which verdict wins, from the top:

    the estate is not as it was                       MISSED        whatever else was measured
    the drill was interrupted                         INCONCLUSIVE
    the instrument was not fit                        INCONCLUSIVE  what it says can't be believed
    the target was never up, or nothing was measured  INCONCLUSIVE  there was nothing to lose
    a step failed; recovery time; error budget; data loss           the worst of them
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isinf
from typing import Final, Literal

from failover_drill.facts import Facts, Objectives, StepMark
from failover_drill.form_instrument import InstrumentForm
from failover_drill.form_verdict import Judgement, Verdict
from failover_drill.lost_writes import Loss, missing, read_backs_of
from failover_drill.measured import Measured
from failover_drill.outages import Bounds
from failover_drill.slo import Budget, judge_bounds, worst
from failover_drill.wording import period, seconds, share, spread

RECOVERY: Final = "recovery time"
BUDGET: Final = "error budget"
LOSS: Final = "data loss"
UNSURE: Final = "inconclusive"
"""How the error of a step begins that could not tell."""


def judgements(facts: Facts, objectives: Objectives, measured: Measured, fit: InstrumentForm) -> tuple[Judgement, ...]:
    """Return one judgement for each objective that applies, those that overrule the others first."""
    return (
        *_restored(facts),
        *_interrupted(facts),
        *(Judgement("instrument", Verdict.INCONCLUSIVE, f"the instrument was not fit: {each}") for each in fit.reasons),
        *_up(measured),
        *_completed(facts),
        *_recovery(measured, objectives),
        *_budget(measured, objectives),
        *_loss(facts, objectives, measured),
    )


def conclude(found: Sequence[Judgement]) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict, and its reasons with the weightiest first."""
    overruling = [each for each in found if each.objective in ("restored", "completed", "instrument", "availability")]
    for objective in ("restored", "interrupted", "instrument", "availability"):
        ruling = [each for each in overruling if _kind(each) == objective and each.verdict is not Verdict.MET]
        if ruling:
            rest = [each for each in found if each not in ruling and each.verdict is not Verdict.MET]
            return ruling[0].verdict, tuple(each.reason for each in (*ruling, *rest))
    verdict = worst(each.verdict for each in found)
    first = [each.reason for each in found if each.verdict is verdict and each.objective != "restored"]
    return verdict, (*first, *(each.reason for each in found if each.verdict not in (verdict, Verdict.MET)))


def _kind(judgement: Judgement) -> str:
    unfinished = judgement.objective == "completed" and judgement.verdict is Verdict.INCONCLUSIVE
    return "interrupted" if unfinished else judgement.objective


def _restored(facts: Facts) -> Iterator[Judgement]:
    if facts.restored == "yes":
        yield Judgement("restored", Verdict.MET, "the estate is as it was")
    elif facts.restored:
        yield Judgement("restored", Verdict.MISSED, f"the estate is not as it was: {facts.restored}")


def _interrupted(facts: Facts) -> Iterator[Judgement]:
    if facts.interrupted:
        yield Judgement("completed", Verdict.INCONCLUSIVE, f"interrupted: {facts.interrupted}")


def _up(measured: Measured) -> Iterator[Judgement]:
    judged = measured.fold.judged
    if not judged.samples:
        yield Judgement(
            "availability", Verdict.INCONCLUSIVE, "nothing was measured: there is no sample of a judged client"
        )
    elif measured.never_up:
        how = measured.outages[0].outcome.name.lower().replace("_", " ")
        reason = f"the target was never up during the run: all {judged.samples} judged samples failed (mostly {how})"
        yield Judgement("availability", Verdict.INCONCLUSIVE, reason)


def _completed(facts: Facts) -> Iterator[Judgement]:
    failed = [each for each in facts.steps if each.outcome == "failed" and not _of_an_objective(each)]
    for step in failed[:1]:
        unsure = step.error.startswith(UNSURE)
        yield Judgement(
            "completed",
            Verdict.INCONCLUSIVE if unsure else Verdict.MISSED,
            f"step “{step.keyword} {step.text}” failed: {step.error}".rstrip(": "),
        )


def _of_an_objective(step: StepMark) -> bool:
    """A step that only repeats the verdict on an objective is no second reason."""
    return step.error.startswith((f"{RECOVERY}:", f"{BUDGET}:", f"{LOSS}:"))


def _recovery(measured: Measured, objectives: Objectives) -> Iterator[Judgement]:
    recovery = measured.recovery
    if recovery is None:
        return
    limit, bounds = objectives.rto_s, recovery.bounds
    verdict = Verdict.MISSED if recovery.by_undo else judge_bounds(bounds, limit)
    if recovery.by_undo:
        said = (
            f"users were served again only after the drill was undone, {seconds(bounds.at_least_ns)} or more after t0"
        )
    elif recovery.time_ns is None:
        last = seconds(bounds.at_least_ns)
        said = f"not recovered: the last failure was {last} after t0, {seconds(limit * 1e9)} are allowed"
    else:
        said = f"{spread(bounds)}, {_against(verdict)} the {seconds(limit * 1e9)} allowed"
    yield _held(RECOVERY, verdict, said, limit, bounds)


def _budget(measured: Measured, objectives: Objectives) -> Iterator[Judgement]:
    budget, lost = Budget.of(objectives), measured.downtime
    verdict = judge_bounds(lost, budget.allowed_s)
    spent = share(budget.consumed_share(lost.estimate_ns / 1e9))
    may = "" if budget.share == 1 else f" ({share(budget.share)} of it)"
    said = (
        f"downtime of {spread(lost)} spends {spent} of the {seconds(budget.whole_s * 1e9)} that "
        f"{share(objectives.availability)} leaves over {period(objectives.window_s)}, "
        f"{_against(verdict)} the {seconds(budget.allowed_s * 1e9)} allowed{may}"
    )
    yield _held(BUDGET, verdict, said, budget.allowed_s, lost)


def _loss(facts: Facts, objectives: Objectives, measured: Measured) -> Iterator[Judgement]:
    limit, loss = objectives.rpo_s, measured.loss
    if limit is None or (measured.recovery is None and facts.writes):
        return  # nobody asked; or nothing disruptive was done yet
    if loss is None or not loss.acknowledged:
        said = f"{LOSS}: an objective of {seconds(limit * 1e9)} is set, but {_unmeasured(facts)}"
        yield Judgement("data loss", Verdict.INCONCLUSIVE, said, limit)
        return
    verdict = judge_bounds(loss.length, limit)
    yield _held(
        LOSS, verdict, f"{_lost(loss)}, {_against(verdict)} the {seconds(limit * 1e9)} allowed", limit, loss.length
    )


def _unmeasured(facts: Facts) -> str:
    """Say why the data loss is not known."""
    asked = read_backs_of(facts)
    if not facts.writes:
        return "no data probe measured any"
    if not asked:
        return "nothing was read back: the failover did not complete"
    if asked[-1].error:
        return f"{asked[-1].region} could not be read back: {asked[-1].error}"
    return "the data probe had no write acknowledged before the failover"


def _lost(loss: Loss) -> str:
    open_ = f", and of {loss.unknown} the outcome is unknown" if loss.unknown else ""
    if loss.lost:
        return f"{spread(loss.length)}: {missing(loss)}{open_}"
    hidden = f"{seconds(loss.length.at_most_ns)} could hide between two"
    return f"0 s: {missing(loss)}{open_}; {hidden}"


def _against(verdict: Verdict) -> str:
    return {Verdict.MET: "within", Verdict.MISSED: "beyond", Verdict.INCONCLUSIVE: "not surely within"}[verdict]


def _held(
    objective: Literal["recovery time", "error budget", "data loss"],
    verdict: Verdict,
    said: str,
    limit_s: float,
    bounds: Bounds,
) -> Judgement:
    most = None if isinf(bounds.at_most_ns) else bounds.at_most_ns / 1e9
    return Judgement(objective, verdict, f"{objective}: {said}", limit_s, bounds.at_least_ns / 1e9, most)
