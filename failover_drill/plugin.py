"""The pytest plugin: .feature files as drills, one run directory each, undone whatever ends them.

collect       features/failover.feature ─► its scenarios, as pytest-bdd makes them
steps         bound, then marked in the journal                          plugin_steps.py
end           passed, failed or interrupted: put back, judged, reported  plugin_output.py
"""

from __future__ import annotations

import gc
import os
import types
import warnings
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd.exceptions import GherkinParseError

from failover_drill import plugin_output, plugin_steps
from failover_drill.autoload import settings_of
from failover_drill.drill import Drill
from failover_drill.ending import Ending, ending_signals
from failover_drill.errors import EstateError, Inconclusive, ObjectiveNotMet
from failover_drill.findings import Findings, Verdict
from failover_drill.guards import YES_VARIABLE, Consent
from failover_drill.plugin_output import SUMMARY, on_stage, tell
from failover_drill.plugin_steps import REHEARSAL, RUN
from failover_drill.settings import Settings, load

ENDING = pytest.StashKey[Ending]()
PLAYBOOK = "features/failover.feature"  # what `pytest --estate READY.json` alone drills
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
    for part in (plugin_steps, plugin_output):
        config.pluginmanager.register(part, part.__name__)
    config.addinivalue_line("markers", "estate_only: needs a fault that Azure cannot do on request")
    config.addinivalue_line("markers", "read_only: changes nothing: no consent, no lock, no run")
    playbook = config.rootpath / PLAYBOOK
    if config.getoption("--estate") and config.args_source is not pytest.Config.ArgsSource.ARGS and playbook.is_file():
        config.args = [str(playbook)]  # an estate is there to be drilled: `testpaths` would not touch it


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
    with ending_signals() as ending, on_stage(request.config) as stage:
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
        ending.follow(run.directory, run.alone)
        try:
            stage.follow(run.directory)
            yield run.drill
        finally:
            _undo(request.node)  # for one that never was called
            findings = run.close()
            tell(request, run.directory, findings)
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


def _insist(findings: Findings) -> None:
    """Make the run red where the whole drill, its putting back included, did not meet its objectives."""
    if findings.verdict is not Verdict.MET:
        raise (ObjectiveNotMet if findings.verdict is Verdict.MISSED else Inconclusive)("; ".join(findings.reasons))
