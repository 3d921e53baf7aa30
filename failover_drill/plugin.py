"""The pytest plugin: .feature files as drills, one run directory each, undone whatever ends them.

collect       features/failover.feature ─► its scenarios, as pytest-bdd makes them
bind          every step of a scenario, before its first one runs
run           each step is marked in the journal
end           passed, failed or interrupted: put back, judged, reported
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import time
import types
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr
from pytest_bdd.exceptions import GherkinParseError
from pytest_bdd.scenario import get_step_function
from pytest_bdd.steps import step_function_context_registry

from failover_drill import interrupts
from failover_drill.autoload import settings_of
from failover_drill.drill import Drill
from failover_drill.errors import DrillError, EstateError, Inconclusive, ObjectiveNotMet
from failover_drill.findings import Findings, Verdict
from failover_drill.guardian import LOG
from failover_drill.guards import YES_VARIABLE, Consent
from failover_drill.phrases import nearest
from failover_drill.settings import AzureTarget, Settings, load
from failover_drill.summary import summary_lines

if TYPE_CHECKING:
    from failover_drill.compose import Run
    from failover_drill.live_stage import Stage

RUN = pytest.StashKey["Run"]()
REHEARSAL = pytest.StashKey[Any]()
ENDING = pytest.StashKey["Ending"]()
STAGE = pytest.StashKey["Stage"]()
SUMMARY = pytest.StashKey[list[str]]()
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DOUBLE_S = 0.3
SCENARIOS = "from pytest_bdd import scenarios\nscenarios({path!r}, features_base_dir={base!r})\n"


# ---- options and settings --------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("failover drill")
    group.addoption(
        "--estate", type=Path, metavar="READY.json", help="drill the estate whose ready line this file holds"
    )
    group.addoption("--target", metavar="NAME", help="which [target.NAME] of drill.toml to drill")
    group.addoption(
        "--dry-run",
        action="store_true",
        help="read, ask every guard, print the plan with undos and forecast; change nothing",
    )
    group.addoption("--live", action="store_true", help="show the drill on a page, too, on loopback, as it goes on")
    group.addoption("--yes-really", action="store_true", help="drill a real target, which --target must name")
    group.addoption("--drill-settings", type=Path, metavar="FILE", help="instead of the drill.toml beside the suite")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SUMMARY] = []
    config.pluginmanager.register(Aside(config))
    config.addinivalue_line("markers", "estate_only: needs a fault that Azure cannot do on request")
    config.addinivalue_line("markers", "read_only: changes nothing: no consent, no lock, no run")


@pytest.fixture(scope="session")
def drill_settings(pytestconfig: pytest.Config) -> Settings:
    """drill.toml, or the file that --drill-settings names."""
    return load(pytestconfig.getoption("--drill-settings") or settings_of(pytestconfig))


# ---- .feature files are test files -------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix == ".feature":
        return FeatureFile.from_parent(parent, path=file_path)
    return None


def pytest_itemcollected(item: pytest.Item) -> None:
    """A drill takes as long as it takes: a limit meant for tests must not end one halfway (pytest-timeout)."""
    if item.path.suffix == ".feature" and item.config.pluginmanager.hasplugin("timeout"):
        item.add_marker(pytest.mark.timeout(0))


class FeatureFile(pytest.Module):
    """A .feature file, collected as the module that pytest-bdd would have wanted beside it."""

    def _getobj(self) -> types.ModuleType:
        module = types.ModuleType(self.path.stem)
        module.__file__ = str(self.path)
        source = SCENARIOS.format(path=str(self.path), base=str(self.path.parent))
        try:
            exec(compile(source, str(self.path), "exec"), module.__dict__)
        except GherkinParseError as error:
            where = f"{self.path}:{error.line}"
            raise self.CollectError(
                f"{where}: {error.line_content.strip()!r} is not Gherkin: {error.message}"
            ) from None
        except KeyError as error:  # what pytest-bdd makes of a file without a Feature
            if error.args != ("feature",):
                raise
            raise self.CollectError(f"{self.path}: there is no Feature in it") from None
        except UnicodeDecodeError as error:
            raise self.CollectError(f"{self.path}: cannot be read as UTF-8: {error}") from None
        return module


# ---- the run ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def drill_target(
    pytestconfig: pytest.Config, drill_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The target and, for a local estate, its switches."""
    from failover_drill.targets import open_target

    name = pytestconfig.getoption("--target") or drill_settings.drill.target
    log = tmp_path_factory.mktemp("estate") / "estate.log"
    with open_target(drill_settings, name, pytestconfig.getoption("--estate"), log) as opened:
        yield opened


@pytest.fixture(scope="session")
def drill_inspection(pytestconfig: pytest.Config, drill_settings: Settings, drill_target: Any) -> Any:
    """What read-only scenarios look with: one look at the target serves them all."""
    from failover_drill.preflight import inspect

    return inspect(drill_settings, drill_target[0], pytestconfig.stash[SUMMARY].append)


