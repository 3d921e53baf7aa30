"""`failover-drill preflight`: the readiness table, then what a drill would do. Reads only.

target ──► look ──► Seen ──► checks ──► table          exit 1 where one fails; warnings do not
                                          └─ none fails ─► pytest FEATURE --dry-run: guards, plan, undos, forecast
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from failover_drill import preflight_profile, preflight_regions, preflight_writes
from failover_drill.errors import DrillError, SettingsError
from failover_drill.preflight_seen import Level, Line, Seen
from failover_drill.settings import Settings, load
from failover_drill.settings_targets import LocalTarget

if TYPE_CHECKING:
    from failover_drill.adapters.estate import Control
    from failover_drill.target import Target

CHECKS = (*preflight_profile.CHECKS, *preflight_regions.CHECKS, *preflight_writes.CHECKS)
STYLES = {Level.PASS: "green", Level.WARN: "yellow", Level.FAIL: "bold red", Level.SKIP: "dim"}
FIRST = {Level.FAIL: 0, Level.WARN: 1}
PLAIN_WIDTH = 160
USUAL = Path("features/failover.feature")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="preflight")(command)


def command(
    feature: Annotated[
        Path | None,
        typer.Argument(metavar="FEATURE", help="the playbook; else features/failover.feature, if it is there"),
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="NAME", help="which [target.NAME] of drill.toml")] = None,
    estate: Annotated[Path | None, typer.Option(metavar="READY.json", help="the local estate's ready line")] = None,
    file: Annotated[Path, typer.Option("--settings", metavar="FILE", help="the settings to read")] = Path("drill.toml"),
    plan: Annotated[bool, typer.Option("--plan/--no-plan", help="show what a drill would do, too")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print the table alone, as JSON")] = False,
) -> None:
    """Is everything ready for a failover? What is not, with its fix; then what a drill would do. Changes nothing."""
    settings = load(file)
    if feature is not None and not Path(str(feature).partition("::")[0]).exists():
        raise SettingsError(f"{feature}: there is no such playbook; `ls features` lists them, --no-plan needs none")
    with standing(settings, target, estate) as ready_file:
        lines = inspect(settings, target, ready_file)
        if as_json:
            typer.echo(json.dumps([asdict(line) for line in lines], indent=1))
        else:
            console = Console(highlight=False)
            show(console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH), lines)
        failed = sum(line.level is Level.FAIL for line in lines)
        if failed:
            raise DrillError(f"not ready: {failed} of {len(lines)} checks failed")
        if plan and not as_json and (feature or USUAL.exists()):
            rehearse(feature or USUAL, target, ready_file, file)
        elif plan and not as_json:
            typer.echo(f"no plan is shown: there is no {USUAL} here; `failover-drill new DIR` lays one out")


def judged(seen: Seen) -> list[Line]:
    """Ask every check."""
    return [check(seen) for check in CHECKS]


def inspect(settings: Settings, name: str | None, ready_file: Path | None) -> list[Line]:
    """Read the target and judge it. Raises PlatformError where profile or apps cannot be read."""
    from failover_drill.clock import SystemClock
    from failover_drill.forecast_command import opened
    from failover_drill.preflight_reading import SETTLING_S, look

    found: tuple[Target, Control | None]
    with opened(settings, name, ready_file) as found:
        target, control = found
        delays = control.call("GET", "/_state").get("delays", {}) if control else {}
        return judged(look(settings, target, SystemClock(), delays, settling_s=SETTLING_S if control else 0.0))


@contextmanager
def standing(settings: Settings, name: str | None, ready_file: Path | None) -> Iterator[Path | None]:
    """Yield the ready line of the estate that table and plan are both about; one is started where none stands."""
    if ready_file is not None or not isinstance(settings.target.get(name or settings.drill.target), LocalTarget):
        yield ready_file
        return
    from failover_drill.adapters.estate import EstateProcess

    with (
        tempfile.TemporaryDirectory(prefix="failover-drill-") as place,
        EstateProcess(settings.estate, Path(place) / "estate.log") as ready,
    ):
        made = Path(place) / "ready.json"
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT, 0o600), "w") as written:
            json.dump(dict(ready.fields), written)
        yield made


def rehearse(feature: Path, target: str | None, ready_file: Path | None, file: Path) -> None:
    """Run the playbook dry. Raises DrillError where a guard refuses, which the run itself says."""
    command = [sys.executable, "-m", "pytest", str(feature), "--dry-run", "-q", "--drill-settings", str(file)]
    for option, value in (("--target", target), ("--estate", ready_file)):
        command += [option, str(value)] if value is not None else []
    sys.stdout.flush()  # the table, before what the child prints
    if subprocess.run(command, check=False).returncode:
        raise DrillError("the dry run was refused: see above")


def show(console: Console, lines: list[Line]) -> None:
    """Print the table, what needs doing first, and the count."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in ("", "check", "what is so"):
        table.add_column(heading)
    for line in sorted(lines, key=lambda each: FIRST.get(each.level, len(FIRST))):
        fix = f"\n[dim]→ {escape(line.fix)}[/]" if line.fix else ""
        table.add_row(f"[{STYLES[line.level]}]{line.level}[/]", line.check, f"{escape(line.said)}{fix}")
    console.print(table)
    counts = [f"{sum(line.level is level for line in lines)} {level}" for level in Level]
    console.print(", ".join(counts))
