"""The command `failover-drill`: everything about a drill but the drill itself, which pytest runs.

Exit status: 0 yes, 1 no (MISSED, changed, not restored), 2 cannot be told (INCONCLUSIVE), 254 bad arguments or settings,
255 a bug of ours.
"""

from __future__ import annotations

import sys
import traceback
from functools import cache
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from failover_drill.errors import DrillError, Inconclusive, ObjectiveNotMet, SettingsError

NO, UNTOLD, BAD_ARGUMENTS, BUG = 1, 2, 254, 255


class Commands(TyperGroup):
    """The commands of `commands`, loaded when they are asked for: `--version` must not wait for them."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - their signature
        return list(_commands().commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        return _commands().commands.get(cmd_name)


@cache
def _commands() -> TyperGroup:
    from failover_drill import commands

    group = typer.main.get_command(commands.app)
    assert isinstance(group, TyperGroup)
    return group


app = typer.Typer(
    name="failover-drill",
    cls=Commands,
    help="Rehearse a failover, measure what users lost, and prove it. Drills themselves are run by pytest.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


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
    except Exception:  # whoever reports it needs the traceback, and whoever calls us must not take it for a "no"
        traceback.print_exc()
        code = BUG
    sys.exit(code if isinstance(code, int) else 0)


def _said(message: str, code: int) -> int:
    typer.echo(" ".join(message.split()), err=True)
    return code
