"""The words that steps share: a phrase is a sentence with placeholders, which are read and turned into values here.

    @when(words("the {role} region answers {late} s late"))      role: Role, late: float

docs/playbooks.md lists every phrase with an example: `python -m steps.reference` makes that list.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pytest_bdd import parsers

from failover_drill.facts import Population
from failover_drill.target import Role

NUMBER = r"\d+(?:\.\d+)?"


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What may stand at a place of a phrase: its pattern, the value it becomes, what it is in words, an example."""

    pattern: str
    value: Callable[[str], object]
    about: str
    example: str


def _population(word: str) -> Population:
    return Population[word.upper()]


PLACEHOLDERS = {
    "role": Placeholder("primary|secondary", Role, "`primary` or `secondary`", "secondary"),
    "seconds": Placeholder(NUMBER, float, "seconds", "30"),
    "late": Placeholder(NUMBER, float, "seconds", "1.5"),
    "up": Placeholder(NUMBER, float, "seconds", "4"),
    "down": Placeholder(NUMBER, float, "seconds", "6"),
    "percent": Placeholder(NUMBER, float, "percent", "99"),
    "share": Placeholder(NUMBER, float, "percent", "20"),
    "status": Placeholder("[45][0-9][0-9]", int, "an HTTP status from 400 on", "503"),
    "population": Placeholder(
        "fresh|keepalive|sticky", _population, "`fresh`, `keepalive` or `sticky` (docs/measurement.md)", "keepalive"
    ),
    "health": Placeholder(
        "Online|Degraded|Stopped|CheckingEndpoint|Disabled|Inactive",
        str,
        "a monitor status of Traffic Manager",
        "Degraded",
    ),
}
PLACE = re.compile(r"\{(\w+)\}")


class Words(parsers.re):
    """The parser of a step with placeholders."""

    def __init__(self, text: str) -> None:
        parts = PLACE.split(text)
        pattern = "".join(
            f"(?P<{part}>{PLACEHOLDERS[part].pattern})" if at % 2 else re.escape(part) for at, part in enumerate(parts)
        )
        super().__init__(pattern)
        self.name = text

    def parse_arguments(self, name: str) -> dict[str, object] | None:  # type: ignore[override]
        found = super().parse_arguments(name)
        return None if found is None else {key: PLACEHOLDERS[key].value(word) for key, word in found.items()}


def words(text: str) -> Words:
    """Return the parser of a step whose text has placeholders, each one of PLACEHOLDERS, such as {role} or {seconds}."""
    return Words(text)


def example(text: str) -> str:
    """Return the phrase with an example at each place."""
    return PLACE.sub(lambda place: PLACEHOLDERS[place[1]].example, text)
