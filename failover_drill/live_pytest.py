"""A stage for drills in a pytest: its options say which, its reporter and its capture are got past.

`config` is pytest's; nothing else of pytest is needed, and a worker of xdist has neither reporter nor capture.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from failover_drill.live_stage import Stage, terminal
from failover_drill.live_view import Screen, listens


def set_stage(config: Any) -> Stage:
    """Return lines with -q or without a terminal (-qq: nothing), a panel on one; with --live a page in addition."""
    say = sayer(config)
    page = None
    if config.getoption("--live"):
        from failover_drill.live_page import Page

        page = Page()
        say(f"live: {page.url}")
    return Stage(say, _screen(config), page, steps=config.option.verbose > 0)


def begin_line(config: Any) -> None:
    """Let what is drawn next begin on a line of its own."""
    reporter, capture = _terminal_of(config)
    if reporter is not None and capture is not None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            sys.stdout.flush()


def sayer(config: Any) -> Callable[[str], None]:
    """Return what prints a line of progress while pytest captures output; nothing with -qq."""
    reporter, capture = _terminal_of(config)
    if reporter is None or capture is None or config.option.verbose < -1:
        return lambda _: None

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            if listens(1):
                reporter.write_line(line)
                sys.stdout.flush()

    return say


def _screen(config: Any) -> Screen | None:
    """Return the terminal, past pytest's capture, as something to draw on; None where there is none, or with -q."""
    reporter, capture = _terminal_of(config)
    if reporter is None or capture is None or config.option.verbose < 0:
        return None
    with capture.global_and_fixture_disabled():
        found = terminal()
    return None if found is None else Screen(found, coloured=config.option.color != "no")


def _terminal_of(config: Any) -> tuple[Any, Any]:
    plugins = config.pluginmanager
    return plugins.getplugin("terminalreporter"), plugins.getplugin("capturemanager")
