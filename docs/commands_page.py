"""`python -m docs.commands_page > docs/commands.md`: every command with its arguments and options, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from failover_drill import commands

HEAD = """\
<!-- Made by `python -m docs.commands_page > docs/commands.md`. Do not edit: change the commands, or the words in docs/commands_page.py. -->
# Commands

A drill itself is run by pytest; `failover-drill` does everything else. `failover-drill COMMAND --help` says what stands here.

## Exit status

| status | `failover-drill` | a drill, run by pytest |
|---|---|---|
| 0 | yes: met, ready, unchanged, restored | every playbook passed, its objectives met |
| 1 | no: missed, not ready, changed, not restored, refused by the control plane | a playbook failed: refused by a guard, missed, inconclusive, or not put back |
| 2 | it cannot be told: inconclusive | ended by a signal; the estate is put back all the same |
| 3 | | pytest itself is broken |
| 4 | | wrong arguments |
| 5 | | no playbook was found |
| 130 | interrupted | Ctrl-C twice: the guardian puts the estate back |
| 254 | wrong arguments or settings; nothing was done | |
| 255 | a bug of ours | |

Whatever is wrong is one line on stderr. `python -m local_estate` ends with 0 by a signal, 1 where an address or port cannot be had, 2 for
wrong arguments or settings.

## pytest's options

| option | what it does |
|---|---|
| `--target NAME` | drill `[target.NAME]` of drill.toml |
| `--yes-really` | drill a real target, which `--target` must name |
| `--estate READY.json` | drill the local estate whose ready line the file holds; alone, by features/failover.feature |
| `--dry-run` | ask every guard, print the plan with undos and forecast; change nothing |
| `--live` | show the drill on a page on loopback, too |
| `--drill-settings FILE` | other settings than the drill.toml at the root of the suite |

They are there in every directory that has a drill.toml, and nowhere else: elsewhere the plugin loads nothing and takes no option's name.
`pytest -p no:failover-drill` switches it off altogether.
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *(_command(*each) for each in everything())])


def everything() -> list[tuple[str, Any]]:
    """Return every command with the words that call it, in alphabetical order."""
    return sorted(_below("failover-drill", typer.main.get_command(commands.app)), key=lambda each: each[0])


def _below(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    parts = getattr(command, "commands", None)
    if parts is None:
        yield words, command
        return
    for name, each in parts.items():
        yield from _below(f"{words} {name}", each)


def _command(words: str, command: Any) -> str:
    rows = [_row(each) for each in command.params if each.name != "help"]
    table = ["", "| argument or option | what it is | default |", "|---|---|---|", *rows] if rows else []
    return "\n".join([f"## `{words}`", "", " ".join((command.help or "").split()), *table, ""])


def _row(parameter: Any) -> str:
    option = parameter.param_type_name == "option"
    name = (
        ", ".join([*parameter.opts, *parameter.secondary_opts])
        if option
        else parameter.metavar or parameter.name.upper()
    )
    taken = parameter.metavar if option and parameter.metavar else ""
    default = parameter.default
    shown = "" if default in (None, "", False, ()) or callable(default) or default == [] else f"`{default}`"
    return f"| `{name}{' ' + taken if taken else ''}` | {getattr(parameter, 'help', None) or ''} | {shown} |"


if __name__ == "__main__":
    print(page(), end="")
