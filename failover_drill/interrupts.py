"""Signals that must not strike in the middle of a line.

A signal handler in Python may raise between any two bytecodes: between the hash of a journal's line and its writing, say, which
would break the chain for good. Whoever may not be cut in two runs inside `held()`; an interruption that comes meanwhile is
delivered at its end. Handlers run in the main thread, so one counter serves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_depth = 0
_pending: BaseException | None = None


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
    global _pending
    if not _depth:
        raise interruption
    _pending = interruption
