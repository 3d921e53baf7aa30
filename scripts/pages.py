"""The pages of the documentation and the commands in them: for the tests that run each, and for the stranger who follows some.

A command is a line of a block fenced as ```sh. Every block says what it is: `sh` is run, anything else is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHELL = "sh"
_OPENS = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<language>\S*)")
_COMMENT = re.compile(r"\s+#\s.*$")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: the page, the number of its first line within, its language, its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Return its commands, a line each, without the remarks behind them."""
        whole = self.text.replace("\\\n", " ")
        return [line for line in (_COMMENT.sub("", each).strip() for each in whole.splitlines()) if line]


def pages(root: Path = ROOT) -> list[str]:
    """Return every page of the site, as paths from the root."""
    places = (
        "*.md",
        "docs/**/*.md",
        "benchmarks/**/*.md",
        "loadtests/*.md",
        "deploy/**/*.md",
        "examples/**/*.md",
        "reports/README.md",
    )
    return sorted({str(path.relative_to(root)) for place in places for path in root.glob(place)})


def blocks(page: str, root: Path = ROOT) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in their order."""
    lines = iter(enumerate((root / page).read_text("utf-8").splitlines(), 1))
    for number, line in lines:
        opened = _OPENS.match(line)
        if opened:
            body = []
            for _, each in lines:
                if each.strip() == opened["fence"]:
                    break
                body.append(each.removeprefix(opened["indent"]))
            yield Block(page, number + 1, opened["language"], "\n".join(body))


def commands(page: str, root: Path = ROOT) -> list[Block]:
    """Return the blocks of a page that are to be typed into a shell."""
    return [each for each in blocks(page, root) if each.language == SHELL]
