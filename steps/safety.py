"""Steps about safety: what ends a drill early, its undo beginning at once. They add to [abort] of drill.toml."""

from __future__ import annotations

from pytest_bdd import given

from failover_drill.drill import Drill
from steps.phrases import words


@given(words("abort when availability is below {percent} % for {seconds} s"))
def abort_when_unavailable(drill: Drill, percent: float, seconds: float) -> None:
    """Availability of the clients that honour the TTL, over the last so many seconds since the first change."""
    drill.abort_when(availability_below=percent / 100, availability_for_s=seconds)


@given(words("abort when recovery takes longer than {seconds} s"))
def abort_when_slow(drill: Drill, seconds: float) -> None:
    """From the first change until users are served steadily again."""
    drill.abort_when(recovery_longer_than_s=seconds)


@given(words("abort when the budget spent is above {share} %"))
def abort_when_costly(drill: Drill, share: float) -> None:
    """The share of the window's error budget that this drill has cost so far."""
    drill.abort_when(budget_above=share / 100)
