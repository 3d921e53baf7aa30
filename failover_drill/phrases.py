"""The known phrase that is nearest to one that nobody wrote. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

NEAR = 0.6


def nearest(keyword: str, text: str, known: Iterable[tuple[str, str]]) -> str:
    """Return the nearest of *known* as a sentence, keyword and text; "" where none is near.

    `keyword` is "given", "when" or "then"; of phrases that are equally near one with the same keyword comes first.
    """
    scored = [
        (SequenceMatcher(None, text.lower(), words.lower()).ratio(), kind == keyword, f"{kind.capitalize()} {words}")
        for kind, words in known
    ]
    ratio, _, found = max(scored, default=(0.0, False, ""))
    return found if ratio >= NEAR else ""
