"""Readiness of what measures data loss: the app's list of the data probe's writes, and the objective. Pure.

Whether writes are taken is for the drill to try, before its first act: preflight changes nothing.
"""

from __future__ import annotations

from failover_drill.preflight_seen import Check, Level, Line, Seen
from failover_drill.wording import duration

PAGE = "docs/measurement.md has the two calls"


def data_probe(seen: Seen) -> Line:
    """An objective that nothing measures is refused by the drill; so is a probe that does not list."""
    target, check = seen.target, "data probe"
    if target.data_probe is None:
        said, fix = "none: no drill of this target measures data loss", f"name it: target.{target.name}.data_probe"
        if seen.rpo_s is None:
            return Line(check, Level.WARN, said, f"{fix}; {PAGE}")
        said = f"rpo_s = {seen.rpo_s:g}, but there is {said}"
        return Line(check, Level.FAIL, said, f'{fix} = "/path", or leave out rpo_s; {PAGE}')
    trouble = {target.region(role).name: why for role, why in seen.listed.items() if why}
    for region, why in trouble.items():
        return Line(check, Level.FAIL, f"{region}: {why}", f"correct target.{target.name}.data_probe; {PAGE}")
    asked = " and ".join(target.region(role).name for role in seen.listed)
    if not asked:
        return Line(check, Level.SKIP, "no app runs that could be asked")
    return Line(check, Level.PASS, f"{target.data_probe.path} lists in {asked}; the drill tries it with writes")


def rpo(seen: Seen) -> Line:
    """A region that hangs leaves each write open until its deadline: no loss that is shorter can be proven there."""
    probe, limit = seen.target.data_probe, seen.rpo_s
    if probe is None or limit is None:
        return Line("RPO", Level.PASS, "no objective: data loss is not judged")
    allowed, gaps_s = f"{duration(limit)} allowed", 2 / probe.rate
    if limit <= gaps_s:
        said = f"{allowed}, and up to {duration(gaps_s)} could hide between two writes: never surely within"
        fix = f"set target.{seen.target.name}.data_probe_rate above {2 / limit:g}, or a longer rpo_s"
        return Line("RPO", Level.WARN, said, fix)
    if limit <= seen.deadline_s:
        said = f"{allowed}, but a write that hangs stays open for {duration(seen.deadline_s)}"
        fix = "lower timeout_s in [traffic] below it, or accept INCONCLUSIVE of a region that hangs"
        return Line("RPO", Level.WARN, said, fix)
    return Line("RPO", Level.PASS, allowed)


CHECKS: tuple[Check, ...] = (data_probe, rpo)
