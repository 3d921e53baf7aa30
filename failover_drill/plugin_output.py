"""What people and CI see of drills in pytest: progress on a stage, one line for an error, figures and reports at the end.

while it goes on   stage ─► lines, a panel, a page      never in the middle of pytest's own
at its end         JUnit's properties, the summary of a CI job, Allure's attachments, pytest's summary
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr

from failover_drill.errors import DrillError
from failover_drill.findings import Findings
from failover_drill.summary import summary_lines

if TYPE_CHECKING:
    from failover_drill.live_stage import Stage

STAGE: pytest.StashKey[Stage] = pytest.StashKey()
SUMMARY = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SUMMARY] = []
    config.pluginmanager.register(Aside(config))


@contextmanager
def on_stage(config: pytest.Config) -> Iterator[Stage]:
    """Yield what a drill speaks through and is shown on: the same for every drill of this pytest."""
    from failover_drill import live_pytest

    if STAGE not in config.stash:
        config.stash[STAGE] = live_pytest.set_stage(config)
    stage = config.stash[STAGE]
    live_pytest.begin_line(config)
    try:
        yield stage
    finally:
        stage.leave()


def tell(request: pytest.FixtureRequest, directory: Path, findings: Findings) -> None:
    """Leave the figures where CI and people look for them."""
    from failover_drill.report import junit_properties
    from failover_drill.reports import append_summary

    for name, value in junit_properties(findings.to_dict()).items():
        request.node.user_properties.append((name, value))
    request.config.stash[SUMMARY] += [*summary_lines(findings), f"report: {directory / 'report.html'}"]
    try:
        append_summary(directory, os.environ)
    except DrillError as error:  # what the drill found does not hang on it
        request.config.stash[SUMMARY].append(str(error))
    if request.config.pluginmanager.hasplugin("allure_pytest"):
        _attach_to_allure(directory)


def _attach_to_allure(directory: Path) -> None:
    """Give Allure the reports as attachments of the scenario: through its own plugin, where that is installed."""
    allure = importlib.import_module("allure")
    for name, kind in (("report.html", "HTML"), ("report.md", "TEXT"), ("findings.json", "JSON")):
        allure.attach.file(str(directory / name), name, allure.attachment_type[kind])


class Aside:
    """Keeps a drill out of pytest's way while it writes a letter or a word: what the drill says comes on a line of its own."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self) -> Generator[None, Any, Any]:
        stage = self._config.stash.get(STAGE, None)
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if stage is None or not stage.busy or reporter is None:
            return (yield)
        with stage.aside():
            written = yield
            reporter.ensure_newline() if self._config.option.verbose else reporter.write_line("")
        return written


def pytest_unconfigure(config: pytest.Config) -> None:
    if STAGE in config.stash:
        config.stash[STAGE].close()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    lines = config.stash[SUMMARY]
    if lines:
        terminalreporter.section("failover drill")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Show what a person can act on in one line; a traceback is for our own bugs."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, DrillError):
        report.longrepr = OneLine(item, call.excinfo.value)
    return report


class OneLine(TerminalRepr):
    """The message of a DrillError, as pytest prints failures and as it repeats them in its summary."""

    def __init__(self, item: pytest.Item, error: DrillError) -> None:
        self.message = " ".join(str(error).split())
        self.reprcrash = ReprFileLocation(str(item.path), 0, f"{type(error).__name__}: {self.message}")

    def toterminal(self, tw: Any) -> None:
        tw.line(self.message, red=True, bold=True)
