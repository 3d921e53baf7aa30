"""The signals that end a drill from outside, and what each means by when it comes."""

from __future__ import annotations

import os
import signal
import time
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from failover_drill import interrupts
from failover_drill.guardian import LOG

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DOUBLE_S = 0.3


class Ending:
    """What a signal means, by when it comes.

    steps run ──signal──► unwinding ──► putting back ──► over
               │              │              │
               raise          second Ctrl-C: leave it to the guardian, at once
    """

    def __init__(self) -> None:
        self.received = ""
        self._say: Callable[[str], None] = lambda _: None
        self._last_words: Callable[[str], None] = self._say
        self._shielded = False
        self._at = 0.0
        self._log = Path(LOG)
        self._alone: Callable[[], str] = lambda: ""

    def follow(self, run: Path, alone: Callable[[], str]) -> None:
        """From now on there is a run, and a guardian who writes there. `alone` says why nobody else would put it back."""
        self._log, self._alone = run / LOG, alone

    def speak_through(self, say: Callable[[str], None], last_words: Callable[[str], None]) -> None:
        self._say, self._last_words = say, last_words

    def shield(self) -> None:
        """From now on a signal is noted and waits: the estate is being put back."""
        self._shielded = True
        interrupts.heed()

    def on_signal(self, number: int, _: types.FrameType | None) -> None:
        name, now = signal.Signals(number).name, time.monotonic()
        first, again = not self.received, now - self._at < DOUBLE_S
        self._at = now
        self.received = self.received or name
        if not first and again:
            return  # one key press, delivered by the terminal and forwarded by a parent
        if number == signal.SIGINT and not first:
            self._leave()
        elif self._shielded:
            self._say(f"{name}: the estate is being put back; Ctrl-C again leaves that to the guardian")
        elif first:
            interrupts.deliver(KeyboardInterrupt(name))

    def on_suspend(self, _: int, __: types.FrameType | None) -> None:
        """Go on: a suspended drill would leave the estate as it is, and its guardian waits while it is alive."""
        self._say("a drill cannot be suspended: nobody would put the estate back; Ctrl-C ends it")

    def _leave(self) -> None:
        """End at once. The journal's lock falls to the guardian, which puts back what is left; without one, go on."""
        alone = self._alone()
        if alone:
            self._say(f"{alone}; nobody else would put the estate back, so this goes on")
            return
        self._last_words(
            f"left to the guardian: it puts the estate back and writes the report; it tells how in {self._log}"
        )
        os._exit(130)


@contextmanager
def ending_signals() -> Iterator[Ending]:
    """Make TERM and HUP end a drill as INT does, where pytest would skip its teardown (architecture.md §7); refuse TSTP."""
    ending = Ending()
    handlers = {**dict.fromkeys(SIGNALS, ending.on_signal), signal.SIGTSTP: ending.on_suspend}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        interrupts.heed()
