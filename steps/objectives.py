"""Steps about the objectives: what was measured, held against drill.toml."""

from __future__ import annotations

from pytest_bdd import then

from failover_drill.drill import Drill


@then("the recovery time is within its objective")
def recovery_time(drill: Drill) -> None:
    """Even the upper bound of the recovery time is within rto_s."""
    drill.verify_recovery_time()


@then("the drill cost no more than its share of the error budget")
def budget(drill: Drill) -> None:
    """Even the upper bound of the downtime is within drill_share of the error budget."""
    drill.verify_budget()
