"""Waiting until it really happened: an app stopped, a region silent, a region serving, a name switched.

    control plane said yes ──► look … look … look ──► it is so
                               │ before each: may the drill go on at all?
                               └ not within its time ──► ObjectiveNotMet, with what was seen instead

Nothing here changes the estate or writes anything down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from failover_drill.changes import RUNNING, STOPPED
from failover_drill.errors import ObjectiveNotMet
from failover_drill.restoration import World
from failover_drill.target import Region


@dataclass(frozen=True, slots=True)
class Waits:
    """How long the drill waits for each thing before it says that it did not happen. Seconds."""

    confirm_s: float = 60.0
    serve_s: float = 60.0
    complete_s: float = 120.0
    restore_s: float = 120.0
    poll_s: float = 0.1
    settle_s: float = 5.0
    glance_s: float = 0.5  # between two looks at the samples


class Waiting:
    """Waits by the drill's clock. Each verb raises ObjectiveNotMet where its time is over, and what `meanwhile` raises."""

    def __init__(self, world: World, waits: Waits, meanwhile: Callable[[], None]) -> None:
        """`meanwhile` is called before each wait; it raises where the drill must not go on."""
        self._platform, self._direct, self._names, self._clock = world.platform, world.direct, world.names, world.clock
        self._waits, self._meanwhile = waits, meanwhile

    def until(
        self, holds: Callable[[], bool], within_s: float, otherwise: Callable[[], str], poll_s: float | None = None
    ) -> None:
        """Wait until it *holds*; `otherwise` says what was so instead. `poll_s` between two looks, unless of its own."""
        deadline = self._clock.now_ns() + int(within_s * 1e9)
        while not holds():
            self._meanwhile()
            if self._clock.now_ns() >= deadline:
                raise ObjectiveNotMet(otherwise())
            self._clock.wait(self._waits.poll_s if poll_s is None else poll_s)

    def until_seen(self, holds: Callable[[], bool], within_s: float, otherwise: Callable[[], str]) -> None:
        """Wait until it *holds* of the samples: looked at less often, since they are many."""
        self.until(holds, within_s, otherwise, self._waits.glance_s)

    def for_silence(self, region: Region) -> None:
        """Wait until the region's app is stopped, and the region no longer serves when asked directly."""
        self._for_app(region, STOPPED)
        self.until(
            lambda: not self._direct.ask(region).good,
            self._waits.serve_s,
            lambda: f"{region.name} still serves {self._waits.serve_s:g} s after its app was stopped",
        )

    def for_service(self, region: Region) -> None:
        """Wait until the region's app runs, and the region serves when asked directly."""
        self._for_app(region, RUNNING)
        self.until(
            lambda: self._direct.ask(region).good,
            self._waits.serve_s,
            lambda: (
                f"{region.name} does not serve {self._waits.serve_s:g} s after its app was started: "
                f"it answers {self._direct.ask(region).said}"
            ),
        )

    def for_name(self, vantage: str, region: Region) -> None:
        """Wait until the authority, or a watched resolver, leads to the region."""
        self.until(
            lambda: self._names.ask(vantage).region == region.name,
            self._waits.complete_s,
            lambda: f"{vantage} does not answer with {region.name} within {self._waits.complete_s:g} s",
        )

    def _for_app(self, region: Region, state: str) -> None:
        self.until(
            lambda: self._platform.app_state(region.app_id).state == state,
            self._waits.confirm_s,
            lambda: f"{region.app} is not {state} {self._waits.confirm_s:g} s after it was asked to be",
        )
