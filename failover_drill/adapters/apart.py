"""Calls of a client library, made in threads of their own, so that a signal strikes only the waiting for them.

    main thread ── wait ──signal──► raise: the call is abandoned
                    ▲
    a thread ── token, connection, request, answer        signals never strike here

A handler raises between any two bytecodes of the main thread. Inside urllib3 that may leave the lock of its pool of connections
taken for good, and an undo that needs the same pool then waits for ever: seen in one drill of 455. An abandoned call may not be
sent any more: a write that only now gets its token would come after the undo.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from typing import Any, Generic, TypeVar

from failover_drill import interrupts

T = TypeVar("T")


class Abandoned(Exception):
    """Nobody waits for this call any more."""


class _Call(Generic[T]):
    """One call under way. A bare lock tells its end: nothing that a signal could leave half done."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._found: list[T] = []
        self._error: BaseException | None = None
        self._over = threading.Lock()
        self._over.acquire()
        self.abandoned = False

    def run(self) -> None:
        _mine.set(self)
        try:
            self._found.append(self._work())
        except BaseException as error:  # whoever waits raises it
            self._error = error
        finally:
            self._over.release()

    def outcome(self) -> T:
        """Wait for it; return or raise what it did."""
        self._over.acquire()
        if self._error is not None:
            raise self._error
        return self._found[0]


_mine: ContextVar[_Call[Any] | None] = ContextVar("call", default=None)


def apart(work: Callable[[], T]) -> T:
    """Return or raise what *work* does, done in a thread of its own. In a thread that is no main thread: done here."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    call = _Call(work)
    thread = threading.Thread(target=copy_context().run, args=(call.run,), name="call", daemon=True)
    try:
        with interrupts.held():  # starting a thread takes a lock of the whole process
            thread.start()
        return call.outcome()
    except BaseException:
        call.abandoned = True
        raise


def refuse_abandoned(_: object) -> None:
    """Raise Abandoned, in a call that was: a hook for the moment before a request is sent, its token at hand."""
    call = _mine.get()
    if call is not None and call.abandoned:
        raise Abandoned
