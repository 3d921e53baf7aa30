"""Every delay of real Azure that is not known exactly, as a setting with a default and its grade. Values only.

Grades as in azure-facts: O observed and published, U unverified, D documented. All in unscaled seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Delays:
    """Unscaled seconds; `scaled` gives what the estate waits for."""

    stop_effect_s: float = 1.0  # stop accepted -> the front end answers 403. U: "visible within seconds" (§2.5)
    start_effect_s: float = 1.0  # start accepted -> no more 403. O: "~30 s", "1-2 minutes" (§2.5); short by default
    cold_start_s: float = 2.0  # no more 403 -> the first answer; requests wait meanwhile. U: seconds (§2.5)
    stopped_signal_s: float = 60.0  # app stopped -> Traffic Manager says Stopped. O: up to minutes (§3.6)
    restart_noticed_s: float = 60.0  # app running again -> its endpoint is probed again. D without a figure (§3.6)
    dns_propagation_s: float = 2.0  # control plane or monitor -> name servers. U: 1-5 s (§3.6)

    def scaled(self, time_scale: float) -> Delays:
        """Return these delays divided by *time_scale*."""
        return Delays(**{f.name: getattr(self, f.name) / time_scale for f in fields(self)})
