"""A run in a few lines, as a terminal shows it when the drill is over. Pure.

proseware-failover: MET
  recovery time: 5.58 s (5.57 s to 5.60 s), within the 60 s allowed       each reason of the verdict
    of which disable primary 112 ms, …                                    with what else there is to say of it
downtime 3.65 s (…), user-weighted: …                                     a figure that no reason tells
"""

from __future__ import annotations

from collections.abc import Iterator

from failover_drill.findings_form import Findings
from failover_drill.form_recovery import DataLoss, ForecastForm, RecoveryForm
from failover_drill.form_verdict import SloForm
from failover_drill.judgements import BUDGET, LOSS, RECOVERY
from failover_drill.wording import bounded, bounds, duration, held_against, period, share


def summary_lines(findings: Findings) -> list[str]:
    """Return the verdict with its reasons, and each figure once: in its reason, or after them."""
    drill = findings.drill
    lines = [f"{drill.name}: {findings.verdict}", *_reasons(findings), *_untold(findings)]
    if drill.time_scale != 1:
        lines.append(f"time scale {drill.time_scale:g}: probe intervals and Azure's delays were divided by it")
    return lines


def _reasons(findings: Findings) -> Iterator[str]:
    for reason in findings.reasons:
        yield f"  {reason}"
        if reason.startswith(f"{RECOVERY}:"):
            yield from (f"    {detail}" for detail in _recovery_details(findings))
    if findings.drill.interrupted and findings.drill.restored == "yes":
        yield "  the estate is as it was: compared with the snapshot taken at the start"


def _untold(findings: Findings) -> Iterator[str]:
    told = {reason.partition(":")[0] for reason in findings.reasons}
    recovery, slo = findings.recovery, findings.slo
    if RECOVERY not in told and recovery.time_s is not None:
        yield _recovery_line(recovery)
    if RECOVERY not in told:
        yield from (f"  {detail}" for detail in _recovery_details(findings))
    if BUDGET not in told:
        yield _downtime_line(slo)
    if LOSS not in told and recovery.data_loss is not None:
        yield _loss_line(recovery.data_loss, slo.rpo_s)


def _recovery_details(findings: Findings) -> Iterator[str]:
    recovery = findings.recovery
    if recovery.time_s is not None:
        yield f"of which {', '.join(f'{s.name} {duration(s.took_s)}' for s in recovery.segments if s.occurred)}"
    yield from _forecast_line(findings.forecast)


def _recovery_line(recovery: RecoveryForm) -> str:
    took = bounded(recovery.time_s or 0.0, recovery.at_least_s or 0.0, recovery.at_most_s)
    return f"recovery time {took}, objective {duration(recovery.rto_s)}"


def _forecast_line(forecast: ForecastForm | None) -> list[str]:
    """Return what was predicted, and where the measured lies in it, in a few words."""
    if forecast is None or forecast.recovery is None:
        return [] if forecast is None else [f"predicted: never; {forecast.never}"]
    told = forecast.recovery
    held = "" if told.measured_within is None else f"; measured {held_against(told.measured_within)}"
    return [f"predicted {duration(told.mean_s)}, 99 of 100 within {bounds(*told.inner_99)}{held}"]


def _downtime_line(slo: SloForm) -> str:
    lost = bounded(slo.consumed.estimate_s, slo.consumed.at_least_s, slo.consumed.at_most_s)
    return (
        f"downtime {lost}, user-weighted: {share(slo.consumed_share)} of the error budget of {duration(slo.budget_s)} "
        f"that {share(slo.objective)} over {period(slo.window_s)} allows"
    )


def _loss_line(loss: DataLoss, rpo_s: float | None) -> str:
    said = bounded(loss.loss.estimate_s, loss.loss.at_least_s, loss.loss.at_most_s)
    allowed = "no objective" if rpo_s is None else f"objective {duration(rpo_s)}"
    return (
        f"data loss {said}, {allowed}: {loss.lost} of {loss.acknowledged} acknowledged writes are not in {loss.region}"
    )
