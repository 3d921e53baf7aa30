"""The steps of a scenario, as the pytest plugin sees them come: bound before the first one runs, then marked in the journal.

before the scenario   every step bound, or nothing runs    the plan written down
each step             step begins ─► it runs ─► step ends: passed, failed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pytest_bdd.scenario import get_step_function
from pytest_bdd.steps import step_function_context_registry

from failover_drill.errors import DrillError
from failover_drill.phrases import nearest
from failover_drill.settings_targets import AzureTarget

if TYPE_CHECKING:
    from failover_drill.compose import Run
    from failover_drill.rehearsal import Rehearsal

RUN: pytest.StashKey[Run] = pytest.StashKey()
REHEARSAL: pytest.StashKey[Rehearsal] = pytest.StashKey()


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