@pytest.fixture
def drill(request: pytest.FixtureRequest, drill_settings: Settings, drill_target: Any) -> Iterator[Drill]:
    """The drill that the steps call. Whatever ends the scenario, the estate is put back and a report written."""
    from failover_drill.compose import Run

    target, control = drill_target
    if request.node.get_closest_marker("read_only"):
        yield request.getfixturevalue("drill_inspection")
        return
    settings = drill_settings.for_playbook(request.node.path.stem)
    if request.config.getoption("--dry-run"):
        yield from _rehearsed(request, settings, target, _told_by(control))
        return
    with ending_signals() as ending, _on_stage(request.config) as stage:
        ending.speak_through(stage.urge, stage.last_words)
        run = Run(
            settings,
            target,
            settings.drill.name,
            stage.say,
            _consent(request.config),
            stage.passing,
            _told_by(control),
        )
        request.node.stash[ENDING], request.node.stash[RUN] = ending, run
        ending.follow(run.directory)
        try:
            stage.follow(run.directory)
            yield run.drill
        finally:
            _undo(request.node)  # for one that never was called
            findings = run.close()
            _tell(request, run, findings)
            if not ending.received:  # pytest is on its way out then, and says so itself
                _insist(findings)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Put the estate back as soon as the scenario is over: pytest writes tracebacks, for seconds, before it tears down."""
    try:
        return (yield)
    except KeyboardInterrupt as interruption:
        _undo(item)
        _forget_the_way(interruption)
        raise interruption from None
    finally:
        _undo(item)


def _forget_the_way(interruption: KeyboardInterrupt) -> None:
    """Keep from pytest how an interruption came.

    A signal may strike a line without a number, which pytest fails at, and a file that was just opened, which Python says.
    """
    interruption.__context__ = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        interruption.with_traceback(None)
        gc.collect()


def _undo(item: pytest.Item) -> None:
    """Put the estate back, once, whatever signal comes now."""
    run = item.stash.get(RUN, None)
    if run is None:
        return
    ending = item.stash[ENDING]
    try:
        ending.shield()
    finally:  # of its own, so that a signal which strikes on the way to the shield does not pass it by
        run.undo(lambda: ending.received)


def _told_by(control: Any) -> dict[str, Any]:
    """Return what the local estate tells of itself, its own delays among it; nothing on Azure, nor of one that is gone."""
    try:
        return {} if control is None else dict(control.call("GET", "/_state"))
    except EstateError:  # whoever reads its profile next says so
        return {}


def _rehearsed(request: pytest.FixtureRequest, settings: Settings, target: Any, state: dict[str, Any]) -> Iterator[Any]:
    """Yield what takes the drill's place in a dry run, and show its plan."""
    from failover_drill.preflight import rehearse

    rehearsal = rehearse(settings, target, replace(_consent(request.config), yes=True), state)
    request.node.stash[REHEARSAL] = rehearsal
    yield rehearsal
    request.config.stash[SUMMARY] += [f"plan of {request.node.name}", *rehearsal.close()]


def _consent(config: pytest.Config) -> Consent:
    """Return what the command line and the environment say to a drill of something real."""
    return Consent(
        explicit=config.getoption("--target") is not None,
        yes=bool(config.getoption("--yes-really")),
        yes_to=os.environ.get(YES_VARIABLE, ""),
    )


class Ending:
    """What a signal means, by when it comes.

    steps run ──signal──► unwinding ──► putting back ──► over
               │              │              │
               raise          second Ctrl-C: leave it to the guardian, at once
    """

    def __init__(self) -> None:
        self.received = ""
        self._say: Callable[[str], None] = lambda _: None
        self._last_words: Callable[[str], None] = self._say
        self._shielded = False
        self._at = 0.0
        self._log = Path(LOG)

    def follow(self, run: Path) -> None:
        """From now on there is a run, and a guardian who writes there."""
        self._log = run / LOG

    def speak_through(self, say: Callable[[str], None], last_words: Callable[[str], None]) -> None:
        self._say, self._last_words = say, last_words

    def shield(self) -> None:
        """From now on a signal is noted and waits: the estate is being put back."""
        self._shielded = True
        interrupts.heed()

    def on_signal(self, number: int, _: types.FrameType | None) -> None:
        name, now = signal.Signals(number).name, time.monotonic()
        first, again = not self.received, now - self._at < DOUBLE_S
        self._at = now
        self.received = self.received or name
        if not first and again:
            return  # one key press, delivered by the terminal and forwarded by a parent
        if number == signal.SIGINT and not first:
            self._leave()
        elif self._shielded:
            self._say(f"{name}: the estate is being put back; Ctrl-C again leaves that to the guardian")
        elif first:
            interrupts.deliver(KeyboardInterrupt(name))

    def _leave(self) -> None:
        """End at once. The journal's lock falls to the guardian, which puts back what is left."""
        self._last_words(
            f"left to the guardian: it puts the estate back and writes the report; it tells how in {self._log}"
        )
        os._exit(130)


