"""`failover-drill new DIR`: a suite of its own, which runs at once. Its files are shipped with the package.

suite/…                                       what only a suite has: its README, a step and a user of its own
features/failover.feature, drill.toml, role   this repository's own, from where they lie: one source
drill.schema.json                             made of the settings
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from failover_drill.errors import SettingsError

SHIPPED = Path(__file__).parent / "suite"
REPOSITORY = Path(__file__).parent.parent
OWN = (
    "README.md",
    "Makefile",
    "conftest.py",
    "pytest.ini",
    "features/ours.feature",
    "steps/our_steps.py",
    "loadtests/locustfile.py",
)
SHARED = (
    "features/failover.feature",
    "deploy/role.json",
    "deploy/role-preflight.json",
    "deploy/role-slots.json",
)
SCHEMA = "drill.schema.json"
LOCUSTFILE = "loadtests/locustfile.py"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="new")(command)


def command(directory: Annotated[Path, typer.Argument(metavar="DIR", help="where; made if it is not there")]) -> None:
    """Lay out a suite of your own: playbooks, steps, load, drill.toml. It runs at once, on the local estate."""
    files = contents()
    for name in files:
        if (directory / name).exists():
            raise SettingsError(f"{directory / name}: there is such a file already; nothing was written")
    for name, text in files.items():
        write(directory / name, text)
    typer.echo(f"{directory}: a suite of your own, {len(files)} files; now\n    cd {directory}")
    typer.echo("    pytest features/failover.feature     # rehearse on the local estate\n    less README.md")


def contents() -> Mapping[str, str]:
    """Return each file of a new suite, by its path."""
    own = {name: shipped(name) for name in (*OWN, *SHARED)}
    return {**own, ".gitignore": shipped("gitignore"), "drill.toml": settings_text(), SCHEMA: schema_text()}


def shipped(name: str) -> str:
    """Return a file of the package; in a checkout some lie at their own place."""
    inside = SHIPPED / name
    return (inside if inside.is_file() else REPOSITORY / name).read_text("utf-8")


def settings_text() -> str:
    """Return the drill.toml of a new suite: the repository's, with the suite's schema and users."""
    import tomlkit

    document = tomlkit.parse(shipped("drill.toml"))
    traffic = document["traffic"]
    assert isinstance(traffic, tomlkit.items.Table)
    traffic["locustfile"] = LOCUSTFILE
    traffic["locustfile"].comment("users of our own, beside the measured ones")
    lines = tomlkit.dumps(document).splitlines()
    return "\n".join(f"#:schema {SCHEMA}" if line.startswith("#:schema ") else line for line in lines) + "\n"


def schema_text() -> str:
    """Return the JSON Schema of drill.toml, as `config schema` prints it."""
    from failover_drill.settings import schema

    return json.dumps(schema(), indent=1) + "\n"


def write(path: Path, text: str) -> None:
    """Write a new file. Raises SettingsError where it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written: {error.strerror}") from None
