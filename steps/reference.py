"""The reference of all phrases in docs/playbooks.md, made from the step functions and their docstrings.

python -m steps.reference          # renews it, between its two marks
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_bdd.steps import StepFunctionContext, step_function_context_registry

import steps
from steps.phrases import PLACE, PLACEHOLDERS, example

PAGE = Path("docs/playbooks.md")
BEGIN, END = "<!-- phrases: made by `python -m steps.reference` -->\n", "<!-- end of phrases -->\n"
ORDER = ("estate", "traffic", "failover", "dns", "objectives", "safety", "faults", "readiness")
"""In which order a reader meets them; a module that is not named comes after."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One step as people write it."""

    keywords: tuple[str, ...]  # "Given", "When", "Then"
    text: str
    about: str
    module: str

    @property
    def example(self) -> str:
        return f"{self.keywords[0]} {example(self.text)}"


def phrases() -> list[Phrase]:
    """Return every phrase of steps/, in reading order. Raises ValueError where a step has no docstring."""
    modules = [importlib.import_module(f"steps.{each.name}") for each in pkgutil.iter_modules(steps.__path__)]
    names = {module.__name__ for module in modules}
    own = [each for each in step_function_context_registry.values() if each.step_func.__module__ in names]
    return [_phrase(group) for group in _by_text(sorted(own, key=_place))]


def _place(context: StepFunctionContext) -> tuple[int, str, int]:
    module = context.step_func.__module__.removeprefix("steps.")
    rank = ORDER.index(module) if module in ORDER else len(ORDER)
    return rank, module, context.step_func.__code__.co_firstlineno


def _by_text(contexts: Iterable[StepFunctionContext]) -> Iterator[list[StepFunctionContext]]:
    groups: dict[str, list[StepFunctionContext]] = {}
    for context in contexts:
        groups.setdefault(context.parser.name, []).append(context)
    yield from groups.values()


def _phrase(group: list[StepFunctionContext]) -> Phrase:
    first = group[0]
    about = " ".join((first.step_func.__doc__ or "").split())
    if not about:
        raise ValueError(f"{first.step_func.__module__}.{first.step_func.__qualname__} has no docstring")
    kinds = {str(each.type).capitalize() for each in group}
    keywords = tuple(kind for kind in ("Given", "When", "Then") if kind in kinds)
    return Phrase(keywords, first.parser.name, about, first.step_func.__module__)


def rendered() -> str:
    """Return the reference in Markdown."""
    parts, module = [], ""
    for phrase in phrases():
        if phrase.module != module:
            module = phrase.module
            parts.append(_heading(module))
        keywords = " / ".join(phrase.keywords)
        parts.append(f"| **{keywords}** {_marked(phrase.text)} | {phrase.about} | `{phrase.example}` |\n")
    return "".join((*parts, "\n", _legend()))


def _heading(module: str) -> str:
    title, _, rest = (importlib.import_module(module).__doc__ or "").strip().partition("\n")
    subject = title.removeprefix("Steps about ").rstrip(".")
    more = " ".join(rest.split())
    head = f"\n### {subject[0].upper()}{subject[1:]}\n\n" + (f"{more}\n\n" if more else "")
    return head + "| phrase | what it does | example |\n|---|---|---|\n"


def _marked(text: str) -> str:
    return PLACE.sub(lambda place: f"*{place[1]}*", text)


def _legend() -> str:
    rows = "".join(f"| *{name}* | {each.about} |\n" for name, each in PLACEHOLDERS.items())
    return f"### What stands for what\n\n| in a phrase | write |\n|---|---|\n{rows}\n"


def renewed(page: str) -> str:
    """Return the page with its reference made anew. Raises ValueError where the marks are not there."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE}: the reference stands between {BEGIN.strip()} and {END.strip()}")
    return before + begin + rendered() + end + after


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text("utf-8")), "utf-8")
