"""`failover-drill measure DIR`: judge what plain Locust recorded, as `observe` judges what it measured itself.

`locust -f loadtests/locustfile.py` leaves its samples, and the plan they were sent by, in reports/load/<UTC time>/.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from failover_drill import observe
from failover_drill.errors import SettingsError
from failover_drill.facts import ClockAnchor
from failover_drill.findings import analyse
from failover_drill.observe_view import say
from failover_drill.samples import read_headers
from failover_drill.traffic import PLAN_FILE, TrafficPlan


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="measure")(command)


def command(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="what Locust wrote: reports/load/<UTC time>")],
    slo: Annotated[float, typer.Option(metavar="PERCENT", help="the availability promised")] = 99.9,
    window: Annotated[str, typer.Option(metavar="TIME", help="… over this time")] = "30d",
    share: Annotated[float, typer.Option(metavar="PERCENT", help="of the error budget that this may cost")] = 100.0,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="write findings.json there")] = None,
    report: Annotated[bool, typer.Option("--report", help="write findings and reports beside the samples")] = False,
) -> None:
    """Judge the samples that plain Locust recorded: outages with their bounds, downtime, verdict.

    Exit status 0 met, 1 missed, 2 inconclusive, 254 bad arguments.
    """
    plan = plan_in(run)
    wanted = observe.Observation(
        plan,
        observe.objectives_of(slo, window, share, plan.mix),
        json_file=json_file,
        report_dir=run if report else None,
    )
    observe.check_writable(wanted)
    findings = analyse(observe.facts_of(plan, run, anchor_in(run)), wanted.objectives)
    observe.write(findings, wanted)
    say(findings, Console(highlight=False))
    raise typer.Exit(observe.EXIT[findings.verdict])


def plan_in(run: Path) -> TrafficPlan:
    """Return the plan that a run's samples were sent by. Raises SettingsError where it is no such run."""
    try:
        return TrafficPlan.from_json((run / PLAN_FILE).read_text("utf-8"))
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SettingsError(f"{run / PLAN_FILE}: {why}; name what Locust wrote, such as reports/load/…") from None


def anchor_in(run: Path) -> ClockAnchor:
    """Return the clock that the samples' times are of: the master's, where there were several processes."""
    headers = read_headers(run)
    if not headers:
        raise SettingsError(f"{run}: holds no samples; name what Locust wrote, such as reports/load/…")
    own = min(headers, key=lambda header: abs(header.report.offset_ns))
    return ClockAnchor(own.anchor.wall_ns, own.anchor.mono_ns - own.report.offset_ns)
