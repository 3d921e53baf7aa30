"""The command line as a whole: quick to say its version, every command listed, every mistake one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docs.commands_page import everything, page
from failover_drill.errors import DrillError
from failover_drill.reports import append_summary

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = (
    "init",
    "new",
    "config",
    "report",
    "history",
    "record",
    "compare",
    "observe",
    "measure",
    "selftest",
    "verify",
    "judge",
    "restore",
    "preflight",
)


def told(*arguments: str, then: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as its entry point does; *then* is done at its exit."""
    program = (
        f"import atexit, sys; from failover_drill.cli import main\n{then}\nsys.argv[1:] = {list(arguments)!r}; main()"
    )
    environment = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=240, env=environment
    )


def test_the_version_waits_for_nothing() -> None:
    """`--version` loads none of the libraries that commands need: they would take most of a second."""
    heavy = ("numpy", "pydantic", "azure", "bokeh", "jinja2", "pyarrow", "dns", "locust", "sqlite3")
    then = f"atexit.register(lambda: print([each for each in {heavy!r} if each in sys.modules]))"
    done = told("--version", then=then)
    assert (done.returncode, done.stderr) == (0, "")
    version, loaded = done.stdout.splitlines()
    assert version.startswith("failover-drill 0.")
    assert loaded == "[]"


def test_restore_looks_where_runs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says which directory it looked into, by its whole path, and does not call a place without runs restored."""
    monkeypatch.chdir(tmp_path)
    elsewhere = told("restore")
    assert (elsewhere.returncode, elsewhere.stderr) == (0, "")
    assert (
        elsewhere.stdout
        == f"nobody has drilled from here: there is no {tmp_path}/reports; runs kept elsewhere are named as RUN\n"
    )
    (tmp_path / "runs").mkdir()
    (tmp_path / "drill.toml").write_text('[drill]\nreports = "runs"\n', "utf-8")
    assert told("restore").stdout == f"nothing to put back: every run under {tmp_path}/runs is restored\n"


def test_every_command_is_listed() -> None:
    """`--help` names each command."""
    done = told("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nonsense",), "No such command 'nonsense'."),
        (("verify", "/nowhere"), "/nowhere: there is no such run"),
        (("report", "/nowhere"), "/nowhere: there is no such run"),
        (("config", "check", "--settings", "/nowhere.toml"), "/nowhere.toml: there is no such file"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    """Bad arguments end with 254 and one line on stderr that names what is wrong."""
    done = told(*arguments)
    assert (done.returncode, done.stdout) == (254, "")
    assert done.stderr.startswith(words)
    assert len(done.stderr.splitlines()) == 1


def test_a_bug_of_ours_is_no_verdict() -> None:
    """What nobody foresaw ends with 255 and its traceback: never with the status of a missed objective."""
    done = told("history", then="import failover_drill.cli as cli; cli.app = lambda **_: 1 / 0")
    assert done.returncode == 255
    assert "ZeroDivisionError" in done.stderr


def test_the_page_of_commands_is_current() -> None:
    """docs/commands.md is what the commands themselves say: each with its help, its options and theirs."""
    assert (ROOT / "docs" / "commands.md").read_text("utf-8") == page(), (
        "python -m docs.commands_page > docs/commands.md"
    )
    for words, command in everything():
        assert command.help, words
        assert all(getattr(each, "help", None) for each in command.params if each.name != "help"), words


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_its_help(command: str) -> None:
    """`COMMAND --help` ends with 0 and shows how it is called."""
    done = told(command, "--help")
    assert done.returncode == 0
    assert f" {command} " in next(line for line in done.stdout.splitlines() if "Usage:" in line)


def test_the_summary_is_appended_to(tmp_path: Path) -> None:
    """report.md goes behind what the job's summary held; without the variable nothing happens, and a bad one is named."""
    (tmp_path / "report.md").write_text("# MET", "utf-8")
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", "utf-8")
    append_summary(tmp_path, {})
    append_summary(tmp_path, {"GITHUB_STEP_SUMMARY": str(summary)})
    assert summary.read_text("utf-8") == "before\n# MET\n"
    with pytest.raises(DrillError, match=r"GITHUB_STEP_SUMMARY: .*cannot be written: Is a directory"):
        append_summary(tmp_path, {"GITHUB_STEP_SUMMARY": str(tmp_path)})
