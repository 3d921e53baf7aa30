"""The command `failover-drill`: everything about a drill but the drill itself, which pytest runs.

Exit status: 0 yes, 1 no (MISSED, changed, not restored), 2 cannot be told (INCONCLUSIVE), 254 bad arguments or settings,
255 a bug of ours.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from failover_drill import books, forecast_command, journal, observe, record, selftest, settings
from failover_drill.errors import DrillError, Inconclusive, ObjectiveNotMet, SettingsError

NO, UNTOLD, BAD_ARGUMENTS, BUG = 1, 2, 254, 255

app = typer.Typer(
    name="failover-drill",
    help="Rehearse a failover, measure what users lost, and prove it. Drills themselves are run by pytest.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
config = typer.Typer(help="Read drill.toml.", no_args_is_help=True)
app.add_typer(config, name="config")
for part in (books, forecast_command, observe, selftest):
    part.register(app)

RunDirectory = Annotated[Path, typer.Argument(metavar="RUN", help="a run's directory, such as reports/latest")]
SettingsFile = Annotated[Path, typer.Option("--settings", metavar="FILE", help="the settings to read")]


def print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"failover-drill {version('failover-drill')}")
        raise typer.Exit


@app.callback()
def common(
    show_version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Options that every command takes."""


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
    findings = analyse(record.read_facts(directory), record.read_objectives(directory))
    typer.echo(json.dumps(findings.to_dict(), indent=1, allow_nan=False))
    findings.raise_unless_met()


@app.command()
def restore(
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="the run to put back; else the newest that needs it")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what is outstanding and change nothing")] = False,
    estate: Annotated[Path | None, typer.Option(metavar="READY.json", help="the local estate's ready line")] = None,
    reports: Annotated[Path, typer.Option(metavar="DIR", help="where runs are kept")] = Path("reports"),
) -> None:
    """Put back what a dead drill left changed: reads the journal, shows what is outstanding, restores and verifies."""
    from failover_drill import rescue, targets

    directory = _existing(run.resolve()) if run is not None else rescue.newest_unrestored(reports)
    if directory is None:
        typer.echo(f"nothing to put back: every run under {reports} is restored")
        return
    with targets.identity_of(estate):
        code = rescue.rescue_alone(directory, typer.echo, dry_run=dry_run)
    if code:
        raise typer.Exit(code)


@app.command()
def preflight(
    feature: Annotated[Path, typer.Argument(metavar="FEATURE", help="the playbook")] = Path(
        "features/failover.feature"
    ),
    target: Annotated[str | None, typer.Option(metavar="NAME", help="which [target.NAME] of drill.toml")] = None,
    estate: Annotated[Path | None, typer.Option(metavar="READY.json", help="the local estate's ready line")] = None,
) -> None:
    """Show what a drill would do: all reads and guards, the plan with each undo, the forecast. Changes nothing."""
    import subprocess

    command = [sys.executable, "-m", "pytest", str(feature), "--dry-run", "-q"]
    for option, value in (("--target", target), ("--estate", estate)):
        command += [option, str(value)] if value is not None else []
    code = subprocess.run(command, check=False).returncode
    if code:
        raise typer.Exit(NO)


@config.command()
def check(file: SettingsFile = Path("drill.toml")) -> None:
    """Say whether drill.toml can be read, and what is wrong with it."""
    settings.load(file)
    typer.echo(f"{file}: as it should be")


@config.command()
def show(file: SettingsFile = Path("drill.toml")) -> None:
    """Print every setting in force, defaults and environment included, as JSON."""
    typer.echo(settings.load(file).model_dump_json(indent=1))


def _existing(run: Path) -> Path:
    if not run.is_dir():
        raise SettingsError(f"{run}: there is no such run; `ls reports` lists them")
    return run


def main() -> None:
    """Run the command; every error that a person can act on is one line on stderr."""
    try:
        code = app(standalone_mode=False)
    except typer.Exit as ended:
        code = ended.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = _said("interrupted", 130)
    except ObjectiveNotMet as error:
        code = _said(str(error), UNTOLD if isinstance(error, Inconclusive) else NO)
    except SettingsError as error:
        code = _said(str(error), BAD_ARGUMENTS)
    except DrillError as error:
        code = _said(str(error), NO)
    except TyperException as error:
        code = _said(error.format_message(), BAD_ARGUMENTS)
    sys.exit(code if isinstance(code, int) else 0)


def _said(message: str, code: int) -> int:
    typer.echo(" ".join(message.split()), err=True)
    return code
