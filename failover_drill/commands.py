"""The commands themselves. Loaded when one is called, or listed: what they need takes most of a second to load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from failover_drill import (
    books,
    config_command,
    forecast_command,
    init_command,
    journal,
    measure_command,
    new_suite,
    observe,
    preflight_command,
    record,
    selftest,
)
from failover_drill.errors import SettingsError
from failover_drill.settings import runs_kept

NO = 1

app = typer.Typer()
for part in (
    books,
    config_command,
    forecast_command,
    init_command,
    measure_command,
    new_suite,
    observe,
    preflight_command,
    selftest,
):
    part.register(app)

RunDirectory = Annotated[Path, typer.Argument(metavar="RUN", help="a run's directory, such as reports/latest")]


@app.command()
def verify(run: RunDirectory) -> None:
    """Check, offline, that every byte of a stored run is as it was when the run ended."""
    wrong = journal.verify(_existing(run))
    for line in wrong:
        typer.echo(line)
    if wrong:
        raise typer.Exit(NO)
    typer.echo(f"{run}: unchanged since it was sealed")


@app.command()
def judge(run: RunDirectory) -> None:
    """Judge a stored run again from its facts, and print the findings as JSON."""
    from failover_drill.findings import analyse

    directory = _existing(run)
    findings = analyse(record.read_ended(directory), record.read_objectives(directory))
    typer.echo(json.dumps(findings.to_dict(), indent=1, allow_nan=False))
    findings.raise_unless_met()


@app.command()
def restore(
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="the run to put back; else the newest that needs it")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what is outstanding and change nothing")] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="every undo is done, and what still differs others have changed: let it be")
    ] = False,
    estate: Annotated[Path | None, typer.Option(metavar="READY.json", help="the local estate's ready line")] = None,
    reports: books.Reports = None,
) -> None:
    """Put back what a dead drill left changed: reads the journal, shows what is outstanding, restores and verifies."""
    from failover_drill import rescue, targets

    kept = runs_kept(reports).absolute()
    directory = _existing(run.resolve()) if run is not None else rescue.newest_unrestored(kept)
    if directory is None and not kept.is_dir():
        typer.echo(f"nobody has drilled from here: there is no {kept}; runs kept elsewhere are named as RUN")
        return
    if directory is None:
        typer.echo(f"nothing to put back: every run under {kept} is restored")
        return
    with targets.identity_of(estate):
        code = rescue.rescue_alone(directory, typer.echo, dry_run=dry_run, accept=accept)
    if code:
        raise typer.Exit(code)


def _existing(run: Path) -> Path:
    if not run.is_dir():
        raise SettingsError(f"{run}: there is no such run; `ls reports` lists them")
    return run
