"""Makes what dry runs and inspections need: reads, guards and the forecast; no journal, no guardian, no traffic, no write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from failover_drill import cost, guards
from failover_drill.adapters.arm import ArmPlatform
from failover_drill.adapters.direct import DirectAsker
from failover_drill.adapters.resolver import NameAsker
from failover_drill.clock import SystemClock
from failover_drill.errors import Unsafe
from failover_drill.forecast import Forecast, Kind
from failover_drill.inspection import Inspection
from failover_drill.platform import Direct, Names, Platform
from failover_drill.predict import foretell
from failover_drill.readiness import Readiness, Table
from failover_drill.rehearsal import Rehearsal
from failover_drill.restoration import unrestored
from failover_drill.settings import Settings
from failover_drill.target import Target

NOTHING: Mapping[str, Any] = {}


def rehearse(
    settings: Settings, target: Target, consent: guards.Consent, state: Mapping[str, Any] = NOTHING
) -> Rehearsal:
    """Return the rehearsal of one scenario. *state*: as for `predict.read`. Raises Unsafe where a guard refuses."""
    clock, safety = SystemClock(), settings.safety
    guards.refuse_outright(target, safety, settings.calendar, consent, clock.wall_s())
    guards.refuse_unmeasured(target, settings.objectives_for(target))
    reports = Path(settings.drill.reports).absolute()
    refuse_if_unrestored(reports, target)
    platform = ArmPlatform(target)
    ttl_s = platform.profile_state(target.profile_id).ttl_s
    direct = DirectAsker(target, timeout_s=settings.watch.timeout_s)
    names = NameAsker(target, timeout_s=settings.watch.timeout_s)
    predicted = foretell(platform, names, target, settings, state).get(Kind.PLANNED)
    found, expected, left_s = admission(
        settings, target, platform, direct, names, reports, ttl_s, predicted, lambda: "", clock.wall_s
    )
    locked = safety.lock == "tag"
    rehearsal = Rehearsal(target, platform, found, expected, left_s, locked=locked)
    rehearsal.lines.append(f"signed in: {guards.signed_in(target, platform, lock_by_tag=locked)}")
    rehearsal.check()
    return rehearsal


def inspect(settings: Settings, target: Target, tell: Callable[[str], None]) -> Inspection:
    """Return what read-only scenarios look with; *tell* is told of what passes with a remark."""
    direct = DirectAsker(target, timeout_s=settings.watch.timeout_s)
    names = NameAsker(target, timeout_s=settings.watch.timeout_s)
    return Inspection(target, ArmPlatform(target), direct, names, readiness(settings, target, tell))


def readiness(settings: Settings, target: Target, tell: Callable[[str], None]) -> Readiness:
    """Return the readiness of a target, read when first asked for."""

    def read() -> Table:
        from failover_drill.preflight_command import judged  # with the terminal's table: heavy, and seldom needed
        from failover_drill.preflight_reading import SETTLING_S, look

        seen = look(settings, target, SystemClock(), {}, settling_s=SETTLING_S if target.local else 0.0)
        return judged(seen), seen.unread

    return Readiness(read, tell)


def refuse_if_unrestored(reports: Path, target: Target) -> None:
    """Raise Unsafe, naming the command, where an earlier drill left this target changed."""
    left = unrestored(reports, target.profile_id)
    if left is not None:
        raise Unsafe(f"an earlier drill of this target is not put back; run `failover-drill restore {left}`")


def admission(
    settings: Settings,
    target: Target,
    platform: Platform,
    direct: Direct,
    names: Names,
    reports: Path,
    ttl_s: float,
    predicted: Forecast | None,
    guardian_trouble: Callable[[], str],
    wall_s: Callable[[], float],
) -> tuple[guards.Guards, cost.Expected, float]:
    """Return the guards, what the drill is likely to cost, and the error budget left in the window (seconds)."""
    aims, past = settings.objectives.values(), cost.past_runs(reports)
    whole_s = (1 - aims.availability) * aims.window_s
    left_s = whole_s - cost.spent_s(past, target.profile_id, wall_s() - aims.window_s)
    expected = cost.expected(predicted, past, settings.drill.name, target.public_host, target.time_scale, ttl_s)
    found = guards.Guards(
        target,
        platform,
        direct,
        names,
        settings.safety,
        left_s=left_s,
        expected=lambda: expected,
        guardian_trouble=guardian_trouble,
        wall_s=wall_s,
    )
    return found, expected, left_s
