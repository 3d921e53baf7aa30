"""What ends a drill early. Pure: what was seen is an argument.

[abort] in drill.toml, or steps: "Given abort when availability is below 90 % for 10 s"
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from failover_drill.settings_tables import AbortTable


@dataclass(frozen=True, slots=True)
class Conditions:
    """The limits in force; None is no limit. Shares are fractions, of the window's error budget for `budget_above`."""

    availability_below: float | None = None
    availability_for_s: float = 10.0
    recovery_longer_than_s: float | None = None
    budget_above: float | None = None

    @property
    def any(self) -> bool:
        return not (self.availability_below is self.recovery_longer_than_s is self.budget_above is None)

    def with_(self, **limits: float) -> Conditions:
        return replace(self, **limits)


@dataclass(frozen=True, slots=True)
class Seen:
    """What users get since the first change: seconds since it, availability over the last `availability_for_s`, budget share."""

    elapsed_s: float
    availability: float
    recovered: bool
    budget_share: float


def conditions(table: AbortTable) -> Conditions:
    """Return what [abort] says, as fractions."""
    return Conditions(
        None if table.availability_below is None else table.availability_below / 100,
        table.availability_for_s,
        table.recovery_longer_than_s,
        None if table.budget_above is None else table.budget_above / 100,
    )


def breach(limits: Conditions, seen: Seen) -> str:
    """Say which limit is broken, and by what; "" where none is."""
    if limits.budget_above is not None and seen.budget_share > limits.budget_above:
        return f"the error budget spent is {seen.budget_share:.3%}, above {limits.budget_above:.4g} of it"
    if (
        limits.recovery_longer_than_s is not None
        and not seen.recovered
        and seen.elapsed_s > limits.recovery_longer_than_s
    ):
        return f"recovery takes {seen.elapsed_s:.1f} s already, longer than {limits.recovery_longer_than_s:g} s"
    if (
        limits.availability_below is not None
        and seen.elapsed_s >= limits.availability_for_s
        and seen.availability < limits.availability_below
    ):
        return (
            f"availability was {seen.availability:.1%} over the last {limits.availability_for_s:g} s, "
            f"below {limits.availability_below:.1%}"
        )
    return ""
