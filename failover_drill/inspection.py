"""Stands where the drill stands in a scenario tagged @read_only: it looks, and can do nothing else.

No consent, no lock, no guardian, no run: there is nothing to put back. So it may run on production every day.
"""

from __future__ import annotations

from collections.abc import Callable

from failover_drill.errors import Unsafe
from failover_drill.looking import Looking


class Inspection(Looking):
    """What a read-only scenario calls its drill."""

    def __getattr__(self, verb: str) -> Callable[..., None]:
        """Every other verb of a drill changes, measures or waits: refused when it is called."""
        if verb.startswith("_"):
            raise AttributeError(verb)

        def refuse(*_: object, **__: object) -> None:
            raise Unsafe(f"a scenario tagged @read_only only looks: it may not {verb.replace('_', ' ')}")

        return refuse
