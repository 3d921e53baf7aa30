"""Preflight's table as claims that a scenario makes. What was read is read once, when first asked for. Pure but for that.

Then … proves the public host name ──► require("certificate") ──► fail: ObjectiveNotMet, with the fix
                                                                  not to be read: Inconclusive
                                                                  warn, or nothing to look at: told, and passed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from failover_drill.errors import Inconclusive, ObjectiveNotMet
from failover_drill.preflight_seen import Level, Line

Table = tuple[Sequence[Line], Mapping[str, str]]
"""The checks' lines, and why what could not be read could not, by check."""


class Readiness:
    """The readiness table of one target."""

    def __init__(self, read: Callable[[], Table], tell: Callable[[str], None]) -> None:
        """`read` makes the table; `tell` is told of what passes with a remark."""
        self._read, self._tell = read, tell
        self._lines: dict[str, Line] = {}
        self._unread: Mapping[str, str] = {}

    def require(self, checks: Sequence[str]) -> None:
        """Raise ObjectiveNotMet where one of *checks* fails, Inconclusive where it could not be told."""
        if not self._lines:
            lines, self._unread = self._read()
            self._lines = {line.check: line for line in lines}
        asked = [self._lines[check] for check in checks]
        for line in asked:
            if line.level is Level.FAIL:
                raise ObjectiveNotMet(f"{line.check}: {line.said}; {line.fix}")
        for line in asked:
            if line.level is Level.SKIP and line.check in self._unread:
                raise Inconclusive(f"{line.check}: could not be told: {line.said}")
            if line.level is not Level.PASS:
                self._tell(f"{line.check}: {line.said}" + (f"; {line.fix}" if line.fix else ""))
