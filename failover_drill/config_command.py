"""`failover-drill config check | show | schema`: what drill.toml says, and whether it can be said so. Asks nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from failover_drill import settings
from failover_drill.discretion import shown
from failover_drill.errors import SettingsError
from failover_drill.settings import Settings
from failover_drill.settings_targets import AzureTarget

SettingsFile = Annotated[Path, typer.Option("--settings", metavar="FILE", help="the settings to read")]
DRILL_TOML = Path("drill.toml")

config = typer.Typer(help="Read drill.toml.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(config, name="config")


@config.command()
def check(file: SettingsFile = DRILL_TOML) -> None:
    """Say whether drill.toml can be read, what is wrong with it, and which targets it has."""
    found = settings.load(file)
    check_files(file, found)
    targets = ", ".join(f"{name} ({table.kind})" for name, table in sorted(found.target.items()))
    typer.echo(f"{file}: as it should be; targets: {targets}; {found.drill.target} where --target names none")


@config.command()
def show(file: SettingsFile = DRILL_TOML) -> None:
    """Print every setting in force, defaults and environment included, as JSON; secrets are left out."""
    typer.echo(json.dumps(shown(settings.load(file).model_dump(mode="json")), indent=1, ensure_ascii=False))


@config.command()
def schema() -> None:
    """Print the JSON Schema of drill.toml: editors complete and check by it (docs/targets.md says how)."""
    typer.echo(json.dumps(settings.schema(), indent=1))


def check_files(file: Path, found: Settings) -> None:
    """Raise SettingsError where a file that the settings name is not there, or a name leads nowhere."""
    from failover_drill.adapters.reach import check_ca_file

    if found.drill.target not in found.target:
        have = ", ".join(sorted(found.target))
        raise SettingsError(f"{file}: drill.target = {found.drill.target!r}: there is no such target; there are {have}")
    if found.traffic.locustfile and not Path(found.traffic.locustfile).is_file():
        raise SettingsError(f"{file}: traffic.locustfile = {found.traffic.locustfile!r}: there is no such file")
    for name, table in found.target.items():
        if isinstance(table, AzureTarget) and table.ca_file is not None:
            try:
                check_ca_file(table.ca_file)
            except SettingsError as error:
                raise SettingsError(f"{file}: target.{name}.ca_file = {error}") from None
