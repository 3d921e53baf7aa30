"""The words that steps share: which region is meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pytest_bdd import parsers

from failover_drill.target import Role

ROLE: dict[str, Callable[[str], object]] = {"role": Role}
Words = Annotated[str, "a step's text; {role} stands for primary or secondary"]


def words(text: Words) -> parsers.StepParser:
    """Return the parser of a step whose {role} is "primary" or "secondary"."""
    return parsers.re(text.replace("{role}", r"(?P<role>primary|secondary)") + r"$")
