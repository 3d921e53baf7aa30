"""The words that playbooks are written in: each has its example, each example binds, and the page tells of all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pytest_bdd.feature import get_feature
from pytest_bdd.parser import Feature
from pytest_bdd.steps import StepFunctionContext, step_function_context_registry

from failover_drill.facts import Population
from failover_drill.phrases import nearest
from failover_drill.target import Role
from steps.phrases import Words, example, words
from steps.reference import Phrase, phrases, renewed
from tests.stage import ROOT

PLAYBOOKS = sorted((ROOT / "features").glob("*.feature"))
OTHERS = sorted([*(ROOT / "examples").glob("*.feature"), *(ROOT / "benchmarks").rglob("*.feature")])
PAGE = (ROOT / "docs" / "playbooks.md").read_text("utf-8")
PHRASES = phrases()


def bound(keyword: str, text: str) -> list[StepFunctionContext]:
    """Return the step functions of steps/ that a step would be bound to."""
    own = [each for each in step_function_context_registry.values() if each.step_func.__module__.startswith("steps.")]
    return [each for each in own if each.type == keyword and each.parser.is_matching(text)]


def read(path: Path) -> Feature:
    return get_feature(str(path.parent), path.name)


def test_the_page_is_current() -> None:
    """docs/playbooks.md has the reference that `python -m steps.reference` makes."""
    assert renewed(PAGE) == PAGE


def test_the_page_tells_of_every_playbook() -> None:
    """Each feature file has its line."""
    assert [path.name for path in PLAYBOOKS if f"| `{path.name}` |" not in PAGE] == []


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda each: each.text)
def test_every_example_binds(phrase: Phrase) -> None:
    """To one function, under each of its keywords."""
    assert [k for k in phrase.keywords if len(bound(k.lower(), example(phrase.text))) != 1] == []


def test_every_step_of_every_playbook_binds() -> None:
    """No scenario of the suite, of examples/ or of benchmarks/ has a step that nobody wrote, or that two did."""
    loose = [
        f"{path.name}:{step.line_number}"
        for path in (*PLAYBOOKS, *OTHERS)
        for scenario in read(path).scenarios.values()
        for step in scenario.steps
        if len(bound(step.type, step.name)) != 1
    ]
    assert loose == []


def test_the_playbook_on_the_page_binds(tmp_path: Path) -> None:
    """The page's own example is one that runs."""
    written = re.findall(r"```gherkin\n(.*?)```", PAGE, re.DOTALL)
    assert written
    for number, text in enumerate(written):
        path = tmp_path / f"{number}.feature"
        path.write_text(text, "utf-8")
        steps = [s for scenario in read(path).scenarios.values() for s in scenario.steps]
        assert [s.name for s in steps if len(bound(s.type, s.name)) != 1] == []


def test_a_playbook_with_a_fault_says_that_it_needs_the_estate() -> None:
    """Whatever injects a fault is tagged @estate_only, and nothing else is; what only looks is tagged @read_only."""
    for path in PLAYBOOKS:
        feature = read(path)
        steps = [s for scenario in feature.scenarios.values() for s in scenario.steps]
        modules = {each.step_func.__module__ for s in steps for each in bound(s.type, s.name)}
        assert ("steps.faults" in modules) == ("estate_only" in feature.tags), path
        assert (modules == {"steps.readiness"}) == ("read_only" in feature.tags), path


def test_placeholders_become_values() -> None:
    """Roles, numbers, statuses and populations reach the step as such; the text around them is literal."""
    assert words("the {role} region flaps: {down} s down, {up} s up").parse_arguments(
        "the primary region flaps: 8 s down, 4.5 s up"
    ) == {"role": Role.PRIMARY, "down": 8.0, "up": 4.5}
    assert Words("for {population} clients").parse_arguments("for sticky clients") == {"population": Population.STICKY}
    assert not words("is (really) {seconds} s").is_matching("is really 5 s")


@pytest.mark.parametrize("text", ["the tertiary region is lost", "the primary region is lost today", "-1 s pass"])
def test_what_is_no_value_does_not_bind(text: str) -> None:
    """A phrase is matched whole, and its places take only what the page says."""
    assert bound("when", text) == []


def test_the_nearest_phrase() -> None:
    """A misspelt phrase is near its like, one under the wrong keyword is told with the right one, and nonsense is near none."""
    known = [("when", "the {role} region is lost"), ("when", "the {role} region hangs"), ("then", "users are well")]
    assert nearest("when", "the primry region is lost", known) == "When the {role} region is lost"
    assert nearest("given", "users are well", known) == "Then users are well"
    assert nearest("when", "xyz", known) == ""
    assert nearest("when", "anything", []) == ""
