"""An observation as a person follows it: a table that refreshes in a terminal, a line for each change elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.live import Live
from rich.table import Table

from failover_drill.facts import Objectives
from failover_drill.findings import Findings
from failover_drill.observing import Watched

EACH_S = 10.0
"""Without a terminal, and unless quiet, at least one line in this time."""

MOST_OUTAGES = 20

Show = Callable[[Watched, float | None], None]
"""Shows the state, and how many seconds are left (None: until interrupted)."""


@contextlib.contextmanager
def view(console: Console, what: str, objectives: Objectives, *, quiet: bool) -> Iterator[Show]:
    """Yield what shows the state of the observation of `what`."""
    if quiet or not console.is_terminal:
        yield _Lines(console, objectives, quiet)
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda watched, left: live.update(_table(watched, what, objectives, left), refresh=True)


class _Lines:
    def __init__(self, console: Console, objectives: Objectives, quiet: bool) -> None:
        self._console, self._objectives, self._quiet = console, objectives, quiet
        self._began = self._told = time.monotonic()
        self._shown = ("waiting", 0)

    def __call__(self, watched: Watched, left: float | None) -> None:
        now = time.monotonic()
        state = (watched.state(time.monotonic_ns()), len(watched.judged.episodes))
        if state == self._shown and (self._quiet or now - self._told < EACH_S):
            return
        self._shown, self._told = state, now
        rest = "" if left is None else f"; {max(0.0, left):.0f} s left"
        said = f"{state[0]:<6} {watched.availability_line()}; {watched.outage_line()}"
        line = f"{now - self._began:7.1f} s  {said}; {watched.budget_line(self._objectives)}{rest}"
        self._console.print(line, soft_wrap=True, markup=False)


def _table(watched: Watched, what: str, objectives: Objectives, left: float | None) -> Table:
    state = watched.state(time.monotonic_ns())
    colour = {"up": "green", "out": "bold red", "silent": "yellow", "waiting": "dim"}[state]
    table = Table.grid(padding=(0, 2))
    for name, text in (
        ("observing", f"{what}, " + ("until Ctrl-C" if left is None else f"{max(0.0, left):.0f} s left")),
        ("state", f"[{colour}]{state}[/]"),
        ("availability", watched.availability_line()),
        ("outages", watched.outage_line()),
        ("answering", watched.answering_line()),
        ("budget", watched.budget_line(objectives)),
    ):
        table.add_row(f"[dim]{name}[/]", text)
    return table


def say(findings: Findings, console: Console) -> None:
    """Print verdict, reasons, outages and notes."""
    lines = [findings.verdict, *(f"  {each}" for each in findings.reasons)]
    for outage in findings.downtime.outages[:MOST_OUTAGES]:
        clock = time.strftime("%H:%M:%S", time.gmtime(outage.began))
        most = "without bound" if outage.at_most_s is None else f"at most {outage.at_most_s:.3f} s"
        bounds = f"{outage.estimate_s:.3f} s (at least {outage.at_least_s:.3f} s, {most})"
        lines.append(
            f"  outage from {clock} UTC: {bounds}, {'partial' if outage.partial else 'total'}, {outage.outcome}"
        )
    told = len(findings.downtime.outages) == 1  # by its own line; of several, the note tells how many
    lines += [f"  {note.text}" for note in findings.notes if not (told and note.topic == "outage")]
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)