@contextmanager
def ending_signals() -> Iterator[Ending]:
    """Make TERM and HUP end a drill as INT does: pytest would skip its teardown (architecture.md §7)."""
    ending = Ending()
    before = {number: signal.signal(number, ending.on_signal) for number in ENDING_SIGNALS}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        interrupts.heed()


def _insist(findings: Findings) -> None:
    """Make the run red where the whole drill, its putting back included, did not meet its objectives."""
    if findings.verdict is not Verdict.MET:
        raise (ObjectiveNotMet if findings.verdict is Verdict.MISSED else Inconclusive)("; ".join(findings.reasons))


def _tell(request: pytest.FixtureRequest, run: Run, findings: Findings) -> None:
    """Leave the figures where CI and people look for them."""
    from failover_drill.report import junit_properties
    from failover_drill.reports import append_summary

    for name, value in junit_properties(findings.to_dict()).items():
        request.node.user_properties.append((name, value))
    request.config.stash[SUMMARY] += [*summary_lines(findings), f"report: {run.directory / 'report.html'}"]
    try:
        append_summary(run.directory, os.environ)
    except DrillError as error:  # what the drill found does not hang on it
        request.config.stash[SUMMARY].append(str(error))
    if request.config.pluginmanager.hasplugin("allure_pytest"):
        _attach_to_allure(run.directory)


def _attach_to_allure(directory: Path) -> None:
    """Give Allure the reports as attachments of the scenario: through its own plugin, where that is installed."""
    allure = importlib.import_module("allure")
    for name, kind in (("report.html", "HTML"), ("report.md", "TEXT"), ("findings.json", "JSON")):
        allure.attach.file(str(directory / name), name, allure.attachment_type[kind])


# ---- steps --------------------------------------------------------------------------------------------------------


def pytest_bdd_before_scenario(request: pytest.FixtureRequest, feature: Any, scenario: Any) -> None:
    """Bind every step before the first one runs: a typo in the last must not surface after the region is down."""
    unbound = [step for step in scenario.steps if get_step_function(request=request, step=step) is None]
    if unbound:
        raise DrillError("; ".join(f"{feature.filename}:{step.line_number}: {_unknown(step)}" for step in unbound))
    _skip_where_faults_cannot_be(request)
    if "drill" in request.fixturenames or request.node.path.suffix == ".feature":
        request.getfixturevalue("drill")
    run = request.node.stash.get(RUN, None)
    if run is not None:
        run.plan(
            [(step.keyword, step.name) for step in scenario.steps],
            feature=feature.name,
            scenario=scenario.name,
            uri=feature.rel_filename,
        )


def _unknown(step: Any) -> str:
    """Say that nobody wrote a step, and which known phrase is nearest."""
    known = [(each.type or step.type, each.parser.name) for each in step_function_context_registry.values()]
    near = nearest(step.type, step.name, known)
    return f'nobody wrote the step "{step.keyword} {step.name}"' + (f'; the nearest known is "{near}"' if near else "")


def _skip_where_faults_cannot_be(request: pytest.FixtureRequest) -> None:
    """Skip an @estate_only scenario of an Azure target, before anybody signs in there."""
    if request.node.get_closest_marker("estate_only") is None or request.config.getoption("--estate") is not None:
        return
    settings = request.getfixturevalue("drill_settings")
    table = settings.target.get(request.config.getoption("--target") or settings.drill.target)
    if isinstance(table, AzureTarget):
        pytest.skip("needs a fault that Azure cannot do on request; runs on the local estate only")


def pytest_bdd_before_step_call(request: pytest.FixtureRequest, scenario: Any, step: Any) -> None:
    if REHEARSAL in request.node.stash:
        request.node.stash[REHEARSAL].begin_step(f"{step.keyword} {step.name}")
    run = request.node.stash.get(RUN, None)
    if run is not None:
        run.step_begins(scenario.steps.index(step))


def pytest_bdd_after_step(request: pytest.FixtureRequest, scenario: Any, step: Any) -> None:
    run = request.node.stash.get(RUN, None)
    if run is not None:
        run.step_ends(scenario.steps.index(step), "passed")


def pytest_bdd_step_error(request: pytest.FixtureRequest, scenario: Any, step: Any, exception: BaseException) -> None:
    run = request.node.stash.get(RUN, None)
    if run is not None:
        run.step_ends(scenario.steps.index(step), "failed", " ".join(str(exception).split()))


# ---- what people see ----------------------------------------------------------------------------------------------


@contextmanager
def _on_stage(config: pytest.Config) -> Iterator[Stage]:
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
