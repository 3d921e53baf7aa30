"""Looking on while the drill goes on: DNS answers and monitor statuses, each written to a file of its own.

One thread each, one writer per file. A look that fails is written down too (DNS) or left out (monitor), and a full disk ends
the looking: a watcher never ends a drill.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

from failover_drill.errors import PlatformError
from failover_drill.facts import Reading, Resolution
from failover_drill.platform import Names, Platform
from failover_drill.record import READINGS, RESOLUTIONS
from failover_drill.settings_tables import WatchTable
from failover_drill.target import Target


class Watch:
    """Calls `look` every *interval_s* and appends what it returns to *path*, one JSON line each."""

    def __init__(self, path: Path, look: Callable[[], Iterable[Resolution | Reading]], interval_s: float) -> None:
        self._path, self._look, self._interval_s = path, look, interval_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=path.stem, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the look under way; harmless when it never began."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        with contextlib.suppress(OSError), self._path.open("a", encoding="utf-8", buffering=1) as file:
            due = time.monotonic()
            while not self._over.is_set():
                for fact in self._look():
                    file.write(json.dumps(asdict(fact), separators=(",", ":")) + "\n")
                due = max(due + self._interval_s, time.monotonic())
                self._over.wait(due - time.monotonic())


def watches(
    directory: Path, names: Names, platform: Platform, target: Target, table: WatchTable
) -> tuple[Watch, Watch]:
    """Return the watches of one run: DNS answers and monitor statuses, as [watch] says."""
    return (
        watch_names(directory / RESOLUTIONS, names, table.dns_interval_s),
        watch_monitor(directory / READINGS, platform, target.profile_id, table.monitor_interval_s),
    )


def watch_names(path: Path, names: Names, interval_s: float) -> Watch:
    """Watch what every vantage answers."""
    return Watch(path, lambda: [names.ask(v) for v in names.vantages], interval_s)


def watch_monitor(path: Path, platform: Platform, profile_id: str, interval_s: float) -> Watch:
    """Watch the profile's and its endpoints' statuses."""

    def look() -> list[Reading]:
        try:
            state = platform.profile_state(profile_id)
        except PlatformError:
            return []
        at = time.monotonic_ns()
        words = {True: "Enabled", False: "Disabled"}
        own = Reading(at, "profile", words[state.enabled], state.health)
        return [own, *(Reading(at, n, words[e.enabled], e.health) for n, e in state.endpoints.items())]

    return Watch(path, look, interval_s)
