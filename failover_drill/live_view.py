"""A drill on a terminal: a panel at the foot, redrawn twice a second; what pytest prints goes above it."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from threading import RLock
from typing import TextIO

from rich.console import Console
from rich.live import Live as Panel
from rich.text import Text

from failover_drill.live import Gauge, Line, Showing

ECHO = 4  # columns left free at the right: a terminal echoes ^C at the cursor, and a panel that it wraps cannot be taken away
BAR = 20  # characters of a gauge
GUTTER = 3  # columns between the facts and the steps beside them
WIDE, TALL = 130, 30  # from this size on, all steps are shown beside the rest
LEVELS = "▁▂▃▄▅▆▇█"
HEARD_S = 0.5  # how long a line waits for a reader who is held up
COLOURS = {"up": "green", "out": "bold red", "silent": "bold yellow", "waiting": "dim", "traffic ended": "dim"}
MARKS = {"✓": "green", "✗": "bold red", "…": "yellow", "?": "bold yellow", "·": "dim"}


def listens(descriptor: int) -> bool:
    """Does who reads what is written there take more? Not behind Ctrl-S, nor behind a pager; no undo waits for a reader."""
    return bool(select.select([], [descriptor], [], HEARD_S)[1])


class Screen:
    """The terminal. Its own thread and pytest's both write there, one at a time."""

    def __init__(self, terminal: TextIO, *, coloured: bool = True) -> None:
        self._terminal = terminal
        self._console = Console(
            file=terminal, force_terminal=True, no_color=None if coloured else True, highlight=False
        )
        self._panel: Panel | None = None
        self._lock = RLock()  # a signal's handler may speak while its own thread does

    def show(self, showing: Showing) -> None:
        """Draw the panel anew."""
        with self._lock:
            if not listens(self._terminal.fileno()):
                return
            self._fit()
            if self._panel is None:
                self._panel = Panel(
                    console=self._console,
                    auto_refresh=False,
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._panel.start()
            self._panel.update(panel(showing, *self._console.size), refresh=True)

    def say(self, line: str) -> None:
        """Print a line above the panel; nothing on a terminal that is held up."""
        if not self._lock.acquire(timeout=HEARD_S):
            return
        try:
            if listens(self._terminal.fileno()):
                self._fit()
                self._console.print(Text(line), soft_wrap=True)
        finally:
            self._lock.release()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the panel away while somebody else writes to the terminal."""
        with self._lock:
            self.clear()
            yield

    def clear(self) -> None:
        """Take the panel away; the cursor is where it was before it. A terminal that is held up keeps it."""
        if not self._lock.acquire(timeout=HEARD_S):
            return
        try:
            if self._panel is not None and listens(self._terminal.fileno()):
                self._panel.stop()
                self._panel = None
        finally:
            self._lock.release()

    def close(self) -> None:
        """Let go of the terminal."""
        self.clear()
        self._terminal.close()

    def _fit(self) -> None:
        """Ask the terminal itself for its size: the usual descriptors are pytest's while a test runs."""
        size = os.get_terminal_size(self._terminal.fileno())
        if size.columns and size.lines:
            self._console.size = (max(1, size.columns - ECHO), size.lines)


def panel(showing: Showing, width: int, height: int) -> Text:
    """Return the panel for a terminal of this size; it leaves room above for what pytest says.

    One text, put together by hand: tables cost five times as much to draw.
    """
    beside = width >= WIDE and height >= TALL
    left = width * 3 // 5 if beside else width
    facts = _facts(showing, left)
    room = max(0, min(height - len(facts) - 4, 12 if beside else 4))
    actions = showing.actions[-room:][::-1] if room else ()
    facts += _rows("last", [_line(each) for each in actions])
    rows = _named(facts)
    if beside:
        rows = _side_by_side(rows, [_step(each) for each in showing.steps], left)
    head = Text.assemble((f" {_title(showing)} ", "bold"), ("─" * width, "dim"))
    for each in (head, *rows):
        each.truncate(width, overflow="ellipsis" if each is not head else "crop")
    return Text("\n", no_wrap=True).join([head, *rows])


def _title(showing: Showing) -> str:
    return " · ".join(filter(None, (showing.drill, showing.remark, showing.phase, showing.elapsed)))


def _facts(showing: Showing, width: int) -> list[tuple[str, Text]]:
    """Return name and text of each row, in the order of what a person asks first."""
    state = Text(showing.users.upper() if showing.users == "out" else showing.users, COLOURS[showing.users])
    told = [showing.now and f"{showing.now} now", showing.since and f"{showing.since} since the first change"]
    return [
        ("step", Text(showing.step, "bold")),
        ("recovery", _gauge(showing.recovery, width)),
        ("users", Text.assemble(state, ": ", ", ".join(filter(None, told)))),
        ("", Text(strip(showing.strip), COLOURS[showing.users])),
        *_rows("served by", _pairs(showing.serving)),
        *_rows("DNS", _pairs(showing.names)),
        ("outages", Text(showing.outage)),
        ("budget", _gauge(showing.budget, width)),
        *_rows("data loss", [_gauge(showing.loss, width), Text(showing.writes)] if showing.writes else []),
    ]


def _pairs(pairs: Sequence[tuple[str, str]]) -> list[Text]:
    width = max((len(name) for name, _ in pairs), default=0)
    return [Text.assemble((f"{name:<{width}} ", "dim"), text) for name, text in pairs]


def _rows(name: str, texts: Sequence[Text]) -> list[tuple[str, Text]]:
    return [("" if i else name, text) for i, text in enumerate(texts)]


def _named(rows: Sequence[tuple[str, Text]]) -> list[Text]:
    width = max(len(name) for name, _ in rows)
    return [Text.assemble((f" {name:<{width}} ", "dim"), text) for name, text in rows]


def _side_by_side(ours: list[Text], theirs: list[Text], width: int) -> list[Text]:
    rows = []
    for one, other in zip_longest(ours, theirs, fillvalue=Text()):
        row = one.copy()
        row.truncate(width - GUTTER, overflow="ellipsis", pad=True)
        rows.append(Text.assemble(row, " " * GUTTER, other))
    return rows


def _step(step: Line) -> Text:
    words = (step.text, "dim" if step.mark == "·" else "bold" if step.mark == "…" else "")
    return Text.assemble((step.mark, MARKS[step.mark]), " ", words, (step.when and f"  {step.when}", "dim"))


def _line(line: Line) -> Text:
    return Text.assemble((f"{line.when:>8} ", "dim"), (line.mark, MARKS[line.mark]), f" {line.text}")


def _gauge(gauge: Gauge, width: int) -> Text:
    """Return a figure with a bar behind it, as long as there is room for, or none."""
    bar = min(BAR, width - len(gauge.text) - 16)
    if gauge.share is None or bar < BAR // 3:
        return Text(gauge.text)
    filled = min(bar, round(gauge.share * bar))
    colour = "green" if gauge.share <= 0.5 else "yellow" if gauge.share <= 1 else "bold red"
    return Text.assemble(gauge.text, "  ", ("━" * filled, colour), ("─" * (bar - filled), "dim"))


def strip(shares: Sequence[float | None]) -> str:
    """Return availability as a strip of blocks, a second each: full is all, low is little, a dot is not known."""
    return "".join("·" if each is None else LEVELS[7 if each == 1 else int(each * 7)] for each in shares)
