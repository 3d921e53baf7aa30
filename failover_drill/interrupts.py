"""Signals that must not strike in the middle of a line, and must not be lost.

A signal handler in Python may raise between any two bytecodes: between the hash of a journal's line and its writing, say, which
would break the chain for good. Whoever may not be cut in two runs inside `held()`; an interruption that comes meanwhile is
delivered at its end. Or it may raise inside a destructor, where Python prints what was raised and goes on as if nothing had been:
whoever waits calls `look`, which raises it once more. Handlers run in the main thread, so one counter serves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_depth = 0
_pending: BaseException | None = None  # came while something was held
_unheeded: BaseException | None = None  # was raised, and nobody has acted on it yet


@contextmanager
def held() -> Iterator[None]:
    """Let no interruption strike inside; one that was delivered meanwhile is raised at the end."""
    global _depth, _pending
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1
        if not _depth and _pending is not None:
            late, _pending = _pending, None
            raise late


def deliver(interruption: BaseException) -> None:
    """Raise *interruption* now, or at the end of what may not be cut in two. For signal handlers."""
    global _pending, _unheeded
    _unheeded = interruption
    if not _depth:
        raise interruption
    _pending = interruption


def look() -> None:
    """Raise an interruption that was lost on its way; nothing where there is none."""
    if _unheeded is not None and not _depth:
        raise _unheeded


def heed() -> None:
    """Say that the interruption has arrived: what it asks for is under way."""
    global _pending, _unheeded
    _pending = _unheeded = None
