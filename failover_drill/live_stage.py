"""Where a drill is followed while it runs: a terminal, a page, or plain lines.

    run's directory ──► Feed ──► Live ──► Showing ──► Screen (rich, on a terminal)
                     one thread, twice a second  └──► Page   (--live, on loopback)

A drill must not end because somebody looks on: whatever goes wrong here ends the looking on.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from failover_drill.clock import Clock, SystemClock
from failover_drill.live import Live, Showing
from failover_drill.live_feed import Feed
from failover_drill.live_view import Screen

if TYPE_CHECKING:
    from failover_drill.live_page import Page

EACH_S = 0.5
Say = Callable[[str], None]
Show = Callable[[Showing], None]


class Onlooker:
    """Reads one run as it goes on, and shows what it reads."""

    def __init__(self, directory: Path, shows: tuple[Show, ...], clock: Clock | None = None) -> None:
        self._feed, self._live, self._shows = Feed(directory), Live(), shows
        self.trouble = ""
        self._clock = clock or SystemClock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Show the last of it, and end."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            while not self._over.wait(EACH_S):
                self.look()
            self.look()
        except Exception as error:
            self.trouble = f"the live view ended early, for no fault of the drill: {type(error).__name__}: {error}"

    def look(self) -> None:
        """Read what is new, and show the state."""
        now_ns = self._clock.now_ns()
        self._live = self._live.then(self._feed.look(), now_ns)
        showing = self._live.showing(now_ns)
        if showing is not None:
            for show in self._shows:
                show(showing)


class Stage:
    """What a drill speaks through, and who follows it. Made for one run of pytest; drills follow one another on it."""

    def __init__(
        self, say: Say, screen: Screen | None = None, page: Page | None = None, *, steps: bool = False
    ) -> None:
        """`say` prints a plain line. `steps`: with a screen, print what happens above it, too."""
        self._plain, self._screen, self._page, self._steps = say, screen, page, steps
        self._onlooker: Onlooker | None = None
        self.busy = False  # a drill is followed, and may speak at any time

    def say(self, line: str) -> None:
        """Tell of something that happened."""
        if self._screen is None or self._steps:
            self.urge(line)

    def passing(self, line: str) -> None:
        """Tell of something that goes on; the screen shows it anyway."""
        if self._screen is None:
            self.urge(line)

    def urge(self, line: str) -> None:
        """Say something that a person must read now. A terminal that is gone, or was just being written to, hears nothing."""
        with suppress(OSError, ValueError, RuntimeError):
            if self._screen is None:
                self._plain(line)
            else:
                self._screen.say(line)

    def follow(self, directory: Path) -> None:
        """Show the run in *directory* from now on."""
        self.busy = True
        shows: tuple[Show, ...] = () if self._screen is None else (self._screen.show,)
        if self._page is not None:
            self._page.follow(directory)
            shows += (self._page.show,)
        if shows:
            self._onlooker = Onlooker(directory, shows)
            self._onlooker.start()

    def aside(self) -> AbstractContextManager[None]:
        """Let somebody else write to the terminal meanwhile."""
        aside: AbstractContextManager[None] = nullcontext() if self._screen is None else self._screen.aside()
        return aside

    def leave(self) -> None:
        """The drill is over: take down what showed it."""
        self.busy = False
        if self._onlooker is None:
            return
        self._onlooker.stop()
        self._clear()
        if self._page is not None:
            self._page.finished()
        if self._onlooker.trouble:
            self.urge(self._onlooker.trouble)
        self._onlooker = None

    def last_words(self, line: str) -> None:
        """Say it and leave the terminal as it was found: this process ends at once."""
        self.urge(line)
        self._clear()

    def _clear(self) -> None:
        if self._screen is not None:
            with suppress(OSError, ValueError, RuntimeError):
                self._screen.clear()

    def close(self) -> None:
        """pytest is over: let the page turn into the report, and let go of the terminal."""
        self.leave()
        if self._page is not None:
            self._page.close()
        if self._screen is not None:
            with suppress(OSError, ValueError):
                self._screen.close()


def terminal() -> TextIO | None:
    """Return the terminal that descriptor 1 is, to be closed by the caller; None where it is none that can be drawn on.

    To be called while pytest's capture is off: descriptor 1 is a file of pytest's otherwise.
    """
    if not os.isatty(1) or os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        return None
    return open(os.dup(1), "w", encoding="utf-8", errors="replace", buffering=1)
