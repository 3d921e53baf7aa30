"""A run in a few lines, as a terminal shows it when the drill is over. Pure."""

from __future__ import annotations

from failover_drill.findings_form import DataLoss, Findings, ForecastForm
from failover_drill.wording import bounded, bounds, duration, held_against, period, share


def summary_lines(findings: Findings) -> list[str]:
    """Return verdict, recovery time, downtime and budget, one line each, for a terminal."""
    recovery, slo = findings.recovery, findings.slo
    lines = [f"{findings.drill.name}: {findings.verdict}", *(f"  {reason}" for reason in findings.reasons)]
    if findings.drill.interrupted and findings.drill.restored == "yes":
        lines.append("  the estate is as it was: compared with the snapshot taken at the start")
    if recovery.time_s is not None:
        took = bounded(recovery.time_s, recovery.at_least_s, recovery.at_most_s)
        lines.append(f"recovery time {took}, objective {duration(recovery.rto_s)}")
        lines.append(
            f"  of which {', '.join(f'{s.name} {duration(s.took_s)}' for s in recovery.segments if s.occurred)}"
        )
    lines += _forecast_line(findings.forecast)
    lost = bounded(slo.consumed.estimate_s, slo.consumed.at_least_s, slo.consumed.at_most_s)
    lines.append(
        f"downtime {lost}, user-weighted: {share(slo.consumed_share)} of the error budget of {duration(slo.budget_s)} "
        f"that {share(slo.objective)} over {period(slo.window_s)} allows"
    )
    if recovery.data_loss is not None:
        lines.append(_loss_line(recovery.data_loss, slo.rpo_s))
    if findings.drill.time_scale != 1:
        lines.append(f"time scale {findings.drill.time_scale:g}: probe intervals and Azure's delays were divided by it")
    return lines


def _forecast_line(forecast: ForecastForm | None) -> list[str]:
    """Return what was predicted, and where the measured lies in it, in a few words."""
    if forecast is None or forecast.recovery is None:
        return [] if forecast is None else [f"  predicted: never; {forecast.never}"]
    told = forecast.recovery
    held = "" if told.measured_within is None else f"; measured {held_against(told.measured_within)}"
    return [f"  predicted {duration(told.mean_s)}, 99 of 100 within {bounds(*told.inner_99)}{held}"]


def _loss_line(loss: DataLoss, rpo_s: float | None) -> str:
    said = bounded(loss.loss.estimate_s, loss.loss.at_least_s, loss.loss.at_most_s)
    allowed = "no objective" if rpo_s is None else f"objective {duration(rpo_s)}"
    return (
        f"data loss {said}, {allowed}: {loss.lost} of {loss.acknowledged} acknowledged writes are not in {loss.region}"
    )
